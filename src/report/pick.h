/* Which of a group's runs, and which epoch of it, a table shows: the paper's rule, and one that
 * doesn't choose on the images that it reports. */
#ifndef REPORT_PICK_H
#define REPORT_PICK_H

#include "report/run_set.h"

/* The paper's rule: of all settings, seeds and epochs >= 1 of a group (n >= 1) the run with the
 * lowest loss on its own validation images, human labels for what was tuned on people's, hard ones
 * else; its row is run->selected. Of equal ones the first. */
const sl_tuning_run *sl_pick_lowest(sl_run_span group);

/* What of a run's settings is chosen on other seeds. */
typedef enum {
    SL_PICK_LR_AND_EPOCH, /* needs the runs' metrics.csv */
    SL_PICK_LR,           /* the epoch is the one that each run selected itself */
} sl_pick_what;

typedef struct {
    const sl_tuning_run *run;
    sl_report_row row; /* at the chosen epoch */
} sl_pick;

/* For each seed of the group, in order, the setting (learning rate, mostly) and epoch whose
 * validation loss, in the mean over the group's other seeds, is lowest; shown is this seed's run of
 * that setting at that epoch. Settings that lack one of the seeds don't compete.
 * picks  room for group.n; *n of them are filled: none, if there are less than two seeds or no
 *        setting has them all */
SL_CHECK sl_status sl_pick_on_other_seeds(sl_run_span group, sl_pick_what what, sl_pick *picks,
                                          size_t *n, sl_error *err);

#endif
