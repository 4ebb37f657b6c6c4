/* What a run measured after each epoch: metrics.csv, in the columns of the authors' own logs. */
#ifndef REPORT_CURVES_H
#define REPORT_CURVES_H

#include "report/run_result.h"

/* The columns of figure 3, in its order. */
typedef enum {
    SL_CURVE_V6,
    SL_CURVE_V4,
    SL_CURVE_C10H_VAL_C10,   /* the validation images' hard labels */
    SL_CURVE_C10H_VAL,       /* their human labels */
    SL_CURVE_C10H_TRAIN_C10, /* the training images' */
    SL_CURVE_C10H_TRAIN,
    SL_CURVE_C10_50K,
    SL_CURVE_COUNT
} sl_curve;

/* "c10h_val": the columns are this with _loss and _acc. */
const char *sl_curve_column(sl_curve curve);

typedef struct {
    int epoch;                                             /* 0: before tuning */
    double loss[SL_CURVE_COUNT], accuracy[SL_CURVE_COUNT]; /* NaN: not measured */
} sl_curve_point;

/* Zeroed is empty. */
typedef struct {
    sl_curve_point *points; /* (n), by rising epoch */
    size_t n;
    char sha256[65]; /* of the file's text */
} sl_curves;

/* From a CSV file, or from the metrics.csv of a run's folder. Columns that a file lacks, and empty
 * cells, are not measured. SL_EFORMAT names the line of what isn't a number, of an epoch that
 * doesn't rise; or says that no known column is there. */
SL_CHECK sl_status sl_curves_read(sl_curves *out, const char *path, sl_error *err);
void sl_curves_release(sl_curves *curves);

/* The point of an epoch, or NULL. */
const sl_curve_point *sl_curves_at(const sl_curves *curves, int epoch);
/* The same numbers in the columns of tables. */
sl_report_row sl_curve_row(const sl_curve_point *point);

#endif
