/* Shared by the files of the cpu backend: oneDNN's convolutions and matrix products, own vector
 * code for everything between them. Activations are blocked by as many channels as a vector
 * register holds numbers, 16 or 8 (vector.h's lanes); pooled ones are plain. */
#ifndef NN_CPU_CPU_H
#define NN_CPU_CPU_H

#include "nn/backend.h"
#include "nn/cpu/onednn.h"
#include "nn/cpu/vector.h"

enum { SL_MAX_BLOCK = 16 }; /* channels side by side in a blocked activation, at most */

typedef struct {
    sl_device_base base;
    sl_onednn *onednn;
    const sl_vector_kernels *vector; /* for this processor */
} sl_cpu_device;

typedef struct sl_cpu_op sl_cpu_op;

typedef struct sl_cpu_kernel {
    sl_kernel_base base;
    sl_cpu_device *dev;
    const sl_cpu_op *functions;
    sl_onednn_conv *conv;        /* convolutions only */
    sl_onednn_product *product;  /* instead, for some */
    float *weights;              /* for some: weights (or their gradient), as they want them */
    struct sl_cpu_kernel *inner; /* conv_in_f32.c: what does its work */
} sl_cpu_kernel;

/* The loops for this processor and the type that k's activations are stored in. */
static inline const sl_vector_loops *sl_cpu_loops(const sl_cpu_kernel *k)
{
    return &k->dev->vector->of[k->base.op.x.dtype];
}

/* A kind's functions; plan and load may be NULL. */
struct sl_cpu_op {
    bool (*supports)(const sl_op *op);
    sl_status (*plan)(sl_cpu_kernel *k, size_t *scratch_bytes, sl_error *err);
    sl_status (*load)(sl_cpu_kernel *k, const void *const *in, sl_error *err);
    sl_status (*run)(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err);
};

extern const sl_cpu_op sl_cpu_norm, sl_cpu_norm_again, sl_cpu_norm_bwd, sl_cpu_relu,
    sl_cpu_relu_bwd, sl_cpu_add, sl_cpu_max_pool, sl_cpu_max_pool_bwd, sl_cpu_avg_pool,
    sl_cpu_avg_pool_bwd, sl_cpu_concat, sl_cpu_concat_bwd, sl_cpu_subsample, sl_cpu_subsample_bwd,
    sl_cpu_shake, sl_cpu_shake_bwd, sl_cpu_dropout, sl_cpu_convert, sl_cpu_global_pool,
    sl_cpu_global_pool_bwd, sl_cpu_linear, sl_cpu_linear_bwd, sl_cpu_xent;

/* Conversion of an activation, to another layout or dtype: convert.c. */
void sl_cpu_convert_between(const sl_cpu_device *dev, const sl_desc *x, const void *from,
                            const sl_desc *y, void *into);

static inline bool sl_cpu_is_blocked(const sl_desc *d)
{
    return sl_layout_block(d->layout) > 1;
}

/* Channels side by side in a block of the activation; 1 in a plain one. */
static inline int sl_cpu_block(const sl_desc *d)
{
    return sl_layout_block(d->layout);
}

/* Blocks, of d's size, that so many channels fill, and how many of them the given block holds: 0
 * behind the last, all that it can but in the last. */
static inline size_t sl_cpu_blocks_of(const sl_desc *d, int channels)
{
    return (size_t)((channels + sl_cpu_block(d) - 1) / sl_cpu_block(d));
}
static inline int sl_cpu_lanes_of(const sl_desc *d, int channels, size_t block)
{
    int size = sl_cpu_block(d), left = channels - (int)block * size;
    return left < 0 ? 0 : left < size ? left : size;
}

/* x and y blocked alike, of one dtype. */
static inline bool sl_cpu_blocked_alike(const sl_op *op)
{
    return sl_cpu_is_blocked(&op->x) && op->x.layout == op->y.layout && op->x.dtype == op->y.dtype;
}

/* Blocks of an activation's channels, and channels in one of them. */
static inline size_t sl_cpu_blocks(const sl_desc *d)
{
    return sl_cpu_blocks_of(d, d->c);
}
static inline int sl_cpu_lanes(const sl_desc *d, size_t block)
{
    return sl_cpu_lanes_of(d, d->c, block);
}

/* Pixels of one image; bytes of one pixel of a block, and of all of them. */
static inline size_t sl_cpu_pixels(const sl_desc *d)
{
    return (size_t)d->h * (size_t)d->w;
}
static inline size_t sl_cpu_pixel_bytes(const sl_desc *d)
{
    return (size_t)sl_cpu_block(d) * sl_dtype_size(d->dtype);
}
static inline size_t sl_cpu_tile_bytes(const sl_desc *d)
{
    return sl_cpu_pixels(d) * sl_cpu_pixel_bytes(d);
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
    return sl_cpu_is_blocked(&op->x) && sl_cpu_alike(&op->x, &op->y);
}

/* One image's block of channels: where it starts in a blocked activation, in numbers. */
static inline size_t sl_cpu_tile(const sl_desc *d, size_t image, size_t block)
{
    return (image * sl_cpu_blocks_of(d, sl_desc_stored(d)) + block) * sl_cpu_pixels(d) *
           (size_t)sl_cpu_block(d);
}

#endif
