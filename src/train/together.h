/* What processes that train one model do together, beside the sums within a pass. To one alone
 * (NULL) nothing of it happens. All must call each of these. */
#ifndef TRAIN_TOGETHER_H
#define TRAIN_TOGETHER_H

#include "base/processes.h"
#include "train/state.h"

/* sl_processes_agree, but for SL_EDEVICE: others may wait on their devices for the one that failed,
 * and would never come to an agreement. It is returned at once. */
SL_CHECK sl_status sl_together(sl_processes *processes, sl_status st, unsigned *wishes,
                               sl_error *err);

/* Gives all the state that rank 0 has, but for the log and best, which are its own; and *flag. Each
 * gets its own tally as that of the sums. */
SL_CHECK sl_status sl_together_share(sl_processes *processes, sl_train_state *state, bool *flag,
                                     sl_error *err);

/* SL_EDEVICE, to all, if parameters aren't the same bits everywhere. */
SL_CHECK sl_status sl_together_alike(sl_processes *processes, const sl_params *params,
                                     sl_error *err);

#endif
