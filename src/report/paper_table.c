/* The rows of the paper's tables; paper_table_write.c shows them. */
#include "report/paper_table.h"

#include "base/random.h"
#include "report/pick.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RESAMPLES = 10000, PLACE_BEFORE = 0, PLACE_ALL = 1 << 20 };

/* One run's figures: (n_columns, 2) of loss and accuracy. False: they aren't known. */
typedef struct {
    const sl_tuning_run *run;
    const sl_report_row *row; /* of it */
    bool before;              /* the row is the run's epoch 0 */
} source;

static bool take_values(const sl_paper_table *t, source s, double *out)
{
    if (t->number != 3) {
        size_t column = 0;

        for (int c = 0; c < SL_REPORT_COLUMNS && column < t->n_columns; c++)
            if (strcmp(t->titles[column], sl_report_column_title((sl_report_column)c)) == 0) {
                out[2 * column] = s.row->loss[c];
                out[2 * column++ + 1] = s.row->accuracy[c];
            }
        return true;
    }
    const sl_attack_result *a =
        sl_attack_set_find(t->attacks, s.before ? s.run->checkpoint : s.run->best);
    for (size_t c = 0; c < t->n_columns && a; c++) {
        out[2 * c] = a->loss[c];
        out[2 * c + 1] = a->accuracy[c];
    }
    return a;
}

/* ---- rows ---- */

static sl_status add_row(sl_paper_table *t, const sl_paper_row *row, sl_paper_row **out,
                         sl_error *err)
{
    sl_status st = sl_grow(&t->rows, &t->capacity, t->n + 1, sizeof *t->rows, err);

    if (st)
        return st;
    *out = &t->rows[t->n];
    **out = *row;
    st = sl_arena_alloc(&t->memory, &(*out)->cells, t->n_columns, sizeof *(*out)->cells, err);
    if (!st)
        t->n++;
    return st;
}

/* Cells from the row's values, column by column. */
static sl_status fill_cells(const sl_paper_table *t, sl_paper_row *row, sl_error *err)
{
    double *column;
    sl_status st = sl_alloc(&column, row->n, sizeof *column, err);

    if (st)
        return st;
    for (size_t c = 0; c < 2 * t->n_columns; c++) {
        sl_paper_cell *cell = &row->cells[c / 2];

        for (size_t i = 0; i < row->n; i++)
            column[i] = row->values[2 * t->n_columns * i + c];
        const sl_summary s = sl_summarise(column, row->n);
        const sl_measured m = { s.mean, NAN, NAN };
        *(c % 2 ? &cell->accuracy : &cell->loss) = s;
        *(c % 2 ? &cell->accuracy_interval : &cell->loss_interval) = m;
    }
    free(column);
    return SL_OK;
}

/* Where a group's sections stand: before, control, human, ...; with mixup behind those without. */
static int place_of(const sl_paper_table *t, const sl_tuning_run *run)
{
    int mixups = 0; /* other, smaller alphas */

    for (size_t i = 0; i < t->set->n; i++) {
        bool first = t->set->runs[i].mixup < run->mixup;

        for (size_t k = 0; k < i && first; k++)
            first = t->set->runs[k].mixup < t->set->runs[i].mixup ||
                    t->set->runs[k].mixup > t->set->runs[i].mixup;
        mixups += first;
    }
    return 1 + mixups * SL_KIND_COUNT + (int)run->kind;
}

static sl_status name_section(sl_paper_table *t, const sl_tuning_run *run, const char **out,
                              sl_error *err)
{
    char mixup[60] = "";

    if (run->mixup > 0)
        snprintf(mixup, sizeof mixup, " with mixup, α = %g", run->mixup);
    return sl_arena_printf(&t->memory, out, err, "Fine-tuned on %s%s",
                           sl_tuning_kind_title(run->kind), mixup);
}

/* A row of n sources; nothing if the figures of one aren't known. */
static sl_status add_sources(sl_paper_table *t, sl_paper_row row, const source *sources, size_t n,
                             sl_error *err)
{
    sl_paper_row *added;
    bool known = n > 0;
    sl_status st =
        sl_arena_alloc(&t->memory, &row.values, n, 2 * t->n_columns * sizeof(double), err);

    for (size_t i = 0; i < n && known && !st; i++)
        known = take_values(t, sources[i], row.values + 2 * t->n_columns * i);
    if (st || !known)
        return st;
    row.n = n;
    st = add_row(t, &row, &added, err);
    return st ? st : fill_cells(t, added, err);
}

/* ---- one group of a model ---- */

typedef struct {
    sl_paper_table *table;
    const char *model;
    int order;
} model_rows;

static sl_status add_lowest(const model_rows *m, sl_run_span group, const char *section, int place,
                            bool before, sl_error *err)
{
    const sl_tuning_run *run = sl_pick_lowest(group);
    const sl_report_row *row = before ? &run->before : &run->selected;
    const source s = { run, row, before };

    return add_sources(m->table,
                       (sl_paper_row){ .part = SL_PART_LOWEST,
                                       .section = section,
                                       .model = m->model,
                                       .run = run,
                                       .epoch = row->epoch,
                                       .place = place,
                                       .order = m->order },
                       &s, 1, err);
}

static sl_status add_mean(const model_rows *m, const sl_pick *picks, size_t n, const char *section,
                          int place, bool before, sl_error *err)
{
    source *sources;
    sl_status st = sl_alloc(&sources, n, sizeof *sources, err);

    for (size_t i = 0; i < n && !st; i++)
        sources[i] =
            (source){ picks[i].run, before ? &picks[i].run->before : &picks[i].row, before };
    if (!st)
        st = add_sources(m->table,
                         (sl_paper_row){ .part = SL_PART_OTHER_SEEDS,
                                         .section = section,
                                         .model = m->model,
                                         .place = place,
                                         .order = m->order },
                         sources, n, err);
    free(sources);
    return st;
}

/* The group's rows in the first two parts; with_before: the model's untuned rows, too, of the same
 * runs. */
static sl_status add_group(const model_rows *m, sl_run_span group, bool with_before, sl_error *err)
{
    static const char untuned[] = "Pretrained on CIFAR10";
    sl_paper_table *t = m->table;
    const int place = place_of(t, group.runs);
    const char *section;
    sl_pick *picks = NULL;
    size_t n = 0;
    sl_status st = name_section(t, group.runs, &section, err);

    if (!st)
        st = sl_alloc(&picks, group.n, sizeof *picks, err);
    if (!st)
        st = sl_pick_on_other_seeds(group, t->number == 3 ? SL_PICK_LR : SL_PICK_LR_AND_EPOCH,
                                    picks, &n, err);
    if (!st && with_before)
        st = add_lowest(m, group, untuned, PLACE_BEFORE, true, err);
    if (!st)
        st = add_lowest(m, group, section, place, false, err);
    if (!st && with_before)
        st = add_mean(m, picks, n, untuned, PLACE_BEFORE, true, err);
    if (!st)
        st = add_mean(m, picks, n, section, place, false, err);
    free(picks);
    return st;
}

static bool belongs(const sl_paper_table *t, const sl_tuning_run *run)
{
    return t->number == 3 || (run->mixup > 0) == (t->number == 2);
}

/* The untuned rows are of the control's runs, as the paper's are; without a control, of the first
 * group's. */
static sl_status add_model(sl_paper_table *t, sl_run_span model, int order, const char *name,
                           sl_error *err)
{
    const model_rows m = { t, name, order };
    sl_run_span rest = model, group;
    bool before = true;
    sl_status st = SL_OK;

    for (; rest.n && !st; rest = sl_run_span_after(rest, group)) {
        group = sl_run_span_first(rest, sl_run_same_group);
        if (!belongs(t, group.runs))
            continue;
        st = add_group(&m, group, before, err);
        before = false;
    }
    return st;
}

/* ---- differences ---- */

static const sl_paper_row *find_mean(const sl_paper_table *t, int place, int order)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->rows[i].part == SL_PART_OTHER_SEEDS && t->rows[i].place == place &&
            t->rows[i].order == order)
            return &t->rows[i];
    return NULL;
}

/* A mean of means: of models drawn with replacement, each of its seeds drawn likewise. The draws
 * are the same for every column. */
static double resampled_mean(const sl_paper_row *const *models, size_t n, size_t stride,
                             size_t column, uint32_t resample)
{
    sl_random r = sl_random_stream(0, SL_RANDOM_BOOTSTRAP, resample, 0);
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        const sl_paper_row *m = models[n > 1 ? sl_random_below(&r, (uint32_t)n) : 0];
        double of_model = 0;

        for (size_t k = 0; k < m->n; k++)
            of_model += m->values[stride * sl_random_below(&r, (uint32_t)m->n) + column];
        sum += of_model / (double)m->n;
    }
    return sum / (double)n;
}

/* Intervals of row, which is about these n rows. Of one model with one seed there are none. */
static sl_status add_intervals(const sl_paper_table *t, sl_paper_row *row,
                               const sl_paper_row *const *models, size_t n, sl_error *err)
{
    const size_t stride = 2 * t->n_columns;
    double *resampled;
    sl_status st = sl_alloc(&resampled, RESAMPLES, sizeof *resampled, err);

    for (size_t c = 0; c < stride && !st && (n > 1 || models[0]->n > 1); c++) {
        sl_paper_cell *cell = &row->cells[c / 2];
        sl_measured *m = c % 2 ? &cell->accuracy_interval : &cell->loss_interval;

        for (uint32_t b = 0; b < RESAMPLES; b++)
            resampled[b] = resampled_mean(models, n, stride, c, b);
        *m = sl_percentile_interval(m->value, resampled, RESAMPLES);
    }
    free(resampled);
    return st;
}

/* The runs of both rows are by seed, in the same order, when there are as many. */
static sl_status add_difference(sl_paper_table *t, const char *section, int place, int from,
                                int less, int order, sl_error *err)
{
    const sl_paper_row *a = find_mean(t, from, order), *b = find_mean(t, less, order);
    const sl_paper_row *one;
    sl_paper_row *added;

    if (!a || !b || a->n != b->n)
        return SL_OK;
    sl_paper_row row = { .part = SL_PART_DIFFERENCES,
                         .section = section,
                         .model = a->model,
                         .n = a->n,
                         .place = place,
                         .order = order };
    const size_t cells = 2 * t->n_columns * a->n;
    sl_status st = sl_arena_alloc(&t->memory, &row.values, cells, sizeof(double), err);
    if (st)
        return st;
    for (size_t i = 0; i < cells; i++)
        row.values[i] = a->values[i] - b->values[i];
    st = add_row(t, &row, &added, err);
    if (!st)
        st = fill_cells(t, added, err);
    one = added;
    return st ? st : add_intervals(t, added, &one, 1, err);
}

/* The last row of a section of several models: each model's mean counts as one value. */
static sl_status add_all_models(sl_paper_table *t, const char *section, int place, sl_error *err)
{
    const size_t stride = 2 * t->n_columns, n_rows = t->n;
    const sl_paper_row **models;
    size_t n = 0;
    sl_paper_row row = { .part = SL_PART_DIFFERENCES,
                         .section = section,
                         .model = "all models",
                         .place = place,
                         .order = PLACE_ALL };
    sl_paper_row *added;
    sl_status st = sl_arena_alloc(&t->memory, &row.values, n_rows, stride * sizeof(double), err);

    if (!st)
        st = add_row(t, &row, &added, err); /* first of all, since it moves the others */
    if (!st)
        st = sl_arena_alloc(&t->memory, &models, n_rows, sizeof *models, err);
    if (st)
        return st;
    for (size_t i = 0; i < n_rows; i++) {
        const sl_paper_row *m = &t->rows[i];

        if (m->part != SL_PART_DIFFERENCES || m->place != place)
            continue;
        for (size_t c = 0; c < stride; c++)
            added->values[stride * n + c] =
                c % 2 ? m->cells[c / 2].accuracy.mean : m->cells[c / 2].loss.mean;
        models[n++] = m;
    }
    if (n < 2) {
        t->n--;
        return SL_OK;
    }
    added->n = n;
    st = fill_cells(t, added, err);
    return st ? st : add_intervals(t, added, models, n, err);
}

/* Of each mixup (without, and each alpha): tuned less untuned, human less control. */
static sl_status add_differences(sl_paper_table *t, int n_models, sl_error *err)
{
    int place = 0;
    sl_status st = SL_OK;

    for (size_t i = 0; i < t->set->n && !st; i++) {
        const sl_tuning_run *run = &t->set->runs[i];
        const int hard = place_of(t, run) - (int)run->kind + SL_KIND_HARD;
        const int human = hard + SL_KIND_HUMAN - SL_KIND_HARD;
        char mixup[60] = "";
        bool seen = !belongs(t, run);

        for (size_t k = 0; k < i && !seen; k++)
            seen = place_of(t, &t->set->runs[k]) - (int)t->set->runs[k].kind == hard;
        if (seen)
            continue;
        if (run->mixup > 0)
            snprintf(mixup, sizeof mixup, " (mixup, α = %g)", run->mixup);
        const struct {
            const char *text;
            int from, less;
        } pairs[] = { { "CIFAR10-tuned − pretrained", hard, PLACE_BEFORE },
                      { "CIFAR10H-tuned − pretrained", human, PLACE_BEFORE },
                      { "CIFAR10H-tuned − CIFAR10-tuned", human, hard } };
        for (size_t p = 0; p < sizeof pairs / sizeof *pairs && !st; p++, place++) {
            const char *section;

            st = sl_arena_printf(&t->memory, &section, err, "%s%s", pairs[p].text, mixup);
            for (int m = 0; m < n_models && !st; m++)
                st = add_difference(t, section, place, pairs[p].from, pairs[p].less, m, err);
            if (!st)
                st = add_all_models(t, section, place, err);
        }
    }
    return st;
}

/* ---- the table ---- */

static void add_column(sl_paper_table *t, const char *title, const char *key)
{
    t->titles[t->n_columns] = title;
    t->keys[t->n_columns++] = key;
}

static sl_status choose_attack_columns(sl_paper_table *t, sl_error *err)
{
    const char *method = strcmp(t->attacks->method, "fgsm") == 0 ? "FGSM" : "PGD";
    sl_status st = SL_OK;

    for (size_t r = 0; r < t->attacks->n_rows && !st; r++) {
        const char *title, *key = "before";

        st = r == 0 ? sl_arena_printf(&t->memory, &title, err, "before %s", method)
                    : sl_arena_printf(&t->memory, &title, err, "after %s, ε %s", method,
                                      t->attacks->epsilon_texts[r]);
        if (!st && r > 0)
            st = sl_arena_printf(&t->memory, &key, err, "%s_%s", t->attacks->method,
                                 t->attacks->epsilon_texts[r]);
        if (!st)
            add_column(t, title, key);
    }
    return st;
}

static sl_status choose_columns(sl_paper_table *t, sl_error *err)
{
    static const char *const keys[SL_REPORT_COLUMNS] = { "c10h_val", "c10_val", "v4", "v6",
                                                         "c10_50k" };

    if (t->number == 3)
        return choose_attack_columns(t, err);
    for (int c = 0; c < SL_REPORT_COLUMNS; c++) {
        bool measured = false;

        for (size_t i = 0; i < t->set->n; i++)
            measured |= !isnan(t->set->runs[i].before.loss[c]);
        if (measured)
            add_column(t, sl_report_column_title((sl_report_column)c), keys[c]);
    }
    return SL_OK;
}

/* Two checkpoints of one name are told apart. */
static sl_status name_model(sl_paper_table *t, const sl_tuning_run *run, const char **out,
                            sl_error *err)
{
    *out = run->model;
    for (size_t i = 0; i < t->set->n; i++) {
        const sl_tuning_run *other = &t->set->runs[i];

        if (strcmp(other->model, run->model) == 0 && !sl_run_same_model(other, run))
            return sl_arena_printf(&t->memory, out, err, "%s (%.8s)", run->model, run->checkpoint);
    }
    return SL_OK;
}

static int compare_rows(const void *left, const void *right)
{
    const sl_paper_row *a = left, *b = right;

    if (a->part != b->part)
        return (int)a->part - (int)b->part;
    return a->place != b->place ? a->place - b->place : a->order - b->order;
}

sl_status sl_paper_table_create(sl_paper_table *out, int number, const sl_run_set *set,
                                const sl_attack_set *attacks, sl_error *err)
{
    sl_paper_table t = { .number = number, .set = set, .attacks = attacks };
    sl_run_span rest = { set->runs, set->n }, model;
    int n_models = 0;

    *out = (sl_paper_table){ 0 };
    if (number == 3 && (!attacks || attacks->n == 0))
        return sl_error_set(err, SL_ENOTFOUND,
                            "table 3 needs the results of 'softlabel attack --out FILE'");
    sl_status st = choose_columns(&t, err);
    for (; rest.n && !st; rest = sl_run_span_after(rest, model)) {
        const char *name;

        model = sl_run_span_first(rest, sl_run_same_model);
        st = name_model(&t, model.runs, &name, err);
        if (!st)
            st = add_model(&t, model, n_models++, name, err);
    }
    if (!st && t.n == 0)
        st = sl_error_set(err, SL_ENOTFOUND, "none of the runs %s",
                          number == 1   ? "is without mixup"
                          : number == 2 ? "is with mixup"
                                        : "has a selected model that was attacked");
    if (!st)
        st = add_differences(&t, n_models, err);
    if (st) {
        sl_paper_table_release(&t);
        return st;
    }
    qsort(t.rows, t.n, sizeof *t.rows, compare_rows);
    *out = t;
    return SL_OK;
}

void sl_paper_table_release(sl_paper_table *table)
{
    free(table->rows);
    sl_arena_release(&table->memory);
    *table = (sl_paper_table){ 0 };
}
