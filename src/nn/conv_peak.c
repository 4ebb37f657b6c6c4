#include "nn/conv_peak.h"

#include "base/memory.h"
#include "base/random.h"
#include "nn/bf16.h"
#include "nn/region.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

const sl_peak_conv sl_peak_convs[] = {
    { .n = 64, .c = 1024, .side = 32, .kernel = 1 },
    { .n = 64, .c = 512, .side = 32, .kernel = 3 },
    { .n = 128, .c = 256, .side = 32, .kernel = 3 },
};
const size_t sl_peak_conv_count = sizeof sl_peak_convs / sizeof *sl_peak_convs;

const char *sl_peak_conv_text(const sl_peak_conv *conv, char *buffer, size_t size)
{
    snprintf(buffer, size, "conv %dx%d, %d to %d channels", conv->kernel, conv->kernel, conv->c,
             conv->c);
    return buffer;
}

/* One convolution with all that it works on; zero is empty. */
typedef struct {
    sl_device *dev;
    sl_op op;
    sl_kernel *kernel;
    sl_region x, weight, y, scratch;
} work;

static void work_release(work *w)
{
    if (w->kernel)
        sl_device_backend(w->dev)->unplan(w->kernel);
    sl_region_release(&w->x);
    sl_region_release(&w->weight);
    sl_region_release(&w->y);
    sl_region_release(&w->scratch);
}

static sl_op op_of(sl_device *dev, sl_dtype dtype, const sl_peak_conv *conv)
{
    sl_desc x = { .n = conv->n, .c = conv->c, .h = conv->side, .w = conv->side, .dtype = dtype };
    x.layout = sl_device_backend(dev)->layout(dev, x.c, x.h, x.w);
    sl_op op = { .kind = SL_OP_CONV,
                 .x = x,
                 .y = x,
                 .kernel = conv->kernel,
                 .stride = 1,
                 .pad = conv->kernel / 2 };
    op.has_in[SL_CONV_X] = op.has_in[SL_CONV_WEIGHT] = op.has_out[0] = true;
    return op;
}

/* Fills a region with the same few numbers again and again, which is enough. */
static sl_status fill(const sl_region *region, sl_dtype dtype, sl_error *err)
{
    enum { COUNT = 1 << 18 };
    const size_t size = sl_dtype_size(dtype);
    unsigned char *numbers = NULL;
    sl_random r = sl_random_stream(1, SL_RANDOM_TEST, 0, 0);
    sl_status st = sl_alloc_aligned(&numbers, COUNT, size, err);
    for (size_t i = 0; i < COUNT && !st; i++) {
        float number = (float)sl_random_normal(&r) / 8;
        if (dtype == SL_DTYPE_BF16)
            ((sl_bf16 *)(void *)numbers)[i] = sl_bf16_from_float(number);
        else
            ((float *)(void *)numbers)[i] = number;
    }
    for (size_t at = 0; at < region->bytes && !st; at += COUNT * size) {
        size_t left = region->bytes - at, bytes = left < COUNT * size ? left : COUNT * size;
        st = sl_device_put(region->dev, region->device + at, numbers, bytes, err);
    }
    free(numbers);
    return st;
}

static sl_status load(work *w, sl_error *err)
{
    const sl_backend *backend = sl_device_backend(w->dev);
    const void *in[SL_OP_MAX_IN] = { [SL_CONV_WEIGHT] = w->weight.device };
    return backend->load ? backend->load(w->kernel, in, err) : SL_OK;
}

static sl_status prepare(work *w, sl_error *err)
{
    const sl_backend *backend = sl_device_backend(w->dev);
    size_t scratch = 0, weights = (size_t)w->op.x.c * (size_t)w->op.y.c *
                                  (size_t)(w->op.kernel * w->op.kernel) * sizeof(float);
    if (!backend->supports(w->dev, &w->op))
        return sl_error_set(err, SL_EUNSUPPORTED, "device '%s' has no such convolution",
                            backend->name);
    sl_status st = backend->plan(w->dev, &w->op, &w->kernel, &scratch, err);
    if (!st)
        st = sl_region_create_inside(&w->x, w->dev, sl_desc_bytes(&w->op.x), err);
    if (!st)
        st = sl_region_create_inside(&w->y, w->dev, sl_desc_bytes(&w->op.y), err);
    if (!st)
        st = sl_region_create_inside(&w->weight, w->dev, weights, err);
    if (!st)
        st = sl_region_create_inside(&w->scratch, w->dev, scratch, err);
    if (!st)
        st = fill(&w->x, w->op.x.dtype, err);
    if (!st)
        st = fill(&w->weight, SL_DTYPE_F32, err);
    return st ? st : load(w, err);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds that n of them take, one behind the other. */
static sl_status time_round(work *w, size_t n, double *seconds, sl_error *err)
{
    const sl_backend *backend = sl_device_backend(w->dev);
    const void *in[SL_OP_MAX_IN] = {
        [SL_CONV_X] = w->x.device, [SL_CONV_WEIGHT] = w->weight.device
    };
    void *out[SL_OP_MAX_OUT] = { w->y.device };
    sl_status st = SL_OK;
    double start = now();
    for (size_t i = 0; i < n && !st; i++)
        st = backend->run(w->kernel, in, out, w->scratch.device, err);
    if (!st && backend->memory)
        st = backend->memory->wait(w->dev, err);
    *seconds = now() - start;
    return st;
}

/* Rounds grow until asking and waiting don't count. The first of all, which warms up, does not. */
static sl_status best_round(work *w, double flops_each, double seconds, double *flops,
                            sl_error *err)
{
    const double enough = 10e-3;
    double took = 0;
    size_t n = 1;
    sl_status st = time_round(w, 1, &took, err);
    double end = now() + seconds;
    do {
        if (!st)
            st = time_round(w, n, &took, err);
        if (st)
            return st;
        *flops = fmax(*flops, flops_each * (double)n / took);
        if (took < enough)
            n *= 2;
    } while (now() < end);
    return SL_OK;
}

sl_status sl_conv_peak_measure(double *flops, sl_device *dev, sl_dtype dtype,
                               const sl_peak_conv *conv, double seconds, sl_error *err)
{
    work w = { .dev = dev, .op = op_of(dev, dtype, conv) };
    double pixels = (double)conv->n * conv->side * conv->side;
    *flops = 0;
    sl_status st = prepare(&w, err);
    if (!st)
        st = best_round(&w, 2.0 * pixels * conv->c * conv->c * conv->kernel * conv->kernel, seconds,
                        flops, err);
    work_release(&w);
    return st;
}
