/* The program's frame: its table of commands, the options they share, and how they talk.
 *
 * Only this folder parses arguments, prints and exits. Results go to stdout; talk, progress and
 * errors go to stderr. A command is one file, cmd_<name>.c:
 *
 *     typedef struct {
 *         cli_options common; // first
 *         double lr;
 *     } options;
 *
 *     int cmd_train(const cli_command *self, int argc, char **argv)
 *     {
 *         options o = { .lr = 0.1 };
 *         sl_error err;
 *         int code = cli_parse(self, &argp, argc, argv, &o);
 *         if (code)
 *             return code;
 *         return cli_end(&o.common, train(&o, &err), &err);
 *     }
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <argp.h>
#include <jansson.h>
#include <softlabel/dataset.h>
#include <softlabel/error.h>
#include <softlabel/log.h>
#include <stdbool.h>
#include <stdint.h>

/* What the program exits with. */
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

typedef struct cli_command cli_command;
struct cli_command {
    const char *name, *summary, *example;
    int (*run)(const cli_command *self, int argc, char **argv); /* argv[0]: "softlabel train" */
};

/* Runs the command that argv[1] names out of a table that ends with a zero row, or prints the
 * table for --help; an unknown name is answered with the nearest known one. intro is the help's
 * first paragraph. For main and for commands that are groups of commands ("data", "model"). */
int cli_dispatch(const cli_command *commands, const char *intro, int argc, char **argv);

int cmd_data(const cli_command *self, int argc, char **argv);
int cmd_train(const cli_command *self, int argc, char **argv);
int cmd_finetune(const cli_command *self, int argc, char **argv);
int cmd_finetune_grid(int argc, char **argv); /* finetune --grid */
int cmd_evaluate(const cli_command *self, int argc, char **argv);
int cmd_attack(const cli_command *self, int argc, char **argv);
int cmd_report(const cli_command *self, int argc, char **argv);
int cmd_reproduce(const cli_command *self, int argc, char **argv);
int cmd_labels(const cli_command *self, int argc, char **argv);
int cmd_model(const cli_command *self, int argc, char **argv);
int cmd_verify(const cli_command *self, int argc, char **argv);
int cmd_study(const cli_command *self, int argc, char **argv);
int cmd_bench(const cli_command *self, int argc, char **argv);

/* Progress and log lines on stderr: a bar on a terminal, a plain line now and then elsewhere. */
typedef struct {
    bool quiet, terminal;
    bool bar;                 /* a bar stands in the terminal's last line */
    char task[64];            /* that started, first and shown belong to */
    double started;           /* seconds, monotonic */
    double shown;             /* when progress was last shown */
    unsigned long long first; /* units that were done when the task started */
} cli_console;

/* The options every command has. */
typedef struct {
    const char *data;      /* --data DIR, or NULL: sl_data_open looks for it */
    uint64_t seed;         /* --seed N, 0 */
    int threads;           /* --threads N, >= 1; the CPUs this process may use */
    const char *device;    /* --device cpu|ref|cuda[:N], for sl_device_open */
    const char *precision; /* --precision f32|bf16, for sl_dtype_parse */
    bool bf16;             /* set before cli_parse: this command can compute in bfloat16 */
    bool together;         /* likewise: several processes (cli/launch.h) can run it as one */
    bool json;             /* --json: the results as JSON on stdout */
    bool quiet;            /* --quiet: no talk and no progress */
    cli_console console;
} cli_options;

/* Parses a command's options and the shared ones, then starts the console (log sink, Ctrl-C). argp
 * has the command's own options, parser, args_doc and perhaps a doc, which is shown below the
 * example; input, the parser's state->input, starts with a cli_options. Returns
 * CLI_DONE to go on, or what to exit with; a mistake has then been told in one line. --help prints
 * the row of the table and exits. */
int cli_parse(const cli_command *command, const struct argp *argp, int argc, char **argv,
              void *input);

/* Options that train, finetune and its grid describe alike. */
#define CLI_AUGMENT_HELP "paper (which is crop,flip), crop, flip, none (paper)"
#define CLI_CUTOUT_HELP "side of the square cut out of each image, 0: none (by the model's name)"
#define CLI_MIXUP_HELP "mix images and targets of a batch, lambda ~ Beta(ALPHA, ALPHA) (off; 1)"
#define CLI_SMOOTHING_HELP "of --targets smoothed: 1 - X on the label, X over all classes (0.1)"

/* For parsers: strict values. What they return is the parser's result; a mistake has been told.
 * option is what the message calls it ("--lr"). */
error_t cli_integer(struct argp_state *state, const char *option, const char *text, int64_t min,
                    int64_t max, int64_t *out);
error_t cli_number(struct argp_state *state, const char *option, const char *text, double min,
                   double max, double *out); /* finite, both ends allowed */
/* One of choices (NULL-ended); *out is its place in the list. */
error_t cli_choice(struct argp_state *state, const char *option, const char *text,
                   const char *const *choices, int *out);
/* "softlabel train: <message>"; returns EINVAL. */
error_t cli_usage(struct argp_state *state, const char *format, ...) SL_PRINTF(2, 3);

/* The console as an sl_progress_fn (user: &options->console). True, that is "stop", after Ctrl-C;
 * a second Ctrl-C ends the process at once. */
bool cli_progress(void *console, const sl_progress *progress);
bool cli_interrupted(void);
void cli_console_start(cli_console *console, bool quiet);
void cli_console_stop(cli_console *console); /* removes the bar */

/* Opens the data folder that --data or the usual places give; see sl_data_open. What it has to
 * unpack goes beside the program; of several processes, the first unpacks, then the others open. */
SL_CHECK sl_status cli_data_open(sl_data **out, const cli_options *options, sl_error *err);
/* That folder beside the program; size >= PATH_MAX. */
void cli_unpack_folder(char *out, size_t size);

/* json to stdout, 17 significant digits; takes the reference. */
void cli_print_json(json_t *json);

/* "softlabel: place: message" on stderr. */
void cli_print_error(const sl_error *err);

/* Ends a command: stops the console, prints "softlabel: place: message" if st isn't SL_OK, checks
 * that stdout took everything. Returns what to exit with. */
int cli_end(cli_options *options, sl_status st, const sl_error *err);

#endif
