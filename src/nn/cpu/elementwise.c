/* ReLU and sums: elementwise, in pieces that threads share out. The zeros that pad blocked channels
 * stay zeros by themselves. */
#include "nn/cpu/cpu.h"

enum { PIECE = 1 << 14 }; /* numbers */

static size_t piece_at(size_t i, size_t n)
{
    return n - i < PIECE ? n - i : PIECE;
}

static sl_status run_relu(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                          sl_error *err)
{
    (void)scratch, (void)err;
    size_t size = sl_dtype_size(k->base.op.x.dtype), n = sl_desc_bytes(&k->base.op.x) / size;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += PIECE)
        sl_cpu_loops(k)->relu(sl_cpu_at(in[0], i * size), sl_cpu_to(out[0], i * size),
                              piece_at(i, n));
    return SL_OK;
}

static sl_status run_relu_bwd(sl_cpu_kernel *k, const void *const *in, void *const *out,
                              void *scratch, sl_error *err)
{
    (void)scratch, (void)err;
    size_t size = sl_dtype_size(k->base.op.x.dtype), n = sl_desc_bytes(&k->base.op.x) / size;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += PIECE)
        sl_cpu_loops(k)->relu_bwd(
            sl_cpu_at(in[SL_RELU_BWD_DY], i * size), sl_cpu_at(in[SL_RELU_BWD_DY2], i * size),
            sl_cpu_at(in[SL_RELU_BWD_Y], i * size), sl_cpu_to(out[0], i * size), piece_at(i, n));
    return SL_OK;
}

/* b may have fewer channels: pieces are the tiles (blocked) or the planes (plain) of an image. */
static sl_status run_add(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                         sl_error *err)
{
    (void)scratch, (void)err;
    const sl_op *op = &k->base.op;
    int b_channels = sl_op_residual_c(op);
    size_t pieces = sl_cpu_blocks(&op->y), b_pieces = sl_cpu_blocks_of(&op->y, b_channels);
    size_t piece = sl_cpu_pixels(&op->y) * (size_t)sl_cpu_block(&op->y);
    size_t bytes = piece * sl_dtype_size(op->y.dtype);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < (size_t)op->y.n * pieces; i++) {
        size_t image = i / pieces, at = i % pieces;
        const void *b = at < b_pieces ? in[1] : NULL;
        sl_cpu_loops(k)->add(sl_cpu_at(in[0], i * bytes),
                             sl_cpu_at(b, (image * b_pieces + at) * bytes),
                             sl_cpu_to(out[0], i * bytes), piece, op->relu);
    }
    return SL_OK;
}

static bool supports(const sl_op *op)
{
    return sl_cpu_alike(&op->x, &op->y);
}

const sl_cpu_op sl_cpu_relu = { .supports = supports, .run = run_relu };
const sl_cpu_op sl_cpu_relu_bwd = { .supports = supports, .run = run_relu_bwd };
const sl_cpu_op sl_cpu_add = { .supports = supports, .run = run_add };
