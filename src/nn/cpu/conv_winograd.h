/* What Winograd's passes share. */
#ifndef NN_CPU_CONV_WINOGRAD_H
#define NN_CPU_CONV_WINOGRAD_H

#include "nn/cpu/conv.h"

/* Backward weights: conv_winograd_weights.c. d_bias may be NULL. */
size_t sl_cpu_conv_winograd_weights_scratch(const sl_cpu_kernel *k); /* bytes */
void sl_cpu_conv_winograd_weights_run(const sl_cpu_kernel *k, const float *x, const float *dy,
                                      float *d_weight, float *d_bias, void *scratch);

/* The images of an activation of results, cut into tiles: by rows, image after image. */
typedef struct {
    size_t across, an_image, count;
} sl_winograd_tiling;

static inline sl_winograd_tiling sl_winograd_tiling_of(const sl_desc *results)
{
    const size_t side = SL_WINOGRAD_TILE;
    sl_winograd_tiling t = { .across = ((size_t)results->w + side - 1) / side };
    t.an_image = ((size_t)results->h + side - 1) / side * t.across;
    t.count = t.an_image * (size_t)results->n;
    return t;
}

/* Where a tile is in its image of d, whose pixels begin so many before the results. */
static inline sl_winograd_place sl_winograd_place_in(const sl_winograd_tiling *t, size_t tile,
                                                     const sl_desc *d, int before)
{
    size_t in_image = tile % t->an_image;
    return (sl_winograd_place){ .height = d->h,
                                .width = d->w,
                                .top = (int)(in_image / t->across) * SL_WINOGRAD_TILE - before,
                                .left = (int)(in_image % t->across) * SL_WINOGRAD_TILE - before };
}

/* Floats between planes, and some rows, so that they don't all meet in one set of a cache. */
enum { SL_WINOGRAD_GAP = 16 };

/* The planes from a row and column on. */
static inline sl_winograd_planes sl_winograd_at(sl_winograd_planes planes, size_t row,
                                                size_t column)
{
    planes.at += row * planes.row + column;
    return planes;
}

static inline size_t sl_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

#endif
