#include "cuda/emulated.h"

#include "base/memory.h"
#include "nn/cuda/cuda.h"
#include "nn/cuda/reduction_bodies.h"
#include <stdlib.h>
#include <string.h>

/* ---- kernels ---- */

#define MAP(name)                                                                               \
    static int launch_##name(sl_cuda_stream *stream, const sl_cuda_##name *arguments, size_t n) \
    {                                                                                           \
        (void)stream;                                                                           \
        for (size_t i = n; i-- > 0;) /* in another order than one might rely on */              \
            name##_at(arguments, i);                                                            \
        return 0;                                                                               \
    }
SL_CUDA_MAPS(MAP)

#define REDUCTION(name)                                                                         \
    static int launch_##name(sl_cuda_stream *stream, const sl_cuda_##name *arguments, size_t n) \
    {                                                                                           \
        static _Thread_local double shared[SL_SHARED_BYTES / sizeof(double)];                   \
        (void)stream;                                                                           \
        for (size_t block = n; block-- > 0;) {                                                  \
            memset(shared, 0xff, sizeof shared); /* NaN */                                      \
            for (int phase = 0; phase < SL_PHASES; phase++) {                                   \
                for (int t = SL_BLOCK_THREADS; t-- > 0;)                                        \
                    name##_phase(arguments, shared, block, t, phase);                           \
            }                                                                                   \
        }                                                                                       \
        return 0;                                                                               \
    }
SL_CUDA_REDUCTIONS(REDUCTION)

/* ---- convolutions ---- */

struct sl_cuda_conv {
    sl_cuda_conv_shape s;
    void *weights;
    float *sums; /* of whatever the kind writes */
};

static size_t x_count(const sl_cuda_conv_shape *s)
{
    return (size_t)s->n * (size_t)s->h * (size_t)s->w * (size_t)s->c;
}

static size_t y_count(const sl_cuda_conv_shape *s)
{
    return (size_t)s->n * (size_t)s->p * (size_t)s->q * (size_t)s->k;
}

static size_t w_count(const sl_cuda_conv_shape *s)
{
    return (size_t)s->k * (size_t)s->r * (size_t)s->r * (size_t)s->c;
}

/* Of what the kind writes. */
static size_t result_count(const sl_cuda_conv_shape *s)
{
    return s->kind == SL_CUDA_CONV_FORWARD ? y_count(s)
           : s->kind == SL_CUDA_CONV_DATA  ? x_count(s)
                                           : w_count(s);
}

static void conv_destroy(sl_cuda_conv *conv)
{
    if (!conv)
        return;
    free(conv->weights);
    free(conv->sums);
    free(conv);
}

static sl_status conv_create(sl_cuda_conv **out, sl_cuda_device *dev,
                             const sl_cuda_conv_shape *shape, size_t *workspace, sl_error *err)
{
    sl_cuda_conv *conv = NULL;
    (void)dev;
    *out = NULL;
    *workspace = 100; /* no multiple of anything */
    sl_status st = sl_alloc(&conv, 1, sizeof *conv, err);
    if (st)
        return st;
    conv->s = *shape;
    st = sl_alloc_aligned(&conv->weights, w_count(shape), sizeof(float), err);
    if (!st)
        st = sl_alloc(&conv->sums, result_count(shape), sizeof(float), err);
    if (st)
        conv_destroy(conv);
    else
        *out = conv;
    return st;
}

static void *conv_weights(const sl_cuda_conv *conv)
{
    return conv->weights;
}

static bool conv_gradient_is_bf16(const sl_cuda_conv *conv)
{
    (void)conv;
    return false;
}

/* The tap (r,t) of the filters at output (n,p,q): all channels in with all channels out. */
static void multiply(const sl_cuda_conv *conv, size_t xi, size_t wi, size_t yi, const void *x,
                     const void *w, const void *y)
{
    const sl_cuda_conv_shape *s = &conv->s;
    size_t c_count = (size_t)s->c, filter = (size_t)s->r * (size_t)s->r * c_count;
    for (size_t k = 0; k < (size_t)s->k; k++) {
        for (size_t c = 0; c < c_count; c++) {
            size_t at = k * filter + wi + c;
            if (s->kind == SL_CUDA_CONV_FORWARD)
                conv->sums[yi + k] +=
                    sl_number_load(x, s->bf16, xi + c) * sl_number_load(w, s->bf16, at);
            else if (s->kind == SL_CUDA_CONV_DATA)
                conv->sums[xi + c] +=
                    sl_number_load(y, s->bf16, yi + k) * sl_number_load(w, s->bf16, at);
            else
                conv->sums[at] +=
                    sl_number_load(x, s->bf16, xi + c) * sl_number_load(y, s->bf16, yi + k);
        }
    }
}

/* All taps at output (n,p,q). */
static void gather(const sl_cuda_conv *conv, int n, int p, int q, const void *x, const void *w,
                   const void *y)
{
    const sl_cuda_conv_shape *s = &conv->s;
    size_t yi = (size_t)((n * s->p + p) * s->q + q) * (size_t)s->k;
    for (int r = 0; r < s->r; r++) {
        for (int t = 0; t < s->r; t++) {
            int row = p * s->stride + r - s->pad, column = q * s->stride + t - s->pad;
            if (row < 0 || row >= s->h || column < 0 || column >= s->w)
                continue;
            multiply(conv, (size_t)((n * s->h + row) * s->w + column) * (size_t)s->c,
                     (size_t)(r * s->r + t) * (size_t)s->c, yi, x, w, y);
        }
    }
}

static sl_status conv_run(sl_cuda_conv *conv, void *x, void *w, void *y, void *workspace,
                          sl_error *err)
{
    const sl_cuda_conv_shape *s = &conv->s;
    void *results[] = {
        [SL_CUDA_CONV_FORWARD] = y, [SL_CUDA_CONV_DATA] = x, [SL_CUDA_CONV_WEIGHTS] = w
    };
    (void)err;
    memset(workspace, 0xff, 100);
    memset(conv->sums, 0, result_count(s) * sizeof(float));
    for (int n = 0; n < s->n; n++) {
        for (int p = 0; p < s->p; p++) {
            for (int q = 0; q < s->q; q++)
                gather(conv, n, p, q, x, w, y);
        }
    }
    for (size_t i = 0; i < result_count(s); i++)
        sl_number_store(results[s->kind], s->bf16 && s->kind != SL_CUDA_CONV_WEIGHTS, i,
                        conv->sums[i]);
    return SL_OK;
}

/* ---- the backend ---- */

static const char *error_text(int error)
{
    (void)error;
    return "no kernel fails here";
}

#define MEMBER(name) .name = launch_##name,
static const sl_cuda_kernels kernels = { SL_CUDA_MAPS(MEMBER) SL_CUDA_REDUCTIONS(MEMBER) };
static const sl_cuda_functions functions = {
    .kernels = &kernels,
    .error_text = error_text,
    .conv_create = conv_create,
    .conv_destroy = conv_destroy,
    .conv_weights = conv_weights,
    .conv_gradient_is_bf16 = conv_gradient_is_bf16,
    .conv_run = conv_run,
};

static void emulated_close(sl_device *dev)
{
    free(dev);
}

static const sl_backend emulated_backend = {
    .name = "emulated",
    .converts_input = true,
    .close = emulated_close,
    .layout = sl_cuda_layout,
    .supports = sl_cuda_supports,
    .plan = sl_cuda_plan,
    .load = sl_cuda_load,
    .run = sl_cuda_run,
    .unplan = sl_cuda_unplan,
};

sl_status emulated_device_open(sl_device **out, sl_error *err)
{
    sl_cuda_device *dev = NULL;
    *out = NULL;
    sl_status st = sl_alloc(&dev, 1, sizeof *dev, err);
    if (st)
        return st;
    dev->base = (sl_device_base){ .backend = &emulated_backend, .threads = 1 };
    dev->functions = &functions;
    *out = (sl_device *)(void *)dev;
    return SL_OK;
}
