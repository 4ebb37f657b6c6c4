/* The ways of convolving. Each does forward, backward data and backward weights, of what its
 * supports says. */
#ifndef NN_CPU_CONV_H
#define NN_CPU_CONV_H

#include "nn/cpu/cpu.h"
#include <assert.h>

extern const sl_cpu_op sl_cpu_conv_in_f32, /* bfloat16, where the processor doesn't multiply it */
    sl_cpu_conv_winograd,                  /* float32, 3x3 */
    sl_cpu_conv_dense,                     /* float32, between maps of few pixels */
    sl_cpu_conv_product,                   /* backward weights of maps of few pixels */
    sl_cpu_conv_onednn;                    /* all */

/* The one for this operation, the fastest of those that support it; NULL: there is none. */
const sl_cpu_op *sl_cpu_conv_choose(const sl_cpu_device *dev, const sl_op *op);

static inline bool sl_cpu_is_conv(const sl_op *op)
{
    return op->kind == SL_OP_CONV || op->kind == SL_OP_CONV_BWD_DATA ||
           op->kind == SL_OP_CONV_BWD_WEIGHTS;
}

/* Numbers of a weight, [K][C][R][R]. */
static inline size_t sl_cpu_weight_floats(const sl_op *op)
{
    return (size_t)op->y.c * (size_t)op->x.c * (size_t)op->kernel * (size_t)op->kernel;
}

/* What a forward residual is laid out as: y, of maybe fewer channels. */
static inline sl_desc sl_cpu_residual_desc(const sl_op *op)
{
    sl_desc d = op->y;
    d.c = sl_op_residual_c(op);
    return d;
}

/* Has load anything to do? Not where run reads the weight, or there is none. */
static inline bool sl_cpu_conv_loads(const sl_op *op)
{
    return op->kind != SL_OP_CONV_BWD_WEIGHTS && !op->weights_vary;
}

/* Forward and backward data: the slot that has the weight. */
static_assert((int)SL_CONV_WEIGHT == (int)SL_CONV_BWD_DATA_WEIGHT, "one slot for both");
enum { SL_CPU_CONV_WEIGHT = SL_CONV_WEIGHT };

#endif
