/* y = x weight^T + bias, where x is an image's numbers in a row. */
#include "nn/ref/ref.h"

static size_t inputs_of(const sl_op *op)
{
    return (size_t)op->x.c * (size_t)op->x.h * (size_t)op->x.w;
}

/* y[n,k] = bias[k] + sum_c x[n,c] weight[k,c] */
void sl_ref_linear(const sl_op *op, const void *const *in, void *const *out)
{
    const float *x = in[SL_LINEAR_X];           /* (N,C) */
    const float *weight = in[SL_LINEAR_WEIGHT]; /* (K,C) */
    const float *bias = in[SL_LINEAR_BIAS];     /* (K) */
    float *y = out[0];                          /* (N,K) */
    size_t inputs = inputs_of(op), outputs = (size_t)op->y.c;
    for (size_t n = 0; n < (size_t)op->x.n; n++) {
        for (size_t k = 0; k < outputs; k++) {
            double sum = (double)bias[k];
            for (size_t c = 0; c < inputs; c++)
                sum += (double)x[n * inputs + c] * (double)weight[k * inputs + c];
            y[n * outputs + k] = (float)sum;
        }
    }
}

/* dx[n,c] = sum_k dy[n,k] weight[k,c] */
static void input_gradient(const sl_op *op, const float *dy, const float *weight, float *dx)
{
    size_t inputs = inputs_of(op), outputs = (size_t)op->y.c;
    for (size_t n = 0; n < (size_t)op->x.n; n++) {
        for (size_t c = 0; c < inputs; c++) {
            double sum = 0;
            for (size_t k = 0; k < outputs; k++)
                sum += (double)dy[n * outputs + k] * (double)weight[k * inputs + c];
            dx[n * inputs + c] = (float)sum;
        }
    }
}

/* d_weight[k,c] = sum_n dy[n,k] x[n,c] */
static void weight_gradient(const sl_op *op, const float *x, const float *dy, float *d_weight)
{
    size_t inputs = inputs_of(op), outputs = (size_t)op->y.c;
    for (size_t k = 0; k < outputs; k++) {
        for (size_t c = 0; c < inputs; c++) {
            double sum = 0;
            for (size_t n = 0; n < (size_t)op->x.n; n++)
                sum += (double)dy[n * outputs + k] * (double)x[n * inputs + c];
            d_weight[k * inputs + c] = (float)sum;
        }
    }
}

/* d_bias[k] = sum_n dy[n,k] */
static void bias_gradient(const sl_op *op, const float *dy, float *d_bias)
{
    size_t outputs = (size_t)op->y.c;
    for (size_t k = 0; k < outputs; k++) {
        double sum = 0;
        for (size_t n = 0; n < (size_t)op->x.n; n++)
            sum += (double)dy[n * outputs + k];
        d_bias[k] = (float)sum;
    }
}

void sl_ref_linear_bwd(const sl_op *op, const void *const *in, void *const *out)
{
    const float *x = in[SL_LINEAR_BWD_X];           /* (N,C) */
    const float *dy = in[SL_LINEAR_BWD_DY];         /* (N,K) */
    const float *weight = in[SL_LINEAR_BWD_WEIGHT]; /* (K,C) */
    if (out[SL_LINEAR_BWD_DX])                      /* (N,C); unwanted at the network's input */
        input_gradient(op, dy, weight, out[SL_LINEAR_BWD_DX]);
    weight_gradient(op, x, dy, out[SL_LINEAR_BWD_D_WEIGHT]); /* (K,C) */
    bias_gradient(op, dy, out[SL_LINEAR_BWD_D_BIAS]);        /* (K) */
}
