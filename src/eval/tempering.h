/* Distributions from logits, tempered so that they fit what people said of other images:
 *
 *     q[k] = softmax_k(z[k] / T + w log C[y][k])
 *
 * z are an image's logits and y is its known label, C[y] what people answer to images of that label
 * on average. T is the temperature (Guo et al. 2017); w weighs what the label alone says, 0: not at
 * all. Any thread. */
#ifndef EVAL_TEMPERING_H
#define EVAL_TEMPERING_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    int classes;            /* at most SL_SCORE_MAX_CLASSES */
    const double *z;        /* (images, classes) */
    const double *by_label; /* log C (classes, classes), finite; NULL where w is 0 */
    const int16_t *labels;  /* (images); likewise */
} sl_tempered;

typedef struct {
    double temperature, label_weight;
} sl_tempering;

/* q of an image, (classes). */
void sl_temper(double *q, const sl_tempered *of, size_t image, sl_tempering tempering);

/* The tempering with the least mean cross-entropy against p (images, classes) over n >= 1 images.
 * What is NaN in given is fitted, T between 1e-3 and 1e3, w between 0 and 4; what isn't, stays. The
 * cross-entropy is convex in 1/T and w. */
sl_tempering sl_tempering_fit(sl_tempering given, const sl_tempered *of, const double *p,
                              const int64_t *images, size_t n);

#endif
