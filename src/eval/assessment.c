#include "eval/assessment.h"

#include "base/memory.h"
#include "eval/calibration.h"
#include "eval/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static const struct {
    const char *key, *title;
} names[SL_MEASURE_COUNT] = {
    [SL_MEASURE_CROSS_ENTROPY] = { "c10h_crossentropy", "cross-entropy, human labels" },
    [SL_MEASURE_KL] = { "c10h_kl", "  of it above human entropy (KL)" },
    [SL_MEASURE_HARD_CROSS_ENTROPY] = { "c10_crossentropy", "cross-entropy, hard labels" },
    [SL_MEASURE_ACCURACY] = { "accuracy", "accuracy, hard labels" },
    [SL_MEASURE_MODAL_ACCURACY] = { "modal_accuracy", "accuracy, most frequent human choice" },
    [SL_MEASURE_AGREEMENT] = { "human_agreement", "people who say the same" },
    [SL_MEASURE_SECOND_BEST] = { "second_best_accuracy", "second-best accuracy" },
    [SL_MEASURE_BRIER] = { "c10h_brier", "Brier score, human labels" },
    [SL_MEASURE_HARD_BRIER] = { "c10_brier", "Brier score, hard labels" },
    [SL_MEASURE_ECE_EQUAL] = { "ece_equal", "calibration error, equal bins" },
    [SL_MEASURE_ECE_ADAPTIVE] = { "ece_adaptive", "calibration error, adaptive bins" },
};

const char *sl_measure_key(sl_measure measure)
{
    return names[measure].key;
}

const char *sl_measure_title(sl_measure measure)
{
    return names[measure].title;
}

/* The largest value but the one at `best`; the first of equal ones. */
static int second_argmax(const double *values, int n, int best)
{
    int second = best == 0 ? 1 : 0;
    for (int k = 0; k < n; k++)
        if (k != best && values[k] > values[second])
            second = k;
    return second;
}

static double squared(double x)
{
    return x * x;
}

/* One image: its log q, p and y. */
static void assess_image(sl_assessment *a, size_t i, const double *log_q, const double *p, int y,
                         int classes)
{
    double cross = 0, brier = 0, hard_brier = 0;
    for (int k = 0; k < classes; k++) {
        const double q = exp(log_q[k]);
        if (p[k] != 0)
            cross -= p[k] * log_q[k];
        brier += squared(q - p[k]);
        hard_brier += squared(q - (k == y));
    }
    const int best = sl_argmax(log_q, classes), mode = sl_argmax(p, classes);
    const double second_share = p[second_argmax(p, classes, mode)];
    const int second = second_argmax(log_q, classes, best);

    a->values[SL_MEASURE_CROSS_ENTROPY][i] = cross;
    a->values[SL_MEASURE_KL][i] = cross - sl_entropy(p, classes);
    a->values[SL_MEASURE_HARD_CROSS_ENTROPY][i] = -log_q[y];
    a->values[SL_MEASURE_ACCURACY][i] = best == y;
    a->values[SL_MEASURE_MODAL_ACCURACY][i] = best == mode;
    a->values[SL_MEASURE_AGREEMENT][i] = p[best];
    a->values[SL_MEASURE_SECOND_BEST][i] = second_share > 0 ? p[second] == second_share : NAN;
    a->values[SL_MEASURE_BRIER][i] = brier;
    a->values[SL_MEASURE_HARD_BRIER][i] = hard_brier;
    a->confidence[i] = exp(log_q[best]);
    a->bin[i] = (uint8_t)sl_calibration_bin_of(a->confidence[i], a->n_bins);
    a->label[i] = (int16_t)y;
}

static int by_confidence(const void *left, const void *right, void *context)
{
    const double *confidence = context;
    const uint32_t i = *(const uint32_t *)left, j = *(const uint32_t *)right;
    if (confidence[i] < confidence[j])
        return -1;
    if (confidence[i] > confidence[j])
        return 1;
    return (i > j) - (i < j);
}

static sl_status check_fit(const sl_predictions *predictions, const sl_targets *human,
                           const sl_selection *selection, sl_error *err)
{
    if (predictions->n != selection->of || human->n != selection->of)
        return sl_error_set(err, SL_EMISMATCH,
                            "'%s' is of %zu images, the human labels of %zu, the selection of %zu",
                            predictions->name, predictions->n, human->n, selection->of);
    if (predictions->classes != human->classes)
        return sl_error_set(err, SL_EMISMATCH, "'%s' has %d classes, the human labels %d",
                            predictions->name, predictions->classes, human->classes);
    return selection->n > UINT32_MAX ? sl_error_set(err, SL_EINVAL, "too many images") : SL_OK;
}

sl_status sl_assess(sl_assessment *out, const sl_predictions *predictions, const sl_targets *human,
                    const int16_t *labels, const sl_selection *selection, int n_bins, sl_error *err)
{
    assert(n_bins >= 1 && n_bins <= SL_ASSESSMENT_MAX_BINS);
    sl_assessment a = { .n = selection->n, .n_bins = n_bins };
    *out = (sl_assessment){ 0 };
    sl_status st = check_fit(predictions, human, selection, err);
    for (int m = 0; m < SL_MEASURE_ECE_EQUAL && !st; m++)
        st = sl_alloc(&a.values[m], a.n, sizeof(double), err);
    if (!st)
        st = sl_alloc(&a.confidence, a.n, sizeof *a.confidence, err);
    if (!st)
        st = sl_alloc(&a.bin, a.n, sizeof *a.bin, err);
    if (!st)
        st = sl_alloc(&a.order, a.n, sizeof *a.order, err);
    if (!st)
        st = sl_alloc(&a.label, a.n, sizeof *a.label, err);
    if (st) {
        sl_assessment_release(&a);
        return st;
    }
    const int classes = human->classes;
    for (size_t i = 0; i < a.n; i++) {
        const size_t image = (size_t)selection->indices[i], row = image * (size_t)classes;
        assess_image(&a, i, predictions->log_p + row, human->p64 + row, labels[image], classes);
        a.order[i] = (uint32_t)i;
    }
    qsort_r(a.order, a.n, sizeof *a.order, by_confidence, a.confidence);
    *out = a;
    return SL_OK;
}

void sl_assessment_release(sl_assessment *a)
{
    for (int m = 0; m < SL_MEASURE_ECE_EQUAL; m++)
        free(a->values[m]);
    free(a->confidence);
    free(a->bin);
    free(a->order);
    free(a->label);
    *a = (sl_assessment){ 0 };
}

void sl_assessment_measure(const sl_assessment *a, const uint32_t *weights,
                           double out[SL_MEASURE_COUNT], uint64_t counts[SL_MEASURE_COUNT])
{
    sl_calibration_bin bins[SL_ASSESSMENT_MAX_BINS];
    uint64_t n[SL_MEASURE_COUNT] = { 0 };
    for (int m = 0; m < SL_MEASURE_ECE_EQUAL; m++) {
        double sum = 0;
        for (size_t i = 0; i < a->n; i++) {
            const uint32_t weight = weights ? weights[i] : 1;
            if (weight == 0 || isnan(a->values[m][i]))
                continue;
            sum += weight * a->values[m][i];
            n[m] += weight;
        }
        out[m] = sum / (double)n[m]; /* NaN of none */
    }
    for (int m = SL_MEASURE_ECE_EQUAL; m < SL_MEASURE_COUNT; m++) {
        sl_calibration_bins(a, m == SL_MEASURE_ECE_EQUAL ? SL_BINS_EQUAL : SL_BINS_ADAPTIVE,
                            weights, bins);
        out[m] = sl_calibration_error(bins, a->n_bins);
        n[m] = n[SL_MEASURE_ACCURACY];
    }
    if (counts)
        for (int m = 0; m < SL_MEASURE_COUNT; m++)
            counts[m] = n[m];
}
