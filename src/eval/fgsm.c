#include "eval/fgsm.h"

void sl_fgsm_step(const float *x, const float *gradient, size_t n, double eps, float *out)
{
    for (size_t i = 0; i < n; i++) {
        double moved = (double)x[i] + eps * ((gradient[i] > 0) - (gradient[i] < 0));
        out[i] = (float)(moved < 0 ? 0 : moved > 1 ? 1 : moved);
    }
}
