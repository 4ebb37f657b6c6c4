/* An evaluation as text, JSON or CSV. Every form says which images, which labels, which files. */
#include "base/memory.h"
#include "cli/evaluate.h"
#include "eval/calibration.h"
#include "report/table.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const bins_names[] = { "equal", "adaptive" };

static const sl_measured *measured_of(const sl_measured *all, size_t model, int measure)
{
    return &all[model * SL_MEASURE_COUNT + (size_t)measure];
}

static bool is_share(int measure)
{
    return measure == SL_MEASURE_ACCURACY || measure == SL_MEASURE_MODAL_ACCURACY ||
           measure == SL_MEASURE_AGREEMENT || measure == SL_MEASURE_SECOND_BEST;
}

/* All measures of the images with hard label k. weights is room for (n). */
static void measure_class(const sl_assessment *a, int k, uint32_t *weights,
                          double out[SL_MEASURE_COUNT], uint64_t counts[SL_MEASURE_COUNT])
{
    for (size_t i = 0; i < a->n; i++)
        weights[i] = a->label[i] == k;
    sl_assessment_measure(a, weights, out, counts);
}

/* ---- text ---- */

static sl_status put_measured(sl_table *table, int measure, const sl_measured *m, bool sign,
                              sl_error *err)
{
    const double unit = is_share(measure) ? 100 : 1;
    const int digits = is_share(measure) ? 2 : 4;
    if (isnan(m->low))
        return sl_table_cell(table, err, sign ? "%+.*f" : "%.*f", digits, unit * m->value);
    return sl_table_cell(table, err, sign ? "%+.*f [%+.*f, %+.*f]" : "%.*f [%.*f, %.*f]", digits,
                         unit * m->value, digits, unit * m->low, digits, unit * m->high);
}

/* Measures down, models across. */
static sl_status show_measures(const cli_evaluation *e, const sl_measured *all, size_t from,
                               const char *corner, sl_error *err)
{
    sl_table *table;
    sl_status st = sl_table_create(&table, (int)(e->n_models - from) + 1, err);
    if (!st)
        st = sl_table_cell(table, err, "%s", corner);
    for (size_t i = from; i < e->n_models && !st; i++)
        st = sl_table_cell(table, err, "%s", e->models[i].name);
    for (int m = 0; m < SL_MEASURE_COUNT && !st; m++) {
        st = sl_table_cell(table, err, "%s%s", sl_measure_title((sl_measure)m),
                           is_share(m) ? ", %" : "");
        for (size_t i = from; i < e->n_models && !st; i++)
            st = put_measured(table, m, measured_of(all, i, m), from > 0, err);
    }
    if (!st)
        sl_table_write(table, stdout);
    sl_table_destroy(table);
    return st;
}

static sl_status show_classes(const cli_evaluation *e, size_t model, uint32_t *weights,
                              sl_error *err)
{
    static const sl_measure shown[] = { SL_MEASURE_CROSS_ENTROPY,      SL_MEASURE_KL,
                                        SL_MEASURE_HARD_CROSS_ENTROPY, SL_MEASURE_ACCURACY,
                                        SL_MEASURE_SECOND_BEST,        SL_MEASURE_BRIER,
                                        SL_MEASURE_ECE_EQUAL };
    static const char *const heads[] = { "images",      "human CE",    "KL",    "hard CE",
                                         "accuracy, %", "2nd best, %", "Brier", "ECE" };
    const size_t n_shown = sizeof shown / sizeof *shown;
    double values[SL_MEASURE_COUNT];
    uint64_t counts[SL_MEASURE_COUNT];
    sl_table *table;
    sl_status st = sl_table_create(&table, (int)n_shown + 2, err);
    if (!st)
        st = sl_table_cell(table, err, "%s", e->models[model].name);
    for (size_t i = 0; i < n_shown + 1 && !st; i++)
        st = sl_table_cell(table, err, "%s", heads[i]);
    for (int k = 0; k < e->models[model].classes && !st; k++) {
        measure_class(&e->assessments[model], k, weights, values, counts);
        st = sl_table_cell(table, err, "%s", e->class_names[k]);
        if (!st)
            st = sl_table_cell(table, err, "%llu", (unsigned long long)counts[SL_MEASURE_ACCURACY]);
        for (size_t i = 0; i < n_shown && !st; i++) {
            const sl_measured m = { values[shown[i]], NAN, NAN };
            st = put_measured(table, (int)shown[i], &m, false, err);
        }
    }
    if (!st) {
        putchar('\n');
        sl_table_write(table, stdout);
    }
    sl_table_destroy(table);
    return st;
}

/* A bin's bound. Near 1, where most confidences of a good model are, its distance to 1 tells. */
static const char *write_bound(char out[16], double p)
{
    if (p > 0.9995 && p < 1)
        snprintf(out, 16, "1-%.1e", 1 - p);
    else
        snprintf(out, 16, "%.4f", p);
    return out;
}

static sl_status show_bins(const cli_evaluation *e, size_t model, sl_bins kind, sl_error *err)
{
    sl_calibration_bin bins[SL_ASSESSMENT_MAX_BINS];
    const sl_assessment *a = &e->assessments[model];
    sl_table *table;
    sl_calibration_bins(a, kind, NULL, bins);
    sl_status st = sl_table_create(&table, 5, err);
    if (!st)
        st = sl_table_cell(table, err, "%s, %s bins", e->models[model].name, bins_names[kind]);
    static const char *const heads[] = { "images", "confidence, %", "accuracy, %", "people, %" };
    for (size_t i = 0; i < 4 && !st; i++)
        st = sl_table_cell(table, err, "%s", heads[i]);
    for (int b = 0; b < a->n_bins && !st; b++) {
        char low[16], high[16];
        if (bins[b].n == 0)
            continue;
        st = sl_table_cell(table, err, "%s to %s", write_bound(low, bins[b].low),
                           write_bound(high, bins[b].high));
        if (!st)
            st = sl_table_cell(table, err, "%llu", (unsigned long long)bins[b].n);
        if (!st)
            st = sl_table_cell(table, err, "%.2f", 100 * bins[b].confidence);
        if (!st)
            st = sl_table_cell(table, err, "%.2f", 100 * bins[b].accuracy);
        if (!st)
            st = sl_table_cell(table, err, "%.2f", 100 * bins[b].agreement);
    }
    if (!st) {
        putchar('\n');
        sl_table_write(table, stdout);
    }
    sl_table_destroy(table);
    return st;
}

static void show_sources(const cli_evaluation *e, const cli_evaluate_options *o)
{
    const sl_human_summary *s = &e->summary;
    const char *note = e->data ? sl_data_note(e->data) : "";
    printf("\nImages: %s, %zu of %zu (indices %.12s).\n", e->selection.what, e->selection.n,
           e->selection.of, e->selection.sha256);
    printf("Human labels: %s (%.12s); entropy %.4f nats, accuracy per image %.2f %%, "
           "most frequent choice is the hard label of %.2f %%",
           e->human_from, e->human.targets->sha256, s->entropy, 100 * s->accuracy,
           100 * s->modal_agreement);
    if (s->judgments >= 0)
        printf("; %lld judgments, %lld to %lld an image, mean %.2f", (long long)s->judgments,
               (long long)s->min_per_image, (long long)s->max_per_image, s->mean_per_image);
    printf(".\nHard labels: %s (%.12s).\n", e->labels_from, e->labels_sha256);
    for (size_t i = 0; i < e->n_models; i++)
        printf("%s: %s (%.12s), %s.\n", e->models[i].name, o->files[i], e->models[i].sha256,
               o->predictions ? e->models[i].kind : "model");
    if (*note)
        printf("Data: %s.\n", note);
    printf("Cross-entropy and entropy in nats. Calibration: %d bins.", o->n_bins);
    if (o->resamples > 0)
        printf(
            " In brackets: 95 %% percentile intervals of %d resamples of the images, seed %llu%s.",
            o->resamples, (unsigned long long)o->common.seed,
            e->n_models > 1 ? ", the same for all models" : "");
    putchar('\n');
}

static sl_status show_text(const cli_evaluation *e, const cli_evaluate_options *o,
                           uint32_t *weights, sl_error *err)
{
    char corner[80];
    snprintf(corner, sizeof corner, "%zu images", e->selection.n);
    sl_status st = show_measures(e, e->measured, 0, corner, err);
    if (!st && e->n_models > 1) {
        putchar('\n');
        snprintf(corner, sizeof corner, "less %.60s", e->models[0].name);
        st = show_measures(e, e->differences, 1, corner, err);
    }
    for (size_t i = 0; i < e->n_models && o->classes && !st; i++)
        st = show_classes(e, i, weights, err);
    for (size_t i = 0; i < e->n_models && o->bins && !st; i++) {
        st = show_bins(e, i, SL_BINS_EQUAL, err);
        if (!st)
            st = show_bins(e, i, SL_BINS_ADAPTIVE, err);
    }
    if (!st)
        show_sources(e, o);
    return st;
}

/* ---- JSON ---- */

/* JSON has no NaN and no infinity. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *classes_json(const cli_evaluation *e, size_t model, uint32_t *weights)
{
    double values[SL_MEASURE_COUNT];
    uint64_t counts[SL_MEASURE_COUNT];
    json_t *rows = json_array();
    for (int k = 0; k < e->models[model].classes; k++) {
        measure_class(&e->assessments[model], k, weights, values, counts);
        json_t *row = json_pack("{s:s, s:I}", "class", e->class_names[k], "images",
                                (json_int_t)counts[SL_MEASURE_ACCURACY]);
        for (int m = 0; m < SL_MEASURE_COUNT; m++)
            json_object_set_new(row, sl_measure_key((sl_measure)m), number(values[m]));
        json_array_append_new(rows, row);
    }
    return rows;
}

static json_t *bins_json(const sl_assessment *a, sl_bins kind)
{
    sl_calibration_bin bins[SL_ASSESSMENT_MAX_BINS];
    json_t *rows = json_array();
    sl_calibration_bins(a, kind, NULL, bins);
    for (int b = 0; b < a->n_bins; b++)
        json_array_append_new(rows, json_pack("{s:f, s:f, s:I, s:o, s:o, s:o}", "low", bins[b].low,
                                              "high", bins[b].high, "images", (json_int_t)bins[b].n,
                                              "confidence", number(bins[b].confidence), "accuracy",
                                              number(bins[b].accuracy), "human_agreement",
                                              number(bins[b].agreement)));
    return rows;
}

static json_t *interval_json(const sl_measured *m)
{
    return json_pack("[o, o]", number(m->low), number(m->high));
}

static json_t *model_json(const cli_evaluation *e, const cli_evaluate_options *o, size_t model,
                          uint32_t *weights)
{
    const sl_assessment *a = &e->assessments[model];
    double values[SL_MEASURE_COUNT];
    uint64_t counts[SL_MEASURE_COUNT];
    sl_assessment_measure(a, NULL, values, counts);
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:I}", "name", e->models[model].name, "file",
                  o->files[model], "sha256", e->models[model].sha256, "kind",
                  o->predictions ? e->models[model].kind : "model", "images", (json_int_t)a->n);
    json_t *intervals = json_object();
    for (int m = 0; m < SL_MEASURE_COUNT; m++) {
        const char *key = sl_measure_key((sl_measure)m);
        const sl_measured *measured = measured_of(e->measured, model, m);
        json_object_set_new(json, key, number(measured->value));
        json_object_set_new(intervals, key, interval_json(measured));
    }
    json_object_set_new(json, "second_best_images",
                        json_integer((json_int_t)counts[SL_MEASURE_SECOND_BEST]));
    if (o->resamples > 0)
        json_object_set_new(json, "intervals", intervals);
    else
        json_decref(intervals);
    json_object_set_new(json, "classes", classes_json(e, model, weights));
    json_object_set_new(json, "calibration",
                        json_pack("{s:i, s:o, s:o}", "bins", o->n_bins, "equal",
                                  bins_json(a, SL_BINS_EQUAL), "adaptive",
                                  bins_json(a, SL_BINS_ADAPTIVE)));
    return json;
}

static json_t *difference_json(const cli_evaluation *e, size_t model)
{
    json_t *json =
        json_pack("{s:s, s:s}", "model", e->models[model].name, "less", e->models[0].name);
    for (int m = 0; m < SL_MEASURE_COUNT; m++) {
        const sl_measured *d = measured_of(e->differences, model, m);
        json_object_set_new(
            json, sl_measure_key((sl_measure)m),
            json_pack("{s:o, s:o}", "value", number(d->value), "interval", interval_json(d)));
    }
    return json;
}

static json_t *human_json(const cli_evaluation *e)
{
    const sl_human_summary *s = &e->summary;
    json_t *json = json_pack("{s:s, s:s, s:f, s:f, s:f}", "from", e->human_from, "sha256",
                             e->human.targets->sha256, "mean_entropy_nats", s->entropy,
                             "mean_accuracy_per_image", s->accuracy,
                             "modal_label_agrees_with_cifar10", s->modal_agreement);
    if (s->judgments >= 0) {
        json_object_set_new(json, "judgments", json_integer(s->judgments));
        json_object_set_new(json, "per_image",
                            json_pack("{s:I, s:I, s:f}", "min", (json_int_t)s->min_per_image, "max",
                                      (json_int_t)s->max_per_image, "mean", s->mean_per_image));
    }
    return json;
}

static void show_json(const cli_evaluation *e, const cli_evaluate_options *o, uint32_t *weights)
{
    json_t *models = json_array(), *differences = json_array();
    for (size_t i = 0; i < e->n_models; i++)
        json_array_append_new(models, model_json(e, o, i, weights));
    for (size_t i = 1; i < e->n_models; i++)
        json_array_append_new(differences, difference_json(e, i));
    cli_print_json(json_pack(
        "{s:{s:s, s:I, s:I, s:s}, s:o, s:{s:s, s:s}, s:{s:i, s:I, s:f}, s:s, s:o, s:o}",
        "selection", "what", e->selection.what, "images", (json_int_t)e->selection.n, "of",
        (json_int_t)e->selection.of, "sha256", e->selection.sha256, "human_labels", human_json(e),
        "hard_labels", "from", e->labels_from, "sha256", e->labels_sha256, "bootstrap", "resamples",
        o->resamples, "seed", (json_int_t)o->common.seed, "level", 0.95, "note",
        e->data ? sl_data_note(e->data) : "", "models", models, "differences", differences));
}

/* ---- CSV ---- */

static void put_quoted(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"')
            putchar('"');
        putchar(*text);
    }
    putchar('"');
}

/* One figure a row; what isn't a number is left empty. */
static void put_row(const cli_evaluation *e, size_t model, const char *scope, const char *key,
                    uint64_t images, const sl_measured *m)
{
    const double numbers[] = { m->value, m->low, m->high };
    put_quoted(e->models[model].name);
    putchar(',');
    put_quoted(scope);
    printf(",%s,%llu", key, (unsigned long long)images);
    for (int i = 0; i < 3; i++) {
        putchar(',');
        if (!isnan(numbers[i]))
            printf("%.17g", numbers[i]);
    }
    putchar(',');
    put_quoted(e->selection.what);
    printf(",%s,%s,%s,%s\n", e->selection.sha256, e->human.targets->sha256, e->labels_sha256,
           e->models[model].sha256);
}

static void put_bins(const cli_evaluation *e, size_t model, sl_bins kind)
{
    static const char *const keys[] = { "confidence", "accuracy", "human_agreement" };
    sl_calibration_bin bins[SL_ASSESSMENT_MAX_BINS];
    const sl_assessment *a = &e->assessments[model];
    sl_calibration_bins(a, kind, NULL, bins);
    for (int b = 0; b < a->n_bins; b++) {
        const double values[] = { bins[b].confidence, bins[b].accuracy, bins[b].agreement };
        char scope[80];
        snprintf(scope, sizeof scope, "%s bin %.17g to %.17g", bins_names[kind], bins[b].low,
                 bins[b].high);
        for (int i = 0; i < 3; i++) {
            const sl_measured m = { values[i], NAN, NAN };
            put_row(e, model, scope, keys[i], bins[b].n, &m);
        }
    }
}

static void put_model(const cli_evaluation *e, size_t model, uint32_t *weights)
{
    const sl_assessment *a = &e->assessments[model];
    double values[SL_MEASURE_COUNT];
    uint64_t counts[SL_MEASURE_COUNT];
    char scope[300];
    sl_assessment_measure(a, NULL, values, counts);
    for (int m = 0; m < SL_MEASURE_COUNT; m++)
        put_row(e, model, "selected", sl_measure_key((sl_measure)m), counts[m],
                measured_of(e->measured, model, m));
    snprintf(scope, sizeof scope, "less %s", e->models[0].name);
    for (int m = 0; m < SL_MEASURE_COUNT && model > 0; m++)
        put_row(e, model, scope, sl_measure_key((sl_measure)m), counts[m],
                measured_of(e->differences, model, m));
    for (int k = 0; k < e->models[model].classes; k++) {
        measure_class(a, k, weights, values, counts);
        snprintf(scope, sizeof scope, "class %s", e->class_names[k]);
        for (int m = 0; m < SL_MEASURE_COUNT; m++) {
            const sl_measured measured = { values[m], NAN, NAN };
            put_row(e, model, scope, sl_measure_key((sl_measure)m), counts[m], &measured);
        }
    }
    put_bins(e, model, SL_BINS_EQUAL);
    put_bins(e, model, SL_BINS_ADAPTIVE);
}

static void show_csv(const cli_evaluation *e, uint32_t *weights)
{
    printf("model,scope,measure,images,value,low,high,selection,selection_sha256,"
           "human_labels_sha256,hard_labels_sha256,model_sha256\n");
    for (size_t i = 0; i < e->n_models; i++)
        put_model(e, i, weights);
}

sl_status cli_evaluation_show(const cli_evaluation *e, const cli_evaluate_options *o, sl_error *err)
{
    uint32_t *weights;
    sl_status st = sl_alloc(&weights, e->selection.n, sizeof *weights, err);
    if (st)
        return st;
    if (o->common.json)
        show_json(e, o, weights);
    else if (o->csv)
        show_csv(e, weights);
    else
        st = show_text(e, o, weights, err);
    free(weights);
    return st;
}
