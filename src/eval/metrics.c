#include "eval/metrics.h"

#include <assert.h>
#include <math.h>

int sl_argmax(const double *values, int n)
{
    int best = 0;
    for (int k = 0; k < n; k++) {
        if (isnan(values[k]))
            return -1;
        if (values[k] > values[best])
            best = k;
    }
    return best;
}

double sl_cross_entropy_logits(const double *logits, const double *target, int classes)
{
    double max = logits[0], sum = 0, loss = 0;
    for (int k = 1; k < classes; k++)
        max = fmax(max, logits[k]);
    for (int k = 0; k < classes; k++)
        sum += exp(logits[k] - max);
    const double log_sum = log(sum); /* less max */
    for (int k = 0; k < classes; k++)
        if (target[k] != 0)
            loss += target[k] * (log_sum + (max - logits[k]));
    return loss;
}

double sl_cross_entropy_probs(const double *probs, const double *target, int classes)
{
    double loss = 0;
    for (int k = 0; k < classes; k++)
        if (target[k] != 0)
            loss -= target[k] * log(probs[k]);
    return loss;
}

double sl_entropy(const double *p, int classes)
{
    return sl_cross_entropy_probs(p, p, classes);
}

void sl_score_add(sl_score *score, const float *logits, const double *target, int classes)
{
    double wide[SL_SCORE_MAX_CLASSES];
    assert(classes >= 1 && classes <= SL_SCORE_MAX_CLASSES);
    for (int k = 0; k < classes; k++)
        wide[k] = (double)logits[k];
    int predicted = sl_argmax(wide, classes);
    score->n++;
    score->hits += predicted >= 0 && predicted == sl_argmax(target, classes);
    score->loss_sum += sl_cross_entropy_logits(wide, target, classes);
}

double sl_score_cross_entropy(const sl_score *score)
{
    return score->loss_sum / (double)score->n;
}

double sl_score_accuracy(const sl_score *score)
{
    return (double)score->hits / (double)score->n;
}
