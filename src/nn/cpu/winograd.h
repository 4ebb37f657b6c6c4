/* 3x3 convolutions by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, "Fast Algorithms
 * for Convolutional Neural Networks", 2016, section 4): 36 products a tile of 4x4 results in place
 * of 144. As polynomials the results are found at the six points 0, +-5/8, +-3/2 and infinity,
 * where rounding costs less than at the usual 0, +-1, +-2: results are off by 2.4 times as much as
 * those of a plain sum.
 *
 * The inner loops, each on one thread and in float32; winograd.c is compiled once for each
 * instruction set. An activation's tile of 6x6 pixels, a filter and a tile of results become 36
 * numbers a channel, one a pair of points, in 36 planes whose distance the caller chooses. */
#ifndef NN_CPU_WINOGRAD_H
#define NN_CPU_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>

enum {
    SL_WINOGRAD_TILE = 4,         /* pixels of a tile of results, along either side */
    SL_WINOGRAD_POINTS = 36,      /* pairs of points, planes */
    SL_WINOGRAD_FILTER_BLOCKS = 2 /* blocks of filters whose results are found together */
};

/* One image's block of channels, height x width pixels, and a tile's first pixel in it. Pixels may
 * lie outside, where an activation is zero and results are dropped. */
typedef struct {
    int height, width, top, left;
} sl_winograd_place;

typedef struct {
    /* planes[p][lane] of the 6x6 pixels at place of block. */
    void (*input)(const float *block, const sl_winograd_place *place, float *planes, size_t plane);

    /* planes[p][channel][filter] of taps[channel][9][filter], blocks blocks of filters. */
    void (*filter)(const float *taps, size_t channels, size_t blocks, float *planes, size_t plane);

    /* results[p][tile][filter] = the sum over channels of inputs[p][tile][channel] *
     * filters[p][channel][filter]: tiles are channels apart in inputs. */
    void (*multiply)(const float *inputs, size_t input_plane, const float *filters,
                     size_t filter_plane, float *results, size_t result_plane, size_t tiles,
                     size_t channels, size_t blocks);

    /* block at place, 4x4 pixels, = [relu](planes' results + bias + residual): bias has a number a
     * lane, residual the block's shape, or is NULL. It may be block. */
    void (*output)(const float *planes, size_t plane, const float *bias, const float *residual,
                   float *block, const sl_winograd_place *place, bool relu);
} sl_winograd_kernels;

/* Filled in by winograd.c's compilations; sl_vector_kernels has the one that goes with it. */
extern const sl_winograd_kernels sl_winograd_generic;
#if defined(__x86_64__)
extern const sl_winograd_kernels sl_winograd_avx2, sl_winograd_avx512, sl_winograd_avx512bf16;
#endif

#endif
