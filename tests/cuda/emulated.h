/* The cuda backend without a GPU: its operations and its kernels' bodies, run in loops on the host,
 * with plain convolutions in cuDNN's place. What it can't show is what cuDNN, the compiler for GPUs
 * and the driver make of them. */
#ifndef CUDA_EMULATED_H
#define CUDA_EMULATED_H

#include "nn/backend.h"

SL_CHECK sl_status emulated_device_open(sl_device **out, sl_error *err);

#endif
