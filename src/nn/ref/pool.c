#include "nn/ref/ref.h"

/* y[n,c] = mean of x[n,c,:,:] */
void sl_ref_global_pool(const sl_op *op, const void *const *in, void *const *out)
{
    const float *x = in[0]; /* (N,C,H,W) */
    float *y = out[0];      /* (N,C) */
    size_t planes = (size_t)op->x.n * (size_t)op->x.c, pixels = (size_t)op->x.h * (size_t)op->x.w;
    for (size_t i = 0; i < planes; i++) {
        double sum = 0;
        for (size_t j = 0; j < pixels; j++)
            sum += (double)x[i * pixels + j];
        y[i] = (float)(sum / (double)pixels);
    }
}

/* dx[n,c,:,:] = dy[n,c] / (H W) */
void sl_ref_global_pool_bwd(const sl_op *op, const void *const *in, void *const *out)
{
    const float *dy = in[0]; /* (N,C) */
    float *dx = out[0];      /* (N,C,H,W) */
    size_t planes = (size_t)op->x.n * (size_t)op->x.c, pixels = (size_t)op->x.h * (size_t)op->x.w;
    for (size_t i = 0; i < planes; i++) {
        for (size_t j = 0; j < pixels; j++)
            dx[i * pixels + j] = (float)((double)dy[i] / (double)pixels);
    }
}
