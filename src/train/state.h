/* What a killed run goes on from: everything that changes while training, in one safetensors file
 * that appears whole or not at all. */
#ifndef TRAIN_STATE_H
#define TRAIN_STATE_H

#include "nn/optimizer.h"
#include "nn/params.h"
#include "nn/tally.h"
#include "train/metrics_log.h"

/* Sums over the batches of the epoch under way. */
typedef struct {
    sl_tally tally; /* of this process's parts of them */
    uint64_t seen;  /* images, of whole batches */
} sl_epoch_sums;

typedef struct {
    int epoch;      /* whole epochs done, their rows in the log */
    uint64_t batch; /* batches done of the epoch under way */
    sl_epoch_sums sums;
    int best_epoch; /* -1: none yet */
    double seconds; /* worked on the run so far, in all its processes */

    /* What the numbers above are about; borrowed. best may be NULL. */
    sl_tally *tallies; /* (processes), by rank: added up only where they are looked at, so that
                          where a run was resumed changes no bit of the sum */
    int processes;
    sl_metrics_log *log;
    sl_params *params, *best;
    sl_optimizer *optimizer;
} sl_train_state;

SL_CHECK sl_status sl_train_state_write(const sl_train_state *state, const char *path,
                                        sl_error *err);
/* Fills all of it, arrays too. SL_EFORMAT, SL_EMISMATCH: the file is damaged or another network's;
 * the message says to remove it. The state isn't usable then. */
SL_CHECK sl_status sl_train_state_read(sl_train_state *state, const char *path, sl_error *err);

#endif
