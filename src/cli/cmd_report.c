/* softlabel report: tables from finished runs, and figures. */
#include "cli/report.h"
#include "report/main_table.h"
#include <stdio.h>

typedef struct {
    cli_options common; /* first */
    char **folders;
    size_t n;
} table_options;

static error_t parse_table(int key, char *text, struct argp_state *state)
{
    table_options *o = state->input;
    (void)text;
    switch (key) {
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

static int report_table(const cli_command *self, int argc, char **argv)
{
    static const struct argp argp = { .parser = parse_table, .args_doc = "RUN..." };
    table_options o = { 0 };
    sl_main_table *table = NULL;
    json_t *json = NULL;
    sl_error err;
    int code = cli_parse(self, &argp, argc, argv, &o);
    if (code)
        return code;
    sl_status st = sl_main_table_create(&table, (const char *const *)o.folders, o.n, &err);
    if (!st && o.common.json)
        st = sl_main_table_json(table, &json, &err);
    else if (!st)
        st = sl_main_table_write(table, SL_TABLE_TEXT, stdout, &err);
    if (json)
        cli_print_json(json);
    sl_main_table_destroy(table);
    return cli_end(&o.common, st, &err);
}

int cmd_report(const cli_command *self, int argc, char **argv)
{
    static const cli_command commands[] = {
        { "table", "models before and after fine-tuning, on every data set",
          "softlabel report table runs/human-* runs/control-*", report_table },
        { "examples", "images beside what people chose for them (figure 1b)",
          "softlabel report examples --images 3,14,15 --out figures/examples",
          cli_report_examples },
        { "confusion", "people's confusion matrix as a heat map",
          "softlabel report confusion labels --out figures/confusion", cli_report_confusion },
        { 0 },
    };
    return cli_dispatch(commands, self->summary, argc, argv);
}
