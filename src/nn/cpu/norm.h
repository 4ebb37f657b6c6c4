/* Shared by norm.c and norm_bwd.c: how batch norm goes through blocked activations. Every tile (one
 * image's block of channels) is summed by one thread in a fixed order, and tiles are combined in
 * the order of the images, so that results don't depend on the number of threads. */
#ifndef NN_CPU_NORM_H
#define NN_CPU_NORM_H

#include "nn/cpu/cpu.h"

/* Two numbers a channel and tile: (mean, m2) forward, (sum dz, sum dz*(x-mean)) backward. */
typedef struct {
    double a[SL_MAX_BLOCK], b[SL_MAX_BLOCK];
} sl_norm_tile_sums;

/* Of each block of channels: y = (x - mean) * scale + shift; b and c are of the gradient. */
typedef struct {
    float mean[SL_MAX_BLOCK], scale[SL_MAX_BLOCK], shift[SL_MAX_BLOCK], b[SL_MAX_BLOCK],
        c[SL_MAX_BLOCK];
} sl_norm_block_factors;

typedef struct {
    size_t images, blocks, tiles, pixels, channels, block, tile_bytes; /* block: channels of one */
    const sl_op *op;
    size_t x_blocks;        /* an image of x: more than blocks where x is part of more channels */
    size_t residual_blocks; /* an image of the residual: fewer where it has fewer channels */
    double count;           /* of numbers a channel: images x pixels */
} sl_norm_extent;

static inline sl_norm_extent sl_norm_extent_of(const sl_op *op)
{
    sl_norm_extent e = { .images = (size_t)op->x.n,
                         .blocks = sl_cpu_blocks(&op->x),
                         .pixels = sl_cpu_pixels(&op->x),
                         .channels = (size_t)op->x.c,
                         .block = (size_t)sl_cpu_block(&op->x),
                         .tile_bytes = sl_cpu_tile_bytes(&op->x),
                         .op = op,
                         .x_blocks = sl_cpu_blocks_of(&op->x, sl_desc_stored(&op->x)),
                         .residual_blocks = sl_cpu_blocks_of(&op->x, sl_op_residual_c(op)) };
    e.tiles = e.images * e.blocks;
    e.count = (double)e.images * (double)e.pixels;
    return e;
}

/* Where tile t starts, in bytes: of y, of x and what has its shape, and of the residual. */
static inline size_t sl_norm_y_offset(const sl_norm_extent *e, size_t t)
{
    return t * e->tile_bytes;
}

static inline size_t sl_norm_x_offset(const sl_norm_extent *e, size_t t)
{
    return (t / e->blocks * e->x_blocks + t % e->blocks) * e->tile_bytes;
}

static inline size_t sl_norm_residual_offset(const sl_norm_extent *e, size_t t)
{
    return (t / e->blocks * e->residual_blocks + t % e->blocks) * e->tile_bytes;
}

/* Channels of tile t that the residual has. */
static inline int sl_norm_residual_lanes(const sl_norm_extent *e, size_t t)
{
    return sl_cpu_lanes_of(&e->op->x, sl_op_residual_c(e->op), t % e->blocks);
}

bool sl_norm_supports(const sl_op *op);
/* Scratch for a tile_sums each tile, then a block_factors each block. */
sl_status sl_norm_plan(sl_cpu_kernel *k, size_t *scratch_bytes, sl_error *err);

/* From the statistics that the forward pass has left; bias may be NULL. */
void sl_norm_set_factors(const sl_norm_extent *e, const float *mean, const float *inv_std,
                         const float *weight, const float *bias, sl_norm_block_factors *factors);

#endif
