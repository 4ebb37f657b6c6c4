/* ReLU and sums: elementwise, in pieces that threads share out. The zeros that pad blocked channels
 * stay zeros by themselves. */
#include "nn/cpu/cpu.h"

enum { PIECE = 1 << 14 }; /* floats */

static size_t floats_of(const sl_desc *d)
{
    return sl_desc_bytes(d) / sizeof(float);
}

static size_t piece_at(size_t i, size_t n)
{
    return n - i < PIECE ? n - i : PIECE;
}

static sl_status run_relu(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                          sl_error *err)
{
    (void)scratch, (void)err;
    const float *x = in[0];
    float *y = out[0];
    size_t n = floats_of(&k->base.op.x);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += PIECE)
        k->dev->vector->relu(x + i, y + i, piece_at(i, n));
    return SL_OK;
}

static sl_status run_relu_bwd(sl_cpu_kernel *k, const void *const *in, void *const *out,
                              void *scratch, sl_error *err)
{
    (void)scratch, (void)err;
    const float *dy = in[SL_RELU_BWD_DY], *dy2 = in[SL_RELU_BWD_DY2], *y = in[SL_RELU_BWD_Y];
    float *dx = out[0];
    size_t n = floats_of(&k->base.op.x);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += PIECE)
        k->dev->vector->relu_bwd(dy + i, dy2 ? dy2 + i : NULL, y + i, dx + i, piece_at(i, n));
    return SL_OK;
}

static sl_status run_add(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                         sl_error *err)
{
    (void)scratch, (void)err;
    const float *a = in[0], *b = in[1];
    float *y = out[0];
    size_t n = floats_of(&k->base.op.x);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += PIECE)
        k->dev->vector->add(a + i, b + i, y + i, piece_at(i, n), k->base.op.relu);
    return SL_OK;
}

/* Elementwise over equal layouts. */
static bool supports(const sl_op *op)
{
    return op->x.layout == op->y.layout;
}

const sl_cpu_op sl_cpu_relu = { .supports = supports, .run = run_relu };
const sl_cpu_op sl_cpu_relu_bwd = { .supports = supports, .run = run_relu_bwd };
const sl_cpu_op sl_cpu_add = { .supports = supports, .run = run_add };
