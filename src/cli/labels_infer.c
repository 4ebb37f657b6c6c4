#include "cli/labels_infer.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/npy.h"
#include "cli/labels.h"
#include "eval/metrics.h"
#include "eval/predictions.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_METHOD = 0x100,
    KEY_OUT,
    KEY_SET,
    KEY_HARD_LABELS,
    KEY_SMOOTHING,
    KEY_DISTANCES,
    KEY_PRIOR,
    KEY_MODEL,
    KEY_TEMPERATURE,
    KEY_LABEL_WEIGHT,
    KEY_JUDGED,
    KEY_SPLIT_SEED,
};

typedef enum { HARD, SMOOTHED, SEMANTIC, CONFUSION, PREDICTOR } method;
static const char *const methods[] = { "hard",      "smoothed",  "semantic",
                                       "confusion", "predictor", NULL };
static const char *const sets[] = { "train", "test", NULL }; /* places are sl_set_id */
static const char *const judged[] = { "validation", "training", "all", NULL };
enum { JUDGED_ALL = 2 }; /* the other places are sl_split_part */

/* ---- options ---- */

static error_t parse_fitted(struct argp_state *state, const char *option, const char *text,
                            double min, double max, double *out)
{
    if (strcmp(text, "fit") != 0)
        return cli_number(state, option, text, min, max, out);
    *out = (double)NAN;
    return 0;
}

static error_t check(const cli_infer_options *o, struct argp_state *state)
{
    if (o->method < 0 || !o->out)
        return cli_usage(state, "--method NAME and --out FILE are needed");
    if ((o->method == PREDICTOR) != (o->model != NULL))
        return cli_usage(state, "--method predictor and --model FILE go together");
    if (o->distances && o->method != SEMANTIC)
        return cli_usage(state, "--distances is for --method semantic");
    if (o->hard_labels && o->method == PREDICTOR)
        return cli_usage(state,
                         "--method predictor looks at images: give --set, not --hard-labels");
    return 0;
}

static error_t parse_how(int key, char *text, struct argp_state *state)
{
    cli_infer_options *o = state->input;
    int64_t n = 0;
    error_t e;
    switch (key) {
    case KEY_SMOOTHING:
        return parse_fitted(state, "--smoothing", text, 0, 1, &o->smoothing);
    case KEY_PRIOR:
        return cli_number(state, "--prior", text, 0, 1e9, &o->prior);
    case KEY_TEMPERATURE:
        return parse_fitted(state, "--temperature", text, 1e-3, 1e3, &o->tempering.temperature);
    case KEY_LABEL_WEIGHT:
        return parse_fitted(state, "--label-weight", text, 0, 4, &o->tempering.label_weight);
    case KEY_JUDGED:
        return cli_choice(state, "--judged", text, judged, &o->judged);
    case KEY_SPLIT_SEED:
        e = cli_integer(state, "--split-seed", text, 0, UINT32_MAX, &n);
        o->split_seed = (uint32_t)n;
        return e;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    cli_infer_options *o = state->input;
    switch (key) {
    case KEY_METHOD:
        return cli_choice(state, "--method", text, methods, &o->method);
    case KEY_OUT:
        o->out = text;
        return 0;
    case KEY_SET:
        return cli_choice(state, "--set", text, sets, &o->set);
    case KEY_HARD_LABELS:
        o->hard_labels = text;
        return 0;
    case KEY_DISTANCES:
        o->distances = text;
        return 0;
    case KEY_MODEL:
        o->model = text;
        return 0;
    case ARGP_KEY_END:
        return check(o, state);
    default:
        return parse_how(key, text, state);
    }
}

/* ---- images and judgments ---- */

static sl_status copy_labels(int16_t **out, const sl_dataset *set, sl_error *err)
{
    sl_status st = sl_alloc(out, set->n, sizeof **out, err);
    for (size_t i = 0; i < set->n && !st; i++)
        (*out)[i] = set->labels[i];
    return st;
}

static sl_status need_data(cli_inference *f, const cli_infer_options *o, sl_error *err)
{
    return f->data ? SL_OK : cli_data_open(&f->data, &o->common, err);
}

sl_status cli_infer_read_judged(cli_inference *f, const cli_infer_options *o, sl_error *err)
{
    const int part = o->judged >= 0           ? o->judged
                     : o->method == PREDICTOR ? SL_PART_VALIDATION
                                              : SL_PART_TRAINING;
    if (f->test)
        return SL_OK;
    sl_status st = need_data(f, o, err);
    if (!st)
        st = sl_data_read(f->data, SL_SET_TEST, &f->test, err);
    if (!st)
        st = sl_data_read_human(f->data, &f->human, err);
    if (!st && f->test->classes != f->classes)
        st = sl_error_set(err, SL_EMISMATCH, "%d classes, but people judged images of %d",
                          f->classes, f->test->classes);
    if (!st)
        st = copy_labels(&f->test_labels, f->test, err);
    if (!st)
        st = sl_selection_split(&f->training, f->test->n, o->split_seed, SL_PART_TRAINING, err);
    if (!st)
        st = part == JUDGED_ALL ? sl_selection_all(&f->judged, f->test->n, err)
                                : sl_selection_split(&f->judged, f->test->n, o->split_seed,
                                                     (sl_split_part)part, err);
    if (!st) {
        json_object_set_new(f->how, "human_sha256", json_string(f->human->sha256));
        json_object_set_new(f->how, "judged", json_string(f->judged.what));
        json_object_set_new(f->how, "judged_images", json_integer((json_int_t)f->judged.n));
    }
    return st;
}

static sl_status read_labels_file(cli_inference *f, const cli_infer_options *o, sl_error *err)
{
    sl_npy array;
    char sha256[65];
    sl_status st = sl_npy_read(&array, o->hard_labels, err);
    if (st)
        return st;
    f->n = array.n_dims == 1 ? array.shape[0] : 0;
    sl_npy_release(&array);
    if (f->n == 0)
        return sl_error_set(err, SL_EFORMAT, "'%s' isn't a list of labels", o->hard_labels);
    st = sl_hard_labels_read(&f->labels, o->hard_labels, f->n, f->classes, err);
    if (!st)
        st = sl_hash_file(o->hard_labels, SL_HASH_SHA256, sha256, err);
    if (st)
        return st;
    json_object_set_new(f->how, "hard_labels", json_string(o->hard_labels));
    json_object_set_new(f->how, "hard_labels_sha256", json_string(sha256));
    return SL_OK;
}

static sl_status read_set(cli_inference *f, const cli_infer_options *o, sl_error *err)
{
    sl_status st = need_data(f, o, err);
    if (!st)
        st = sl_data_read(f->data, (sl_set_id)o->set, &f->set, err);
    if (!st)
        st = copy_labels(&f->labels, f->set, err);
    if (st)
        return st;
    f->n = f->set->n;
    f->classes = f->set->classes;
    if (o->hard_labels) /* only the set's classes are wanted */
        return SL_OK;
    json_object_set_new(f->how, "set", json_string(sets[o->set]));
    json_object_set_new(f->how, "set_sha256", json_string(f->set->sha256));
    return SL_OK;
}

/* ---- methods that go by the label alone; table is (classes, classes) ---- */

/* 1 - X + X/k on the label, X/k on each other class. Fitted, the label has what people gave it on
 * average, which is where the cross-entropy against them is least. */
static sl_status fit_smoothing(cli_inference *f, const cli_infer_options *o, double *smoothing,
                               sl_error *err)
{
    const size_t k = (size_t)f->classes;
    double right = 0;
    sl_status st = cli_infer_read_judged(f, o, err);
    if (st)
        return st;
    for (size_t i = 0; i < f->judged.n; i++) {
        const size_t image = (size_t)f->judged.indices[i];
        right += f->human->p64[image * k + (size_t)f->test_labels[image]] / (double)f->judged.n;
    }
    *smoothing = (1 - right) * (double)k / (double)(k - 1);
    return SL_OK;
}

static void smooth(double *table, size_t k, double smoothing)
{
    for (size_t i = 0; i < k * k; i++)
        table[i] = smoothing / (double)k + (i % k == i / k ? 1 - smoothing : 0);
}

/* Each image's row of a table of its label. */
static void spread(double *out, const double *table, const int16_t *labels, size_t n, size_t k)
{
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * k, table + (size_t)labels[i] * k, k * sizeof *out);
}

/* The temperature at which softmax(-distance / T) fits what people said of images of the label. */
static sl_status fit_semantic(cli_inference *f, const cli_infer_options *o, const double *minus,
                              sl_tempering *out, sl_error *err)
{
    double *z = NULL;
    sl_status st = cli_infer_read_judged(f, o, err);
    if (!st)
        st = sl_alloc(&z, f->test->n, (size_t)f->classes * sizeof *z, err);
    if (st)
        return st;
    spread(z, minus, f->test_labels, f->test->n, (size_t)f->classes);
    const sl_tempered judgments = { .classes = f->classes, .z = z };
    *out =
        sl_tempering_fit(o->tempering, &judgments, f->human->p64, f->judged.indices, f->judged.n);
    free(z);
    return SL_OK;
}

static sl_status semantic(cli_inference *f, const cli_infer_options *o, double *distances,
                          double *table, sl_error *err)
{
    const size_t k = (size_t)f->classes;
    sl_tempering t = o->tempering;
    sl_status st = SL_OK;
    for (size_t i = 0; i < k * k; i++)
        distances[i] = -distances[i];
    if (isnan(t.temperature))
        st = fit_semantic(f, o, distances, &t, err);
    if (st)
        return st;
    const sl_tempered rows = { .classes = f->classes, .z = distances };
    for (size_t c = 0; c < k; c++)
        sl_temper(table + c * k, &rows, c, t);
    cli_infer_note(f, o, t);
    return SL_OK;
}

static sl_status confusion(cli_inference *f, const cli_infer_options *o, double *table,
                           sl_error *err)
{
    sl_status st = cli_infer_read_judged(f, o, err);
    json_object_set_new(f->how, "prior", json_real(o->prior));
    return st ? st
              : sl_labels_average(table, f->human->p64, f->test_labels, f->judged.indices,
                                  f->judged.n, f->classes, o->prior, err);
}

static sl_status by_label(cli_inference *f, const cli_infer_options *o, double *distances,
                          sl_error *err)
{
    const size_t k = (size_t)f->classes;
    double *table;
    sl_status st = sl_alloc(&table, k, k * sizeof *table, err);
    if (st)
        return st;
    if (o->method == SEMANTIC) {
        st = semantic(f, o, distances, table, err);
    } else if (o->method == CONFUSION) {
        st = confusion(f, o, table, err);
    } else {
        double smoothing = o->method == SMOOTHED ? o->smoothing : 0;
        if (isnan(smoothing))
            st = fit_smoothing(f, o, &smoothing, err);
        json_object_set_new(f->how, "smoothing", json_real(smoothing));
        smooth(table, k, smoothing);
    }
    if (!st)
        spread(f->p, table, f->labels, f->n, k);
    free(table);
    return st;
}

/* ---- the whole ---- */

void cli_infer_note(cli_inference *f, const cli_infer_options *o, sl_tempering t)
{
    json_object_set_new(f->how, "temperature", json_real(t.temperature));
    json_object_set_new(f->how, "temperature_fitted",
                        json_boolean(isnan(o->tempering.temperature)));
    if (o->method != PREDICTOR)
        return;
    json_object_set_new(f->how, "label_weight", json_real(t.label_weight));
    json_object_set_new(f->how, "label_weight_fitted",
                        json_boolean(isnan(o->tempering.label_weight)));
}

/* A file's table must have the names of the classes whose images it is for. */
static sl_status read_distances(double **out, cli_inference *f, const cli_infer_options *o,
                                sl_error *err)
{
    char(*names)[SL_CLASS_NAME_SIZE] = NULL, sha256[65];
    int classes;
    sl_status st = sl_distances_read(out, &names, &classes, o->distances, err);
    if (!st)
        st = sl_hash_file(o->distances, SL_HASH_SHA256, sha256, err);
    if (!st && f->set && classes != f->classes)
        st = sl_error_set(err, SL_EMISMATCH, "'%s' is of %d classes, the images are of %d",
                          o->distances, classes, f->classes);
    for (int c = 0; c < classes && !st && f->set; c++)
        if (strcmp(names[c], f->set->class_names[c]) != 0)
            st = sl_error_set(err, SL_EMISMATCH, "class %d is '%s' in '%s', but '%s' in the data",
                              c, names[c], o->distances, f->set->class_names[c]);
    free(names);
    if (st)
        return st;
    f->classes = classes;
    json_object_set_new(f->how, "distances", json_string(o->distances));
    json_object_set_new(f->how, "distances_sha256", json_string(sha256));
    return SL_OK;
}

static sl_status wordnet(double **out, cli_inference *f, sl_error *err)
{
    const size_t k = (size_t)f->classes;
    sl_status st = sl_alloc(out, k, k * sizeof **out, err);
    if (!st)
        st = sl_wordnet_distances(*out, f->set->class_names, f->classes, err);
    json_object_set_new(f->how, "distances", json_string("WordNet 3.0, Wu and Palmer"));
    return st;
}

static sl_status infer(cli_inference *f, cli_infer_options *o, sl_error *err)
{
    double *distances = NULL;
    sl_status st = o->hard_labels && o->distances ? SL_OK : read_set(f, o, err);
    if (!st && o->distances)
        st = read_distances(&distances, f, o, err);
    else if (!st && o->method == SEMANTIC)
        st = wordnet(&distances, f, err);
    if (!st && o->hard_labels) {
        free(f->labels);
        f->labels = NULL;
        st = read_labels_file(f, o, err);
    }
    if (!st)
        st = sl_alloc(&f->p, f->n, (size_t)f->classes * sizeof *f->p, err);
    if (!st)
        st = o->method == PREDICTOR ? cli_infer_predict(f, o, err) : by_label(f, o, distances, err);
    free(distances);
    return st;
}

/* Entropy, and how often the likeliest class is the label. */
static void describe(cli_inference *f, double *entropy, double *agreement)
{
    *entropy = *agreement = 0;
    for (size_t i = 0; i < f->n; i++) {
        const double *p = f->p + i * (size_t)f->classes;
        *entropy += sl_entropy(p, f->classes) / (double)f->n;
        *agreement += sl_argmax(p, f->classes) == f->labels[i];
    }
    *agreement /= (double)f->n;
    json_object_set_new(f->how, "mean_entropy", json_real(*entropy));
    json_object_set_new(f->how, "likeliest_is_label", json_real(*agreement));
}

static void show(const cli_inference *f, const cli_infer_options *o, double entropy,
                 double agreement)
{
    const json_t *t = json_object_get(f->how, "temperature");
    const json_t *w = json_object_get(f->how, "label_weight");
    const json_t *s = json_object_get(f->how, "smoothing");
    if (o->common.json) {
        cli_print_json(json_incref(f->how));
        return;
    }
    printf("%s: %s, %zu images of %d classes\n", o->out, methods[o->method], f->n, f->classes);
    if (s && isnan(o->smoothing))
        printf("smoothing %.4g, fitted to the %s\n", json_real_value(s), f->judged.what);
    if (t)
        printf("temperature %.4g%s%s", json_real_value(t),
               isnan(o->tempering.temperature) ? ", fitted to the " : "",
               isnan(o->tempering.temperature) ? f->judged.what : "");
    if (t)
        printf(w ? "; weight of the label %.4g\n" : "\n", json_real_value(w));
    printf("mean entropy %.4f nats; the likeliest class is the label on %.2f %%\n", entropy,
           100 * agreement);
}

static void release(cli_inference *f)
{
    json_decref(f->how);
    free(f->p);
    sl_selection_release(&f->judged);
    sl_selection_release(&f->training);
    free(f->test_labels);
    sl_targets_destroy(f->human);
    sl_dataset_destroy(f->test);
    sl_dataset_destroy(f->set);
    free(f->labels);
    sl_data_close(f->data);
}

static sl_status run(cli_infer_options *o, sl_error *err)
{
    cli_inference f = { .how = json_pack("{s:s}", "method", methods[o->method]) };
    double entropy, agreement;
    sl_status st = infer(&f, o, err);
    if (!st) {
        json_object_set_new(f.how, "images", json_integer((json_int_t)f.n));
        json_object_set_new(f.how, "classes", json_integer(f.classes));
        describe(&f, &entropy, &agreement);
        st = cli_labels_write(o->out, f.p, f.n, f.classes, f.how, err);
    }
    if (!st)
        show(&f, o, entropy, agreement);
    release(&f);
    return st;
}

int cli_labels_infer(const cli_command *self, int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "method", KEY_METHOD, "NAME", 0, "hard, smoothed, semantic, confusion, predictor", 0 },
        { "out", KEY_OUT, "FILE", 0, "npy of the distributions; what they are goes to its .json",
          0 },
        { "set", KEY_SET, "NAME", 0, "whose images: train, test (train)", 0 },
        { "hard-labels", KEY_HARD_LABELS, "FILE", 0,
          "npy of classes: own images, not a set's; not for predictor", 0 },
        { "smoothing", KEY_SMOOTHING, "X", 0,
          "smoothed: 1 - X on the label, X over all, or fit (0.1)", 1 },
        { "distances", KEY_DISTANCES, "FILE", 0,
          "semantic: CSV of distances between classes (WordNet's, of CIFAR-10)", 1 },
        { "prior", KEY_PRIOR, "N", 0, "confusion: N more images a class, answered at random (0)",
          1 },
        { "model", KEY_MODEL, "FILE", 0, "predictor: a checkpoint tuned on human labels", 1 },
        { "temperature", KEY_TEMPERATURE, "T", 0, "semantic, predictor: or fit (fit)", 1 },
        { "label-weight", KEY_LABEL_WEIGHT, "W", 0,
          "predictor: of what people say of the known label's images: or fit (0)", 1 },
        { "judged", KEY_JUDGED, "PART", 0,
          "learn from the judged images of: training, validation, all (training; predictor: "
          "validation)",
          2 },
        { "split-seed", KEY_SPLIT_SEED, "N", 0, "which tenth of them validates (0)", 2 },
        { 0 },
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Distributions over classes for images that nobody judged, from their known labels "
               "or by a model (docs/labels.md); for softlabel train --labels. With --set test they "
               "can be held against people's: softlabel evaluate --predictions.",
    };
    cli_infer_options o = { .common.bf16 = true,
                            .method = -1,
                            .smoothing = 0.1,
                            .judged = -1,
                            .tempering = { .temperature = (double)NAN } };
    sl_error err;
    int code = cli_parse(self, &argp, argc, argv, &o);
    if (!code)
        code = cli_end(&o.common, run(&o, &err), &err);
    return code;
}
