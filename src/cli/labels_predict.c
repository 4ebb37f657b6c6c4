#include "cli/labels_infer.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "eval/model_eval.h"
#include <math.h>
#include <softlabel/labels.h>
#include <stdlib.h>
#include <string.h>

enum { EVALUATION_BATCH = 128, LABEL_PRIOR = 1 };

/* What the model's history says of images: in a stage of training, or of tuning. */
typedef struct {
    bool pretrained; /* on the images that want labels */
    bool tuned;      /* on judged images, of the split: */
    uint32_t split_seed;
} past;

static bool stage_has(const json_t *stage, const char *set, const char *sha256)
{
    const char *text = json_string_value(json_object_get(json_object_get(stage, "data"), set));
    return text && strcmp(text, sha256) == 0;
}

static sl_status read_past(past *out, const sl_model *model, const cli_inference *f, sl_error *err)
{
    size_t i;
    json_t *stage;
    json_t *history = json_loads(sl_model_history_json(model), 0, NULL);
    sl_status st = SL_OK;
    *out = (past){ 0 };
    if (!json_is_array(history))
        st = sl_error_set(err, SL_EFORMAT, "the model's history can't be read");
    json_array_foreach(history, i, stage)
    {
        const char *name = json_string_value(json_object_get(stage, "stage"));
        const json_t *settings = json_object_get(stage, "settings");
        if (!name)
            continue;
        if (strcmp(name, "train") == 0 && stage_has(stage, "train", f->set->sha256))
            out->pretrained = true;
        if (strcmp(name, "finetune") == 0 && stage_has(stage, "test", f->test->sha256)) {
            out->tuned = true;
            out->split_seed = (uint32_t)json_integer_value(json_object_get(settings, "split_seed"));
        }
    }
    json_decref(history);
    return st;
}

/* Nothing may be fitted to images that the model was tuned on. */
static sl_status check_past(const past *p, cli_inference *f, const cli_infer_options *o,
                            sl_error *err)
{
    if (p->tuned && p->split_seed != o->split_seed)
        return sl_error_set(err, SL_EMISMATCH,
                            "'%s' was tuned on the images of split seed %u: give --split-seed %u",
                            o->model, (unsigned)p->split_seed, (unsigned)p->split_seed);
    if (!p->tuned)
        sl_log(SL_LOG_WARNING, "'%s' wasn't tuned on these judged images", o->model);
    if (p->pretrained)
        sl_log(SL_LOG_WARNING,
               "'%s' was pretrained on the images it labels: it is surer of them than of others",
               o->model);
    if (p->tuned && o->judged > SL_PART_VALIDATION)
        sl_log(SL_LOG_WARNING, "'%s' was tuned on images that its temperature is fitted to",
               o->model);
    json_object_set_new(f->how, "tuned_on_judged", json_boolean(p->tuned));
    json_object_set_new(f->how, "pretrained_on_these", json_boolean(p->pretrained));
    return SL_OK;
}

/* z (set->n, classes), malloc'ed. */
static sl_status ask(double **z, sl_evaluator *evaluator, const sl_dataset *set, sl_error *err)
{
    const size_t count = set->n * (size_t)set->classes;
    float *logits;
    sl_status st = sl_alloc(&logits, count, sizeof *logits, err);
    if (!st)
        st = sl_alloc(z, count, sizeof **z, err);
    if (!st)
        st = sl_evaluator_logits(evaluator, set, logits, err);
    for (size_t i = 0; i < count && !st; i++)
        (*z)[i] = (double)logits[i];
    free(logits);
    return st;
}

/* log C: one image a class, answered at random, keeps it finite. */
static sl_status log_average(double **out, const cli_inference *f, sl_error *err)
{
    const size_t k = (size_t)f->classes;
    sl_status st = sl_alloc(out, k, k * sizeof **out, err);
    if (!st)
        st = sl_labels_average(*out, f->human->p64, f->test_labels, f->training.indices,
                               f->training.n, f->classes, LABEL_PRIOR, err);
    for (size_t i = 0; i < k * k && !st; i++)
        (*out)[i] = log((*out)[i]);
    return st;
}

/* z are the answers on the images that want labels. */
static sl_status fit(sl_tempering *t, sl_evaluator *evaluator, const cli_inference *f,
                     const double *z, const double *by_label, sl_error *err)
{
    double *asked = NULL;
    sl_status st = SL_OK;
    if (strcmp(f->set->sha256, f->test->sha256) != 0)
        st = ask(&asked, evaluator, f->test, err);
    if (!st) {
        const sl_tempered judgments = { f->classes, asked ? asked : z, by_label, f->test_labels };
        *t = sl_tempering_fit(*t, &judgments, f->human->p64, f->judged.indices, f->judged.n);
    }
    free(asked);
    return st;
}

static sl_status predict(cli_inference *f, const cli_infer_options *o, sl_evaluator *evaluator,
                         sl_error *err)
{
    double *by_label = NULL, *z = NULL;
    sl_tempering t = o->tempering;
    sl_status st = ask(&z, evaluator, f->set, err);
    if (!st)
        st = log_average(&by_label, f, err);
    if (!st && (isnan(t.temperature) || isnan(t.label_weight)))
        st = fit(&t, evaluator, f, z, by_label, err);
    if (!st) {
        const sl_tempered images = { f->classes, z, by_label, f->labels };
        for (size_t i = 0; i < f->n; i++)
            sl_temper(f->p + i * (size_t)f->classes, &images, i, t);
        cli_infer_note(f, o, t);
    }
    free(z);
    free(by_label);
    return st;
}

sl_status cli_infer_predict(cli_inference *f, cli_infer_options *o, sl_error *err)
{
    sl_model *model = NULL;
    sl_device *device = NULL;
    sl_evaluator *evaluator = NULL;
    sl_dtype dtype = SL_DTYPE_F32;
    past history;
    char sha256[65];
    sl_status st = cli_infer_read_judged(f, o, err);
    if (!st)
        st = sl_model_load(&model, o->model, err);
    if (!st)
        st = sl_hash_file(o->model, SL_HASH_SHA256, sha256, err);
    if (!st)
        st = read_past(&history, model, f, err);
    if (!st)
        st = check_past(&history, f, o, err);
    if (!st)
        st = sl_dtype_parse(&dtype, o->common.precision, err);
    if (!st)
        st = sl_device_open(&device, o->common.device, o->common.threads, err);
    if (!st)
        st = sl_evaluator_create(&evaluator, model, device, EVALUATION_BATCH, dtype, cli_progress,
                                 &o->common.console, err);
    if (!st)
        st = predict(f, o, evaluator, err);
    if (!st) {
        json_object_set_new(f->how, "model", json_string(o->model));
        json_object_set_new(f->how, "model_sha256", json_string(sha256));
        json_object_set_new(f->how, "precision", json_string(o->common.precision));
    }
    sl_evaluator_destroy(evaluator);
    sl_device_close(device);
    sl_model_destroy(model);
    return st;
}
