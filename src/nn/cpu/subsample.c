/* Every second pixel of every second row, and back. */
#include "nn/cpu/cpu.h"

#include <string.h>

/* n pixels; their size and the steps from one to the next are in bytes. */
static void copy_pixels(const unsigned char *from, size_t from_step, unsigned char *to,
                        size_t to_step, size_t n, size_t pixel)
{
    for (size_t i = 0; i < n; i++, from += from_step, to += to_step) {
        switch (pixel) { /* constants, so that copies are moves of registers */
        case 16:         /* 8 of bfloat16 */
            memcpy(to, from, 16);
            break;
        case 32:
            memcpy(to, from, 32);
            break;
        default: /* 16 of float32 */
            memcpy(to, from, 64);
        }
    }
}

typedef struct {
    size_t tiles, pixel, x_row, y_row, x_tile, y_tile; /* sizes in bytes */
    size_t offset, rows, columns;                      /* pixels that x has for y */
} extent;

static extent extent_of(const sl_op *op)
{
    extent e = { .tiles = (size_t)op->x.n * sl_cpu_blocks(&op->x),
                 .pixel = sl_cpu_pixel_bytes(&op->x),
                 .offset = (size_t)op->offset };
    e.rows = ((size_t)op->x.h - e.offset + 1) / 2;
    e.columns = ((size_t)op->x.w - e.offset + 1) / 2;
    e.x_row = (size_t)op->x.w * e.pixel;
    e.y_row = (size_t)op->y.w * e.pixel;
    e.x_tile = (size_t)op->x.h * e.x_row;
    e.y_tile = (size_t)op->y.h * e.y_row;
    return e;
}

/* The row of x that row i of y is taken from, at its first pixel taken. */
static size_t row_start(const extent *e, size_t i)
{
    return (2 * i + e->offset) * e->x_row + e->offset * e->pixel;
}

static sl_status run(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err)
{
    (void)scratch, (void)err;
    const extent e = extent_of(&k->base.op);
    const unsigned char *x = in[0];
    unsigned char *y = out[0];
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < e.tiles; t++) {
        unsigned char *row = y + t * e.y_tile;
        size_t copied = e.columns * e.pixel;
        for (size_t i = 0; i < e.rows; i++, row += e.y_row) {
            copy_pixels(x + t * e.x_tile + row_start(&e, i), 2 * e.pixel, row, e.pixel, e.columns,
                        e.pixel);
            memset(row + copied, 0, e.y_row - copied);
        }
        memset(row, 0, e.y_tile - e.rows * e.y_row);
    }
    return SL_OK;
}

static sl_status run_bwd(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                         sl_error *err)
{
    (void)scratch, (void)err;
    const extent e = extent_of(&k->base.op);
    const unsigned char *dy = in[0];
    unsigned char *dx = out[0];
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < e.tiles; t++) {
        unsigned char *tile = dx + t * e.x_tile;
        memset(tile, 0, e.x_tile);
        for (size_t i = 0; i < e.rows; i++)
            copy_pixels(dy + t * e.y_tile + i * e.y_row, e.pixel, tile + row_start(&e, i),
                        2 * e.pixel, e.columns, e.pixel);
    }
    return SL_OK;
}

const sl_cpu_op sl_cpu_subsample = { .supports = sl_cpu_blocked_whole, .run = run };
const sl_cpu_op sl_cpu_subsample_bwd = { .supports = sl_cpu_blocked_whole, .run = run_bwd };
