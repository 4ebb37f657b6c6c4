/* Another way to 3x3 convolutions and the gradients of their inputs, in float32: for conv.c only. */
#ifndef NN_CPU_CONV_WINOGRAD_H
#define NN_CPU_CONV_WINOGRAD_H

#include "nn/cpu/cpu.h"

bool sl_cpu_conv_suits_winograd(const sl_op *op);
SL_CHECK sl_status sl_cpu_conv_winograd_plan(sl_cpu_kernel *k, size_t *scratch_bytes,
                                             sl_error *err);
/* weight: [K][C][3][3]. Packs weights that don't vary for the runs to come. */
void sl_cpu_conv_winograd_load(sl_cpu_kernel *k, const float *weight);
/* from: x, to: y; backwards dy and dx, without bias and residual (else NULL if there is none).
 * weight is read if weights vary. */
void sl_cpu_conv_winograd_run(sl_cpu_kernel *k, const float *from, const float *weight,
                              const float *bias, const float *residual, float *to, void *scratch);

#endif
