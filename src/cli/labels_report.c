/* softlabel labels report: what section 5 of the paper says of its data, agreement, the human
 * ceiling, and how precise the distributions are. */
#include "base/memory.h"
#include "cli/class_names.h"
#include "cli/labels.h"
#include "report/table.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_SPLITS = 0x100, KEY_BOOTSTRAP, KEY_PRIOR, KEY_ERROR, KEY_TOP, KEY_HARD_LABELS };

/* Judgments an image at which precision is shown. */
static const size_t precision_at[] = { 1, 2, 5, 10, 15, 20, 25, 50, 100 };
#define N_PRECISION (sizeof precision_at / sizeof *precision_at)
#define PRECISION_DRAWS 10

typedef struct {
    cli_options common; /* first */
    const char *path, *hard_labels;
    char **raw; /* (n_raw), of argv */
    size_t n_raw;
    int64_t splits, resamples, top;
    double prior, error;
} report_args;

typedef struct {
    cli_label_set set;
    sl_labels_description d;
    sl_judgments *judgments; /* NULL: not at hand, why_not says why */
    char why_not[300];
    sl_ceiling ceiling;
    sl_precision precision[N_PRECISION];
    cli_class_names room;
    const char *const *names;
} report;

static error_t parse(int key, char *text, struct argp_state *state)
{
    report_args *a = state->input;
    switch (key) {
    case KEY_SPLITS:
        return cli_integer(state, "--splits", text, 1, 100000, &a->splits);
    case KEY_BOOTSTRAP:
        return cli_integer(state, "--bootstrap", text, 1, 1000000, &a->resamples);
    case KEY_PRIOR:
        return cli_number(state, "--prior", text, 1e-9, 1e9, &a->prior);
    case KEY_ERROR:
        return cli_number(state, "--error", text, 1e-6, 1, &a->error);
    case KEY_TOP:
        return cli_integer(state, "--top", text, 0, 1000000, &a->top);
    case KEY_HARD_LABELS:
        a->hard_labels = text;
        return 0;
    case ARGP_KEY_ARGS:
        a->path = state->argv[state->next];
        a->raw = state->argv + state->next + 1;
        a->n_raw = (size_t)(state->argc - state->next - 1);
        return 0;
    case ARGP_KEY_END:
        if (!a->path && a->hard_labels)
            return cli_usage(state, "--hard-labels FILE goes with LABELS, an npy of counts");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Raw files that have moved away only cost what needs them. */
static sl_status get_judgments(report *r, const report_args *a, sl_error *err)
{
    sl_status st = cli_label_set_judgments(&r->judgments, &r->set, a->path,
                                           (const char *const *)a->raw, a->n_raw, err);
    if (st == SL_ENOTFOUND && a->n_raw == 0) {
        sl_error_text(err, r->why_not, sizeof r->why_not);
        return SL_OK;
    }
    return st;
}

static sl_status work_out(report *r, const report_args *a, sl_error *err)
{
    sl_ceiling_options ceiling = sl_ceiling_options_default();
    ceiling.splits = (int)a->splits;
    ceiling.resamples = (int)a->resamples;
    ceiling.prior = a->prior;
    ceiling.seed = a->common.seed;
    sl_status st = a->path ? cli_label_set_open(&r->set, a->path, a->hard_labels, err)
                           : cli_label_set_open_data(&r->set, &a->common, err);
    if (!st)
        st = sl_labels_describe(&r->d, &r->set.view, err);
    if (!st)
        st = get_judgments(r, a, err);
    if (st || !r->judgments)
        return st;
    st = sl_ceiling_estimate(&r->ceiling, r->judgments, &ceiling, err);
    for (size_t i = 0; i < N_PRECISION; i++)
        r->precision[i].m = precision_at[i];
    if (!st)
        st = sl_precision_measure(r->precision, N_PRECISION, r->d.disagreement, r->judgments,
                                  PRECISION_DRAWS, a->common.seed, err);
    return st;
}

/* Judgments an image for the wanted error; NaN where it can't be said. */
static double needed(const report *r, double error)
{
    return ceil(r->d.disagreement / (error * error));
}

/* The most chosen class of an image but those in the mask; -1 when nobody chose another. */
static int next_choice(const report *r, size_t image, const bool *taken)
{
    const int64_t *row = r->set.view.counts + image * (size_t)r->d.n_classes;
    int best = -1;
    for (int k = 0; k < r->d.n_classes; k++)
        if (!taken[k] && row[k] > 0 && (best < 0 || row[k] > row[best]))
            best = k;
    return best;
}

/* ---- text ---- */

static void put_spread(const char *what, const sl_spread *s, double unit, int digits,
                       const char *suffix)
{
    printf("%-28s mean %.*f%s, median %.*f, range %.*f to %.*f (n = %zu)\n", what, digits,
           unit * s->mean, suffix, digits, unit * s->median, digits, unit * s->min, digits,
           unit * s->max, s->n);
}

static void show_people(const report *r)
{
    if (!r->set.is_folder)
        return;
    printf("%-28s %zu, %zu kept", "participants", r->d.n_people, r->d.by_verdict[SL_KEPT]);
    for (int why = SL_KEPT + 1; why < SL_EXCLUSION_COUNT; why++)
        if (r->d.by_verdict[why] > 0)
            printf(", %zu excluded (%s)", r->d.by_verdict[why],
                   sl_exclusion_name((sl_exclusion)why));
    putchar('\n');
    put_spread("accuracy per participant, %", &r->d.person_accuracy, 100, 2, "");
    put_spread("completion time, minutes", &r->d.minutes, 1, 1, "");
}

/* Whether columns can be headed by names; else numbers do, and the rows say whose. */
static bool names_fit(const report *r)
{
    bool fit = r->d.n_classes <= 12;
    for (int c = 0; c < r->d.n_classes && fit; c++)
        fit = strlen(r->names[c]) <= 12;
    return fit;
}

static sl_status show_confusion(const report *r, sl_error *err)
{
    const size_t k = (size_t)r->d.n_classes;
    const bool by_name = names_fit(r);
    sl_table *table;
    if (r->d.image_accuracy.n == 0)
        return SL_OK;
    sl_status st = sl_table_create(&table, (int)k + 2, err);
    if (!st)
        st = sl_table_cell(table, err, "true, by choice, %%");
    for (size_t c = 0; c < k && !st; c++)
        st = by_name ? sl_table_cell(table, err, "%s", r->names[c])
                     : sl_table_cell(table, err, "%zu", c);
    if (!st)
        st = sl_table_cell(table, err, "n");
    for (size_t t = 0; t < k && !st; t++) {
        int64_t n = 0;
        for (size_t c = 0; c < k; c++)
            n += r->d.confusion[t * k + c];
        st = by_name ? sl_table_cell(table, err, "%s", r->names[t])
                     : sl_table_cell(table, err, "%zu %s", t, r->names[t]);
        for (size_t c = 0; c < k && !st; c++)
            st = n > 0 ? sl_table_cell(table, err, "%.2f",
                                       100 * (double)r->d.confusion[t * k + c] / (double)n)
                       : sl_table_cell(table, err, "-");
        if (!st)
            st = sl_table_cell(table, err, "%lld", (long long)n);
    }
    if (!st) {
        putchar('\n');
        sl_table_write(table, stdout);
    }
    sl_table_destroy(table);
    return st;
}

static void show_ambiguous(const report *r, size_t top)
{
    if (top > r->d.n_judged)
        top = r->d.n_judged;
    if (top > 0)
        printf("\nmost ambiguous images\n");
    for (size_t i = 0; i < top; i++) {
        const size_t image = r->d.ambiguous[i];
        const int64_t *row = r->set.view.counts + image * (size_t)r->d.n_classes;
        bool taken[255] = { 0 };
        const int truth = r->set.view.truth ? r->set.view.truth[image] : -1;
        printf("  %6zu  %.3f nats  %s%s%s", image, r->d.entropies[image],
               truth < 0 ? "" : "true label ", truth < 0 ? "" : r->names[truth],
               truth < 0 ? "" : "; chosen");
        for (int k = next_choice(r, image, taken); k >= 0; k = next_choice(r, image, taken)) {
            printf(" %s %lld", r->names[k], (long long)row[k]);
            taken[k] = true;
        }
        putchar('\n');
    }
}

static void put_interval(const char *what, const sl_interval *i, double unit, int digits)
{
    printf("[%.*f, %.*f] over %s", digits, unit * i->low, digits, unit * i->high, what);
}

static void show_ceiling(const report *r, const report_args *a)
{
    const sl_ceiling *c = &r->ceiling;
    const char *people = r->set.is_folder ? "participants" : "judgments";
    if (!r->judgments) {
        printf("\nhuman ceiling, precision: left out, raw files are needed (%s)\n", r->why_not);
        return;
    }
    printf("\nhuman ceiling: one random half of the %s against the other, %zu images, %lld "
           "splits,\n%lld resamples, %g pseudo-judgments a class in the predicting half\n",
           people, c->n_images, (long long)a->splits, (long long)a->resamples, a->prior);
    printf("  cross-entropy, nats          %.4f ", c->entropy_images.value);
    put_interval(people, &c->entropy_people, 1, 4);
    printf(", ");
    put_interval("images", &c->entropy_images, 1, 4);
    printf("\n  same most chosen class, %%    %.2f ", 100 * c->accuracy_images.value);
    put_interval(people, &c->accuracy_people, 100, 2);
    printf(", ");
    put_interval("images", &c->accuracy_images, 100, 2);
    printf("\n  split-half reliability       r = %.4f; of all %s %.4f (Spearman-Brown)\n",
           c->correlation, people, c->spearman_brown);
}

static sl_status show_precision(const report *r, const report_args *a, sl_error *err)
{
    sl_table *table;
    if (!r->judgments)
        return SL_OK;
    sl_status st = sl_table_create(&table, 4, err);
    static const char *const heads[] = { "judgments an image", "expected error", "measured",
                                         "images" };
    for (int i = 0; i < 4 && !st; i++)
        st = sl_table_cell(table, err, "%s", heads[i]);
    for (size_t i = 0; i < N_PRECISION && !st; i++) {
        const sl_precision *p = &r->precision[i];
        st = sl_table_cell(table, err, "%zu", p->m);
        if (!st)
            st = sl_table_cell(table, err, "%.4f", p->expected);
        if (!st)
            st = p->n_images ? sl_table_cell(table, err, "%.4f", p->measured)
                             : sl_table_cell(table, err, "-");
        if (!st)
            st = sl_table_cell(table, err, "%zu", p->n_images);
    }
    if (!st) {
        putchar('\n');
        sl_table_write(table, stdout);
        printf("error: root mean square distance from an image's distribution; for %g, %.0f "
               "judgments an image\n",
               a->error, needed(r, a->error));
    }
    sl_table_destroy(table);
    return st;
}

static sl_status show_text(const report *r, const report_args *a, sl_error *err)
{
    const sl_labels_description *d = &r->d;
    show_people(r);
    printf("%-28s %llu of %zu images (%zu without any)\n", "judgments",
           (unsigned long long)d->n_judgments, d->n_images, d->n_images - d->n_judged);
    put_spread("judgments per image", &d->per_image, 1, 2, "");
    if (d->image_accuracy.n > 0)
        put_spread("accuracy per image, %", &d->image_accuracy, 100, 2, "");
    put_spread("entropy per image, nats", &d->entropy, 1, 4, "");
    printf("%-28s Fleiss' kappa %.4f, Krippendorff's alpha %.4f; two people differ on %.2f %%\n",
           "agreement", d->kappa, d->alpha, 100 * d->disagreement);
    show_ceiling(r, a);
    sl_status st = show_precision(r, a, err);
    if (!st)
        st = show_confusion(r, err);
    if (st)
        return st;
    show_ambiguous(r, (size_t)a->top);
    printf("\nLabels: %s (counts %.12s)%s.\n", a->path ? a->path : "data folder", r->set.sha256,
           r->set.is_folder ? "" : "; who judged what isn't known");
    return SL_OK;
}

/* ---- JSON ---- */

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *spread_json(const sl_spread *s)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o}", "n", (json_int_t)s->n, "mean", number(s->mean),
                     "median", number(s->median), "min", number(s->min), "max", number(s->max));
}

static json_t *people_json(const sl_labels_description *d)
{
    json_t *excluded = json_object();
    for (int why = SL_KEPT + 1; why < SL_EXCLUSION_COUNT; why++)
        json_object_set_new(excluded, sl_exclusion_name((sl_exclusion)why),
                            json_integer((json_int_t)d->by_verdict[why]));
    return json_pack("{s:I, s:I, s:o, s:o, s:o}", "n", (json_int_t)d->n_people, "kept",
                     (json_int_t)d->by_verdict[SL_KEPT], "excluded", excluded, "accuracy",
                     spread_json(&d->person_accuracy), "minutes", spread_json(&d->minutes));
}

static json_t *interval_json(const sl_interval *i)
{
    return json_pack("[f, f]", i->low, i->high);
}

static json_t *ceiling_json(const report *r, const report_args *a)
{
    const sl_ceiling *c = &r->ceiling;
    return json_pack(
        "{s:f, s:o, s:o, s:f, s:o, s:o, s:f, s:f, s:I, s:I, s:I, s:f}", "cross_entropy",
        c->entropy_images.value, "cross_entropy_over_people", interval_json(&c->entropy_people),
        "cross_entropy_over_images", interval_json(&c->entropy_images), "accuracy",
        c->accuracy_images.value, "accuracy_over_people", interval_json(&c->accuracy_people),
        "accuracy_over_images", interval_json(&c->accuracy_images), "split_half_r", c->correlation,
        "spearman_brown", c->spearman_brown, "images", (json_int_t)c->n_images, "splits",
        (json_int_t)a->splits, "resamples", (json_int_t)a->resamples, "prior", a->prior);
}

static json_t *precision_json(const report *r, const report_args *a)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < N_PRECISION; i++)
        json_array_append_new(rows, json_pack("{s:I, s:o, s:o, s:I}", "judgments",
                                              (json_int_t)r->precision[i].m, "expected",
                                              number(r->precision[i].expected), "measured",
                                              number(r->precision[i].measured), "images",
                                              (json_int_t)r->precision[i].n_images));
    return json_pack("{s:o, s:f, s:o}", "rows", rows, "wanted_error", a->error, "judgments_needed",
                     number(needed(r, a->error)));
}

static json_t *confusion_json(const report *r)
{
    const size_t k = (size_t)r->d.n_classes;
    json_t *names = json_array(), *rows = json_array();
    for (size_t t = 0; t < k; t++) {
        json_t *row = json_array();
        for (size_t c = 0; c < k; c++)
            json_array_append_new(row, json_integer(r->d.confusion[t * k + c]));
        json_array_append_new(rows, row);
        json_array_append_new(names, json_string(r->names[t]));
    }
    return json_pack("{s:o, s:o}", "classes", names, "counts", rows);
}

static json_t *ambiguous_json(const report *r, size_t top)
{
    const size_t k = (size_t)r->d.n_classes;
    json_t *list = json_array();
    for (size_t i = 0; i < top && i < r->d.n_judged; i++) {
        const size_t image = r->d.ambiguous[i];
        json_t *counts = json_array();
        for (size_t c = 0; c < k; c++)
            json_array_append_new(counts, json_integer(r->set.view.counts[image * k + c]));
        json_array_append_new(list, json_pack("{s:I, s:f, s:i, s:o}", "image", (json_int_t)image,
                                              "entropy", r->d.entropies[image], "true_label",
                                              r->set.view.truth ? r->set.view.truth[image] : -1,
                                              "counts", counts));
    }
    return list;
}

static void show_json(const report *r, const report_args *a)
{
    const sl_labels_description *d = &r->d;
    json_t *json = json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:o, s:o}", "labels", a->path ? a->path : "data folder",
        "counts_sha256", r->set.sha256, "judgments", (json_int_t)d->n_judgments, "images",
        (json_int_t)d->n_images, "images_judged", (json_int_t)d->n_judged, "per_image",
        spread_json(&d->per_image), "entropy", spread_json(&d->entropy));
    if (r->set.is_folder)
        json_object_set_new(json, "people", people_json(d));
    if (d->image_accuracy.n > 0) {
        json_object_set_new(json, "image_accuracy", spread_json(&d->image_accuracy));
        json_object_set_new(json, "confusion", confusion_json(r));
    }
    json_object_set_new(json, "fleiss_kappa", number(d->kappa));
    json_object_set_new(json, "krippendorff_alpha", number(d->alpha));
    json_object_set_new(json, "disagreement", number(d->disagreement));
    if (r->judgments) {
        json_object_set_new(json, "ceiling", ceiling_json(r, a));
        json_object_set_new(json, "precision", precision_json(r, a));
    }
    json_object_set_new(json, "most_ambiguous", ambiguous_json(r, (size_t)a->top));
    cli_print_json(json);
}

static sl_status run(const report_args *a, sl_error *err)
{
    report *r; /* it holds names for a thousand classes */
    sl_status st = sl_alloc(&r, 1, sizeof *r, err);
    if (st)
        return st;
    st = work_out(r, a, err);
    if (!st)
        r->names = cli_name_classes(&r->room, r->d.n_classes);
    if (!st && a->common.json)
        show_json(r, a);
    else if (!st)
        st = show_text(r, a, err);
    sl_judgments_destroy(r->judgments);
    sl_labels_description_release(&r->d);
    cli_label_set_release(&r->set);
    free(r);
    return st;
}

int cli_labels_report(const cli_command *self, int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "hard-labels", KEY_HARD_LABELS, "FILE", 0, "npy of the true labels, for an npy of counts",
          0 },
        { "splits", KEY_SPLITS, "N", 0, "into halves, for the human ceiling (20)", 0 },
        { "bootstrap", KEY_BOOTSTRAP, "N", 0, "resamples for intervals (200)", 0 },
        { "prior", KEY_PRIOR, "A", 0, "pseudo-judgments a class of the predicting half (0.1)", 0 },
        { "error", KEY_ERROR, "E", 0, "wanted error of the distributions (0.05)", 0 },
        { "top", KEY_TOP, "N", 0, "most ambiguous images to list (10)", 0 },
        { 0 },
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "[LABELS [RAW.csv...]]",
        .doc =
            "LABELS is a folder that aggregate wrote (its raw files are read again; name them if "
            "they have moved) or an npy of counts; without it the data folder's are taken.",
    };
    report_args a = { .splits = 20, .resamples = 200, .prior = 0.1, .error = 0.05, .top = 10 };
    sl_error err;
    int code = cli_parse(self, &argp, argc, argv, &a);
    if (!code)
        code = cli_end(&a.common, run(&a, &err), &err);
    return code;
}
