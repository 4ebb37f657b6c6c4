/* Sums over the processes that train one model (softlabel/processes.h), where a device's operations
 * work: by MPI in the host's memory, by NCCL between GPUs. */
#ifndef NN_COLLECTIVE_H
#define NN_COLLECTIVE_H

#include "base/processes.h"
#include "nn/backend.h"

typedef struct sl_collective sl_collective;

/* All processes must call it, when nothing but this can fail any more: a failure may leave the
 * others waiting. dev and processes are borrowed until close; share is what this process's numbers
 * count. */
SL_CHECK sl_status sl_collective_open(sl_collective **out, sl_device *dev, sl_processes *processes,
                                      float share, sl_error *err);
void sl_collective_close(sl_collective *collective); /* NULL is fine */

/* All must call it. values (n), where dev's operations find them, become the sum over processes of
 * share times values: the same bits in each, and every time. As an operation it may be done later
 * than it is asked for, and be recorded. */
SL_CHECK sl_status sl_collective_sum(sl_collective *collective, float *values, size_t n,
                                     sl_error *err);

/* sl_device_open, but "cuda" is the GPU of this process's rank on its machine, modulo the number of
 * GPUs there. */
SL_CHECK sl_status sl_device_open_local(sl_device **out, const char *name, int threads,
                                        const sl_processes *processes, sl_error *err);

#endif
