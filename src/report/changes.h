/* The paper's figure 2: how much fine-tuning changed the loss, on each validation set. */
#ifndef REPORT_CHANGES_H
#define REPORT_CHANGES_H

#include "report/run_set.h"

/* Draws to path.svg and so on (see figure.h): a panel a data set that was scored; in it, for each
 * model, an arrow from 0 to the change of its loss (after less before tuning), blue of the run
 * tuned on human labels, red of the control, each the paper's pick (pick.h) among the runs without
 * mixup; a dashed line in each colour is the mean over models. SL_ENOTFOUND when no run belongs
 * here. */
SL_CHECK sl_status sl_changes_draw(const char *path, const sl_run_set *set, sl_error *err);

#endif
