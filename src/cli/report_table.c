/* softlabel report table: the paper's tables from finished runs, or all their settings. */
#include "cli/report.h"

#include "base/file.h"
#include "base/memory.h"
#include "report/main_table.h"
#include "report/paper_table.h"

#include <stdio.h>
#include <string.h>

enum { KEY_TABLE = 1, KEY_FORMAT, KEY_ATTACK, KEY_OUT };

typedef struct {
    cli_options common; /* first */
    char **folders;
    size_t n;
    int table;       /* 0: all settings; 1 to 3: the paper's */
    int format;      /* sl_table_format */
    const char *out; /* where files of all formats go, or NULL */
    cli_attack_files attacks;
} options;

static error_t check(const options *o, struct argp_state *state)
{
    if (!o->folders)
        return cli_usage(state, "the folders of finished fine-tuning runs are missing");
    if (o->table == 3 && o->attacks.n == 0)
        return cli_usage(state, "--table 3 needs --attack FILE, written by 'softlabel attack "
                                "--out FILE'");
    if (o->table != 3 && o->attacks.n > 0)
        return cli_usage(state, "--attack is for --table 3");
    if (o->out && o->table == 0)
        return cli_usage(state, "--out needs --table 1, 2 or 3");
    if (o->table == 0 && o->format == SL_TABLE_CSV)
        return cli_usage(state, "--format csv needs --table 1, 2 or 3; all settings are in --json");
    return 0;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    static const char *const tables[] = { "settings", "1", "2", "3", NULL };
    static const char *const formats[] = { "text", "markdown", "latex", "csv", "html", NULL };
    options *o = state->input;

    switch (key) {
    case KEY_TABLE:
        return cli_choice(state, "--table", text, tables, &o->table);
    case KEY_FORMAT:
        return cli_choice(state, "--format", text, formats, &o->format);
    case KEY_OUT:
        o->out = text;
        return 0;
    case KEY_ATTACK:
        return cli_attack_files_add(&o->attacks, text, state);
    case ARGP_KEY_ARGS:
        o->folders = state->argv + state->next;
        o->n = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_END:
        return check(o, state);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

error_t cli_attack_files_add(cli_attack_files *files, const char *path, struct argp_state *state)
{
    if (files->n == CLI_MAX_ATTACK_FILES)
        return cli_usage(state, "--attack: more than %d files", CLI_MAX_ATTACK_FILES);
    files->paths[files->n++] = path;
    return 0;
}

sl_status cli_attack_files_read(const cli_attack_files *files, sl_attack_set *out, sl_error *err)
{
    sl_status st = SL_OK;

    for (size_t i = 0; i < files->n && !st; i++)
        st = sl_attack_set_add(out, files->paths[i], err);
    return st;
}

/* out.txt, .md, .tex, .csv */
static sl_status write_files(const options *o, const sl_paper_table *table, sl_error *err)
{
    static const struct {
        sl_table_format format;
        const char *ending;
    } files[] = { { SL_TABLE_TEXT, "txt" },
                  { SL_TABLE_MARKDOWN, "md" },
                  { SL_TABLE_LATEX, "tex" },
                  { SL_TABLE_CSV, "csv" } };
    const char *slash = strrchr(o->out, '/'), *folder, *path;
    sl_arena memory = { 0 };
    sl_status st = SL_OK;

    if (slash && slash > o->out) {
        st = sl_arena_printf(&memory, &folder, err, "%.*s", (int)(slash - o->out), o->out);
        if (!st)
            st = sl_make_directories(folder, err);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files && !st; i++) {
        sl_file_writer *writer;

        st = sl_arena_printf(&memory, &path, err, "%s.%s", o->out, files[i].ending);
        if (!st)
            st = sl_file_writer_open(&writer, path, err);
        if (st)
            break;
        st = sl_paper_table_write(table, files[i].format, sl_file_writer_stream(writer), err);
        if (st)
            sl_file_writer_abort(writer);
        else
            st = sl_file_writer_commit(writer, err);
    }
    sl_arena_release(&memory);
    return st;
}

static sl_status show_paper_table(const options *o, sl_error *err)
{
    sl_run_set set = { 0 };
    sl_attack_set attacks = { 0 };
    sl_paper_table table = { 0 };
    json_t *json = NULL;
    sl_status st = sl_run_set_read(&set, (const char *const *)o->folders, o->n, err);

    if (!st)
        st = cli_attack_files_read(&o->attacks, &attacks, err);
    if (!st)
        st = sl_paper_table_create(&table, o->table, &set, &attacks, err);
    if (!st && o->out)
        st = write_files(o, &table, err);
    if (!st && o->common.json)
        st = sl_paper_table_json(&table, &json, err);
    else if (!st && o->out)
        printf("%s.txt, .md, .tex, .csv\n", o->out);
    else if (!st)
        st = sl_paper_table_write(&table, (sl_table_format)o->format, stdout, err);
    if (json)
        cli_print_json(json);
    sl_paper_table_release(&table);
    sl_attack_set_release(&attacks);
    sl_run_set_release(&set);
    return st;
}

static sl_status show_settings(const options *o, sl_error *err)
{
    sl_main_table *table;
    json_t *json = NULL;
    sl_status st = sl_main_table_create(&table, (const char *const *)o->folders, o->n, err);

    if (!st && o->common.json)
        st = sl_main_table_json(table, &json, err);
    else if (!st)
        st = sl_main_table_write(table, (sl_table_format)o->format, stdout, err);
    if (json)
        cli_print_json(json);
    sl_main_table_destroy(table);
    return st;
}

int cli_report_table(const cli_command *self, int argc, char **argv)
{
    static const struct argp_option option_list[] = {
        { "table", KEY_TABLE, "NAME", 0,
          "1, 2 (mixup), 3 (attacks): the paper's; or settings: every setting (settings)", 0 },
        { "format", KEY_FORMAT, "NAME", 0, "text, markdown, latex, csv, html (text)", 0 },
        { "out", KEY_OUT, "PATH", 0,
          "of --table 1 to 3: write PATH.txt, .md, .tex and .csv in place of printing", 0 },
        { "attack", KEY_ATTACK, "FILE", 0,
          "of 'softlabel attack --out', for table 3; may be repeated", 0 },
        { 0 },
    };
    static const struct argp argp = { .options = option_list,
                                      .parser = parse,
                                      .args_doc = "RUN|FOLDER..." };
    options o = { 0 };
    sl_error err;
    int code = cli_parse(self, &argp, argc, argv, &o);

    if (code)
        return code;
    return cli_end(&o.common, o.table ? show_paper_table(&o, &err) : show_settings(&o, &err), &err);
}
