/* The inner loops of what moves and mixes numbers between the layers: pooling, concatenation,
 * shake, dropout, conversion. As in vector.h, each runs over one piece of memory on one thread;
 * tiles.c is compiled once for each instruction set. A pixel is a block's channels (vector.h's
 * lanes) side by side. */
#ifndef NN_CPU_TILES_H
#define NN_CPU_TILES_H

#include "nn/backend.h"

typedef struct {
    /* Two rows of w pixels to one row of w/2, and back. Of equal maxima the first has the gradient,
     * a NaN before any number. Back, an odd last pixel gets zeros. */
    void (*max_pool)(const void *x, void *y, size_t w);
    void (*max_pool_bwd)(const void *dy, const void *x, void *dx, size_t w);
    void (*avg_pool)(const void *x, void *y, size_t w);
    void (*avg_pool_bwd)(const void *dy, void *dx, size_t w);

    /* Lane l of y is lane l + lanes - shift of low and high side by side (NULL: zeros), shift
     * 0..lanes;
     * lanes below kept stay as they are, those from end on become zeros. */
    void (*splice)(const void *low, const void *high, void *y, size_t pixels, int shift, int kept,
                   int end);

    /* y = alpha a + (1 - alpha) b + residual (NULL: 0); da = beta dy, db = (1 - beta) dy. Outputs
     * may be inputs. */
    void (*shake)(const void *a, const void *b, const void *residual, void *y, size_t pixels,
                  float alpha);
    void (*shake_bwd)(const void *dy, void *da, void *db, size_t pixels, float beta);

    /* y = x / (1 - rate) where sl_dropout_keeps, else 0. first: the number in plain order of the
     * first pixel's first channel; channels are pixels apart. y may be x. */
    void (*dropout)(const void *x, void *y, size_t pixels, uint64_t key, uint64_t first,
                    float rate);
} sl_tile_loops;

typedef struct {
    sl_tile_loops of[2]; /* by the sl_dtype of the activations */

    /* n numbers from one dtype to the other; and between planes, pixels apart, and pixels of a
     * block: lanes of its channels exist, the others become zeros. */
    void (*convert)(const void *x, void *y, size_t n, sl_dtype from, sl_dtype to);
    void (*interleave)(const void *planes, void *tile, size_t pixels, int lanes, sl_dtype from,
                       sl_dtype to);
    void (*separate)(const void *tile, void *planes, size_t pixels, int lanes, sl_dtype from,
                     sl_dtype to);
} sl_tile_kernels;

/* Filled in by tiles.c's compilations; sl_vector_kernels has the one that goes with it. */
extern const sl_tile_kernels sl_tiles_generic;
#if defined(__x86_64__)
extern const sl_tile_kernels sl_tiles_avx2, sl_tiles_avx512, sl_tiles_avx512bf16;
#endif

#endif
