/* Another way to weight gradients, for maps of few pixels: for conv.c only. */
#ifndef NN_CPU_CONV_WEIGHTS_H
#define NN_CPU_CONV_WEIGHTS_H

#include "nn/cpu/cpu.h"

bool sl_cpu_conv_has_few_pixels(const sl_op *op);
SL_CHECK sl_status sl_cpu_conv_weights_plan(sl_cpu_kernel *k, size_t *scratch_bytes, sl_error *err);
/* d_bias may be NULL. */
SL_CHECK sl_status sl_cpu_conv_weights_run(sl_cpu_kernel *k, const void *x, const void *dy,
                                           float *d_weight, float *d_bias, void *scratch,
                                           sl_error *err);

#endif
