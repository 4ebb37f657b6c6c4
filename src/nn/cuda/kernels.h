/* The cuda backend's own kernels: their arguments, and how they are asked for.
 *
 * A map computes items 0..n-1 independently, item i by NAME_at(arguments, i). A reduction runs
 * blocks of SL_BLOCK_THREADS threads that share a small memory and go through SL_PHASES phases
 * together. The bodies (map_bodies.h, reduction_bodies.h) are plain C: kernels.cu wraps them for
 * the GPU, and the tests run the same bodies in loops on the host. */
#ifndef NN_CUDA_KERNELS_H
#define NN_CUDA_KERNELS_H

#include "base/image_recipe.h"
#include "nn/cuda/lanes.h"
#include "nn/optimizer.h"
#include "nn/tally.h"

/* The shared memory is what the hungriest needs, moments: less, and more blocks run at once. */
enum {
    SL_BLOCK_THREADS = 256,
    SL_PHASES = 10,
    SL_SHARED_BYTES = SL_BLOCK_THREADS * SL_LANES * 3 * sizeof(float)
};

/* ---- maps; an item is a pixel's group of lanes of y unless said otherwise ---- */

/* y = [relu]((x - mean) inv_std weight + bias + residual); vectors of c floats */
typedef struct {
    sl_grouped x, residual, y;
    const float *mean, *inv_std, *weight, *bias;
    int c, relu;
} sl_cuda_norm_apply;

/* The gradient before a norm's ReLU: dy + dy2, 0 where ReLU cut. Where is seen in y or, if bias is
 * there, in x; without either there was no ReLU. */
typedef struct {
    sl_grouped dy, dy2, y, x;
    const float *mean, *inv_std, *weight, *bias;
    int c;
} sl_cuda_norm_dz;

/* dx = scale (dz - mean_dz - slope (x - mean)) + extra; d_residual = dz. Lanes of dx behind channel
 * c are left alone in a view, or made zero. */
typedef struct {
    sl_cuda_norm_dz of;
    sl_grouped extra, dx, d_residual;
    const float *scale, *mean_dz, *slope;
    int residual_c, view;
} sl_cuda_norm_bwd_apply;

typedef struct {
    sl_grouped a, b, y;
    int relu;
    const float *bias; /* NULL, or one of c a channel */
    int c;
} sl_cuda_sum; /* y = [relu](a + b + bias); b may be narrower, or absent */
typedef struct {
    sl_grouped dy, dy2, y, dx;
} sl_cuda_relu_bwd;

typedef struct {
    sl_grouped a, b, residual, y;
    const float *share; /* an image */
    size_t pixels;      /* an image */
} sl_cuda_shake;
typedef struct {
    sl_grouped dy, da, db;
    const float *share;
    size_t pixels;
} sl_cuda_shake_bwd;

typedef struct {
    sl_grouped x, y;
    const uint64_t *key;
    float rate;
    size_t pixels; /* an image */
    int c;
} sl_cuda_dropout;

/* Sizes of x (h,w) and y (p,q): of pooling and subsampling, whose backward items are x's. */
typedef struct {
    sl_grouped x, y, dy, dx;
    int h, w, p, q, offset;
} sl_cuda_window;

/* An item is a number of the part: pixel * lanes + lane; lanes >= c, those behind c made zero. */
typedef struct {
    const void *from;
    void *to;
    int bf16;
    size_t from_channels, to_channels; /* a pixel of each */
    size_t from_first, to_first;       /* the part's first channel */
    int c;
    size_t lanes;
} sl_cuda_copy_channels;

/* An item is a number of to, in to's order. One side is plain (n,c,h,w) float32 or both are lanes
 * of different types. */
typedef struct {
    const void *from;
    void *to;
    int from_bf16, to_bf16, from_plain, to_plain;
    int c;
    size_t pixels;               /* an image */
    size_t from_width, to_width; /* channels a pixel, padded; lanes only */
} sl_cuda_convert;

/* An item is (image, channel): y plain float32. Backward: an item is a pixel's lanes of dx. */
typedef struct {
    sl_grouped x;
    float *y;
    int c;
    size_t pixels; /* an image */
} sl_cuda_global_pool;
typedef struct {
    const float *dy;
    sl_grouped dx;
    int c;
    size_t pixels;
} sl_cuda_global_pool_bwd;

/* x (n,c), weight (k,c), y (n,k), plain float32. Items: numbers of y, of dx, of d_weight (and,
 * behind them, of d_bias). Classifiers have few classes, so that plain loops keep up with a
 * library's matrix products here. */
typedef struct {
    const float *x, *weight, *bias, *dy;
    float *y, *dx, *d_weight, *d_bias;
    int n, c, k;
} sl_cuda_linear;

/* An item is an image. */
typedef struct {
    const float *logits, *target;
    float *loss, *d_logits;
    int n, c;
} sl_cuda_xent;

/* Weights (k,c,r,r) float32 from or to (K,r,r,C) padded to lanes. An item is a number of the padded
 * ones, or (unpacking) of the plain ones. */
typedef struct {
    const void *from;
    void *to;
    int from_bf16, to_bf16;
    int k, c, taps;
    size_t width; /* C */
} sl_cuda_weights;

typedef struct {
    sl_optimizer_update u;
    float *values, *first, *second; /* state */
    const float *gradients;
} sl_cuda_optimizer;

/* ---- reductions over rows (all images' pixels), a channel at a time ---- */

/* Block b: lanes groups [b / chunks * side, ...), rows of chunk b % chunks; side groups of a row
 * are read side by side. */
typedef struct {
    size_t rows, groups, chunks, side;
    float *partial; /* (chunks, groups, lanes, 3 or 2) */
} sl_cuda_rows;

/* partial: count, mean, sum of squared differences */
typedef struct {
    sl_grouped x;
    sl_cuda_rows r;
} sl_cuda_moments;
/* partial: sum dz, sum dz (x - mean); x absent: the second is 0 */
typedef struct {
    sl_cuda_norm_dz of;
    sl_cuda_rows r;
} sl_cuda_norm_bwd_sums;

/* A block is a channel. */
typedef struct {
    sl_cuda_rows r;
    int c, batch_stats;
    float *running_mean, *running_var, *mean, *inv_std;
} sl_cuda_norm_finish;
typedef struct {
    sl_cuda_rows r;
    int c, batch_stats;
    const float *weight, *inv_std; /* weight NULL: only d_bias is wanted */
    float *d_weight, *d_bias, *scale, *mean_dz, *slope;
} sl_cuda_norm_bwd_finish;

#define SL_CUDA_MAPS(X)   \
    X(norm_apply)         \
    X(norm_bwd_apply)     \
    X(sum)                \
    X(relu_bwd)           \
    X(shake)              \
    X(shake_bwd)          \
    X(dropout)            \
    X(max_pool)           \
    X(max_pool_bwd)       \
    X(avg_pool)           \
    X(avg_pool_bwd)       \
    X(subsample)          \
    X(subsample_bwd)      \
    X(copy_channels)      \
    X(convert)            \
    X(global_pool)        \
    X(global_pool_bwd)    \
    X(linear)             \
    X(linear_bwd_x)       \
    X(linear_bwd_weights) \
    X(xent)               \
    X(pack_weights)       \
    X(unpack_weights)     \
    X(optimizer)          \
    X(assemble)

#define SL_CUDA_REDUCTIONS(X) \
    X(moments)                \
    X(norm_bwd_sums)          \
    X(norm_finish)            \
    X(norm_bwd_finish)        \
    X(tally)

/* Arguments of the kernels that share a struct. */
typedef sl_cuda_window sl_cuda_max_pool, sl_cuda_max_pool_bwd, sl_cuda_avg_pool,
    sl_cuda_avg_pool_bwd, sl_cuda_subsample, sl_cuda_subsample_bwd;
typedef sl_cuda_linear sl_cuda_linear_bwd_x, sl_cuda_linear_bwd_weights;
typedef sl_tally_step sl_cuda_tally;  /* the one block is the whole step */
typedef sl_assembly sl_cuda_assemble; /* an item is a number of out */
typedef sl_cuda_weights sl_cuda_pack_weights, sl_cuda_unpack_weights;

/* NAME(stream, arguments, n): asks for n items, or blocks; the work is done later. Returns 0, or
 * the runtime's error number. */
typedef struct sl_cuda_stream sl_cuda_stream;
#define SL_CUDA_MEMBER(name) \
    int (*name)(sl_cuda_stream * stream, const sl_cuda_##name *arguments, size_t n);
typedef struct {
    SL_CUDA_MAPS(SL_CUDA_MEMBER)
    SL_CUDA_REDUCTIONS(SL_CUDA_MEMBER)
} sl_cuda_kernels;

#endif
