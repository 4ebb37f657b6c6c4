/* What the readers of predictions share. */
#ifndef EVAL_PREDICTIONS_PRIVATE_H
#define EVAL_PREDICTIONS_PRIVATE_H

#include "eval/predictions.h"

/* log_p holds the file's n*classes values as they are; turns them into log probabilities. kind says
 * what they are, NULL: tell from the values. */
SL_CHECK sl_status sl_predictions_seal(sl_predictions *p, const char *kind, sl_error *err);

/* Fills log_p (the values as they are) and labels from a CSV file. */
SL_CHECK sl_status sl_predictions_read_csv(sl_predictions *p, const char *path,
                                           const char *const *class_names, int n_names,
                                           sl_error *err);

#endif
