/* Whether a model's confidence, its largest probability, is how often it is right.
 *
 * Images are put into M bins by confidence: of equal width, bin m for (m/M, (m+1)/M] (Guo et al.
 * 2017), or of equal weight ("adaptive"; Nguyen and O'Connor 2015), by rank, equal confidences by
 * the images' order. The expected calibration error is the mean over images of their bin's
 * |accuracy - confidence|. */
#ifndef EVAL_CALIBRATION_H
#define EVAL_CALIBRATION_H

#include "eval/assessment.h"

typedef struct {
    double low, high;  /* equal width: the bin's bounds; adaptive: its confidences' range */
    uint64_t n;        /* weight of its images; of none, what follows is NaN */
    double confidence; /* mean */
    double accuracy;   /* against the hard labels */
    double agreement;  /* mean share of people who say what the model says */
} sl_calibration_bin;

typedef enum { SL_BINS_EQUAL, SL_BINS_ADAPTIVE } sl_bins;

/* Writes assessment->n_bins bins; weights as in sl_assessment_measure. */
void sl_calibration_bins(const sl_assessment *assessment, sl_bins kind, const uint32_t *weights,
                         sl_calibration_bin *bins);
double sl_calibration_error(const sl_calibration_bin *bins, int n_bins);

/* The equal-width bin of a confidence in [0,1]. */
int sl_calibration_bin_of(double confidence, int n_bins);

#endif
