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
    const int size = sl_cpu_block(x), shift = k->base.op.channel % size;
    size_t first = (size_t)(k->base.op.channel / size);
    size_t blocks = sl_cpu_blocks_of(x, shift + x->c), tiles = (size_t)x->n * blocks;
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < tiles; t++) {
        size_t image = t / blocks, b = t % blocks;
        const void *low = tile_of(x, in[0], image, b - 1, b > 0);
        const void *high = tile_of(x, in[0], image, b, b < sl_cpu_blocks(x));
        loops->splice(low, high, place_of(y, out[0], image, first + b), sl_cpu_pixels(x), shift,
                      b == 0 ? shift : 0, sl_cpu_lanes_of(x, shift + x->c, b));
    }
    return SL_OK;
}

enum { CHUNK = 64 }; /* pixels: 4 KiB of float32 */

/* Of the channels of block b of x, and so not as they lie in the blocks of y. */
typedef struct {
    float mean[SL_MAX_BLOCK], slope[SL_MAX_BLOCK], offset[SL_MAX_BLOCK];
} terms;

static terms terms_of(const sl_op *op, const void *const *in, size_t b)
{
    const float *mean = in[SL_CONCAT_BWD_MEAN], *slope = in[SL_CONCAT_BWD_SLOPE];
    const float *offset = in[SL_CONCAT_BWD_OFFSET];
    terms t = { 0 };
    for (int c = 0; c < sl_cpu_lanes(&op->x, b); c++) {
        size_t i = (size_t)op->channel + b * (size_t)sl_cpu_block(&op->x) + (size_t)c;
        t.mean[c] = mean[i];
        t.slope[c] = slope[i];
        t.offset[c] = offset[i];
    }
    return t;
}

/* A tile of dx: low and high are of dy, low_x and high_x (or NULL: nothing is added) of x. */
static void write_tile(const sl_cpu_kernel *k, const void *low, const void *high, const void *low_x,
                       const void *high_x, void *dx, int shift, int lanes, const terms *t)
{
    const sl_desc *d = &k->base.op.x;
    const sl_tile_loops *loops = &k->dev->vector->tiles->of[d->dtype];
    size_t pixels = sl_cpu_pixels(d), pixel = sl_cpu_pixel_bytes(d);
    float chunk[CHUNK * SL_MAX_BLOCK]; /* or so many of a smaller type */
    loops->splice(low, high, dx, pixels, shift, 0, lanes);
    for (size_t p = 0; p < (low_x ? pixels : 0); p += CHUNK) {
        size_t n = pixels - p < CHUNK ? pixels - p : CHUNK;
        void *part = sl_cpu_to(dx, p * pixel);
        loops->splice(sl_cpu_at(low_x, p * pixel), sl_cpu_at(high_x, p * pixel), chunk, n, shift, 0,
                      lanes);
        sl_cpu_loops(k)->normalize(chunk, part, part, n, t->mean, t->slope, t->offset, false);
    }
}

static sl_status run_bwd(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                         sl_error *err)
{
    (void)scratch, (void)err;
    const sl_desc *x = &k->base.op.x, *y = &k->base.op.y;
    const void *dy = in[SL_CONCAT_BWD_DY], *forward = in[SL_CONCAT_BWD_X];
    const int size = sl_cpu_block(x), shift = size - k->base.op.channel % size;
    size_t first = (size_t)(k->base.op.channel / size), blocks = sl_cpu_blocks(x);
    size_t stored = sl_cpu_blocks_of(y, sl_desc_stored(y)), tiles = (size_t)x->n * blocks;
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < tiles; t++) {
        size_t image = t / blocks, b = t % blocks;
        bool next = first + b + 1 < stored;
        const terms left = forward ? terms_of(&k->base.op, in, b) : (terms){ 0 };
        write_tile(k, tile_of(y, dy, image, first + b, true),
                   tile_of(y, dy, image, first + b + 1, next),
                   tile_of(y, forward, image, first + b, forward),
                   tile_of(y, forward, image, first + b + 1, forward && next),
                   place_of(x, out[0], image, b), shift, sl_cpu_lanes(x, b), &left);
    }
    return SL_OK;
}

const sl_cpu_op sl_cpu_concat = { .supports = supports, .run = run };
const sl_cpu_op sl_cpu_concat_bwd = { .supports = supports, .run = run_bwd };
