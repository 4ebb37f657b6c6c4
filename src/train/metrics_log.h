/* What a run measured, one row an epoch; written as metrics.csv. */
#ifndef TRAIN_METRICS_LOG_H
#define TRAIN_METRICS_LOG_H

#include <jansson.h>
#include <softlabel/error.h>
#include <stddef.h>

#define SL_METRICS_MAX_COLUMNS 32

/* Fill columns and n_columns; the rest zero is an empty log. */
typedef struct {
    const char *const *columns; /* borrowed; the first is "epoch" */
    int n_columns;
    size_t n_rows, capacity; /* capacity: of cells, in doubles */
    double *cells;           /* (n_rows, n_columns); NaN: not measured, an empty cell */
} sl_metrics_log;

void sl_metrics_log_release(sl_metrics_log *log);
/* Appends n_columns numbers. */
SL_CHECK sl_status sl_metrics_log_add(sl_metrics_log *log, const double *row, sl_error *err);
double *sl_metrics_log_row(const sl_metrics_log *log, size_t row);

/* object[key] = {column: number}, without what wasn't measured. */
SL_CHECK sl_status sl_metrics_log_put_row(const sl_metrics_log *log, size_t row, json_t *object,
                                          const char *key, sl_error *err);

/* Writes path whole or not at all; each number in the fewest digits that read back the same. */
SL_CHECK sl_status sl_metrics_log_write(const sl_metrics_log *log, const char *path, sl_error *err);

#endif
