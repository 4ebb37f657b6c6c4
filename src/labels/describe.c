/* What section 5 of the paper reports of its data, and more. */
#include "base/memory.h"
#include <math.h>
#include <softlabel/labels.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static sl_spread spread_of(double *values, size_t n)
{
    sl_spread s = { .n = n, .mean = NAN, .median = NAN, .min = NAN, .max = NAN };
    if (n == 0)
        return s;
    qsort(values, n, sizeof *values, by_value);
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    s.mean = sum / (double)n;
    s.median = (values[(n - 1) / 2] + values[n / 2]) / 2;
    s.min = values[0];
    s.max = values[n - 1];
    return s;
}

void sl_labels_description_release(sl_labels_description *d)
{
    free(d->confusion);
    free(d->entropies);
    free(d->ambiguous);
    *d = (sl_labels_description){ 0 };
}

/* scratch is room for a number a person. */
static void describe_people(sl_labels_description *d, const sl_labels *labels, double *scratch)
{
    size_t n = 0;
    d->n_people = labels->n_people;
    for (size_t i = 0; i < labels->n_people; i++) {
        const sl_labels_person *p = &labels->people[i];
        d->by_verdict[p->why]++;
        if (p->why == SL_KEPT && p->n_known > 0)
            scratch[n++] = (double)p->n_right / (double)p->n_known;
    }
    d->person_accuracy = spread_of(scratch, n);
    n = 0;
    for (size_t i = 0; i < labels->n_people; i++)
        if (labels->people[i].why == SL_KEPT)
            scratch[n++] = labels->people[i].elapsed_ms / 60000;
    d->minutes = spread_of(scratch, n);
}

static double entropy_of(const int64_t *row, size_t k, double sum)
{
    double entropy = 0;
    for (size_t c = 0; c < k; c++)
        if (row[c] > 0)
            entropy -= (double)row[c] / sum * log((double)row[c] / sum);
    return entropy;
}

/* Three passes over the images, with scratch for a number each. */
static void describe_images(sl_labels_description *d, const sl_labels *labels, double *scratch)
{
    const size_t k = (size_t)labels->n_classes;
    size_t n = 0, n_known = 0;
    for (size_t i = 0; i < labels->n_images; i++) {
        const int64_t *row = labels->counts + i * k;
        int64_t sum = 0;
        for (size_t c = 0; c < k; c++)
            sum += row[c];
        scratch[i] = (double)sum;
        d->entropies[i] = sum ? entropy_of(row, k, (double)sum) : NAN;
        d->n_judgments += (uint64_t)sum;
    }
    d->per_image = spread_of(scratch, labels->n_images);
    for (size_t i = 0; i < labels->n_images; i++) {
        const int64_t *row = labels->counts + i * k;
        const int truth = labels->truth ? labels->truth[i] : -1;
        if (isnan(d->entropies[i]) || truth < 0)
            continue;
        int64_t sum = 0;
        for (size_t c = 0; c < k; c++) {
            d->confusion[(size_t)truth * k + c] += row[c];
            sum += row[c];
        }
        scratch[n_known++] = (double)row[truth] / (double)sum;
    }
    d->image_accuracy = spread_of(scratch, n_known);
    for (size_t i = 0; i < labels->n_images; i++)
        if (!isnan(d->entropies[i]))
            scratch[n++] = d->entropies[i];
    d->entropy = spread_of(scratch, n);
}

static int by_ambiguity(const void *a, const void *b, void *entropies)
{
    const size_t i = *(const size_t *)a, j = *(const size_t *)b;
    const double x = ((const double *)entropies)[i], y = ((const double *)entropies)[j];
    if (x != y)
        return x < y ? 1 : -1;
    return (i > j) - (i < j);
}

sl_status sl_labels_describe(sl_labels_description *out, const sl_labels *labels, sl_error *err)
{
    const size_t k = (size_t)labels->n_classes;
    const size_t most = labels->n_images > labels->n_people ? labels->n_images : labels->n_people;
    sl_labels_description d = { .n_images = labels->n_images, .n_classes = labels->n_classes };
    double *scratch;
    *out = (sl_labels_description){ 0 };
    sl_status st = sl_alloc(&scratch, most, sizeof *scratch, err);
    if (!st)
        st = sl_alloc(&d.confusion, k * k, sizeof *d.confusion, err);
    if (!st)
        st = sl_alloc(&d.entropies, d.n_images, sizeof *d.entropies, err);
    if (!st)
        st = sl_alloc(&d.ambiguous, d.n_images, sizeof *d.ambiguous, err);
    if (st) {
        sl_labels_description_release(&d);
        free(scratch);
        return st;
    }
    describe_people(&d, labels, scratch);
    describe_images(&d, labels, scratch);
    for (size_t i = 0; i < d.n_images; i++)
        if (!isnan(d.entropies[i]))
            d.ambiguous[d.n_judged++] = i;
    qsort_r(d.ambiguous, d.n_judged, sizeof *d.ambiguous, by_ambiguity, d.entropies);
    d.kappa = sl_fleiss_kappa(labels->counts, d.n_images, d.n_classes);
    d.alpha = sl_krippendorff_alpha(labels->counts, d.n_images, d.n_classes);
    d.disagreement = sl_disagreement(labels->counts, d.n_images, d.n_classes);
    free(scratch);
    *out = d;
    return SL_OK;
}
