/* Weight gradients of maps of few pixels, where oneDNN's convolution runs at a quarter of its speed
 * elsewhere: written out as one matrix product over the batch's pixels,
 *
 *     d_weight[k][c r s] = sum_i rows[i][k] columns[i][c r s],  i = (image, pixel of y)
 *
 * where rows are dy and columns the pixels of x under the kernel. */
#include "nn/cpu/conv.h"

#include "base/memory.h"
#include "nn/bf16.h"
#include <string.h>

enum { FEW_PIXELS = 4, ALIGN = 64 };

static bool supports(const sl_op *op)
{
    return op->kind == SL_OP_CONV_BWD_WEIGHTS && sl_cpu_is_blocked(&op->x) &&
           op->y.h * op->y.w <= FEW_PIXELS;
}

/* Sides of the product: rows are (i, k), columns (i, taps), in a scratch of rows, then columns. */
typedef struct {
    size_t i, k, taps, rows_bytes;
} sides;

static sides sides_of(const sl_op *op)
{
    size_t pixels = sl_cpu_pixels(&op->y), kernel = (size_t)op->kernel;
    sides s = { .i = (size_t)op->y.n * pixels,
                .k = (size_t)op->y.c,
                .taps = (size_t)op->x.c * kernel * kernel };
    s.rows_bytes = (s.i * s.k * sl_dtype_size(op->y.dtype) + ALIGN - 1) / ALIGN * ALIGN;
    return s;
}

static sl_status plan(sl_cpu_kernel *k, size_t *scratch_bytes, sl_error *err)
{
    const sl_op *op = &k->base.op;
    sides s = sides_of(op);
    size_t columns = 0;
    if (!sl_size_mul(s.i, s.taps, &columns) ||
        !sl_size_mul(columns, sl_dtype_size(op->x.dtype), &columns) ||
        !sl_size_add(columns, s.rows_bytes, scratch_bytes))
        return sl_error_set(err, SL_ENOMEM, "a convolution over too many channels");
    return sl_onednn_product_create(&k->product, k->dev->onednn, op->x.dtype, s.k, s.taps, s.i,
                                    err);
}

/* One image of dy, blocked, to its rows. size: of a number. */
static inline void lay_rows(const sl_op *op, const void *dy, void *rows, size_t image, size_t size)
{
    size_t pixels = sl_cpu_pixels(&op->y), channels = (size_t)op->y.c;
    size_t step = (size_t)sl_cpu_block(&op->y);
    for (size_t block = 0; block < sl_cpu_blocks(&op->y); block++) {
        const unsigned char *from = sl_cpu_at(dy, sl_cpu_tile(&op->y, image, block) * size);
        size_t lanes = (size_t)sl_cpu_lanes(&op->y, block);
        for (size_t p = 0; p < pixels; p++)
            memcpy(sl_cpu_to(rows, ((image * pixels + p) * channels + block * step) * size),
                   from + p * step * size, lanes * size);
    }
}

/* One tap of one image: pixel (h, w) of x, blocked, or zeros outside, to every step-th number. */
static inline void lay_tap(const sl_op *op, const void *x, size_t image, int h, int w,
                           unsigned char *to, size_t step, size_t size)
{
    bool inside = h >= 0 && h < op->x.h && w >= 0 && w < op->x.w;
    size_t pixel = inside ? (size_t)h * (size_t)op->x.w + (size_t)w : 0;
    for (size_t block = 0; block < sl_cpu_blocks(&op->x); block++) {
        size_t tile = sl_cpu_tile(&op->x, image, block);
        const unsigned char *from =
            sl_cpu_at(x, (tile + pixel * (size_t)sl_cpu_block(&op->x)) * size);
        for (int c = 0; c < sl_cpu_lanes(&op->x, block); c++, to += step * size) {
            if (inside)
                memcpy(to, from + (size_t)c * size, size);
            else
                memset(to, 0, size);
        }
    }
}

/* The columns of one image. */
static inline void lay_columns(const sl_op *op, const void *x, void *columns, size_t image,
                               size_t size)
{
    size_t pixels = sl_cpu_pixels(&op->y), taps = (size_t)op->kernel * (size_t)op->kernel;
    for (size_t p = 0; p < pixels; p++) {
        int top = (int)p / op->y.w * op->stride - op->pad;
        int left = (int)p % op->y.w * op->stride - op->pad;
        size_t start = (image * pixels + p) * (size_t)op->x.c * taps;
        for (size_t tap = 0; tap < taps; tap++)
            lay_tap(op, x, image, top + (int)tap / op->kernel, left + (int)tap % op->kernel,
                    sl_cpu_to(columns, (start + tap) * size), taps, size);
    }
}

/* d_bias[k] = the sum of column k of rows */
static void sum_rows(const sl_op *op, const void *rows, const sides *s, float *d_bias)
{
#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < s->k; k++) {
        double sum = 0;
        for (size_t i = k; i < s->i * s->k; i += s->k)
            sum +=
                (double)(op->y.dtype == SL_DTYPE_BF16 ? sl_bf16_to_float(((const sl_bf16 *)rows)[i])
                                                      : ((const float *)rows)[i]);
        d_bias[k] = (float)sum;
    }
}

static sl_status run(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err)
{
    const sl_op *op = &k->base.op;
    sides s = sides_of(op);
    const void *x = in[SL_CONV_BWD_WEIGHTS_X], *dy = in[SL_CONV_BWD_WEIGHTS_DY];
    float *d_weight = out[0], *d_bias = out[1];
    void *rows = scratch, *columns = sl_cpu_to(scratch, s.rows_bytes);
#pragma omp parallel for schedule(static)
    for (size_t image = 0; image < (size_t)op->y.n; image++) {
        if (op->x.dtype == SL_DTYPE_BF16) { /* two constant sizes: two sets of plain loops */
            lay_rows(op, dy, rows, image, sizeof(sl_bf16));
            lay_columns(op, x, columns, image, sizeof(sl_bf16));
        } else {
            lay_rows(op, dy, rows, image, sizeof(float));
            lay_columns(op, x, columns, image, sizeof(float));
        }
    }
    if (d_bias)
        sum_rows(op, rows, &s, d_bias);
    return sl_onednn_product_run(k->product, rows, columns, d_weight, err);
}

const sl_cpu_op sl_cpu_conv_product = { .supports = supports, .plan = plan, .run = run };
