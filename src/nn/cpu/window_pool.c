/* Pooling over 2 x 2 windows, two apart: two rows of pixels to one, and back. */
#include "nn/cpu/cpu.h"

#include <string.h>

/* One image's block: where it and its rows lie, in bytes. */
typedef struct {
    size_t tiles, x_tile, y_tile, x_row, y_row, rows;
} extent;

static extent extent_of(const sl_op *op)
{
    size_t pixel = sl_cpu_pixel_bytes(&op->x);
    extent e = { .tiles = (size_t)op->x.n * sl_cpu_blocks(&op->x),
                 .x_row = (size_t)op->x.w * pixel,
                 .y_row = (size_t)op->y.w * pixel,
                 .rows = (size_t)op->y.h };
    e.x_tile = e.x_row * (size_t)op->x.h;
    e.y_tile = e.y_row * e.rows;
    return e;
}

static sl_status run(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err)
{
    (void)scratch, (void)err;
    const sl_op *op = &k->base.op;
    const extent e = extent_of(op);
    const unsigned char *x = in[0];
    unsigned char *y = out[0];
    const sl_tile_loops *loops = &k->dev->vector->tiles->of[op->x.dtype];
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < e.tiles; t++) {
        for (size_t i = 0; i < e.rows; i++) {
            const unsigned char *from = x + t * e.x_tile + 2 * i * e.x_row;
            unsigned char *to = y + t * e.y_tile + i * e.y_row;
            if (op->kind == SL_OP_MAX_POOL)
                loops->max_pool(from, to, (size_t)op->x.w);
            else
                loops->avg_pool(from, to, (size_t)op->x.w);
        }
    }
    return SL_OK;
}

static sl_status run_bwd(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                         sl_error *err)
{
    (void)scratch, (void)err;
    const sl_op *op = &k->base.op;
    const extent e = extent_of(op);
    const unsigned char *dy = in[0], *x = in[SL_MAX_POOL_BWD_X]; /* AVG_POOL_BWD has no x */
    unsigned char *dx = out[0];
    const sl_tile_loops *loops = &k->dev->vector->tiles->of[op->x.dtype];
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < e.tiles; t++) {
        unsigned char *to = dx + t * e.x_tile;
        for (size_t i = 0; i < e.rows; i++) {
            const unsigned char *from = dy + t * e.y_tile + i * e.y_row;
            size_t row = 2 * i * e.x_row;
            if (op->kind == SL_OP_MAX_POOL_BWD)
                loops->max_pool_bwd(from, x + t * e.x_tile + row, to + row, (size_t)op->x.w);
            else
                loops->avg_pool_bwd(from, to + row, (size_t)op->x.w);
        }
        size_t written = 2 * e.rows * e.x_row; /* but for an odd last row */
        memset(to + written, 0, e.x_tile - written);
    }
    return SL_OK;
}

const sl_cpu_op sl_cpu_max_pool = { .supports = sl_cpu_blocked_whole, .run = run };
const sl_cpu_op sl_cpu_max_pool_bwd = { .supports = sl_cpu_blocked_whole, .run = run_bwd };
const sl_cpu_op sl_cpu_avg_pool = { .supports = sl_cpu_blocked_whole, .run = run };
const sl_cpu_op sl_cpu_avg_pool_bwd = { .supports = sl_cpu_blocked_whole, .run = run_bwd };
