#include "base/memory.h"

#include <softlabel/labels.h>
#include <stdlib.h>

sl_status sl_labels_average(double *table, const double *p, const int16_t *labels,
                            const int64_t *images, size_t n, int n_classes, double prior,
                            sl_error *err)
{
    const size_t k = (size_t)n_classes;
    double *weight; /* (k): images of each label, and the prior's */
    sl_status st = sl_alloc(&weight, k, sizeof *weight, err);
    if (st)
        return st;
    for (size_t i = 0; i < k * k; i++)
        table[i] = prior / n_classes;
    for (size_t t = 0; t < k; t++)
        weight[t] = prior;
    for (size_t i = 0; i < n; i++) {
        const size_t image = (size_t)images[i], t = (size_t)labels[image];
        weight[t]++;
        for (size_t c = 0; c < k; c++)
            table[t * k + c] += p[image * k + c];
    }
    for (size_t t = 0; t < k && !st; t++)
        if (!(weight[t] > 0))
            st = sl_error_set(err, SL_EINVAL, "nobody judged an image of class %zu", t);
    for (size_t i = 0; i < k * k && !st; i++)
        table[i] /= weight[i / k];
    free(weight);
    return st;
}
