#include "cli/bench.h"

#include "base/memory.h"
#include "base/random.h"
#include "data/augment.h"
#include "data/loader.h"
#include <stdlib.h>

enum { CLASSES = 10, CHANNELS = 3, SIDE = 32, IMAGE_NUMBERS = CHANNELS * SIDE * SIDE };

void bench_work_release(bench_work *w)
{
    sl_device_images_destroy(w->kept);
    sl_plan_destroy(w->plan);
    sl_device_close(w->dev);
    sl_model_destroy(w->model);
    sl_optimizer_destroy(w->optimizer);
    free(w->images);
    free(w->targets);
    free(w->logits);
    free(w->losses);
    free(w->recipes);
}

static sl_status make_host_images(bench_work *w, const bench_options *o, sl_error *err)
{
    size_t count = (size_t)o->batch * IMAGE_NUMBERS;
    sl_random r = sl_random_stream(o->common.seed, SL_RANDOM_TEST, 0, 0);
    sl_status st = sl_alloc_aligned(&w->images, count, sizeof(float), err);
    for (size_t i = 0; i < count && !st; i++)
        w->images[i] = (float)sl_random_normal(&r);
    return st;
}

static sl_status make_device_images(bench_work *w, const bench_options *o, sl_error *err)
{
    size_t n = (size_t)o->batch;
    uint8_t *pixels = NULL;
    sl_pixel_table table;
    sl_random r = sl_random_stream(o->common.seed, SL_RANDOM_TEST, 0, 0);
    sl_status st = sl_alloc(&w->recipes, n, sizeof *w->recipes, err);
    if (!st)
        st = sl_alloc(&pixels, n * IMAGE_NUMBERS, 1, err);
    for (size_t i = 0; i < n * IMAGE_NUMBERS && !st; i++)
        pixels[i] = (uint8_t)sl_random_below(&r, 256);
    for (size_t i = 0; i < n && !st; i++)
        w->recipes[i].image = (uint32_t)i;
    sl_pixel_table_init(&table, &sl_normalization_cifar10);
    if (!st)
        st = sl_device_images_create(&w->kept, w->dev, pixels, n, SIDE, SIDE, &table, n, err);
    free(pixels);
    return st;
}

static sl_status make_batch(bench_work *w, const bench_options *o, sl_error *err)
{
    size_t n = (size_t)o->batch;
    sl_status st = sl_alloc_aligned(&w->targets, n * CLASSES, sizeof(float), err);
    if (!st)
        st = sl_alloc_aligned(&w->logits, n * CLASSES, sizeof(float), err);
    if (!st)
        st = sl_alloc_aligned(&w->losses, n, sizeof(float), err);
    for (size_t i = 0; i < n && !st; i++)
        w->targets[i * CLASSES + i % CLASSES] = 1;
    if (st)
        return st;
    return sl_device_keeps_images(w->dev) ? make_device_images(w, o, err)
                                          : make_host_images(w, o, err);
}

sl_status bench_work_init(bench_work *w, const bench_options *o, sl_error *err)
{
    sl_plan_options plan = { .batch = (int)o->batch,
                             .mode = o->mode ? SL_MODE_EVAL : SL_MODE_TRAIN };
    const sl_optimizer_options sgd = sl_optimizer_sgd(0.9, true, 1e-4);
    sl_status st = sl_model_create(&w->model, o->model, CLASSES, err);
    if (!st)
        st = sl_dtype_parse(&plan.dtype, o->common.precision, err);
    if (st)
        return st;
    sl_model_init(w->model, o->common.seed);
    const sl_graph *graph = sl_model_graph(w->model);
    st = sl_device_open(&w->dev, o->common.device, o->common.threads, err);
    if (!st)
        st = make_batch(w, o, err);
    if (!st)
        st = sl_plan_create(&w->plan, graph, sl_model_params(w->model), w->dev, &plan, err);
    if (!st && !o->mode)
        st = sl_optimizer_create(&w->optimizer, &sgd, sl_graph_value_floats(graph), err);
    return st;
}

/* What comes back of a step with gradients: losses and logits at once from the host's memory; from
 * another's the tally, when it is asked for. */
static sl_status train_step(bench_work *w, sl_error *err)
{
    sl_status st =
        w->kept ? sl_plan_step(w->plan, NULL, w->targets, NULL, NULL, NULL, err)
                : sl_plan_step(w->plan, w->images, w->targets, w->losses, w->logits, NULL, err);
    if (!st && w->kept)
        st = sl_plan_add_to_tally(w->plan, err);
    return st ? st : sl_plan_update(w->plan, w->optimizer, 1e-3, err);
}

sl_status bench_work_step(bench_work *w, const bench_options *o, sl_error *err)
{
    const int n = (int)o->batch;
    sl_status st = w->kept
                       ? sl_plan_assemble(w->plan, w->kept, w->recipes, (size_t)n, NULL, 1, n, err)
                       : SL_OK;
    if (st)
        return st;
    return o->mode ? sl_plan_forward(w->plan, w->images, n, w->logits, err) : train_step(w, err);
}

sl_status bench_work_wait(bench_work *w, sl_error *err)
{
    sl_tally tally; /* reading it waits for all that was asked for */
    return w->kept ? sl_plan_read_tally(w->plan, &tally, err) : SL_OK;
}
