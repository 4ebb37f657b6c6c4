/* The inner loops of the cpu backend, each over one run of memory on one thread. vector.c is
 * compiled once for each instruction set; sl_vector_select picks at run time.
 *
 * "Tile": pixels x lanes numbers, one image's block of channels. Arrays of 16 are one number a
 * channel, of which the first lanes are used. Results don't depend on how tiles are spread over
 * threads. NULL pointers leave a term out. */
#ifndef NN_CPU_VECTOR_H
#define NN_CPU_VECTOR_H

#include "nn/backend.h"
#include "nn/cpu/tiles.h"
#include "nn/cpu/winograd.h"

typedef struct {
    /* Mean, and sum of squared differences from it, over a tile's pixels. Summed in chunks that
     * stay in the cache, chunks combined in double (Chan, Golub and LeVeque 1983). */
    void (*moments)(const void *x, size_t pixels, double mean[16], double m2[16]);

    /* y = (x - mean) * scale + shift + residual, then ReLU. y may be x or residual. */
    void (*normalize)(const void *x, const void *residual, void *y, size_t pixels,
                      const float mean[16], const float scale[16], const float shift[16],
                      bool relu);

    /* dz = dy + dy2 where y > 0 (y NULL: where normalize gives a positive number with this shift;
     * shift NULL, too: everywhere); its first lanes channels stored to d_residual, the others there
     * zero; sums over the tile sum_dz += dz, sum_dz_x += dz * (x - mean). */
    void (*norm_bwd_sums)(const void *dy, const void *dy2, const void *y, const void *x,
                          void *d_residual, int lanes, size_t pixels, const float mean[16],
                          const float scale[16], const float *shift, double sum_dz[16],
                          double sum_dz_x[16]);

    /* dx = dz * scale + (x - mean) * b + c + extra, with dz as above. dx may be dy, dy2, x or
     * extra. */
    void (*norm_bwd_apply)(const void *dy, const void *dy2, const void *y, const void *x,
                           const void *extra, void *dx, size_t pixels, const float mean[16],
                           const float scale[16], const float *shift, const float b[16],
                           const float c[16]);

    /* dx = dz * scale + extra, with dz and the sums of it as in norm_bwd_sums (without y). dx may
     * be dy, dy2, x or extra. */
    void (*norm_bwd_add)(const void *dy, const void *dy2, const void *x, const void *extra,
                         void *dx, size_t pixels, const float mean[16], const float scale[16],
                         const float *shift, double sum_dz[16], double sum_dz_x[16]);

    /* Elementwise over n numbers; outputs may be inputs. */
    void (*add)(const void *a, const void *b, void *y, size_t n, bool relu);
    void (*relu)(const void *x, void *y, size_t n);
    void (*relu_bwd)(const void *dy, const void *dy2, const void *y, void *dx, size_t n);

    /* Sums of a tile's pixels; and the way back, the same numbers for every pixel. */
    void (*tile_sum)(const void *x, size_t pixels, float sum[16]);
    void (*tile_fill)(void *x, size_t pixels, const float value[16]);
} sl_vector_loops;

typedef struct {
    const char *isa;       /* "avx512bf16", "avx512", "avx2", "generic" */
    int lanes;             /* channels of a block: 16, or 8 for the last two */
    sl_vector_loops of[2]; /* by the sl_dtype of the activations; vectors are float32 */
    const sl_tile_kernels *tiles;
    const sl_winograd_kernels *winograd;
} sl_vector_kernels;

const sl_vector_kernels *sl_vector_select(void);

/* Filled in by vector.c's compilations. */
extern const sl_vector_kernels sl_vector_generic;
#if defined(__x86_64__)
extern const sl_vector_kernels sl_vector_avx2, sl_vector_avx512, sl_vector_avx512bf16;
#endif

#endif
