/* softlabel report html: tables, figures, settings, hashes and times in one page. */
#include "cli/report.h"

#include "base/memory.h"
#include "report/html.h"

#include <stdio.h>
#include <string.h>

enum { KEY_OUT = 1, KEY_ATTACK };

typedef struct {
    cli_options common; /* first */
    char **folders;
    size_t n;
    const char *out;
    cli_attack_files attacks;
} options;

static error_t parse(int key, char *text, struct argp_state *state)
{
    options *o = state->input;

    switch (key) {
    case KEY_OUT:
        o->out = text;
        return 0;
    case KEY_ATTACK:
        return cli_attack_files_add(&o->attacks, text, state);
    case ARGP_KEY_ARGS:
        o->folders = state->argv + state->next;
        o->n = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_NO_ARGS:
        return cli_usage(state, "the folders of finished fine-tuning runs are missing");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Of the test set that the runs were scored on, if it is at hand; *drawn says whether. */
static sl_status draw_examples(const options *o, const sl_run_set *set, const char *path,
                               bool *drawn, sl_error *err)
{
    sl_data *data = NULL;
    sl_dataset *test = NULL;
    sl_error why;
    sl_status st = SL_OK;

    *drawn = false;
    if (cli_data_open(&data, &o->common, &why)) {
        char line[sizeof why.message + sizeof why.place + 4];

        sl_log(SL_LOG_INFO, "no examples of images: %s", sl_error_text(&why, line, sizeof line));
        return SL_OK;
    }
    st = sl_data_read(data, SL_SET_TEST, &test, err);
    if (!st && strcmp(test->sha256, set->runs[0].test) != 0) {
        sl_log(SL_LOG_INFO, "no examples of images: '%s' isn't the data of these runs",
               sl_data_folder(data));
    } else if (!st && sl_data_has_human(data)) {
        st = cli_draw_examples(path, data, test, err);
        *drawn = !st;
    }
    sl_dataset_destroy(test);
    sl_data_close(data);
    return st;
}

static sl_status write_report(const options *o, sl_error *err)
{
    sl_run_set set = { 0 };
    sl_attack_set attacks = { 0 };
    sl_arena memory = { 0 };
    const char *folder, *examples;
    const size_t length = strlen(o->out);
    const bool ending = length > 5 && strcmp(o->out + length - 5, ".html") == 0;
    bool drawn = false;
    sl_status st = sl_run_set_read(&set, (const char *const *)o->folders, o->n, err);

    if (!st)
        st = cli_attack_files_read(&o->attacks, &attacks, err);
    if (!st)
        st = sl_arena_printf(&memory, &folder, err, "%.*s-figures",
                             (int)(ending ? length - 5 : length), o->out);
    if (!st)
        st = sl_arena_printf(&memory, &examples, err, "%s/examples", folder);
    if (!st)
        st = draw_examples(o, &set, examples, &drawn, err);
    if (!st) {
        const sl_html_figure figure = {
            examples, "Images of the test set and what people chose for them: two of those that "
                      "they agree on most, two of those that they agree on least."
        };
        const sl_html_report report = { &set, &attacks, folder, &figure, drawn };

        st = sl_html_report_write(o->out, &report, err);
    }
    if (!st && o->common.json)
        cli_print_json(json_pack("{s:s, s:s, s:I}", "file", o->out, "figures", folder, "runs",
                                 (json_int_t)set.n));
    else if (!st)
        printf("%s; figures with their scripts and data in %s\n", o->out, folder);
    sl_arena_release(&memory);
    sl_attack_set_release(&attacks);
    sl_run_set_release(&set);
    return st;
}

int cli_report_html(const cli_command *self, int argc, char **argv)
{
    static const struct argp_option option_list[] = {
        { "out", KEY_OUT, "FILE", 0, "the page; figures go into a folder beside it (report.html)",
          0 },
        { "attack", KEY_ATTACK, "FILE", 0,
          "of 'softlabel attack --out', for table 3; may be repeated", 0 },
        { 0 },
    };
    static const struct argp argp = { .options = option_list,
                                      .parser = parse,
                                      .args_doc = "RUN|FOLDER..." };
    options o = { .out = "report.html" };
    sl_error err;
    int code = cli_parse(self, &argp, argc, argv, &o);

    return code ? code : cli_end(&o.common, write_report(&o, &err), &err);
}
