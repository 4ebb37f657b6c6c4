#include "report/main_table.h"

#include "base/memory.h"
#include "report/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct sl_main_table {
    sl_tuning_run *runs; /* (n), ordered so that a line's runs are neighbours */
    size_t n;
};

typedef enum { KIND_BEFORE, KIND_CONTROL, KIND_HUMAN } line_kind;

/* A line of the table: runs[first..first+n-1], or of these the one with the lowest loss. */
typedef struct {
    line_kind kind;
    bool lowest;
    const sl_tuning_run *runs;
    size_t n;
} line;

typedef struct {
    size_t n;
    double mean, sd; /* NaN: of nothing; of less than two */
} summary;

static bool is_human(const sl_tuning_run *r)
{
    return strcmp(r->targets, "human") == 0;
}

static int compare_numbers(double a, double b)
{
    return (a > b) - (a < b);
}

/* Two runs of the same line differ in seeds only. */
static int compare_settings(const sl_tuning_run *a, const sl_tuning_run *b)
{
    const int parts[] = {
        strcmp(a->model, b->model),
        strcmp(a->checkpoint, b->checkpoint),
        is_human(a) - is_human(b),
        compare_numbers(b->lr, a->lr),
        compare_numbers((double)a->epochs, (double)b->epochs),
        compare_numbers((double)a->batch_size, (double)b->batch_size),
        compare_numbers(a->weight_decay, b->weight_decay),
        strcmp(a->augment, b->augment),
    };

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i])
            return parts[i];
    return 0;
}

static int compare_runs(const void *left, const void *right)
{
    const sl_tuning_run *a = left, *b = right;
    int settings = compare_settings(a, b);
    int split = compare_numbers((double)a->split_seed, (double)b->split_seed);

    if (settings)
        return settings;
    return split ? split : compare_numbers((double)a->seed, (double)b->seed);
}

static bool same_model(const sl_tuning_run *a, const sl_tuning_run *b)
{
    return strcmp(a->checkpoint, b->checkpoint) == 0;
}

/* Neighbours, once sorted, must be different runs on the same data. */
static sl_status check_neighbours(const sl_tuning_run *a, const sl_tuning_run *b, sl_error *err)
{
    if (compare_runs(a, b) == 0)
        return sl_error_set(err, SL_EINVAL,
                            "'%s' and '%s' are runs of the same settings and seeds; give one",
                            a->folder, b->folder);
    if (same_model(a, b) && (strcmp(a->test, b->test) != 0 || strcmp(a->human, b->human) != 0))
        return sl_error_set(err, SL_EMISMATCH,
                            "'%s' and '%s' were scored on different data, so they can't stand in "
                            "one table",
                            a->folder, b->folder);
    return SL_OK;
}

sl_status sl_main_table_create(sl_main_table **out, const char *const *folders, size_t n,
                               sl_error *err)
{
    sl_main_table *t = NULL;
    sl_status st;

    *out = NULL;
    st = sl_alloc(&t, 1, sizeof *t, err);
    if (st)
        return st;
    st = sl_alloc(&t->runs, n, sizeof *t->runs, err);
    for (; t->n < n && !st; t->n += !st)
        st = sl_tuning_run_read(&t->runs[t->n], folders[t->n], err);
    if (st)
        goto done;
    qsort(t->runs, n, sizeof *t->runs, compare_runs);
    for (size_t i = 1; i < n && !st; i++)
        st = check_neighbours(&t->runs[i - 1], &t->runs[i], err);
    if (st)
        goto done;
    *out = t;
    t = NULL;
done:
    sl_main_table_destroy(t);
    return st;
}

void sl_main_table_destroy(sl_main_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->n; i++)
        sl_tuning_run_release(&table->runs[i]);
    free(table->runs);
    free(table);
}

/* The loss that the paper's rule selects by. */
static double selecting_loss(const sl_tuning_run *r)
{
    return r->selected.loss[is_human(r) ? SL_REPORT_C10H_VAL : SL_REPORT_C10_VAL];
}

static const sl_tuning_run *lowest_run(const line *l)
{
    const sl_tuning_run *best = &l->runs[0];

    for (size_t i = 1; i < l->n; i++)
        if (selecting_loss(&l->runs[i]) < selecting_loss(best))
            best = &l->runs[i];
    return best;
}

/* Whether runs[i] counts in the line. Before tuning, runs of one split are the same measurement. */
static bool counts(const line *l, size_t i)
{
    if (l->lowest)
        return &l->runs[i] == lowest_run(l);
    if (l->kind != KIND_BEFORE)
        return true;
    for (size_t k = 0; k < i; k++)
        if (l->runs[k].split_seed == l->runs[i].split_seed)
            return false;
    return true;
}

static size_t line_runs(const line *l)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++)
        n += counts(l, i);
    return n;
}

static double value_of(const line *l, size_t i, sl_report_column column, bool accuracy)
{
    const sl_tuning_run *r = &l->runs[i];
    const sl_report_row *row = l->kind == KIND_BEFORE ? &r->before : &r->selected;

    return accuracy ? row->accuracy[column] : row->loss[column];
}

static summary summarise(const line *l, sl_report_column column, bool accuracy)
{
    summary s = { 0, NAN, NAN };
    double sum = 0, squares = 0;

    for (size_t i = 0; i < l->n; i++) {
        double v = value_of(l, i, column, accuracy);

        if (!counts(l, i) || isnan(v))
            continue;
        sum += v;
        s.n++;
    }
    if (s.n)
        s.mean = sum / (double)s.n;
    for (size_t i = 0; i < l->n; i++) {
        double off = value_of(l, i, column, accuracy) - s.mean;

        if (counts(l, i) && !isnan(off))
            squares += off * off;
    }
    if (s.n > 1)
        s.sd = sqrt(squares / (double)(s.n - 1));
    return s;
}

/* ---- the lines of one model ---- */

/* How many of runs[0..n-1] from the first on belong together by same. */
static size_t count_while(const sl_tuning_run *runs, size_t n,
                          bool (*same)(const sl_tuning_run *, const sl_tuning_run *))
{
    size_t i = 1;

    while (i < n && same(&runs[0], &runs[i]))
        i++;
    return i;
}

static bool same_settings(const sl_tuning_run *a, const sl_tuning_run *b)
{
    return compare_settings(a, b) == 0;
}

static bool same_targets(const sl_tuning_run *a, const sl_tuning_run *b)
{
    return is_human(a) == is_human(b);
}

typedef sl_status line_fn(void *user, const line *l, sl_error *err);

/* Calls each for the lines of one model's runs, in order: before; then for the control and for
 * human tuning each setting, and with several runs the paper's pick among all of them. */
static sl_status for_lines(const sl_tuning_run *runs, size_t n, line_fn *each, void *user,
                           sl_error *err)
{
    line l = { KIND_BEFORE, false, runs, n };
    sl_status st = each(user, &l, err);

    while (n && !st) {
        size_t n_kind = count_while(runs, n, same_targets);
        line_kind kind = is_human(runs) ? KIND_HUMAN : KIND_CONTROL;

        for (size_t at = 0; at < n_kind && !st; at += l.n) {
            l = (line){ kind, false, runs + at,
                        count_while(runs + at, n_kind - at, same_settings) };
            st = each(user, &l, err);
        }
        l = (line){ kind, true, runs, n_kind };
        if (!st && n_kind > 1)
            st = each(user, &l, err);
        runs += n_kind;
        n -= n_kind;
    }
    return st;
}

/* ---- text ---- */

static sl_status add_label(sl_table *text, const line *l, sl_error *err)
{
    static const char *const names[] = { "before", "control", "human" };
    const sl_tuning_run *r = &l->runs[0];

    if (l->kind == KIND_BEFORE)
        return sl_table_cell(text, err, "before");
    if (!l->lowest)
        return sl_table_cell(text, err, "%s, lr %g, %lld epochs", names[l->kind], r->lr,
                             (long long)r->epochs);
    r = lowest_run(l);
    return sl_table_cell(text, err, "%s, lowest: lr %g, split %lld", names[l->kind], r->lr,
                         (long long)r->split_seed);
}

static sl_status add_value(sl_table *text, const line *l, sl_report_column column, sl_error *err)
{
    summary loss = summarise(l, column, false), accuracy = summarise(l, column, true);

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
    bool shown[SL_REPORT_COLUMNS];
} text_table;

static sl_status add_text_line(void *user, const line *l, sl_error *err)
{
    text_table *text = user;
    sl_status st = add_label(text->table, l, err);

    if (!st)
        st = sl_table_cell(text->table, err, "%zu", line_runs(l));
    for (int c = 0; c < SL_REPORT_COLUMNS && !st; c++)
        if (text->shown[c])
            st = add_value(text->table, l, (sl_report_column)c, err);
    return st;
}

static sl_status add_header(text_table *text, const sl_tuning_run *runs, size_t n, sl_error *err)
{
    int n_shown = 0;
    sl_status st;

    for (int c = 0; c < SL_REPORT_COLUMNS; c++) {
        text->shown[c] = false;
        for (size_t i = 0; i < n; i++)
            text->shown[c] |= !isnan(runs[i].before.loss[c]);
        n_shown += text->shown[c];
    }
    st = sl_table_create(&text->table, 2 + n_shown, err);
    if (!st)
        st = sl_table_cell(text->table, err, "%s", runs[0].model);
    if (!st)
        st = sl_table_cell(text->table, err, "runs");
    for (int c = 0; c < SL_REPORT_COLUMNS && !st; c++)
        if (text->shown[c])
            st = sl_table_cell(text->table, err, "%s", sl_report_column_title((sl_report_column)c));
    return st;
}

/* The rule of each kind of targets, once. */
static void write_rules(const sl_tuning_run *runs, size_t n, FILE *out)
{
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !same_targets(&runs[i - 1], &runs[i]))
            fprintf(out, "%s: of each run %s.\n", is_human(&runs[i]) ? "human" : "control",
                    runs[i].rule);
    if (runs[0].note[0])
        fprintf(out, "Data: %s.\n", runs[0].note);
}

static sl_status write_model(const sl_tuning_run *runs, size_t n, FILE *out, sl_error *err)
{
    text_table text = { 0 };
    sl_status st = add_header(&text, runs, n, err);

    if (!st)
        st = for_lines(runs, n, add_text_line, &text, err);
    if (!st) {
        sl_table_write(text.table, out);
        fputc('\n', out);
        write_rules(runs, n, out);
    }
    sl_table_destroy(text.table);
    return st;
}

sl_status sl_main_table_write(const sl_main_table *table, FILE *out, sl_error *err)
{
    sl_status st = SL_OK;

    for (size_t at = 0, n; at < table->n && !st; at += n) {
        n = count_while(table->runs + at, table->n - at, same_model);
        st = write_model(table->runs + at, n, out, err);
        fputc('\n', out);
    }
    if (!st)
        fputs("Cross-entropy in nats (accuracy; on c10h against the most frequent human choice), "
              "mean "
              "± standard deviation over runs\nthat differ in their seeds only. 'lowest' is the "
              "paper's pick: the one run of all with the lowest of that loss.\n",
              out);
    return st;
}

/* ---- JSON ---- */

static json_t *summary_json(const line *l, sl_report_column column)
{
    json_t *json = json_object();

    for (int accuracy = 0; accuracy < 2; accuracy++) {
        summary s = summarise(l, column, accuracy);
        json_t *part = json_pack("{s:I}", "runs", (json_int_t)s.n);

        if (s.n > 0)
            json_object_set_new(part, "mean", json_real(s.mean));
        if (s.n > 1)
            json_object_set_new(part, "sd", json_real(s.sd));
        json_object_set_new(json, accuracy ? "accuracy" : "cross_entropy", part);
    }
    return json;
}

static json_t *line_runs_json(const line *l)
{
    json_t *runs = json_array();

    for (size_t i = 0; i < l->n; i++) {
        const sl_tuning_run *r = &l->runs[i];
        int epoch = l->kind == KIND_BEFORE ? 0 : r->selected.epoch;

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
    static const char *const names[] = { "before", "control", "human" };
    json_t *lines = user, *columns = json_object();
    json_t *json = json_pack("{s:s, s:s, s:o}", "row", names[l->kind], "selection",
                             l->kind == KIND_BEFORE ? "none"
                             : l->lowest            ? "lowest of all runs"
                                                    : "epoch of each run",
                             "runs", line_runs_json(l));

    for (int c = 0; c < SL_REPORT_COLUMNS; c++)
        json_object_set_new(columns, sl_report_column_title((sl_report_column)c),
                            summary_json(l, (sl_report_column)c));
    if (json_object_set_new(json, "columns", columns) || json_array_append_new(lines, json))
        return sl_error_set(err, SL_ENOMEM, "not enough memory for the table");
    return SL_OK;
}

static sl_status add_json_model(json_t *models, const sl_tuning_run *runs, size_t n, sl_error *err)
{
    json_t *lines = json_array(), *rules = json_object();
    json_t *model = json_pack("{s:s, s:s, s:O, s:o, s:o}", "model", runs[0].model,
                              "checkpoint_sha256", runs[0].checkpoint, "data",
                              json_object_get(runs[0].json, "data"), "rules", rules, "rows", lines);

    for (size_t i = 0; i < n; i++)
        json_object_set_new(rules, is_human(&runs[i]) ? "human" : "control",
                            json_string(runs[i].rule));
    if (json_array_append_new(models, model))
        return sl_error_set(err, SL_ENOMEM, "not enough memory for the table");
    return for_lines(runs, n, add_json_line, lines, err);
}

sl_status sl_main_table_json(const sl_main_table *table, json_t **out, sl_error *err)
{
    json_t *models = json_array();
    sl_status st = SL_OK;

    for (size_t at = 0, n; at < table->n && !st; at += n) {
        n = count_while(table->runs + at, table->n - at, same_model);
        st = add_json_model(models, table->runs + at, n, err);
    }
    *out = st ? NULL : json_pack("{s:o}", "models", models);
    if (st)
        json_decref(models);
    return st;
}
