/* What processes that train together exchange, in the host's memory. All must call each of these,
 * with the same counts; to a process alone (NULL) they do nothing but what is said. A failure is
 * SL_EDEVICE and leaves the others waiting. */
#ifndef BASE_PROCESSES_H
#define BASE_PROCESSES_H

#include <softlabel/processes.h>
#include <stddef.h>

struct sl_processes {
    int rank, size, local_rank, sharing;
    bool failed_together;
};

/* Replaces values (n) by the sum over processes of scale times their values: the same bits
 * everywhere, and each time. Each has its own scale; alone, values become scale times values. */
SL_CHECK sl_status sl_processes_sum(sl_processes *processes, float *values, size_t n, float scale,
                                    sl_error *err);
/* Rank 0's bytes to all. */
SL_CHECK sl_status sl_processes_broadcast(sl_processes *processes, void *bytes, size_t n,
                                          sl_error *err);
/* Everyone's n bytes to all, in the order of ranks; alone, a copy. */
SL_CHECK sl_status sl_processes_gather(sl_processes *processes, const void *bytes, size_t n,
                                       void *all, sl_error *err);

#endif
