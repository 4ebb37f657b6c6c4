/* Does a model mistake images for what people mistake them for? */
#ifndef EVAL_CONFUSION_H
#define EVAL_CONFUSION_H

#include "base/statistics.h"
#include "eval/predictions.h"

#include <softlabel/dataset.h>
#include <softlabel/log.h>

typedef struct {
    int resamples;    /* of the images, for intervals; 0: none */
    int permutations; /* of the classes, for the p-value; 0: none */
    uint64_t seed;
    sl_progress_fn *progress; /* may be NULL */
    void *user;
} sl_confusion_options;

/* t is an image's hard label, c another class. The cell (t,c) of the model's confusion is the share
 * of t's images that it answers c; of people's, their mean share of c on t's images. */
typedef struct {
    int classes;
    size_t n, n_wrong; /* images; of these, answered another class than their label */
    double *model;     /* (classes, classes): rows of true classes; diagonals are there, too */
    double *human;
    /* Spearman's, over the cells t != c, with its interval over images. */
    sl_measured correlation;
    /* Share of relabelings of the model's classes (rows and columns alike) whose correlation is no
     * lower, the data's own among them; NaN without permutations. Source: Mantel 1967. */
    double p_value;
    /* Over wrong answers: mean share of people who say the same of that image; and what it were if
     * the answer fell on each wrong class alike. */
    sl_measured human_share, chance_share;
} sl_confusion;

/* Of predictions of n images, their human targets and labels (n). SL_EMISMATCH when they don't fit;
 * SL_EINTERRUPTED when progress asked to stop. */
SL_CHECK sl_status sl_confusion_create(sl_confusion *out, const sl_predictions *predictions,
                                       const sl_targets *human, const uint8_t *labels,
                                       const sl_confusion_options *options, sl_error *err);
void sl_confusion_release(sl_confusion *confusion); /* zeroed is fine */

#endif
