#include "base/statistics.h"

#include <math.h>
#include <stdlib.h>

sl_summary sl_summarise(const double *values, size_t n)
{
    sl_summary s = { 0, NAN, NAN };
    double sum = 0, squares = 0;

    for (size_t i = 0; i < n; i++) {
        if (isnan(values[i]))
            continue;
        sum += values[i];
        s.n++;
    }
    if (s.n)
        s.mean = sum / (double)s.n;
    for (size_t i = 0; i < n; i++)
        if (!isnan(values[i]))
            squares += (values[i] - s.mean) * (values[i] - s.mean);
    if (s.n > 1)
        s.sd = sqrt(squares / (double)(s.n - 1));
    return s;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t n, double q)
{
    const double at = q * (double)(n - 1);
    const size_t below = (size_t)at, above = below + 1 < n ? below + 1 : below;

    return sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
}

sl_measured sl_percentile_interval(double value, double *resampled, size_t n)
{
    sl_measured m = { value, NAN, NAN };

    for (size_t i = 0; i < n; i++)
        if (!isfinite(resampled[i]))
            return m;
    if (n == 0)
        return m;
    qsort(resampled, n, sizeof *resampled, ascending);
    m.low = quantile(resampled, n, 0.025);
    m.high = quantile(resampled, n, 0.975);
    return m;
}

double sl_correlation(const double *a, const double *b, size_t n)
{
    double mean_a = 0, mean_b = 0, ab = 0, aa = 0, bb = 0;

    for (size_t i = 0; i < n; i++) { /* from the first, so that equal values have exactly mean 0 */
        mean_a += (a[i] - a[0]) / (double)n;
        mean_b += (b[i] - b[0]) / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        const double da = a[i] - a[0] - mean_a, db = b[i] - b[0] - mean_b;
        ab += da * db;
        aa += da * da;
        bb += db * db;
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : NAN;
}

static int by_value(const void *a, const void *b, void *values)
{
    const double *v = values;
    const size_t i = *(const size_t *)a, j = *(const size_t *)b;

    if (v[i] < v[j] || v[i] > v[j])
        return v[i] < v[j] ? -1 : 1;
    return (i > j) - (i < j);
}

void sl_rank(const double *values, size_t n, double *ranks, size_t *order)
{
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    qsort_r(order, n, sizeof *order, by_value, (void *)values);
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && !(values[order[end]] > values[order[first]]); end++)
            ;
        for (size_t i = first; i < end; i++)
            ranks[order[i]] = (double)(first + 1 + end) / 2;
    }
}
