/* The options that commands share, strict reading of values, and a command's end. */
#include "base/memory.h"
#include "cli/cli.h"
#include "cli/launch.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_DATA = 0x1000, KEY_SEED, KEY_THREADS, KEY_DEVICE, KEY_PRECISION, KEY_JSON };

static const struct argp_option shared_options[] = {
    { "data", KEY_DATA, "DIR", 0, "data folder ($SOFTLABEL_DATA, ./data, ../shared/data)", 0 },
    { "seed", KEY_SEED, "N", 0, "where all random numbers come from (0)", 0 },
    { "threads", KEY_THREADS, "N", 0, "compute threads (the CPUs this process may use)", 0 },
    { "device", KEY_DEVICE, "NAME", 0, "cpu, ref (plain loops), cuda[:N] (cpu)", 0 },
    { "precision", KEY_PRECISION, "NAME", 0, "number format of the computation: f32, bf16 (f32)",
      0 },
    { "json", KEY_JSON, NULL, 0, "print the results as JSON", 0 },
    { "quiet", 'q', NULL, 0, "no messages and no progress, only results and errors", 0 },
    { 0 },
};

error_t cli_usage(struct argp_state *state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", state->name);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    return EINVAL;
}

error_t cli_integer(struct argp_state *state, const char *option, const char *text, int64_t min,
                    int64_t max, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    bool digits = (text[0] >= '0' && text[0] <= '9') || text[0] == '-';
    if (!digits || end == text || *end || errno || value < min || value > max)
        return cli_usage(state, "%s '%s' isn't a whole number from %lld to %lld", option, text,
                         (long long)min, (long long)max);
    *out = value;
    return 0;
}

error_t cli_number(struct argp_state *state, const char *option, const char *text, double min,
                   double max, double *out)
{
    char *end;
    double value = strtod(text, &end);
    bool space = text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r');
    if (space || end == text || *end || !(value >= min && value <= max) || !isfinite(value))
        return cli_usage(state, "%s '%s' isn't a number from %g to %g", option, text, min, max);
    *out = value;
    return 0;
}

error_t cli_choice(struct argp_state *state, const char *option, const char *text,
                   const char *const *choices, int *out)
{
    char known[200] = "";
    size_t used = 0;
    for (int i = 0; choices[i]; i++) {
        if (strcmp(text, choices[i]) == 0) {
            *out = i;
            return 0;
        }
        int n = snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", choices[i]);
        if (n > 0 && used + (size_t)n < sizeof known)
            used += (size_t)n;
    }
    return cli_usage(state, "%s '%s' is unknown; there are %s", option, text, known);
}

/* cpu, ref, cuda, cuda:N; whether the build has it, sl_device_open says. */
static error_t parse_device(struct argp_state *state, char *text, const char **out)
{
    int64_t number;
    if (strncmp(text, "cuda:", 5) == 0) {
        *out = text;
        return cli_integer(state, "--device cuda:", text + 5, 0, 1023, &number);
    }
    static const char *const names[] = { "cpu", "ref", "cuda", NULL };
    int i = 0;
    error_t e = cli_choice(state, "--device", text, names, &i);
    if (!e)
        *out = names[i];
    return e;
}

static error_t parse_precision(struct argp_state *state, const char *text, cli_options *o)
{
    static const char *const names[] = { "f32", "bf16", NULL };
    int i = 0;
    error_t e = cli_choice(state, "--precision", text, names, &i);
    if (!e && i == 1 && !o->bf16)
        return cli_usage(state, "--precision bf16 isn't for this command; use f32");
    if (!e)
        o->precision = names[i];
    return e;
}

static error_t parse_shared(int key, char *text, struct argp_state *state)
{
    cli_options *o = state->input;
    int64_t n = 0;
    error_t e = 0;
    switch (key) {
    case KEY_DATA:
        o->data = text;
        return 0;
    case KEY_SEED:
        e = cli_integer(state, "--seed", text, 0, INT64_MAX, &n);
        o->seed = (uint64_t)n;
        return e;
    case KEY_THREADS:
        e = cli_integer(state, "--threads", text, 1, 1024, &n);
        o->threads = (int)n;
        return e;
    case KEY_DEVICE:
        return parse_device(state, text, &o->device);
    case KEY_PRECISION:
        return parse_precision(state, text, o);
    case KEY_JSON:
        o->json = true;
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp shared = { .options = shared_options, .parser = parse_shared };

/* Parent of the command's argp and the shared one, both with the same input. */
static error_t parse_root(int key, char *text, struct argp_state *state)
{
    (void)text;
    if (key != ARGP_KEY_INIT)
        return ARGP_ERR_UNKNOWN;
    state->err_stream = NULL; /* one line says what is wrong, without argp's "Try ..." below it */
    state->child_inputs[0] = state->input;
    state->child_inputs[1] = state->input;
    return 0;
}

/* CPUs that this process may use; a part of them where others started with it use them, too. */
static int usable_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set))
        return 1;
    int n = CPU_COUNT(&set) / sl_processes_sharing(cli_processes());
    return n < 1 ? 1 : n;
}

/* Processes may have been given different command lines: one goes on only if all do. */
static int end_parse(int code)
{
    sl_error err;
    sl_status st = SL_OK;
    if (code)
        st = sl_error_set(&err, SL_EINVAL, "its command line is wrong");
    st = sl_processes_agree(cli_processes(), st, NULL, &err);
    if (!st || code)
        return code;
    cli_print_error(&err);
    return CLI_USAGE;
}

int cli_parse(const cli_command *command, const struct argp *argp, int argc, char **argv,
              void *input)
{
    cli_options *o = input;
    int alone = cli_launch(argv[0], o->together);
    if (alone)
        return alone;
    o->threads = usable_cpus();
    o->device = "cpu";
    o->precision = "f32";

    char doc[1600]; /* in one piece: argp would drop what a child says above the options */
    snprintf(doc, sizeof doc, "%s\vExample:\n  %s%s%s", command->summary, command->example,
             argp->doc ? "\n\n" : "", argp->doc ? argp->doc : "");
    struct argp own = *argp;
    own.doc = NULL;
    const struct argp_child children[] = {
        { &own, 0, NULL, 0 },
        { &shared, 0, "Shared by all commands (defaults in brackets):", 9 },
        { 0 },
    };
    const struct argp root = { .parser = parse_root, .doc = doc, .children = children };
    int next = argc;
    error_t e = argp_parse(&root, argc, argv, 0, &next, input);
    if (!e && next < argc) {
        fprintf(stderr, "%s: unexpected argument '%s'\n", argv[0], argv[next]);
        e = EINVAL;
    }
    if (e == ENOMEM)
        fprintf(stderr, "%s: out of memory\n", argv[0]);
    int code = end_parse(e == ENOMEM ? CLI_FAILED : e ? CLI_USAGE : CLI_DONE);
    if (code)
        return code;
    cli_console_start(&o->console, o->quiet);
    return CLI_DONE;
}

void cli_unpack_folder(char *out, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", out, size - sizeof "/unpacked");
    if (n < 0)
        n = 0;
    out[n] = 0;
    char *slash = strrchr(out, '/');
    snprintf(slash ? slash : out, sizeof "/unpacked", slash ? "/unpacked" : "unpacked");
}

sl_status cli_data_open(sl_data **out, const cli_options *options, sl_error *err)
{
    char folder[PATH_MAX];
    cli_unpack_folder(folder, sizeof folder);
    *out = NULL;
    sl_processes *p = cli_processes();
    sl_status st = SL_OK;
    if (sl_processes_leads(p))
        st = sl_data_open(out, options->data, folder, err);
    st = sl_processes_agree(p, st, NULL, err);
    if (!st && !sl_processes_leads(p))
        st = sl_data_open(out, options->data, folder, err);
    return sl_processes_agree(p, st, NULL, err);
}

void cli_print_json(json_t *json)
{
    if (!json || json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) ||
        fputc('\n', stdout) == EOF)
        fprintf(stderr, "softlabel: the results can't be written as JSON\n");
    json_decref(json);
}

void cli_print_error(const sl_error *err)
{
    char line[sizeof err->message + sizeof err->place + 4];
    fprintf(stderr, "softlabel: %s\n", sl_error_text(err, line, sizeof line));
}

int cli_end(cli_options *options, sl_status st, const sl_error *err)
{
    cli_console_stop(&options->console);
    if (st) {
        const int code = st == SL_EINVAL ? CLI_USAGE : CLI_FAILED;
        fflush(stdout);
        cli_speak_alone();
        cli_print_error(err);
        cli_end_others(code);
        return code;
    }
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "softlabel: standard output: %s\n", strerror(errno));
        return CLI_FAILED;
    }
    return CLI_DONE;
}
