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

/* b may have fewer channels: pieces are the tiles (blocked) or the planes (plain) of an image. */
static sl_status run_add(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                         sl_error *err)
{
    (void)scratch, (void)err;
    const sl_op *op = &k->base.op;
    const float *a = in[0], *b = in[1];
    float *y = out[0];
    bool blocked = op->y.layout == SL_LAYOUT_BLOCKED16;
    int b_channels = sl_op_residual_c(op);
    size_t pieces = blocked ? sl_cpu_blocks(&op->y) : (size_t)op->y.c;
    size_t b_pieces = blocked ? sl_cpu_blocks_of(b_channels) : (size_t)b_channels;
    size_t piece = sl_cpu_pixels(&op->y) * (blocked ? SL_BLOCK : 1);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < (size_t)op->y.n * pieces; i++) {
        size_t image = i / pieces, at = i % pieces;
        const float *term = at < b_pieces ? b + (image * b_pieces + at) * piece : NULL;
        k->dev->vector->add(a + i * piece, term, y + i * piece, piece, op->relu);
    }
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
