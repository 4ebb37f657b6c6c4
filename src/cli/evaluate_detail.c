/* Gathers answers, labels and the selection, and scores the ones against the others. */
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/npy.h"
#include "cli/evaluate.h"
#include "data/dataset_private.h"
#include "eval/metrics.h"
#include "eval/model_eval.h"
#include <stdlib.h>
#include <string.h>

void cli_evaluation_release(cli_evaluation *e)
{
    for (size_t i = 0; i < e->n_models; i++) {
        sl_predictions_release(&e->models[i]);
        if (e->assessments)
            sl_assessment_release(&e->assessments[i]);
    }
    free(e->models);
    free(e->assessments);
    free(e->measured);
    free(e->differences);
    sl_selection_release(&e->selection);
    sl_human_release(&e->human);
    free(e->labels);
    sl_dataset_destroy(e->test);
    sl_data_close(e->data);
}

static sl_status need_test_set(cli_evaluation *e, const cli_options *common, sl_error *err)
{
    sl_status st = SL_OK;
    if (!e->data)
        st = cli_data_open(&e->data, common, err);
    if (!st && !e->test)
        st = sl_data_read(e->data, SL_SET_TEST, &e->test, err);
    return st;
}

/* ---- answers ---- */

static sl_status save_logits(const char *folder, const char *name, const float *logits, size_t n,
                             int classes, sl_error *err)
{
    char file[300];
    char *path = NULL;
    const size_t shape[] = { n, (size_t)classes };
    snprintf(file, sizeof file, "%s.npy", name);
    sl_status st = sl_make_directories(folder, err);
    if (!st)
        st = sl_path_join(&path, folder, file, err);
    if (!st)
        st = sl_npy_write(path, SL_NPY_F32, 2, shape, logits, err);
    free(path);
    return st;
}

/* What the model in a file answers on the test set. */
static sl_status ask_model(sl_predictions *out, const cli_evaluation *e, const char *path,
                           sl_device *device, cli_evaluate_options *o, sl_error *err)
{
    sl_model *model;
    sl_evaluator *evaluator = NULL;
    float *logits = NULL;
    sl_dtype dtype = SL_DTYPE_F32;
    const sl_dataset *test = e->test;
    sl_status st = sl_model_load(&model, path, err);
    if (!st)
        st = sl_dtype_parse(&dtype, o->common.precision, err);
    if (!st)
        st = sl_evaluator_create(&evaluator, model, device, EVALUATION_BATCH, dtype, cli_progress,
                                 &o->common.console, err);
    if (!st)
        st = sl_alloc(&logits, test->n, (size_t)test->classes * sizeof *logits, err);
    if (!st)
        st = sl_evaluator_logits(evaluator, test, logits, err);
    if (!st)
        st = sl_predictions_from_logits(out, path, logits, test->n, test->classes, err);
    if (!st && o->save_logits)
        st = save_logits(o->save_logits, out->name, logits, test->n, test->classes, err);
    if (!st) /* a model is known by its file, its answers may differ in rounding */
        st = sl_hash_file(path, SL_HASH_SHA256, out->sha256, err);
    free(logits);
    sl_evaluator_destroy(evaluator);
    sl_model_destroy(model);
    return st;
}

static sl_status ask_models(cli_evaluation *e, cli_evaluate_options *o, sl_error *err)
{
    sl_device *device = NULL;
    sl_status st = need_test_set(e, &o->common, err);
    if (!st)
        st = sl_device_open(&device, o->common.device, o->common.threads, err);
    for (size_t i = 0; i < o->n_files && !st; i++)
        st = ask_model(&e->models[i], e, o->files[i], device, o, err);
    sl_device_close(device);
    return st;
}

static sl_status read_predictions(cli_evaluation *e, const cli_evaluate_options *o, sl_error *err)
{
    sl_status st = SL_OK;
    for (size_t i = 0; i < o->n_files && !st; i++) {
        const sl_predictions *first = &e->models[0], *p = &e->models[i];
        st = sl_predictions_read(&e->models[i], o->files[i], sl_cifar10_class_names,
                                 SL_CIFAR_CLASSES, err);
        if (!st && (p->n != first->n || p->classes != first->classes)) {
            st = sl_error_set(err, SL_EMISMATCH,
                              "has %zu images of %d classes, but '%s' has %zu of %d", p->n,
                              p->classes, o->files[0], first->n, first->classes);
            sl_error_at(err, st, "%s", o->files[i]);
        }
    }
    return st;
}

/* ---- labels ---- */

static sl_status labels_of_test_set(cli_evaluation *e, const cli_options *common, sl_error *err)
{
    const sl_predictions *first = &e->models[0];
    sl_status st = need_test_set(e, common, err);
    if (st)
        return st;
    if (e->test->n != first->n || e->test->classes != first->classes)
        return sl_error_set(err, SL_EMISMATCH,
                            "'%s' has no labels, and its %zu images of %d classes aren't the test "
                            "set's %zu of %d; give --hard-labels FILE",
                            first->name, first->n, first->classes, e->test->n, e->test->classes);
    st = sl_alloc(&e->labels, first->n, sizeof *e->labels, err);
    for (size_t i = 0; i < first->n && !st; i++)
        e->labels[i] = e->test->labels[i];
    e->labels_from = "data folder";
    return st;
}

/* The predictions' own labels must agree, whichever are used. */
static sl_status check_own_labels(const cli_evaluation *e, sl_error *err)
{
    for (size_t m = 0; m < e->n_models; m++) {
        const sl_predictions *p = &e->models[m];
        for (size_t i = 0; i < p->n && p->labels; i++)
            if (p->labels[i] != e->labels[i])
                return sl_error_set(err, SL_EMISMATCH,
                                    "image %zu has the label %d in '%s', but %d in %s; are these "
                                    "predictions of the same images?",
                                    i, p->labels[i], p->name, e->labels[i], e->labels_from);
    }
    return SL_OK;
}

static sl_status gather_labels(cli_evaluation *e, const cli_evaluate_options *o, sl_error *err)
{
    const sl_predictions *first = &e->models[0];
    sl_status st = SL_OK;
    const sl_predictions *with = NULL;
    for (size_t m = 0; m < e->n_models && !with; m++)
        if (e->models[m].labels)
            with = &e->models[m];
    if (o->hard_labels) {
        e->labels_from = o->hard_labels;
        st = sl_hard_labels_read(&e->labels, o->hard_labels, first->n, first->classes, err);
    } else if (with) {
        e->labels_from = with->name;
        st = sl_alloc(&e->labels, first->n, sizeof *e->labels, err);
        if (!st)
            memcpy(e->labels, with->labels, first->n * sizeof *e->labels);
    } else {
        st = labels_of_test_set(e, &o->common, err);
    }
    if (!st)
        st = check_own_labels(e, err);
    return st ? st : sl_sha256(e->labels, first->n * sizeof *e->labels, e->labels_sha256, err);
}

static sl_status gather_human(cli_evaluation *e, const cli_evaluate_options *o, sl_error *err)
{
    const sl_predictions *first = &e->models[0];
    sl_status st = SL_OK;
    if (o->labels) {
        e->human_from = o->labels;
        return sl_human_read(&e->human, o->labels, first->n, first->classes, err);
    }
    e->human_from = "data folder";
    if (!e->data)
        st = cli_data_open(&e->data, &o->common, err);
    if (!st)
        st = sl_data_read_human(e->data, &e->human.targets, err);
    return st;
}

static sl_status select_images(cli_evaluation *e, const cli_evaluate_options *o, sl_error *err)
{
    const size_t n = e->models[0].n;
    if (o->index)
        return sl_selection_read(&e->selection, n, o->index, err);
    if (o->split)
        return sl_selection_split(&e->selection, n, o->split_seed, (sl_split_part)o->part, err);
    return sl_selection_all(&e->selection, n, err);
}

/* ---- scores ---- */

static sl_status assess(cli_evaluation *e, cli_evaluate_options *o, sl_error *err)
{
    const sl_bootstrap_options bootstrap = { o->resamples, o->common.seed, cli_progress,
                                             &o->common.console };
    const size_t cells = e->n_models * SL_MEASURE_COUNT;
    sl_status st = sl_alloc(&e->assessments, e->n_models, sizeof *e->assessments, err);
    for (size_t m = 0; m < e->n_models && !st; m++)
        st = sl_assess(&e->assessments[m], &e->models[m], e->human.targets, e->labels,
                       &e->selection, o->n_bins, err);
    if (!st)
        st = sl_alloc(&e->measured, cells, sizeof *e->measured, err);
    if (!st)
        st = sl_alloc(&e->differences, cells, sizeof *e->differences, err);
    if (!st)
        st =
            sl_bootstrap(e->assessments, e->n_models, &bootstrap, e->measured, e->differences, err);
    if (!st)
        e->summary = sl_human_summarise(&e->human, e->labels, &e->selection);
    return st;
}

sl_status cli_evaluate_detail(cli_evaluation *e, cli_evaluate_options *o, sl_error *err)
{
    *e = (cli_evaluation){ .n_models = o->n_files };
    sl_status st = sl_alloc(&e->models, e->n_models, sizeof *e->models, err);
    if (st) {
        e->n_models = 0;
        return st;
    }
    st = o->predictions ? read_predictions(e, o, err) : ask_models(e, o, err);
    if (!st)
        st = gather_human(e, o, err);
    if (!st)
        st = gather_labels(e, o, err);
    if (!st)
        st = select_images(e, o, err);
    if (st)
        return st;
    e->class_names = e->test && e->test->classes == e->models[0].classes
                         ? e->test->class_names
                         : cli_name_classes(&e->names, e->models[0].classes);
    return assess(e, o, err);
}
