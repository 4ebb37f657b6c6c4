/* Concatenation by channels, one operand at a time. Where it doesn't start at a block of y's, each
 * block of the result has lanes of two blocks of the source. */
#include "nn/cpu/cpu.h"

static bool supports(const sl_op *op)
{
    return sl_cpu_blocked_alike(op) && sl_desc_stored(&op->x) == op->x.c;
}

/* Where a tile starts; NULL where the activation has no such block. */
static const void *tile_of(const sl_desc *d, const void *a, size_t image, size_t block, bool exists)
{
    return exists
               ? (const unsigned char *)a + sl_cpu_tile(d, image, block) * sl_dtype_size(d->dtype)
               : NULL;
}

static void *place_of(const sl_desc *d, void *a, size_t image, size_t block)
{
    return (unsigned char *)a + sl_cpu_tile(d, image, block) * sl_dtype_size(d->dtype);
}

static sl_status run(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err)
{
    (void)scratch, (void)err;
    const sl_desc *x = &k->base.op.x, *y = &k->base.op.y;
    const sl_tile_loops *loops = &k->dev->vector->tiles->of[x->dtype];
    size_t first = (size_t)k->base.op.channel / SL_BLOCK;
    int shift = k->base.op.channel % SL_BLOCK;
    size_t blocks = sl_cpu_blocks_of(shift + x->c), tiles = (size_t)x->n * blocks;
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < tiles; t++) {
        size_t image = t / blocks, b = t % blocks;
        const void *low = tile_of(x, in[0], image, b - 1, b > 0);
        const void *high = tile_of(x, in[0], image, b, b < sl_cpu_blocks(x));
        loops->splice(low, high, place_of(y, out[0], image, first + b), sl_cpu_pixels(x), shift,
                      b == 0 ? shift : 0, sl_cpu_lanes_of(shift + x->c, b));
    }
    return SL_OK;
}

static sl_status run_bwd(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                         sl_error *err)
{
    (void)scratch, (void)err;
    const sl_desc *x = &k->base.op.x, *y = &k->base.op.y;
    const sl_tile_loops *loops = &k->dev->vector->tiles->of[x->dtype];
    size_t first = (size_t)k->base.op.channel / SL_BLOCK, blocks = sl_cpu_blocks(x);
    size_t stored = sl_cpu_blocks_of(sl_desc_stored(y)), tiles = (size_t)x->n * blocks;
    int shift = SL_BLOCK - k->base.op.channel % SL_BLOCK;
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < tiles; t++) {
        size_t image = t / blocks, b = t % blocks;
        const void *low = tile_of(y, in[0], image, first + b, true);
        const void *high = tile_of(y, in[0], image, first + b + 1, first + b + 1 < stored);
        loops->splice(low, high, place_of(x, out[0], image, b), sl_cpu_pixels(x), shift, 0,
                      sl_cpu_lanes_of(x->c, b));
    }
    return SL_OK;
}

const sl_cpu_op sl_cpu_concat = { .supports = supports, .run = run };
const sl_cpu_op sl_cpu_concat_bwd = { .supports = supports, .run = run_bwd };
