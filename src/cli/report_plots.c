/* softlabel report changes | curves: the paper's figures 2 and 3. */
#include "cli/report.h"

#include "report/changes.h"
#include "report/curves_figure.h"

#include <stdio.h>
#include <sys/stat.h>

enum { KEY_OUT = 1 };

typedef struct {
    cli_options common; /* first */
    char **paths;
    size_t n;
    const char *out, *missing; /* missing: what to say without paths */
    size_t max;
} options;

static error_t parse(int key, char *text, struct argp_state *state)
{
    options *o = state->input;

    switch (key) {
    case KEY_OUT:
        o->out = text;
        return 0;
    case ARGP_KEY_ARGS:
        o->paths = state->argv + state->next;
        o->n = (size_t)(state->argc - state->next);
        if (o->n > o->max)
            return cli_usage(state, "%zu runs, expected at most %zu", o->n, o->max);
        return 0;
    case ARGP_KEY_NO_ARGS:
        return cli_usage(state, "%s", o->missing);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_list[] = {
    { "out", KEY_OUT, "PATH", 0, "folder/name of the figure, without ending (the command's name)",
      0 },
    { 0 },
};

static sl_status changes(const options *o, sl_error *err)
{
    sl_run_set set;
    sl_status st = sl_run_set_read(&set, (const char *const *)o->paths, o->n, err);

    if (!st)
        st = sl_changes_draw(o->out, &set, err);
    if (!st)
        cli_show_figure_files(o->out, o->common.json);
    sl_run_set_release(&set);
    return st;
}

int cli_report_changes(const cli_command *self, int argc, char **argv)
{
    static const struct argp argp = { .options = option_list,
                                      .parser = parse,
                                      .args_doc = "RUN|FOLDER..." };
    options o = { .out = "changes",
                  .missing = "the folders of finished fine-tuning runs are missing",
                  .max = SIZE_MAX };
    sl_error err;
    int code = cli_parse(self, &argp, argc, argv, &o);

    return code ? code : cli_end(&o.common, changes(&o, &err), &err);
}

/* A run's folder says what it was tuned on; of two files the first is the human run. */
static sl_status title_column(sl_curves_column *column, const char *path, size_t place,
                              char title[80], sl_error *err)
{
    sl_tuning_kind kind = place == 0 ? SL_KIND_HUMAN : SL_KIND_HARD;
    struct stat info;

    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        sl_tuning_run run;
        sl_status st = sl_tuning_run_read(&run, path, err);

        if (st)
            return st;
        kind = run.kind;
        sl_tuning_run_release(&run);
    }
    snprintf(title, 80, "%s-tuned", sl_tuning_kind_title(kind));
    column->title = title;
    return SL_OK;
}

static sl_status curves(const options *o, sl_error *err)
{
    sl_curves read[2] = { 0 };
    sl_curves_column columns[2];
    char titles[2][80];
    sl_status st = SL_OK;

    for (size_t i = 0; i < o->n && !st; i++) {
        st = sl_curves_read(&read[i], o->paths[i], err);
        columns[i].curves = &read[i];
        if (!st)
            st = title_column(&columns[i], o->paths[i], i, titles[i], err);
    }
    if (!st)
        st = sl_curves_draw(o->out, columns, (int)o->n, err);
    if (!st)
        cli_show_figure_files(o->out, o->common.json);
    for (size_t i = 0; i < 2; i++)
        sl_curves_release(&read[i]);
    return st;
}

int cli_report_curves(const cli_command *self, int argc, char **argv)
{
    static const struct argp argp = { .options = option_list,
                                      .parser = parse,
                                      .args_doc = "RUN|CSV [RUN|CSV]" };
    options o = { .out = "curves",
                  .missing = "the run's folder or CSV file is missing; a second one, the control, "
                             "may follow",
                  .max = 2 };
    sl_error err;
    int code = cli_parse(self, &argp, argc, argv, &o);

    return code ? code : cli_end(&o.common, curves(&o, &err), &err);
}
