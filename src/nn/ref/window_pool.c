/* Pooling over 2 x 2 windows, two apart. An odd last row or column of x belongs to no window. */
#include "nn/ref/ref.h"

#include <string.h>

/* The window's pixels from its first, in row-major order. */
static void window_of(const sl_op *op, size_t taps[4])
{
    size_t w = (size_t)op->x.w;
    taps[0] = 0, taps[1] = 1, taps[2] = w, taps[3] = w + 1;
}

/* The first pixel of the window for output i, counted over all planes. */
static size_t window_start(const sl_op *op, size_t i)
{
    size_t h = (size_t)op->x.h, w = (size_t)op->x.w, p = (size_t)op->y.h, q = (size_t)op->y.w;
    return i / (p * q) * h * w + i / q % p * 2 * w + i % q * 2;
}

/* Where the greatest of a window's numbers is: the first of equal ones, a NaN before any number. */
static size_t greatest(const float *x, const size_t taps[4])
{
    size_t best = taps[0];
    for (int k = 1; k < 4; k++) {
        if (x[taps[k]] > x[best] || x[taps[k]] != x[taps[k]])
            best = taps[k];
    }
    return best;
}

void sl_ref_max_pool(const sl_op *op, const void *const *in, void *const *out)
{
    const float *x = in[0]; /* (N,C,H,W) */
    float *y = out[0];      /* (N,C,P,Q) */
    size_t taps[4];
    window_of(op, taps);
    for (size_t i = 0; i < sl_ref_count(&op->y); i++) {
        const float *window = x + window_start(op, i);
        y[i] = window[greatest(window, taps)];
    }
}

/* All of a window's gradient goes to the number that was its maximum. */
void sl_ref_max_pool_bwd(const sl_op *op, const void *const *in, void *const *out)
{
    const float *dy = in[SL_MAX_POOL_BWD_DY]; /* (N,C,P,Q) */
    const float *x = in[SL_MAX_POOL_BWD_X];   /* (N,C,H,W) */
    float *dx = out[0];                       /* (N,C,H,W) */
    size_t taps[4];
    window_of(op, taps);
    memset(dx, 0, sl_ref_count(&op->x) * sizeof *dx);
    for (size_t i = 0; i < sl_ref_count(&op->y); i++) {
        size_t start = window_start(op, i);
        dx[start + greatest(x + start, taps)] = dy[i];
    }
}

void sl_ref_avg_pool(const sl_op *op, const void *const *in, void *const *out)
{
    const float *x = in[0]; /* (N,C,H,W) */
    float *y = out[0];      /* (N,C,P,Q) */
    size_t taps[4];
    window_of(op, taps);
    for (size_t i = 0; i < sl_ref_count(&op->y); i++) {
        const float *window = x + window_start(op, i);
        double sum = 0;
        for (int k = 0; k < 4; k++)
            sum += (double)window[taps[k]];
        y[i] = (float)(sum / 4);
    }
}

void sl_ref_avg_pool_bwd(const sl_op *op, const void *const *in, void *const *out)
{
    const float *dy = in[0]; /* (N,C,P,Q) */
    float *dx = out[0];      /* (N,C,H,W) */
    size_t taps[4];
    window_of(op, taps);
    memset(dx, 0, sl_ref_count(&op->x) * sizeof *dx);
    for (size_t i = 0; i < sl_ref_count(&op->y); i++) {
        for (int k = 0; k < 4; k++)
            dx[window_start(op, i) + taps[k]] = dy[i] / 4;
    }
}
