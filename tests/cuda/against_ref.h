/* A device of the cuda backend, real or emulated, against the reference: every listed case and
 * random shapes, in float32 and bfloat16; whole random networks. */
#ifndef CUDA_AGAINST_REF_H
#define CUDA_AGAINST_REF_H

#include "nn/backend.h"

/* The tests' set-up; close_devices closes tested, too. 0, or -1 as cmocka wants it. */
int open_devices(sl_device *tested);
int close_devices(void **state);

void check_listed_cases(void **state);
void check_random_cases(void **state);
void check_whole_networks(void **state);

#endif
