/* Global average pooling: blocked activations to one plain float32 row of channels an image, and
 * back. */
#include "nn/cpu/cpu.h"

#include <string.h>

static bool supports(const sl_op *op)
{
    return sl_cpu_is_blocked(&op->x) && op->y.layout == SL_LAYOUT_PLAIN &&
           op->y.dtype == SL_DTYPE_F32 && sl_desc_stored(&op->x) == op->x.c;
}

static sl_status run(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err)
{
    (void)scratch, (void)err;
    const sl_desc *d = &k->base.op.x;
    size_t blocks = sl_cpu_blocks(d), pixels = sl_cpu_pixels(d), channels = (size_t)d->c;
    size_t tiles = blocks * (size_t)d->n, bytes = sl_cpu_tile_bytes(d);
    float *y = out[0]; /* (n, c) */
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < tiles; t++) {
        size_t image = t / blocks, block = t % blocks;
        float sum[SL_MAX_BLOCK];
        sl_cpu_loops(k)->tile_sum(sl_cpu_at(in[0], t * bytes), pixels, sum);
        for (int c = 0; c < sl_cpu_lanes(d, block); c++)
            y[image * channels + block * (size_t)sl_cpu_block(d) + (size_t)c] =
                sum[c] / (float)pixels;
    }
    return SL_OK;
}

static sl_status run_bwd(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                         sl_error *err)
{
    (void)scratch, (void)err;
    const sl_desc *d = &k->base.op.x;
    size_t blocks = sl_cpu_blocks(d), pixels = sl_cpu_pixels(d), channels = (size_t)d->c;
    size_t tiles = blocks * (size_t)d->n, bytes = sl_cpu_tile_bytes(d);
    const float *dy = in[0]; /* (n, c) */
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < tiles; t++) {
        size_t image = t / blocks, block = t % blocks;
        float value[SL_MAX_BLOCK] = { 0 };
        for (int c = 0; c < sl_cpu_lanes(d, block); c++)
            value[c] =
                dy[image * channels + block * (size_t)sl_cpu_block(d) + (size_t)c] / (float)pixels;
        sl_cpu_loops(k)->tile_fill(sl_cpu_to(out[0], t * bytes), pixels, value);
    }
    return SL_OK;
}

const sl_cpu_op sl_cpu_global_pool = { .supports = supports, .run = run };
const sl_cpu_op sl_cpu_global_pool_bwd = { .supports = supports, .run = run_bwd };
