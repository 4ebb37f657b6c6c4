/* The cpu device behind memory of its own that nobody but its operations may touch: a stand-in for
 * a GPU. Any other access to it is a fault, which ends the test. Records as a GPU does, too. */
#ifndef NN_GUARDED_DEVICE_H
#define NN_GUARDED_DEVICE_H

#include "nn/backend.h"

SL_CHECK sl_status guarded_device_open(sl_device **out, int threads, sl_error *err);

/* What it was asked to do since it was opened. */
typedef struct {
    int runs, replays; /* operations run one by one; recordings replayed */
    int allocations;   /* that are still held */
    int marks;         /* likewise */
} guarded_counts;
guarded_counts guarded_device_counts(const sl_device *dev);

#endif
