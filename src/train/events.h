/* A run's TensorBoard file: the rows of its metrics log as scalars, each column a tag. */
#ifndef TRAIN_EVENTS_H
#define TRAIN_EVENTS_H

#include "train/metrics_log.h"

typedef struct sl_events sl_events;

/* Begins path anew with the rows that log has so far. log is borrowed until close. */
SL_CHECK sl_status sl_events_open(sl_events **out, const char *path, const sl_metrics_log *log,
                                  sl_error *err);
/* Appends the log's given row and hands it to the system, so that a viewer sees it. */
SL_CHECK sl_status sl_events_add(sl_events *events, size_t row, sl_error *err);
void sl_events_close(sl_events *events); /* NULL is fine */

#endif
