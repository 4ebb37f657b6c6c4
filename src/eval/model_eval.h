/* What a model answers on whole data sets, in evaluation mode, without augmentation. */
#ifndef EVAL_MODEL_EVAL_H
#define EVAL_MODEL_EVAL_H

#include "nn/backend.h"

#include <softlabel/dataset.h>
#include <softlabel/log.h>
#include <softlabel/model.h>

/* An evaluator keeps its plan, so that it can be used after every epoch. One thread at a time. */
typedef struct sl_evaluator sl_evaluator;

/* model and device are borrowed until destroy; batch >= 1 changes speed and memory only; dtype is
 * that of the computation. Inputs are normalised as the model says. progress may be NULL. */
SL_CHECK sl_status sl_evaluator_create(sl_evaluator **out, sl_model *model, sl_device *device,
                                       int batch, sl_dtype dtype, sl_progress_fn *progress,
                                       void *progress_user, sl_error *err);
void sl_evaluator_destroy(sl_evaluator *evaluator); /* NULL is fine */

/* Call it when the model's parameters have changed. */
SL_CHECK sl_status sl_evaluator_reload(sl_evaluator *evaluator, sl_error *err);

/* The logits of every image of set: (set->n, classes), written. SL_EMISMATCH when the model doesn't
 * fit the set; SL_EINTERRUPTED when progress asked to stop. */
SL_CHECK sl_status sl_evaluator_logits(sl_evaluator *evaluator, const sl_dataset *set,
                                       float *logits, sl_error *err);

#endif
