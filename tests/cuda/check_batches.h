/* Batches that a device with memory of its own makes, and its tally of steps, against the host's.
 */
#ifndef CUDA_CHECK_BATCHES_H
#define CUDA_CHECK_BATCHES_H

#include "nn/backend.h"

void check_batches(sl_device *device);
void check_tally(sl_device *device);

#endif
