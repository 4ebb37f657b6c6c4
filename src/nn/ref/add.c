#include "nn/ref/ref.h"

/* y = [relu](a + b). y may be a's or b's memory. */
void sl_ref_add(const sl_op *op, const void *const *in, void *const *out)
{
    const float *a = in[0], *b = in[1]; /* (N,C,H,W) */
    float *y = out[0];                  /* (N,C,H,W) */
    for (size_t i = 0; i < sl_ref_count(&op->x); i++) {
        float sum = a[i] + b[i];
        y[i] = op->relu && sum <= 0 ? 0 : sum;
    }
}
