/* The synthetic set's fixed facts, for those who read it; what it is stands in softlabel/synth.h.
 */
#ifndef DATA_SYNTH_H
#define DATA_SYNTH_H

#include "data/dataset_private.h"

#define SL_SYNTH_MANIFEST "synth.json"
#define SL_SYNTH_FORMAT "softlabel-synth-1"

extern const char *const sl_synth_class_names[SL_CIFAR_CLASSES];

/* How many images each of CIFAR's file names holds: train's five as evenly as can be. */
static inline size_t sl_synth_records(size_t n_train, int file)
{
    return n_train / 5 + ((size_t)file < n_train % 5);
}

#endif
