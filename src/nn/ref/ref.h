/* The reference backend's kernels: plain loops over plain float32 (n,c,h,w), sums in double. They
 * define what every other backend has to compute; the tests hold those against these.
 *
 * in and out are the op's slots, as nn/backend.h names them; a slot that the op doesn't use is
 * NULL. Letters, here and in the kernels: N images, C channels in, H x W; K channels out, P x Q;
 * R x R kernel. */
#ifndef NN_REF_REF_H
#define NN_REF_REF_H

#include "nn/backend.h"

void sl_ref_conv(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_conv_bwd_data(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_conv_bwd_weights(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_norm(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_norm_again(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_norm_bwd(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_relu(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_relu_bwd(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_add(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_max_pool(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_max_pool_bwd(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_avg_pool(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_avg_pool_bwd(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_global_pool(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_global_pool_bwd(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_concat(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_concat_bwd(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_subsample(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_subsample_bwd(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_shake(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_shake_bwd(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_dropout(const sl_op *op, const void *const *in, void *const *out); /* both ways */
void sl_ref_convert(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_linear(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_linear_bwd(const sl_op *op, const void *const *in, void *const *out);
void sl_ref_xent(const sl_op *op, const void *const *in, void *const *out);

/* All floats of an activation. */
static inline size_t sl_ref_count(const sl_desc *d)
{
    return (size_t)d->n * (size_t)d->c * (size_t)d->h * (size_t)d->w;
}

#endif
