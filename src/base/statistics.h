/* Small statistics that several folders report. Any thread. */
#ifndef BASE_STATISTICS_H
#define BASE_STATISTICS_H

#include <stddef.h>

typedef struct {
    size_t n;        /* values that are numbers */
    double mean, sd; /* NaN: of none; of fewer than two. sd with n - 1. */
} sl_summary;

/* Values that are NaN don't count. */
sl_summary sl_summarise(const double *values, size_t n);

/* A figure with its 95 % interval. */
typedef struct {
    double value;     /* on the data as they are */
    double low, high; /* NaN: none is known */
} sl_measured;

/* value with the interval between the 2.5 % and 97.5 % quantiles of resampled values, between two
 * neighbours in proportion (NumPy's default): the percentile bootstrap (Efron 1979). Sorts
 * resampled; one that isn't finite, or none at all, leaves no interval. */
sl_measured sl_percentile_interval(double value, double *resampled, size_t n);

/* Pearson's product-moment correlation; NaN if either side doesn't vary or n < 2. */
double sl_correlation(const double *a, const double *b, size_t n);

/* ranks[i] = the rank from 1 of values[i], equal ones sharing their mean rank, so that
 * sl_correlation of ranks is Spearman's. order is room for n places. Values aren't NaN. */
void sl_rank(const double *values, size_t n, double *ranks, size_t *order);

#endif
