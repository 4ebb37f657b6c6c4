/* The protocol's figures of real data: what the authors' predictions are worth against human and
 * hard labels, and what the human judgments look like. Where the data isn't at hand, the figures
 * are skipped by name. */
#include "base/file.h"
#include "base/npy.h"
#include "data/folder.h"
#include "eval/metrics.h"
#include "eval/verify.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BOUND_EVALUATION 1e-6 /* logits are given in float32 */
#define BOUND_COUNTS 1e-9     /* means of 10,000 terms in another order */
#define IMAGES 10000
#define CLASSES 10
#define TRAIN_IMAGES 9000

typedef struct {
    sl_data *data;     /* NULL: none */
    sl_targets *human; /* NULL: none */
    char *predictions; /* folder, NULL: none */
    uint8_t *labels;   /* (IMAGES), NULL: none */
} material;

static void release(material *m)
{
    sl_targets_destroy(m->human);
    sl_data_close(m->data);
    free(m->predictions);
    free(m->labels);
}

/* ---- finding ---- */

static sl_status prediction_path(const material *m, const char *model, char **out, sl_error *err)
{
    char name[160];
    snprintf(name, sizeof name, "%s_test.npz", model);
    return sl_path_join(out, m->predictions, name, err);
}

/* The folder "predictions" in the data folder, or where the shared data lies. */
static sl_status find_predictions(material *m, const char *a_model, sl_error *err)
{
    const char *const folders[] = { sl_data_folder(m->data), "../shared/data" };
    for (size_t i = 0; i < 2; i++) {
        char *path = NULL;
        sl_status st = sl_path_join(&m->predictions, folders[i], "predictions", err);
        if (!st)
            st = prediction_path(m, a_model, &path, err);
        if (st)
            return st;
        bool there = sl_file_exists(path);
        free(path);
        if (there)
            return SL_OK;
        free(m->predictions);
        m->predictions = NULL;
    }
    return SL_OK;
}

/* An array of an npz: (IMAGES) or (IMAGES, columns), as double. */
static sl_status read_array(sl_npz *npz, const char *name, size_t columns, double **out,
                            sl_error *err)
{
    sl_npy array = { 0 };
    *out = NULL;
    sl_status st = sl_npz_read(npz, name, &array, err);
    if (st)
        return st;
    bool fits = array.shape[0] == IMAGES && array.n_dims == (columns > 1 ? 2 : 1) &&
                (columns == 1 || array.shape[1] == columns);
    st = fits ? sl_npy_to_f64(&array, out, err)
              : sl_error_set(err, SL_EMISMATCH, "'%s' doesn't have %d rows of %zu", name, IMAGES,
                             columns);
    sl_npy_release(&array);
    return st;
}

/* The hard labels: the test set's where its images are at hand, else as a prediction file has them.
 */
static sl_status read_labels(material *m, const char *a_model, sl_error *err)
{
    sl_dataset *set = NULL;
    sl_npz *npz = NULL;
    char *path = NULL;
    double *labels = NULL;
    sl_status st = sl_alloc(&m->labels, IMAGES, 1, err);
    if (st)
        return st;
    if (sl_data_has(m->data, SL_SET_TEST)) {
        st = sl_data_read(m->data, SL_SET_TEST, &set, err);
        if (!st && set->n != IMAGES)
            st = sl_error_set(err, SL_EMISMATCH, "a test set of %zu images, expected %d", set->n,
                              IMAGES);
        if (!st)
            memcpy(m->labels, set->labels, IMAGES);
        goto done;
    }
    if (!m->predictions)
        goto done;
    st = prediction_path(m, a_model, &path, err);
    if (!st)
        st = sl_npz_open(&npz, path, err);
    if (!st)
        st = read_array(npz, "labels", 1, &labels, err);
    for (size_t i = 0; i < IMAGES && !st; i++) {
        if (!(labels[i] >= 0 && labels[i] < CLASSES))
            st = sl_error_set(err, SL_EFORMAT, "label %zu isn't a class", i);
        else
            m->labels[i] = (uint8_t)labels[i];
    }
done:
    if (st || (!set && !labels)) {
        free(m->labels);
        m->labels = NULL;
    }
    sl_dataset_destroy(set);
    sl_npz_close(npz);
    free(path);
    free(labels);
    return st;
}

/* The test set is CIFAR-10's, or the figures mean nothing. Data that isn't there is no error. */
static sl_status find_material(material *m, const char *dir, const char *a_model, sl_error *err)
{
    sl_error why;
    sl_status st = sl_data_open(&m->data, dir, NULL, &why);
    if (st == SL_ENOTFOUND && !dir && !getenv("SOFTLABEL_DATA"))
        return SL_OK;
    if (st) {
        if (err)
            *err = why;
        return st;
    }
    if (strcmp(sl_data_kind(m->data), "cifar10") != 0)
        return SL_OK;
    if (sl_data_has_human(m->data))
        st = sl_data_read_human(m->data, &m->human, err);
    if (!st)
        st = find_predictions(m, a_model, err);
    if (!st)
        st = read_labels(m, a_model, err);
    return st;
}

/* ---- evaluation ---- */

typedef struct {
    double *values;  /* (IMAGES, CLASSES) */
    bool are_logits; /* else probabilities */
} predictions;

static sl_status read_predictions(const char *path, predictions *p, sl_error *err)
{
    sl_npz *npz = NULL;
    sl_status st = sl_npz_open(&npz, path, err);
    if (st)
        return st;
    p->are_logits = sl_npz_has(npz, "logits");
    st = read_array(npz, p->are_logits ? "logits" : "probs", CLASSES, &p->values, err);
    if (st)
        sl_error_at(err, st, "%s", path);
    sl_npz_close(npz);
    return st;
}

typedef struct {
    double human, hard, accuracy;
} figures;

/* Means over the images that rows lists (NULL: all). */
static figures evaluate(const material *m, const predictions *p, const int64_t *rows, size_t n)
{
    figures sum = { 0 };
    for (size_t i = 0; i < n; i++) {
        const size_t row = rows ? (size_t)rows[i] : i;
        const double *values = p->values + row * CLASSES;
        double hard[CLASSES] = { 0 };
        hard[m->labels[row]] = 1;
        double (*cross_entropy)(const double *, const double *, int) =
            p->are_logits ? sl_cross_entropy_logits : sl_cross_entropy_probs;
        sum.human += cross_entropy(values, m->human->p64 + row * CLASSES, CLASSES);
        sum.hard += cross_entropy(values, hard, CLASSES);
        sum.accuracy += sl_argmax(values, CLASSES) == m->labels[row];
    }
    const double count = (double)n;
    return (figures){ sum.human / count, sum.hard / count, sum.accuracy / count };
}

static sl_status check_figure(sl_verify_report *report, const char *group, const json_t *wanted,
                              const char *key, double got, double bound, const char *of,
                              sl_error *err)
{
    double want;
    sl_status st = sl_json_get_number(wanted, key, &want, err);
    if (st)
        return st;
    return sl_verify_add(report, group, "|d|", fabs(got - want), bound, err, "%s%s%s", of,
                         *of ? " " : "", key);
}

/* selection: "all", or the seed of a split, whose validation images count. */
static sl_status check_selection(sl_verify_report *report, const material *m, const predictions *p,
                                 const char *model, const char *selection, const json_t *wanted,
                                 sl_error *err)
{
    char *end, of[120];
    sl_split split = { 0 };
    sl_status st = SL_OK;
    bool all = strcmp(selection, "all") == 0;
    unsigned long seed = strtoul(selection, &end, 10);
    if (!all && (end == selection || *end || seed > UINT32_MAX))
        return sl_error_set(err, SL_EFORMAT, "'%s' is neither 'all' nor a seed", selection);
    if (!all)
        st = sl_split_create(&split, IMAGES, TRAIN_IMAGES, (uint32_t)seed, err);
    if (st)
        return st;
    const figures f = evaluate(m, p, split.val, all ? IMAGES : split.n_val);
    snprintf(of, sizeof of, "%s %s%s", model, all ? "" : "seed ", selection);
    st = check_figure(report, "evaluation", wanted, "c10h_crossentropy", f.human, BOUND_EVALUATION,
                      of, err);
    if (!st)
        st = check_figure(report, "evaluation", wanted, "c10_crossentropy", f.hard,
                          BOUND_EVALUATION, of, err);
    if (!st)
        st = check_figure(report, "evaluation", wanted, "accuracy", f.accuracy, BOUND_EVALUATION,
                          of, err);
    sl_split_release(&split);
    return st;
}

static sl_status check_predictions(sl_verify_report *report, const material *m, const char *model,
                                   const json_t *wanted, sl_error *err)
{
    const char *selection, *lacking = NULL;
    json_t *part;
    char *path = NULL;
    predictions p = { 0 };
    sl_status st = SL_OK;
    if (!m->human)
        lacking = "CIFAR10H's labels aren't at hand; name their folder with --data";
    else if (!m->predictions)
        lacking = "there is no folder 'predictions' with the authors' predictions";
    else if (!m->labels)
        lacking = "the test set's labels aren't at hand";
    if (!lacking)
        st = prediction_path(m, model, &path, err);
    if (!lacking && !st && !sl_file_exists(path))
        lacking = "there is no file of this model's predictions";
    if (lacking || st) {
        free(path);
        return st ? st : sl_verify_add_skipped(report, "evaluation", model, lacking, err);
    }
    st = read_predictions(path, &p, err);
    free(path);
    json_object_foreach((json_t *)wanted, selection, part)
    {
        if (st)
            break;
        st = check_selection(report, m, &p, model, selection, part, err);
    }
    free(p.values);
    return st;
}

/* ---- the human judgments ---- */

static sl_status check_counts(sl_verify_report *report, const char *path, const json_t *wanted,
                              sl_error *err)
{
    sl_npy array = { 0 };
    double *counts = NULL, sum = 0, min = INFINITY, max = 0;
    const json_t *per_image = json_object_get(wanted, "per_image");
    sl_status st = sl_npy_read(&array, path, err);
    if (!st && (array.n_dims != 2 || array.shape[0] != IMAGES || array.shape[1] != CLASSES))
        st = sl_error_set(err, SL_EMISMATCH, "counts of another shape than %d x %d", IMAGES,
                          CLASSES);
    if (!st)
        st = sl_npy_to_f64(&array, &counts, err);
    if (st)
        goto done;
    for (size_t i = 0; i < IMAGES; i++) {
        double judgments = 0;
        for (size_t k = 0; k < CLASSES; k++)
            judgments += counts[i * CLASSES + k];
        sum += judgments;
        min = fmin(min, judgments);
        max = fmax(max, judgments);
    }
    st = check_figure(report, "cifar10h", wanted, "judgments", sum, 0, "", err);
    if (!st)
        st = check_figure(report, "cifar10h", per_image, "min", min, 0, "per_image", err);
    if (!st)
        st = check_figure(report, "cifar10h", per_image, "max", max, 0, "per_image", err);
    if (!st)
        st = check_figure(report, "cifar10h", per_image, "mean", sum / IMAGES, BOUND_COUNTS,
                          "per_image", err);
done:
    sl_npy_release(&array);
    free(counts);
    return st;
}

static sl_status check_agreement(sl_verify_report *report, const material *m, const json_t *wanted,
                                 sl_error *err)
{
    double accuracy = 0, agreement = 0, entropy = 0;
    for (size_t i = 0; i < IMAGES; i++) {
        const double *p = m->human->p64 + i * CLASSES;
        entropy += sl_entropy(p, CLASSES) / IMAGES;
        if (!m->labels)
            continue;
        accuracy += p[m->labels[i]] / IMAGES;
        agreement += (sl_argmax(p, CLASSES) == m->labels[i]) / (double)IMAGES;
    }
    sl_status st = check_figure(report, "cifar10h", wanted, "mean_entropy_nats", entropy,
                                BOUND_COUNTS, "", err);
    if (st)
        return st;
    if (!m->labels)
        return sl_verify_add_skipped(report, "cifar10h", "accuracy and agreement",
                                     "the test set's labels aren't at hand", err);
    st = check_figure(report, "cifar10h", wanted, "mean_accuracy_per_image", accuracy, BOUND_COUNTS,
                      "", err);
    if (st)
        return st;
    return check_figure(report, "cifar10h", wanted, "modal_label_agrees_with_cifar10", agreement,
                        BOUND_COUNTS, "", err);
}

static sl_status check_human(sl_verify_report *report, const material *m, const json_t *wanted,
                             sl_error *err)
{
    if (!m->human)
        return sl_verify_add_skipped(
            report, "cifar10h", "all figures",
            "CIFAR10H's labels aren't at hand; name their folder with --data", err);
    const char *counts = m->data->path[SL_FILE_COUNTS];
    sl_status st = counts ? check_counts(report, counts, wanted, err)
                          : sl_verify_add_skipped(report, "cifar10h", "judgments",
                                                  "'cifar10h-counts.npy' isn't there", err);
    return st ? st : check_agreement(report, m, wanted, err);
}

sl_status sl_verify_human_data(sl_verify_report *report, const json_t *file,
                               const sl_verify_options *options, sl_error *err)
{
    material m = { 0 };
    json_t *models, *human, *wanted;
    const char *model;
    sl_status st = sl_json_get(file, "evaluation", &models, err);
    if (!st)
        st = sl_json_get(file, "cifar10h", &human, err);
    if (st)
        return st;
    void *first = json_object_iter(models);
    st = find_material(&m, options->data_dir, first ? json_object_iter_key(first) : "", err);
    if (st)
        goto done;
    json_object_foreach(models, model, wanted)
    {
        st = check_predictions(report, &m, model, wanted, err);
        if (st)
            goto done;
    }
    st = check_human(report, &m, human, err);
done:
    release(&m);
    return st;
}
