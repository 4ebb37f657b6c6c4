#include "nn/ref/ref.h"

/* y = max(x, 0). y may be x's memory. */
void sl_ref_relu(const sl_op *op, const void *const *in, void *const *out)
{
    const float *x = in[0]; /* (N,C,H,W) */
    float *y = out[0];      /* (N,C,H,W) */
    for (size_t i = 0; i < sl_ref_count(&op->x); i++)
        y[i] = x[i] <= 0 ? 0 : x[i];
}

/* dx = dy + dy2 where y > 0, else 0 (the derivative at 0 is taken as 0). dx may be any input's
 * memory. */
void sl_ref_relu_bwd(const sl_op *op, const void *const *in, void *const *out)
{
    const float *dy = in[SL_RELU_BWD_DY];   /* (N,C,H,W), as are all */
    const float *dy2 = in[SL_RELU_BWD_DY2]; /* or NULL */
    const float *y = in[SL_RELU_BWD_Y];
    float *dx = out[0];
    for (size_t i = 0; i < sl_ref_count(&op->x); i++)
        dx[i] = y[i] <= 0 ? 0 : dy[i] + (dy2 ? dy2[i] : 0);
}
