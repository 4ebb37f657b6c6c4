/* softlabel evaluate: score a model on every data set at hand, or models and prediction files in
 * detail on one set of images. */
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/evaluate.h"
#include "eval/scores.h"
#include "report/table.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    KEY_SPLIT_SEED = 1,
    KEY_DETAIL, /* this and all below: in detail */
    KEY_PREDICTIONS,
    KEY_LABELS,
    KEY_HARD_LABELS,
    KEY_PART,
    KEY_INDEX,
    KEY_N_BINS,
    KEY_BOOTSTRAP,
    KEY_PER_CLASS,
    KEY_RELIABILITY,
    KEY_CSV,
    KEY_SAVE_LOGITS
};

static const struct argp_option option_list[] = {
    { "split-seed", KEY_SPLIT_SEED, "N", 0,
      "which tenth of the test set validates: the c10h_val rows (0)", 0 },
    { "detail", KEY_DETAIL, NULL, 0,
      "one or more models on the test set: entropy and KL, Brier, calibration, intervals, "
      "differences",
      1 },
    { "predictions", KEY_PREDICTIONS, "FILE...", 0,
      "the same of answers in npz, npy or CSV files instead of models", 1 },
    { 0, 0, 0, 0, "In detail (each implies --detail):", 2 },
    { "labels", KEY_LABELS, "FILE", 0, "npy of human counts or proportions (the data folder's)",
      2 },
    { "hard-labels", KEY_HARD_LABELS, "FILE", 0,
      "npy of classes (the npz's own, or the data folder's)", 2 },
    { "part", KEY_PART, "NAME", 0, "training or validation images (validation)", 2 },
    { "index", KEY_INDEX, "FILE", 0, "only these images: npy, or a number a line (all)", 2 },
    { "bins", KEY_N_BINS, "N", 0, "of the calibration errors (15)", 2 },
    { "bootstrap", KEY_BOOTSTRAP, "N", 0, "resamples for intervals, 0 for none (1000)", 2 },
    { "per-class", KEY_PER_CLASS, NULL, 0, "also a row a class (always in JSON and CSV)", 2 },
    { "reliability", KEY_RELIABILITY, NULL, 0, "also the bins (always in JSON and CSV)", 2 },
    { "csv", KEY_CSV, NULL, 0, "print CSV, one figure a row", 2 },
    { "save-logits", KEY_SAVE_LOGITS, "DIR", 0,
      "write each model's answers to DIR/<name>.npy, for --predictions", 2 },
    { 0 },
};

typedef cli_evaluate_options options;

static error_t add_file(options *o, const char *file)
{
    o->files[o->n_files++] = file; /* has room for every argument */
    return 0;
}

static error_t check(const options *o, struct argp_state *state)
{
    if (o->n_files == 0)
        return cli_usage(state, "the MODEL to score is missing, say m.safetensors");
    if (o->index && o->split)
        return cli_usage(state, "give either --index or --split-seed, --part");
    if (o->csv && o->common.json)
        return cli_usage(state, "give either --csv or --json");
    if (o->predictions && o->save_logits)
        return cli_usage(state, "--save-logits is for models");
    return 0;
}

static error_t parse_selection(int key, char *text, struct argp_state *state)
{
    static const char *const parts[] = { "validation", "training", NULL };
    options *o = state->input;
    int64_t n = 0;
    error_t e = 0;
    switch (key) {
    case KEY_SPLIT_SEED:
        e = cli_integer(state, "--split-seed", text, 0, UINT32_MAX, &n);
        o->split_seed = (uint32_t)n;
        o->split = true;
        return e;
    case KEY_PART:
        o->split = true;
        return cli_choice(state, "--part", text, parts, &o->part);
    case KEY_INDEX:
        o->index = text;
        return 0;
    case KEY_N_BINS:
        e = cli_integer(state, "--bins", text, 1, SL_ASSESSMENT_MAX_BINS, &n);
        o->n_bins = (int)n;
        return e;
    case KEY_BOOTSTRAP:
        e = cli_integer(state, "--bootstrap", text, 0, 1000000, &n);
        o->resamples = (int)n;
        return e;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    options *o = state->input;
    o->detail |= key >= KEY_DETAIL && key <= KEY_SAVE_LOGITS;
    switch (key) {
    case KEY_DETAIL:
        return 0;
    case KEY_PREDICTIONS:
        o->predictions = true;
        return add_file(o, text);
    case KEY_LABELS:
        o->labels = text;
        return 0;
    case KEY_HARD_LABELS:
        o->hard_labels = text;
        return 0;
    case KEY_PER_CLASS:
        o->classes = true;
        return 0;
    case KEY_RELIABILITY:
        o->bins = true;
        return 0;
    case KEY_CSV:
        o->csv = true;
        return 0;
    case KEY_SAVE_LOGITS:
        o->save_logits = text;
        return 0;
    case ARGP_KEY_ARG:
        o->detail |= o->n_files > 0; /* several are shown side by side */
        return add_file(o, text);
    case ARGP_KEY_END:
        return check(o, state);
    default:
        return parse_selection(key, text, state);
    }
}

/* What each score is of, in the order shown. */
static const struct {
    sl_score_id id;
    const char *title;
} rows[] = {
    { SL_SCORE_C10H, "c10h: test set, human labels" },
    { SL_SCORE_C10H_VAL, "c10h val: validation part, human labels" },
    { SL_SCORE_C10, "c10: test set, hard labels" },
    { SL_SCORE_C10H_VAL_C10, "c10 val: validation part, hard labels" },
    { SL_SCORE_V4, "v4: CIFAR10.1 v4" },
    { SL_SCORE_V6, "v6: CIFAR10.1 v6" },
    { SL_SCORE_C10_50K, "c10 50k: training set" },
};

/* A model, the data sets at hand, and how it does on them. */
typedef struct {
    sl_data *data;
    sl_model *model;
    char sha256[65]; /* of the model's file */
    sl_device *device;
    sl_evaluator *evaluator;
    sl_score_sets sets;
    sl_score scores[SL_SCORE_COUNT];
} evaluation;

static void release(evaluation *e)
{
    sl_score_sets_release(&e->sets);
    sl_evaluator_destroy(e->evaluator);
    sl_device_close(e->device);
    sl_model_destroy(e->model);
    sl_data_close(e->data);
}

static sl_status score(evaluation *e, options *o, sl_error *err)
{
    sl_dtype dtype = SL_DTYPE_F32;
    sl_status st = sl_model_load(&e->model, o->files[0], err);
    if (!st)
        st = sl_dtype_parse(&dtype, o->common.precision, err);
    if (!st)
        st = sl_hash_file(o->files[0], SL_HASH_SHA256, e->sha256, err);
    if (!st)
        st = cli_data_open(&e->data, &o->common, err);
    if (!st)
        st = sl_score_sets_read(&e->sets, e->data, SL_SETS_ALL, o->split_seed, err);
    if (!st)
        st = sl_device_open(&e->device, o->common.device, o->common.threads, err);
    if (!st)
        st = sl_evaluator_create(&e->evaluator, e->model, e->device, EVALUATION_BATCH, dtype,
                                 cli_progress, &o->common.console, err);
    if (!st)
        st = sl_score_model(e->evaluator, &e->sets, SL_SETS_ALL, e->scores, err);
    return st;
}

static json_t *scores_json(const evaluation *e)
{
    json_t *scores = json_object();
    for (int id = 0; id < SL_SCORE_COUNT; id++) {
        const sl_score *s = &e->scores[id];
        if (s->n == 0)
            continue;
        json_t *score = json_pack("{s:I, s:f, s:f}", "images", (json_int_t)s->n, "cross_entropy",
                                  sl_score_cross_entropy(s), "accuracy", sl_score_accuracy(s));
        json_object_set_new(scores, sl_score_name((sl_score_id)id), score);
    }
    return scores;
}

static json_t *data_json(const evaluation *e)
{
    json_t *data = json_pack("{s:s, s:s, s:s}", "kind", sl_data_kind(e->data), "folder",
                             sl_data_folder(e->data), "note", sl_data_note(e->data));
    for (int id = 0; id < SL_SET_COUNT; id++)
        if (e->sets.sets[id])
            json_object_set_new(data, sl_set_name((sl_set_id)id),
                                json_string(e->sets.sets[id]->sha256));
    if (e->sets.human)
        json_object_set_new(data, "human", json_string(e->sets.human->sha256));
    return data;
}

static void show_json(const evaluation *e, const options *o)
{
    cli_print_json(
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:o}", "model", sl_model_name(e->model), "file",
                  o->files[0], "sha256", e->sha256, "precision", o->common.precision, "split_seed",
                  (json_int_t)o->split_seed, "data", data_json(e), "scores", scores_json(e)));
}

static sl_status show_text(const evaluation *e, const options *o, sl_error *err)
{
    sl_table *table;
    const char *note = sl_data_note(e->data);
    sl_status st = sl_table_create(&table, 4, err);
    if (!st)
        st = sl_table_cell(table, err, "%s", sl_model_name(e->model));
    if (!st)
        st = sl_table_cell(table, err, "images");
    if (!st)
        st = sl_table_cell(table, err, "cross-entropy");
    if (!st)
        st = sl_table_cell(table, err, "accuracy");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && !st; i++) {
        const sl_score *s = &e->scores[rows[i].id];
        if (s->n == 0)
            continue;
        st = sl_table_cell(table, err, "%s", rows[i].title);
        if (!st)
            st = sl_table_cell(table, err, "%zu", s->n);
        if (!st)
            st = sl_table_cell(table, err, "%.4f", sl_score_cross_entropy(s));
        if (!st)
            st = sl_table_cell(table, err, "%.2f %%", 100 * sl_score_accuracy(s));
    }
    if (!st) {
        sl_table_write(table, stdout);
        printf("\nCross-entropy in nats, computed in %s; validation: the tenth that split seed %u "
               "holds out.\n"
               "Data: %s in %s%s%s\n",
               o->common.precision, (unsigned)o->split_seed, sl_data_kind(e->data),
               sl_data_folder(e->data), *note ? "; " : "", note);
    }
    sl_table_destroy(table);
    return st;
}

static sl_status score_everywhere(options *o, sl_error *err)
{
    evaluation e = { 0 };
    sl_status st = score(&e, o, err);
    if (!st && o->common.json)
        show_json(&e, o);
    else if (!st)
        st = show_text(&e, o, err);
    release(&e);
    return st;
}

static sl_status score_in_detail(options *o, sl_error *err)
{
    cli_evaluation *e; /* it holds names for a thousand classes */
    sl_status st = sl_alloc(&e, 1, sizeof *e, err);
    if (st)
        return st;
    st = cli_evaluate_detail(e, o, err);
    if (!st)
        st = cli_evaluation_show(e, o, err);
    cli_evaluation_release(e);
    free(e);
    return st;
}

int cmd_evaluate(const cli_command *self, int argc, char **argv)
{
    static const struct argp argp = { .options = option_list,
                                      .parser = parse,
                                      .args_doc = "MODEL...\n--predictions FILE..." };
    options o = { .common.bf16 = true, .n_bins = 15, .resamples = 1000 };
    sl_error err;
    sl_status st = sl_alloc(&o.files, (size_t)argc, sizeof *o.files, &err);
    int code = st ? cli_end(&o.common, st, &err) : cli_parse(self, &argp, argc, argv, &o);
    if (!code) {
        st = o.detail ? score_in_detail(&o, &err) : score_everywhere(&o, &err);
        code = cli_end(&o.common, st, &err);
    }
    free(o.files);
    return code;
}
