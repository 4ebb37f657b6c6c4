#include "eval/model_eval.h"

#include "base/memory.h"
#include "data/augment.h"
#include "models/model.h"
#include "nn/plan.h"

#include <stdio.h>
#include <stdlib.h>

struct sl_evaluator {
    sl_model *model;
    sl_plan *plan;
    sl_shape input; /* of one image */
    int batch, threads;
    sl_pixel_table pixels;
    sl_device *device;
    float *images; /* (batch, c, h, w); or NULL, on a device that keeps images, and then: */
    sl_image_recipe *recipes; /* (batch) */
    sl_progress_fn *progress;
    void *progress_user;
};

sl_status sl_evaluator_create(sl_evaluator **out, sl_model *model, sl_device *device, int batch,
                              sl_dtype dtype, sl_progress_fn *progress, void *progress_user,
                              sl_error *err)
{
    const sl_graph *graph = sl_model_graph(model);
    sl_plan_options options = { .batch = batch, .mode = SL_MODE_EVAL, .dtype = dtype };
    sl_normalization normalization;
    sl_evaluator *e = NULL;
    sl_status st;

    *out = NULL;
    st = sl_alloc(&e, 1, sizeof *e, err);
    if (st)
        return st;
    e->model = model;
    e->input = sl_graph_shape(graph, sl_graph_node(graph, 0)->output);
    e->batch = batch;
    e->device = device;
    e->threads = ((const sl_device_base *)(const void *)device)->threads;
    e->progress = progress;
    e->progress_user = progress_user;
    sl_model_normalization(model, normalization.mean, normalization.std);
    sl_pixel_table_init(&e->pixels, &normalization);
    st = sl_plan_create(&e->plan, graph, sl_model_params(model), device, &options, err);
    if (st)
        goto done;
    if (sl_device_keeps_images(device) && e->input.c == 3)
        st = sl_alloc(&e->recipes, (size_t)batch, sizeof *e->recipes, err);
    else
        st = sl_alloc_aligned(
            &e->images, (size_t)batch,
            (size_t)e->input.c * (size_t)e->input.h * (size_t)e->input.w * sizeof(float), err);
    if (st)
        goto done;
    *out = e;
    e = NULL;
done:
    sl_evaluator_destroy(e);
    return st;
}

void sl_evaluator_destroy(sl_evaluator *evaluator)
{
    if (!evaluator)
        return;
    sl_plan_destroy(evaluator->plan);
    free(evaluator->images);
    free(evaluator->recipes);
    free(evaluator);
}

sl_status sl_evaluator_reload(sl_evaluator *evaluator, sl_error *err)
{
    return sl_plan_reload(evaluator->plan, err);
}

static sl_status check_fit(const sl_evaluator *e, const sl_dataset *set, sl_error *err)
{
    int classes = sl_model_classes(e->model);

    if (set->channels != e->input.c || set->height != e->input.h || set->width != e->input.w)
        return sl_error_set(err, SL_EMISMATCH,
                            "images of '%s' are %dx%dx%d, but the model '%s' takes %dx%dx%d",
                            set->name, set->channels, set->height, set->width,
                            sl_model_name(e->model), e->input.c, e->input.h, e->input.w);
    if (set->classes != classes)
        return sl_error_set(err, SL_EMISMATCH, "'%s' has %d classes, but the model '%s' has %d",
                            set->name, set->classes, sl_model_name(e->model), classes);
    return SL_OK;
}

/* True: stop. */
static bool report(const sl_evaluator *e, const sl_dataset *set, size_t done)
{
    char task[64];
    sl_progress p = { .task = task, .unit = "images", .detail = "", .done = done, .total = set->n };

    if (!e->progress)
        return false;
    snprintf(task, sizeof task, "scoring %s", set->name);
    return e->progress(e->progress_user, &p);
}

/* Images first..first+n-1 of set, normalised, into e->images. */
static void fill_batch(sl_evaluator *e, const sl_dataset *set, size_t first, int n)
{
    size_t size = (size_t)set->channels * (size_t)set->height * (size_t)set->width;
    const sl_placement in_place = { 0 };

#pragma omp parallel for num_threads(e->threads) schedule(static)
    for (int i = 0; i < n; i++)
        sl_image_place(&e->pixels, set->pixels + (first + (size_t)i) * size, set->height,
                       set->width, in_place, e->images + (size_t)i * size);
}

/* The same for the device's plan to start from: all as they are. */
static sl_status assemble_batch(sl_evaluator *e, sl_device_images *kept, size_t first, int n,
                                sl_error *err)
{
    for (int i = 0; i < n; i++)
        e->recipes[i] = (sl_image_recipe){ .image = (uint32_t)first + (uint32_t)i };
    return sl_plan_assemble(e->plan, kept, e->recipes, (size_t)n, NULL, 1, n, err);
}

/* kept: the set on the device, or NULL. */
static sl_status score_batches(sl_evaluator *e, const sl_dataset *set, sl_device_images *kept,
                               float *logits, sl_error *err)
{
    size_t batch = (size_t)e->batch;
    sl_status st = SL_OK;

    for (size_t first = 0; first < set->n && !st; first += batch) {
        size_t rest = set->n - first;
        int n = (int)(rest < batch ? rest : batch);

        if (kept)
            st = assemble_batch(e, kept, first, n, err);
        else
            fill_batch(e, set, first, n);
        if (!st)
            st = sl_plan_forward(e->plan, e->images, n, logits + first * (size_t)set->classes, err);
        if (!st && report(e, set, first + (size_t)n))
            st = sl_error_set(err, SL_EINTERRUPTED, "stopped while scoring '%s'", set->name);
    }
    return st;
}

sl_status sl_evaluator_logits(sl_evaluator *evaluator, const sl_dataset *set, float *logits,
                              sl_error *err)
{
    sl_device_images *kept = NULL;
    sl_status st = check_fit(evaluator, set, err);

    if (!st && evaluator->recipes)
        st = sl_device_images_create(&kept, evaluator->device, set->pixels, set->n, set->height,
                                     set->width, &evaluator->pixels, (size_t)evaluator->batch, err);
    if (!st)
        st = score_batches(evaluator, set, kept, logits, err);
    sl_device_images_destroy(kept);
    return st;
}
