/* 3x3 convolutions by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, "Fast Algorithms
 * for Convolutional Neural Networks", 2016, section 4): 36 products a tile of 4x4 results in place
 * of 144. As polynomials the results are found at the six points 0, +-5/8, +-3/2 and infinity,
 * where rounding costs less than at the usual 0, +-1, +-2: results are off by 2.4 times as much as
 * those of a plain sum.
 *
 * The inner loops, each on one thread and in float32; winograd.c is compiled once for each
 * instruction set. A tile of 6x6 pixels, a filter and a tile of 4x4 results become 36 numbers a
 * channel, one a pair of points, in 36 planes that the caller puts some distance apart. */
#ifndef NN_CPU_WINOGRAD_H
#define NN_CPU_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>

enum {
    SL_WINOGRAD_TILE = 4,        /* results of a tile, along either side */
    SL_WINOGRAD_POINTS = 36,     /* pairs of points: planes */
    SL_WINOGRAD_TAPS = 9,        /* of a filter */
    SL_WINOGRAD_PANEL_BLOCKS = 2 /* blocks of filters that are multiplied together: a panel */
};

/* Where a tile is in one image's block of channels, height x width pixels: its first pixel. Of a
 * tile that goes beyond the image, pixels there are zeros and results there are dropped. */
typedef struct {
    int height, width, top, left;
} sl_winograd_place;

/* Numbers [plane][row][lane or channel], in floats. */
typedef struct {
    float *at;
    size_t plane, row; /* from one to the next */
} sl_winograd_planes;

typedef struct {
    /* Row 0 of v, of the block's 6x6 pixels at place; of its gradient's 4x4 results. */
    void (*pixels)(const float *block, const sl_winograd_place *place, sl_winograd_planes v);
    void (*results_gradient)(const float *block, const sl_winograd_place *place,
                             sl_winograd_planes v);

    /* Rows u[channel][filter] of taps[channel][9][filter], for blocks (1 or 2) blocks of filters;
     * and the way back for row 0 and one block, taps[9][filter], from the sum of parts of the
     * planes' gradient, which are part floats apart. */
    void (*filters)(const float *taps, size_t channels, size_t blocks, sl_winograd_planes u);
    void (*taps_gradient)(sl_winograd_planes u, size_t parts, size_t part, float *taps);

    /* m[tile][filter] = the sum over channels of v[tile][channel] u[channel][filter], plane by
     * plane, blocks (1 or 2) blocks of filters. */
    void (*multiply)(sl_winograd_planes v, sl_winograd_planes u, sl_winograd_planes m, size_t tiles,
                     size_t channels, size_t blocks);
    /* u[channel][filter] = (add: +=) the sum over tiles of v[tile][channel] m[tile][filter];
     * channels are whole blocks of them. */
    void (*multiply_gradient)(sl_winograd_planes v, sl_winograd_planes m, sl_winograd_planes u,
                              size_t tiles, size_t channels, size_t blocks, bool add);

    /* block at place, 4x4 results, = [relu](row 0 of m + bias + residual): bias has a number a
     * lane, residual the block's shape, or is NULL. It may be block. */
    void (*results)(sl_winograd_planes m, const float *bias, const float *residual, float *block,
                    const sl_winograd_place *place, bool relu);
} sl_winograd_kernels;

/* Filled in by winograd.c's compilations; sl_vector_kernels has the one that goes with it. */
extern const sl_winograd_kernels sl_winograd_generic;
#if defined(__x86_64__)
extern const sl_winograd_kernels sl_winograd_avx2, sl_winograd_avx512, sl_winograd_avx512bf16;
#endif

#endif
