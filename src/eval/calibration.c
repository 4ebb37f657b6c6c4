#include "eval/calibration.h"

#include <math.h>

int sl_calibration_bin_of(double confidence, int n_bins)
{
    int bin = (int)ceil(confidence * n_bins) - 1;
    if (bin < 0)
        return 0;
    return bin < n_bins ? bin : n_bins - 1;
}

static void add(sl_calibration_bin *bin, const sl_assessment *a, size_t i, uint32_t weight)
{
    const double w = weight, confidence = a->confidence[i];
    if (bin->n == 0)
        bin->low = confidence; /* images come by rising confidence where this is kept */
    bin->high = confidence;
    bin->n += weight;
    bin->confidence += w * confidence;
    bin->accuracy += w * a->values[SL_MEASURE_ACCURACY][i];
    bin->agreement += w * a->values[SL_MEASURE_AGREEMENT][i];
}

static uint64_t total_weight(const uint32_t *weights, size_t n)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += weights ? weights[i] : 1;
    return total;
}

void sl_calibration_bins(const sl_assessment *a, sl_bins kind, const uint32_t *weights,
                         sl_calibration_bin *bins)
{
    const uint64_t m = (uint64_t)a->n_bins, total = total_weight(weights, a->n);
    uint64_t before = 0; /* weight of less confident images */
    for (int b = 0; b < a->n_bins; b++)
        bins[b] = (sl_calibration_bin){ 0 };
    for (size_t r = 0; r < a->n; r++) {
        const size_t i = kind == SL_BINS_EQUAL ? r : a->order[r];
        const uint32_t weight = weights ? weights[i] : 1;
        if (weight == 0)
            continue;
        add(&bins[kind == SL_BINS_EQUAL ? a->bin[i] : m * before / total], a, i, weight);
        before += weight;
    }
    for (int b = 0; b < a->n_bins; b++) {
        const double n = (double)bins[b].n; /* 0/0 is the NaN that the header promises */
        bins[b].confidence /= n;
        bins[b].accuracy /= n;
        bins[b].agreement /= n;
        if (kind == SL_BINS_EQUAL) {
            bins[b].low = (double)b / a->n_bins;
            bins[b].high = (double)(b + 1) / a->n_bins;
        }
    }
}

double sl_calibration_error(const sl_calibration_bin *bins, int n_bins)
{
    double sum = 0;
    uint64_t n = 0;
    for (int b = 0; b < n_bins; b++) {
        if (bins[b].n == 0)
            continue;
        sum += (double)bins[b].n * fabs(bins[b].accuracy - bins[b].confidence);
        n += bins[b].n;
    }
    return sum / (double)n;
}
