#include "report/main_table.h"

#include "base/memory.h"
#include "base/statistics.h"
#include "report/pick.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sl_main_table {
    sl_run_set set;
};

/* A line of the table: a span of runs before tuning, or after it, or of these the paper's pick. */
typedef enum { LINE_BEFORE, LINE_SETTING, LINE_LOWEST } line_kind;

typedef struct {
    line_kind kind;
    sl_run_span span;
} line;

sl_status sl_main_table_create(sl_main_table **out, const char *const *folders, size_t n,
                               sl_error *err)
{
    sl_main_table *t;
    sl_status st = sl_alloc(&t, 1, sizeof *t, err);

    *out = NULL;
    if (st)
        return st;
    st = sl_run_set_read(&t->set, folders, n, err);
    if (st)
        sl_main_table_destroy(t);
    else
        *out = t;
    return st;
}

void sl_main_table_destroy(sl_main_table *table)
{
    if (!table)
        return;
    sl_run_set_release(&table->set);
    free(table);
}

/* Whether run i counts in the line. Before tuning, runs of one split are the same measurement. */
static bool counts(const line *l, size_t i)
{
    const sl_tuning_run *runs = l->span.runs;

    if (l->kind == LINE_LOWEST)
        return &runs[i] == sl_pick_lowest(l->span);
    for (size_t k = 0; k < i && l->kind == LINE_BEFORE; k++)
        if (runs[k].split_seed == runs[i].split_seed)
            return false;
    return true;
}

static size_t line_runs(const line *l)
{
    size_t n = 0;

    for (size_t i = 0; i < l->span.n; i++)
        n += counts(l, i);
    return n;
}

static sl_status summarise(const line *l, sl_report_column column, bool accuracy, sl_summary *out,
                           sl_error *err)
{
    double *values;
    size_t n = 0;
    sl_status st = sl_alloc(&values, l->span.n, sizeof *values, err);

    if (st)
        return st;
    for (size_t i = 0; i < l->span.n; i++) {
        const sl_tuning_run *r = &l->span.runs[i];
        const sl_report_row *row = l->kind == LINE_BEFORE ? &r->before : &r->selected;

        if (counts(l, i))
            values[n++] = accuracy ? row->accuracy[column] : row->loss[column];
    }
    *out = sl_summarise(values, n);
    free(values);
    return SL_OK;
}

/* ---- the lines of one model ---- */

typedef sl_status line_fn(void *user, const line *l, sl_error *err);

/* Calls each for the lines of one model's runs, in order: before; then for each kind of tuning
 * every setting, and with several runs the paper's pick among all of them. */
static sl_status for_lines(sl_run_span model, line_fn *each, void *user, sl_error *err)
{
    sl_status st = each(user, &(line){ LINE_BEFORE, model }, err);
    sl_run_span rest = model, group, setting;

    for (; rest.n && !st; rest = sl_run_span_after(rest, group)) {
        group = sl_run_span_first(rest, sl_run_same_group);
        for (sl_run_span in = group; in.n && !st; in = sl_run_span_after(in, setting)) {
            setting = sl_run_span_first(in, sl_run_same_settings);
            st = each(user, &(line){ LINE_SETTING, setting }, err);
        }
        if (!st && group.n > 1)
            st = each(user, &(line){ LINE_LOWEST, group }, err);
    }
    return st;
}

/* ---- text ---- */

/* Adds to the n characters in out, as far as there is room. */
SL_PRINTF(4, 5)
static void append(char *out, size_t size, size_t *n, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int added = vsnprintf(out + *n, size - *n, format, args);
    va_end(args);
    *n += added < 0 ? 0 : (size_t)added;
    if (*n >= size)
        *n = size - 1;
}

/* "human", "control + mixup 1" */
static void name_kind(const sl_tuning_run *r, char out[60])
{
    const char *name = sl_tuning_kind_name(r->kind);

    if (r->mixup > 0)
        snprintf(out, 60, "%s + mixup %g", name, r->mixup);
    else
        snprintf(out, 60, "%s", name);
}

/* ", batch 64, cutout 16": what else r was set to, as far as the model's runs differ in it. */
static void name_differences(const sl_tuning_run *r, sl_run_span model, char *out, size_t size)
{
    bool batch = false, decay = false, augment = false, cutout = false, smoothing = false,
         precision = false;
    size_t n = 0;

    for (size_t i = 0; i < model.n; i++) {
        const sl_tuning_run *o = &model.runs[i];

        batch |= o->batch_size != r->batch_size;
        decay |= o->weight_decay != r->weight_decay;
        augment |= strcmp(o->augment, r->augment) != 0;
        cutout |= o->cutout != r->cutout;
        smoothing |= o->kind == r->kind && o->smoothing != r->smoothing;
        precision |= strcmp(o->precision, r->precision) != 0;
    }
    out[0] = '\0';
    if (batch)
        append(out, size, &n, ", batch %lld", (long long)r->batch_size);
    if (decay)
        append(out, size, &n, ", weight decay %g", r->weight_decay);
    if (augment)
        append(out, size, &n, ", augment %s", r->augment);
    if (cutout)
        append(out, size, &n, ", cutout %lld", (long long)r->cutout);
    if (smoothing)
        append(out, size, &n, ", smoothing %g", r->smoothing);
    if (precision)
        append(out, size, &n, ", %s", r->precision);
}

static sl_status add_label(sl_table *text, const line *l, sl_run_span model, sl_error *err)
{
    const sl_tuning_run *r = l->span.runs;
    char kind[60], others[160];

    name_kind(r, kind);
    if (l->kind == LINE_BEFORE)
        return sl_table_cell(text, err, "before");
    if (l->kind == LINE_LOWEST)
        r = sl_pick_lowest(l->span);
    name_differences(r, model, others, sizeof others);
    if (l->kind == LINE_SETTING)
        return sl_table_cell(text, err, "%s, lr %g, %lld epochs%s", kind, r->lr,
                             (long long)r->epochs, others);
    return sl_table_cell(text, err, "%s, lowest: lr %g, split %lld%s", kind, r->lr,
                         (long long)r->split_seed, others);
}

static sl_status add_value(sl_table *text, const line *l, sl_report_column column, sl_error *err)
{
    sl_summary loss, accuracy;
    sl_status st = summarise(l, column, false, &loss, err);

    if (!st)
        st = summarise(l, column, true, &accuracy, err);
    if (st)
        return st;
    if (!loss.n)
        return sl_table_cell(text, err, "-");
    if (loss.n == 1)
        return sl_table_cell(text, err, "%.4f (%.1f %%)", loss.mean, 100 * accuracy.mean);
    return sl_table_cell(text, err, "%.4f±%.4f (%.1f±%.1f %%)", loss.mean, loss.sd,
                         100 * accuracy.mean, 100 * accuracy.sd);
}

/* A table under way, and which columns any run has. */
typedef struct {
    sl_table *table;
    sl_run_span model;
    bool shown[SL_REPORT_COLUMNS];
} text_table;

static sl_status add_text_line(void *user, const line *l, sl_error *err)
{
    text_table *text = user;
    sl_status st = add_label(text->table, l, text->model, err);

    if (!st)
        st = sl_table_cell(text->table, err, "%zu", line_runs(l));
    for (int c = 0; c < SL_REPORT_COLUMNS && !st; c++)
        if (text->shown[c])
            st = add_value(text->table, l, (sl_report_column)c, err);
    return st;
}

static sl_status add_header(text_table *text, sl_run_span model, sl_error *err)
{
    int n_shown = 0;
    sl_status st;

    for (int c = 0; c < SL_REPORT_COLUMNS; c++) {
        text->shown[c] = false;
        for (size_t i = 0; i < model.n; i++)
            text->shown[c] |= !isnan(model.runs[i].before.loss[c]);
        n_shown += text->shown[c];
    }
    st = sl_table_create(&text->table, 2 + n_shown, err);
    if (!st)
        st = sl_table_cell(text->table, err, "%s", model.runs[0].model);
    if (!st)
        st = sl_table_cell(text->table, err, "runs");
    for (int c = 0; c < SL_REPORT_COLUMNS && !st; c++)
        if (text->shown[c])
            st = sl_table_cell(text->table, err, "%s", sl_report_column_title((sl_report_column)c));
    return st;
}

/* The rule of each kind of tuning, once. */
static sl_status add_rules(sl_table *text, sl_run_span model, sl_error *err)
{
    sl_status st = SL_OK;
    char kind[60];

    for (size_t i = 0; i < model.n && !st; i++) {
        const sl_tuning_run *r = &model.runs[i];

        name_kind(r, kind);
        if (i == 0 || !sl_run_same_group(r - 1, r))
            st = sl_table_note(text, err, "%s: of each run %s.", kind, r->rule);
    }
    if (!st && model.runs[0].note[0])
        st = sl_table_note(text, err, "Data: %s.", model.runs[0].note);
    return st;
}

static sl_status write_model(sl_run_span model, sl_table_format format, FILE *out, sl_error *err)
{
    text_table text = { .model = model };
    sl_status st = add_header(&text, model, err);

    if (!st)
        st = for_lines(model, add_text_line, &text, err);
    if (!st)
        st = add_rules(text.table, model, err);
    if (!st)
        st = sl_table_note(text.table, err,
                           "Cross-entropy in nats (accuracy; on c10h against the most frequent "
                           "human choice), mean ± standard deviation over runs that differ in "
                           "their seeds only. 'lowest' is the paper's pick: the one run of all "
                           "with the lowest of that loss.");
    if (!st)
        sl_table_write_as(text.table, format, out);
    sl_table_destroy(text.table);
    return st;
}

sl_status sl_main_table_write(const sl_main_table *table, sl_table_format format, FILE *out,
                              sl_error *err)
{
    sl_run_span rest = { table->set.runs, table->set.n }, model;
    sl_status st = SL_OK;

    for (size_t i = 0; rest.n && !st; rest = sl_run_span_after(rest, model), i++) {
        model = sl_run_span_first(rest, sl_run_same_model);
        if (i > 0)
            fputc('\n', out);
        st = write_model(model, format, out, err);
    }
    return st;
}

/* ---- JSON ---- */

static sl_status summary_json(const line *l, sl_report_column column, json_t **out, sl_error *err)
{
    *out = json_object();
    for (int accuracy = 0; accuracy < 2; accuracy++) {
        sl_summary s;
        sl_status st = summarise(l, column, accuracy, &s, err);

        if (st)
            return st;
        json_t *part = json_pack("{s:I}", "runs", (json_int_t)s.n);
        if (s.n > 0)
            json_object_set_new(part, "mean", json_real(s.mean));
        if (s.n > 1)
            json_object_set_new(part, "sd", json_real(s.sd));
        json_object_set_new(*out, accuracy ? "accuracy" : "cross_entropy", part);
    }
    return SL_OK;
}

static json_t *line_runs_json(const line *l)
{
    json_t *runs = json_array();

    for (size_t i = 0; i < l->span.n; i++) {
        const sl_tuning_run *r = &l->span.runs[i];
        int epoch = l->kind == LINE_BEFORE ? 0 : r->selected.epoch;

        if (counts(l, i))
            json_array_append_new(runs,
                                  json_pack("{s:s, s:I, s:I, s:f, s:i}", "folder", r->folder,
                                            "split_seed", (json_int_t)r->split_seed, "seed",
                                            (json_int_t)r->seed, "lr", r->lr, "epoch", epoch));
    }
    return runs;
}

static sl_status add_json_line(void *user, const line *l, sl_error *err)
{
    static const char *const selections[] = {
        [LINE_BEFORE] = "none",
        [LINE_SETTING] = "epoch of each run",
        [LINE_LOWEST] = "lowest of all runs",
    };
    const sl_tuning_run *r = l->span.runs;
    json_t *lines = user, *columns = json_object();
    json_t *json = json_pack("{s:s, s:f, s:s, s:o, s:o}", "row",
                             l->kind == LINE_BEFORE ? "before" : sl_tuning_kind_name(r->kind),
                             "mixup", l->kind == LINE_BEFORE ? 0 : r->mixup, "selection",
                             selections[l->kind], "runs", line_runs_json(l), "columns", columns);

    if (!json || json_array_append_new(lines, json))
        return sl_error_set(err, SL_ENOMEM, "not enough memory for the table");
    for (int c = 0; c < SL_REPORT_COLUMNS; c++) {
        json_t *column = NULL;
        sl_status st = summary_json(l, (sl_report_column)c, &column, err);

        json_object_set_new(columns, sl_report_column_title((sl_report_column)c), column);
        if (st)
            return st;
    }
    return SL_OK;
}

static sl_status add_json_model(json_t *models, sl_run_span span, sl_error *err)
{
    const sl_tuning_run *first = &span.runs[0];
    json_t *lines = json_array(), *rules = json_object();
    json_t *model = json_pack("{s:s, s:s, s:O, s:o, s:o}", "model", first->model,
                              "checkpoint_sha256", first->checkpoint, "data",
                              json_object_get(first->json, "data"), "rules", rules, "rows", lines);

    for (size_t i = 0; i < span.n; i++)
        json_object_set_new(rules, sl_tuning_kind_name(span.runs[i].kind),
                            json_string(span.runs[i].rule));
    if (json_array_append_new(models, model))
        return sl_error_set(err, SL_ENOMEM, "not enough memory for the table");
    return for_lines(span, add_json_line, lines, err);
}

sl_status sl_main_table_json(const sl_main_table *table, json_t **out, sl_error *err)
{
    json_t *models = json_array();
    sl_run_span rest = { table->set.runs, table->set.n }, model;
    sl_status st = SL_OK;

    for (; rest.n && !st; rest = sl_run_span_after(rest, model)) {
        model = sl_run_span_first(rest, sl_run_same_model);
        st = add_json_model(models, model, err);
    }
    *out = st ? NULL : json_pack("{s:o}", "models", models);
    if (st)
        json_decref(models);
    return st;
}
