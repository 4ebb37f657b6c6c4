/* float32 convolutions between maps of few pixels, as 3x3 of 2x2: nearly all pixels of y depend on
 * nearly all of x, so that a convolution is one matrix product over the images, which spares the
 * taps that lie outside. With rows [image][pixel][channel] of x and of y and
 *
 *     D[(o, k)][(i, c)] = weight[k][c][the tap of y's pixel o that is x's pixel i], 0 if there is
 * none
 *
 * y = x D^T, dx = dy D, and dD = dy^T x, whose numbers are summed tap by tap. */
#include "nn/cpu/conv.h"

#include "base/memory.h"
#include <string.h>

enum { FEW_PIXELS = 4, ALIGN = 16 /* floats */ };

static bool supports(const sl_op *op)
{
    return op->x.dtype == SL_DTYPE_F32 && sl_cpu_blocked_whole(op) &&
           sl_cpu_pixels(&op->x) <= FEW_PIXELS && sl_cpu_pixels(&op->y) <= FEW_PIXELS &&
           op->kernel > 1;
}

/* In floats: a row's length, where y's rows begin behind x's in the scratch, and D behind them. */
typedef struct {
    size_t images, x, y, y_at, d_at, d;
} shape;

static size_t aligned(size_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static shape shape_of(const sl_op *op)
{
    shape s = { .images = (size_t)op->y.n,
                .x = sl_cpu_pixels(&op->x) * (size_t)op->x.c,
                .y = sl_cpu_pixels(&op->y) * (size_t)op->y.c };
    s.y_at = aligned(s.images * s.x);
    s.d_at = s.y_at + aligned(s.images * s.y);
    s.d = s.x * s.y;
    return s;
}

static sl_status plan(sl_cpu_kernel *k, size_t *scratch_bytes, sl_error *err)
{
    const sl_op *op = &k->base.op;
    const shape s = shape_of(op);
    bool kept = sl_cpu_conv_loads(op);
    *scratch_bytes = (s.d_at + (kept ? 0 : s.d)) * sizeof(float);
    return kept ? sl_alloc_aligned(&k->weights, s.d, sizeof *k->weights, err) : SL_OK;
}

/* Which tap of pixel o of y is pixel i of x; -1: none. */
static int tap_of(const sl_op *op, int o, int i)
{
    int row = i / op->x.w - (o / op->y.w * op->stride - op->pad);
    int column = i % op->x.w - (o % op->y.w * op->stride - op->pad);
    bool there = row >= 0 && row < op->kernel && column >= 0 && column < op->kernel;
    return there ? row * op->kernel + column : -1;
}

/* D's row of filter k and pixel o of y, from pixel i of x on. */
static float *piece(const sl_op *op, float *d, size_t k, int o, int i)
{
    size_t channels = (size_t)op->x.c, row = (size_t)o * (size_t)op->y.c + k;
    return d + (row * sl_cpu_pixels(&op->x) + (size_t)i) * channels;
}

static void spread_weight(const sl_op *op, const float *weight, float *d)
{
    size_t channels = (size_t)op->x.c, taps = (size_t)op->kernel * (size_t)op->kernel;
#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < (size_t)op->y.c; k++) {
        for (int o = 0; o < (int)sl_cpu_pixels(&op->y); o++) {
            for (int i = 0; i < (int)sl_cpu_pixels(&op->x); i++) {
                int tap = tap_of(op, o, i);
                float *to = piece(op, d, k, o, i);
                for (size_t c = 0; c < channels; c++)
                    to[c] = tap < 0 ? 0 : weight[(k * channels + c) * taps + (size_t)tap];
            }
        }
    }
}

static void gather_weight(const sl_op *op, float *d, float *weight)
{
    size_t channels = (size_t)op->x.c, taps = (size_t)op->kernel * (size_t)op->kernel;
#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < (size_t)op->y.c; k++) {
        memset(weight + k * channels * taps, 0, channels * taps * sizeof *weight);
        for (int o = 0; o < (int)sl_cpu_pixels(&op->y); o++) {
            for (int i = 0; i < (int)sl_cpu_pixels(&op->x); i++) {
                int tap = tap_of(op, o, i);
                const float *from = piece(op, d, k, o, i);
                for (size_t c = 0; c < channels && tap >= 0; c++)
                    weight[(k * channels + c) * taps + (size_t)tap] += from[c];
            }
        }
    }
}

/* Where pixel p of an image's block is in a blocked activation, and its first channel in rows. */
static size_t in_blocks(const sl_desc *d, size_t image, size_t block, size_t p)
{
    return sl_cpu_tile(d, image, block) + p * (size_t)sl_cpu_block(d);
}
static size_t in_rows(const sl_desc *d, size_t image, size_t block, size_t p)
{
    return (image * sl_cpu_pixels(d) + p) * (size_t)d->c + block * (size_t)sl_cpu_block(d);
}

static void to_rows(const sl_desc *d, const float *blocked, float *rows)
{
#pragma omp parallel for schedule(static)
    for (size_t image = 0; image < (size_t)d->n; image++) {
        for (size_t b = 0; b < sl_cpu_blocks(d); b++) {
            for (size_t p = 0; p < sl_cpu_pixels(d); p++)
                memcpy(rows + in_rows(d, image, b, p), blocked + in_blocks(d, image, b, p),
                       (size_t)sl_cpu_lanes(d, b) * sizeof *rows);
        }
    }
}

/* Behind the last channel a block has zeros. */
static void to_blocks(const sl_desc *d, const float *rows, bool relu, float *blocked)
{
#pragma omp parallel for schedule(static)
    for (size_t image = 0; image < (size_t)d->n; image++) {
        for (size_t b = 0; b < sl_cpu_blocks(d); b++) {
            for (size_t p = 0; p < sl_cpu_pixels(d); p++) {
                const float *from = rows + in_rows(d, image, b, p);
                float *to = blocked + in_blocks(d, image, b, p);
                int lane = 0;
                for (; lane < sl_cpu_lanes(d, b); lane++)
                    to[lane] = relu && from[lane] < 0 ? 0 : from[lane]; /* NaN stays */
                for (; lane < sl_cpu_block(d); lane++)
                    to[lane] = 0;
            }
        }
    }
}

/* rows = bias, or 0, for every pixel */
static void lay_bias(const sl_desc *d, const float *bias, float *rows)
{
    size_t channels = (size_t)d->c, pixels = (size_t)d->n * sl_cpu_pixels(d);
#pragma omp parallel for schedule(static)
    for (size_t p = 0; p < pixels; p++) {
        if (bias)
            memcpy(rows + p * channels, bias, channels * sizeof *rows);
        else
            memset(rows + p * channels, 0, channels * sizeof *rows);
    }
}

/* rows += a residual, of maybe fewer channels than y */
static void add_residual(const sl_op *op, const float *residual, float *rows)
{
    const sl_desc *d = &op->y, narrow = sl_cpu_residual_desc(op);
#pragma omp parallel for schedule(static)
    for (size_t image = 0; image < (size_t)d->n; image++) {
        for (size_t b = 0; b < sl_cpu_blocks(&narrow); b++) {
            for (size_t p = 0; p < sl_cpu_pixels(d); p++) {
                const float *from = residual + in_blocks(&narrow, image, b, p);
                float *to = rows + in_rows(d, image, b, p);
                for (int lane = 0; lane < sl_cpu_lanes(&narrow, b); lane++)
                    to[lane] += from[lane];
            }
        }
    }
}

static sl_status load(sl_cpu_kernel *k, const void *const *in, sl_error *err)
{
    (void)err;
    if (k->weights)
        spread_weight(&k->base.op, in[SL_CPU_CONV_WEIGHT], k->weights);
    return SL_OK;
}

static float *weights_of(const sl_cpu_kernel *k, const float *weight, float *varying)
{
    if (k->weights)
        return k->weights;
    spread_weight(&k->base.op, weight, varying);
    return varying;
}

static sl_status run_forward(const sl_cpu_kernel *k, const void *const *in, float *y,
                             float *scratch, sl_error *err)
{
    const sl_op *op = &k->base.op;
    const shape s = shape_of(op);
    float *x_rows = scratch, *y_rows = scratch + s.y_at;
    const float *d = weights_of(k, in[SL_CONV_WEIGHT], scratch + s.d_at);
    to_rows(&op->x, in[SL_CONV_X], x_rows);
    lay_bias(&op->y, in[SL_CONV_BIAS], y_rows);
    if (in[SL_CONV_RESIDUAL])
        add_residual(op, in[SL_CONV_RESIDUAL], y_rows);
    sl_status st = sl_onednn_matmul(false, true, s.images, s.y, s.x, x_rows, d, true, y_rows, err);
    if (!st)
        to_blocks(&op->y, y_rows, op->relu, y);
    return st;
}

static sl_status run_bwd_data(const sl_cpu_kernel *k, const void *const *in, float *dx,
                              float *scratch, sl_error *err)
{
    const sl_op *op = &k->base.op;
    const shape s = shape_of(op);
    float *x_rows = scratch, *y_rows = scratch + s.y_at;
    const float *d = weights_of(k, in[SL_CONV_BWD_DATA_WEIGHT], scratch + s.d_at);
    to_rows(&op->y, in[SL_CONV_BWD_DATA_DY], y_rows);
    sl_status st =
        sl_onednn_matmul(false, false, s.images, s.x, s.y, y_rows, d, false, x_rows, err);
    if (!st)
        to_blocks(&op->x, x_rows, false, dx);
    return st;
}

/* d_bias[k] = the sum of y's rows at channel k */
static void sum_rows(const sl_desc *d, const float *rows, float *d_bias)
{
    size_t channels = (size_t)d->c, pixels = (size_t)d->n * sl_cpu_pixels(d);
#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < channels; k++) {
        double sum = 0;
        for (size_t p = 0; p < pixels; p++)
            sum += (double)rows[p * channels + k];
        d_bias[k] = (float)sum;
    }
}

static sl_status run_bwd_weights(const sl_cpu_kernel *k, const void *const *in, float *d_weight,
                                 float *d_bias, float *scratch, sl_error *err)
{
    const sl_op *op = &k->base.op;
    const shape s = shape_of(op);
    float *x_rows = scratch, *y_rows = scratch + s.y_at, *d = scratch + s.d_at;
    to_rows(&op->x, in[SL_CONV_BWD_WEIGHTS_X], x_rows);
    to_rows(&op->y, in[SL_CONV_BWD_WEIGHTS_DY], y_rows);
    if (d_bias)
        sum_rows(&op->y, y_rows, d_bias);
    sl_status st = sl_onednn_matmul(true, false, s.y, s.x, s.images, y_rows, x_rows, false, d, err);
    if (!st)
        gather_weight(op, d, d_weight);
    return st;
}

static sl_status run(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err)
{
    switch (k->base.op.kind) {
    case SL_OP_CONV_BWD_DATA:
        return run_bwd_data(k, in, out[0], scratch, err);
    case SL_OP_CONV_BWD_WEIGHTS:
        return run_bwd_weights(k, in, out[0], out[1], scratch, err);
    default:
        return run_forward(k, in, out[0], scratch, err);
    }
}

const sl_cpu_op sl_cpu_conv_dense = {
    .supports = supports, .plan = plan, .load = load, .run = run
};
