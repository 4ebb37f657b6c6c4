/* Shared by the files of the cpu backend: oneDNN's convolutions and matrix products, own vector
 * code for everything between them. Activations are blocked by 16 channels, pooled ones plain. */
#ifndef NN_CPU_CPU_H
#define NN_CPU_CPU_H

#include "nn/backend.h"
#include "nn/cpu/onednn.h"
#include "nn/cpu/vector.h"

enum { SL_BLOCK = 16 }; /* channels side by side in a blocked activation */

typedef struct {
    sl_device_base base;
    sl_onednn *onednn;
    const sl_vector_kernels *vector; /* for this processor */
} sl_cpu_device;

typedef struct {
    sl_kernel_base base;
    sl_cpu_device *dev;
    sl_onednn_conv *conv;       /* convolutions only */
    sl_onednn_product *product; /* instead, for some */
    float *widened;             /* for some: weights (or their gradient) and bias of whole blocks */
} sl_cpu_kernel;

/* The loops for this processor and the type that k's activations are stored in. */
static inline const sl_vector_loops *sl_cpu_loops(const sl_cpu_kernel *k)
{
    return &k->dev->vector->of[k->base.op.x.dtype];
}

/* A kind's functions; plan and load may be NULL. */
typedef struct {
    bool (*supports)(const sl_op *op);
    sl_status (*plan)(sl_cpu_kernel *k, size_t *scratch_bytes, sl_error *err);
    sl_status (*load)(sl_cpu_kernel *k, const void *const *in, sl_error *err);
    sl_status (*run)(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err);
} sl_cpu_op;

extern const sl_cpu_op sl_cpu_conv, sl_cpu_conv_bwd_data, sl_cpu_conv_bwd_weights, sl_cpu_norm,
    sl_cpu_norm_again, sl_cpu_norm_bwd, sl_cpu_relu, sl_cpu_relu_bwd, sl_cpu_add, sl_cpu_max_pool,
    sl_cpu_max_pool_bwd, sl_cpu_avg_pool, sl_cpu_avg_pool_bwd, sl_cpu_concat, sl_cpu_concat_bwd,
    sl_cpu_subsample, sl_cpu_subsample_bwd, sl_cpu_shake, sl_cpu_shake_bwd, sl_cpu_dropout,
    sl_cpu_convert, sl_cpu_global_pool, sl_cpu_global_pool_bwd, sl_cpu_linear, sl_cpu_linear_bwd,
    sl_cpu_xent;

/* Conversion of an activation, to another layout or dtype: convert.c. */
void sl_cpu_convert_between(const sl_cpu_device *dev, const sl_desc *x, const void *from,
                            const sl_desc *y, void *into);

/* Blocks that so many channels fill, and how many of them the given block holds: 0 behind the
 * last, 16 but in the last. */
static inline size_t sl_cpu_blocks_of(int channels)
{
    return ((size_t)channels + SL_BLOCK - 1) / SL_BLOCK;
}
static inline int sl_cpu_lanes_of(int channels, size_t block)
{
    int left = channels - (int)block * SL_BLOCK;
    return left < 0 ? 0 : left < SL_BLOCK ? left : SL_BLOCK;
}

/* x and y blocked, of one dtype. */
static inline bool sl_cpu_blocked_alike(const sl_op *op)
{
    return op->x.layout == SL_LAYOUT_BLOCKED16 && op->y.layout == SL_LAYOUT_BLOCKED16 &&
           op->x.dtype == op->y.dtype;
}

/* Blocks of an activation's channels, and pixels of one image. */
static inline size_t sl_cpu_blocks(const sl_desc *d)
{
    return sl_cpu_blocks_of(d->c);
}
static inline size_t sl_cpu_pixels(const sl_desc *d)
{
    return (size_t)d->h * (size_t)d->w;
}

/* p plus so many bytes; NULL stays NULL. */
static inline const void *sl_cpu_at(const void *p, size_t bytes)
{
    return p ? (const unsigned char *)p + bytes : NULL;
}
static inline void *sl_cpu_to(void *p, size_t bytes)
{
    return p ? (unsigned char *)p + bytes : NULL;
}

/* Alike in all but shape, and not part of a wider activation. */
static inline bool sl_cpu_alike(const sl_desc *a, const sl_desc *b)
{
    return a->layout == b->layout && a->dtype == b->dtype && sl_desc_stored(a) == a->c &&
           sl_desc_stored(b) == b->c;
}

/* For kinds whose x and y are both whole, blocked, and of one dtype. */
static inline bool sl_cpu_blocked_whole(const sl_op *op)
{
    return op->x.layout == SL_LAYOUT_BLOCKED16 && sl_cpu_alike(&op->x, &op->y);
}

/* One image's block of 16 channels: where it starts in a blocked activation, in numbers. */
static inline size_t sl_cpu_tile(const sl_desc *d, size_t image, size_t block)
{
    return (image * sl_cpu_blocks_of(sl_desc_stored(d)) + block) * sl_cpu_pixels(d) * SL_BLOCK;
}

#endif
