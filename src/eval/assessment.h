/* What one model's predictions are worth against human distributions and hard labels, image by
 * image, so that means over any weighting of the images (a class, a bootstrap resample) are sums.
 *
 * In what follows q is the model's distribution of an image, p the people's, y its hard label;
 * logarithms are natural. An assessment may be read by any number of threads. */
#ifndef EVAL_ASSESSMENT_H
#define EVAL_ASSESSMENT_H

#include "eval/predictions.h"
#include "eval/selection.h"

#include <softlabel/dataset.h>

/* Means over images, but for the last two. */
typedef enum {
    SL_MEASURE_CROSS_ENTROPY,      /* -sum_k p_k log q_k: paper, eq. 6 */
    SL_MEASURE_KL,                 /* that less the people's entropy: sum_k p_k log(p_k / q_k) */
    SL_MEASURE_HARD_CROSS_ENTROPY, /* -log q_y */
    SL_MEASURE_ACCURACY,           /* argmax q = y */
    SL_MEASURE_MODAL_ACCURACY,     /* argmax q = argmax p, first maxima */
    SL_MEASURE_AGREEMENT,          /* p of argmax q: how often a person says what the model says */
    SL_MEASURE_SECOND_BEST,        /* q's second class has p's second largest share; over images
                                      where that isn't 0 (ICCV version of the paper, section 5) */
    SL_MEASURE_BRIER,              /* sum_k (q_k - p_k)^2 */
    SL_MEASURE_HARD_BRIER,         /* sum_k (q_k - [k = y])^2 */
    SL_MEASURE_ECE_EQUAL,          /* expected calibration error, see calibration.h */
    SL_MEASURE_ECE_ADAPTIVE,
    SL_MEASURE_COUNT
} sl_measure;
const char *sl_measure_key(sl_measure measure);   /* "c10h_crossentropy", for JSON and CSV */
const char *sl_measure_title(sl_measure measure); /* "cross-entropy, human labels" */

/* The fields are for reading; arrays are per selected image, in the selection's order. */
typedef struct {
    size_t n;
    int n_bins;                           /* of the calibration errors */
    double *values[SL_MEASURE_ECE_EQUAL]; /* (n) each; NaN: the image doesn't count */
    double *confidence;                   /* (n): max q */
    uint8_t *bin;                         /* (n): of equal width, by confidence */
    uint32_t *order;                      /* (n): images by rising confidence */
    int16_t *label;                       /* (n): y */
} sl_assessment;

#define SL_ASSESSMENT_MAX_BINS 100

/* predictions, human and labels (int16, 0..classes-1) are of the same images, `selection->of` of
 * them, and of the same classes (SL_EMISMATCH otherwise); nothing of them is kept. */
SL_CHECK sl_status sl_assess(sl_assessment *out, const sl_predictions *predictions,
                             const sl_targets *human, const int16_t *labels,
                             const sl_selection *selection, int n_bins, sl_error *err);
void sl_assessment_release(sl_assessment *assessment);

/* All measures, each image weighted by weights (n), or equally if NULL. A measure that no image
 * counts for is NaN. counts, if not NULL, says how much weight stands behind each. */
void sl_assessment_measure(const sl_assessment *assessment, const uint32_t *weights,
                           double out[SL_MEASURE_COUNT], uint64_t counts[SL_MEASURE_COUNT]);

#endif
