/* What predictions are worth against labels. All in double, from logits or probabilities. */
#ifndef EVAL_METRICS_H
#define EVAL_METRICS_H

#include <stddef.h>
#include <stdint.h>

/* The place of the largest value; the first of equal ones, as NumPy's argmax; -1 when one is NaN.
 */
int sl_argmax(const double *values, int n);

/* -sum_k target[k] log softmax(logits)[k], in nats; terms with target 0 don't count, however small
 * the probability. NaN if a logit is NaN. Source: CIFAR10H paper, eq. 6. */
double sl_cross_entropy_logits(const double *logits, const double *target, int classes);
/* The same of probabilities; infinite where a class with target > 0 got none. */
double sl_cross_entropy_probs(const double *probs, const double *target, int classes);

/* -sum_k p[k] log p[k], in nats. */
double sl_entropy(const double *p, int classes);

/* The score of a set of images against one kind of target, summed up image by image.
 *
 * A hit is a prediction (first maximum of the logits) that equals the target's mode, the class with
 * the largest share; of equal shares the first, so that every image has exactly one mode. So
 * against one-hot targets it is accuracy, against human targets agreement with the most frequent
 * human choice (NOTES, "what a run logs"). Zero-initialised is empty. */
typedef struct {
    size_t n, hits;
    double loss_sum;
} sl_score;

#define SL_SCORE_MAX_CLASSES 1024

/* One image: classes (<= SL_SCORE_MAX_CLASSES) logits and its target row, say targets->p64 +
 * image*classes. */
void sl_score_add(sl_score *score, const float *logits, const double *target, int classes);
/* Means over the images added; NaN of none. */
double sl_score_cross_entropy(const sl_score *score);
double sl_score_accuracy(const sl_score *score);

#endif
