/* Cross entropy against a distribution, per image and in nats (CIFAR10H paper, eq. 6):
 *
 *     loss[n]       = -sum_k target[n,k] log softmax(logits[n])[k]
 *     d_logits[n,k] = (softmax(logits[n])[k] sum_j target[n,j] - target[n,k]) / N
 *
 * d_logits is the gradient of the batch's mean loss; rows of target need not sum to 1 for it to
 * hold. With z the logits less their greatest, log softmax = z - log sum exp z, in which no
 * exponential overflows and the logarithm's argument is 1 or more. */
#include "nn/ref/ref.h"

#include <math.h>

void sl_ref_xent(const sl_op *op, const void *const *in, void *const *out)
{
    const float *logits = in[SL_XENT_LOGITS]; /* (N,K) */
    const float *target = in[SL_XENT_TARGET]; /* (N,K) */
    float *loss = out[SL_XENT_LOSS];          /* (N) */
    float *d_logits = out[SL_XENT_D_LOGITS];  /* (N,K) or NULL */
    size_t images = (size_t)op->x.n, classes = (size_t)op->x.c;
    for (size_t n = 0; n < images; n++) {
        const float *z = logits + n * classes, *t = target + n * classes;
        double greatest = (double)z[0], sum_exp = 0, sum_target = 0, sum_loss = 0;
        for (size_t k = 1; k < classes; k++)
            greatest = fmax(greatest, (double)z[k]);
        for (size_t k = 0; k < classes; k++)
            sum_exp += exp((double)z[k] - greatest);
        for (size_t k = 0; k < classes; k++) {
            sum_target += (double)t[k];
            sum_loss -= (double)t[k] * ((double)z[k] - greatest - log(sum_exp));
        }
        loss[n] = (float)sum_loss;
        for (size_t k = 0; k < classes && d_logits; k++) {
            double softmax = exp((double)z[k] - greatest) / sum_exp;
            d_logits[n * classes + k] =
                (float)((softmax * sum_target - (double)t[k]) / (double)images);
        }
    }
}
