/* The fast gradient sign method: one step that raises the loss most within an L-infinity ball.
 * Source: Goodfellow et al. 2015; CIFAR10H paper, section 6. */
#ifndef EVAL_FGSM_H
#define EVAL_FGSM_H

#include <stddef.h>

/* out = clip(x + eps sign(gradient), 0, 1), element by element; out may be x.
 * x         n pixels in [0,1]
 * gradient  d loss / d x; the sign is that of d loss / d (normalised x), too; 0 moves nothing
 * eps       >= 0, in pixels of [0,1] */
void sl_fgsm_step(const float *x, const float *gradient, size_t n, double eps, float *out);

#endif
