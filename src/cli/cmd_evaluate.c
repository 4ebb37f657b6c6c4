/* softlabel evaluate: score a model on every data set at hand. */
#include "base/hash.h"
#include "base/json.h"
#include "cli/cli.h"
#include "eval/scores.h"
#include "report/table.h"
#include <stdio.h>

enum { EVALUATION_BATCH = 128 };

enum { KEY_SPLIT_SEED = 1 };

static const struct argp_option option_list[] = {
    { "split-seed", KEY_SPLIT_SEED, "N", 0,
      "which tenth of the test set validates: the c10h_val rows (0)", 0 },
    { 0 },
};

typedef struct {
    cli_options common; /* first */
    const char *model;
    uint32_t split_seed;
} options;

static error_t parse(int key, char *text, struct argp_state *state)
{
    options *o = state->input;
    int64_t n = 0;
    error_t e;
    switch (key) {
    case KEY_SPLIT_SEED:
        e = cli_integer(state, "--split-seed", text, 0, UINT32_MAX, &n);
        o->split_seed = (uint32_t)n;
        return e;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            return ARGP_ERR_UNKNOWN;
        o->model = text;
        return 0;
    case ARGP_KEY_NO_ARGS:
        return cli_usage(state, "the MODEL to score is missing, say m.safetensors");
    default:
        return ARGP_ERR_UNKNOWN;
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
    sl_status st = sl_model_load(&e->model, o->model, err);
    if (!st)
        st = sl_hash_file(o->model, SL_HASH_SHA256, e->sha256, err);
    if (!st)
        st = cli_data_open(&e->data, &o->common, err);
    if (!st)
        st = sl_score_sets_read(&e->sets, e->data, SL_SETS_ALL, o->split_seed, err);
    if (!st)
        st = sl_device_open(&e->device, o->common.device, o->common.threads, err);
    if (!st)
        st = sl_evaluator_create(&e->evaluator, e->model, e->device, EVALUATION_BATCH, cli_progress,
                                 &o->common.console, err);
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
    cli_print_json(json_pack("{s:s, s:s, s:s, s:I, s:o, s:o}", "model", sl_model_name(e->model),
                             "file", o->model, "sha256", e->sha256, "split_seed",
                             (json_int_t)o->split_seed, "data", data_json(e), "scores",
                             scores_json(e)));
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
        printf("\nCross-entropy in nats; validation: the tenth that split seed %u holds out.\n"
               "Data: %s in %s%s%s\n",
               (unsigned)o->split_seed, sl_data_kind(e->data), sl_data_folder(e->data),
               *note ? "; " : "", note);
    }
    sl_table_destroy(table);
    return st;
}

int cmd_evaluate(const cli_command *self, int argc, char **argv)
{
    static const struct argp argp = { .options = option_list,
                                      .parser = parse,
                                      .args_doc = "MODEL" };
    options o = { 0 };
    evaluation e = { 0 };
    sl_error err;
    int code = cli_parse(self, &argp, argc, argv, &o);
    if (code)
        return code;
    sl_status st = score(&e, &o, &err);
    if (!st && o.common.json)
        show_json(&e, &o);
    else if (!st)
        st = show_text(&e, &o, &err);
    release(&e);
    return cli_end(&o.common, st, &err);
}
