/* Convolution as networks mean it: a cross-correlation with zeros around the image.
 *
 *     y[n,k,p,q] = sum_{c,r,s} w[k,c,r,s] x[n, c, p stride + r - pad, q stride + s - pad]
 *
 * Differentiating this by x and by w gives the two backward kernels. */
#include "nn/ref/ref.h"

typedef struct {
    int n, c, h, w; /* x (n,c,h,w) */
    int k, p, q;    /* y (n,k,p,q) */
    int r;          /* weight (k,c,r,r) */
    int stride, pad;
} dims;

static dims dims_of(const sl_op *op)
{
    return (dims){ .n = op->x.n,
                   .c = op->x.c,
                   .h = op->x.h,
                   .w = op->x.w,
                   .k = op->y.c,
                   .p = op->y.h,
                   .q = op->y.w,
                   .r = op->kernel,
                   .stride = op->stride,
                   .pad = op->pad };
}

/* Where a plane starts. */
static const float *x_plane(const dims *d, const float *x, int n, int c)
{
    return x + ((size_t)n * (size_t)d->c + (size_t)c) * (size_t)d->h * (size_t)d->w;
}

static const float *y_plane(const dims *d, const float *y, int n, int k)
{
    return y + ((size_t)n * (size_t)d->k + (size_t)k) * (size_t)d->p * (size_t)d->q;
}

static const float *filter(const dims *d, const float *weight, int k, int c)
{
    return weight + ((size_t)k * (size_t)d->c + (size_t)c) * (size_t)d->r * (size_t)d->r;
}

static int max(int a, int b)
{
    return a > b ? a : b;
}

static int min(int a, int b)
{
    return a < b ? a : b;
}

/* The sum over c, r, s at (p,q); taps that fall outside the image are left out. */
static double output_at(const dims *d, const float *x, const float *weight, int n, int k, int p,
                        int q)
{
    int top = p * d->stride - d->pad, left = q * d->stride - d->pad;
    int r0 = max(0, -top), r1 = min(d->r, d->h - top);
    int s0 = max(0, -left), s1 = min(d->r, d->w - left);
    double sum = 0;
    for (int c = 0; c < d->c; c++) {
        const float *plane = x_plane(d, x, n, c), *w = filter(d, weight, k, c);
        for (int r = r0; r < r1; r++) {
            const float *row = plane + (ptrdiff_t)(top + r) * d->w;
            for (int s = s0; s < s1; s++)
                sum += (double)row[left + s] * (double)w[r * d->r + s];
        }
    }
    return sum;
}

/* y = [relu](conv(x) + bias + residual), where channels that residual lacks are zeros. y may be
 * residual's memory where it has them all: each number is read before it is written. */
void sl_ref_conv(const sl_op *op, const void *const *in, void *const *out)
{
    const float *x = in[SL_CONV_X];               /* (N,C,H,W) */
    const float *weight = in[SL_CONV_WEIGHT];     /* (K,C,R,R) */
    const float *bias = in[SL_CONV_BIAS];         /* (K) or NULL */
    const float *residual = in[SL_CONV_RESIDUAL]; /* (N,residual_c,P,Q) or NULL */
    float *y = out[0];                            /* (N,K,P,Q) */
    dims d = dims_of(op);
    for (int n = 0; n < d.n; n++) {
        for (int k = 0; k < d.k; k++) {
            bool add = residual && k < sl_op_residual_c(op);
            for (int p = 0; p < d.p; p++) {
                for (int q = 0; q < d.q; q++, y++) {
                    double sum = output_at(&d, x, weight, n, k, p, q);
                    sum += bias ? (double)bias[k] : 0;
                    sum += add ? (double)*residual++ : 0;
                    *y = op->relu && sum <= 0 ? 0 : (float)sum;
                }
            }
        }
    }
}

/* The output row (column) whose tap r (s) reads input row (column) i, or -1. */
static int output_of(int i, int tap, int stride, int pad, int outputs)
{
    int p = i + pad - tap;
    return p >= 0 && p % stride == 0 && p / stride < outputs ? p / stride : -1;
}

static double input_gradient_at(const dims *d, const float *dy, const float *weight, int n, int c,
                                int h, int w)
{
    size_t dy_step = (size_t)d->p * (size_t)d->q;                    /* from k to k+1 */
    size_t weight_step = (size_t)d->c * (size_t)d->r * (size_t)d->r; /* likewise */
    double sum = 0;
    for (int r = 0; r < d->r; r++) {
        int p = output_of(h, r, d->stride, d->pad, d->p);
        for (int s = 0; s < d->r && p >= 0; s++) {
            int q = output_of(w, s, d->stride, d->pad, d->q);
            if (q < 0)
                continue;
            const float *dy_pq = y_plane(d, dy, n, 0) + (ptrdiff_t)p * d->q + q;
            const float *weight_rs = filter(d, weight, 0, c) + r * d->r + s;
            for (size_t k = 0; k < (size_t)d->k; k++)
                sum += (double)dy_pq[k * dy_step] * (double)weight_rs[k * weight_step];
        }
    }
    return sum;
}

/* dx[n,c,h,w] = sum over k and those r, s, p, q with p stride + r - pad = h, q stride + s - pad = w
 * of dy[n,k,p,q] w[k,c,r,s] */
void sl_ref_conv_bwd_data(const sl_op *op, const void *const *in, void *const *out)
{
    const float *dy = in[SL_CONV_BWD_DATA_DY];         /* (N,K,P,Q) */
    const float *weight = in[SL_CONV_BWD_DATA_WEIGHT]; /* (K,C,R,R) */
    float *dx = out[0];                                /* (N,C,H,W) */
    dims d = dims_of(op);
    size_t i = 0;
    for (int n = 0; n < d.n; n++) {
        for (int c = 0; c < d.c; c++) {
            for (int h = 0; h < d.h; h++) {
                for (int w = 0; w < d.w; w++)
                    dx[i++] = (float)input_gradient_at(&d, dy, weight, n, c, h, w);
            }
        }
    }
}

static double weight_gradient_at(const dims *d, const float *x, const float *dy, int k, int c,
                                 int r, int s)
{
    double sum = 0;
    for (int n = 0; n < d->n; n++) {
        const float *plane = x_plane(d, x, n, c), *dy_row = y_plane(d, dy, n, k);
        for (int p = 0; p < d->p; p++, dy_row += d->q) {
            int h = p * d->stride + r - d->pad;
            if (h < 0 || h >= d->h)
                continue;
            const float *row = plane + (size_t)h * (size_t)d->w;
            for (int q = 0; q < d->q; q++) {
                int w = q * d->stride + s - d->pad;
                if (w >= 0 && w < d->w)
                    sum += (double)dy_row[q] * (double)row[w];
            }
        }
    }
    return sum;
}

static double plane_sums(const dims *d, const float *dy, int k)
{
    double sum = 0;
    for (int n = 0; n < d->n; n++) {
        const float *plane = y_plane(d, dy, n, k);
        for (size_t i = 0; i < (size_t)d->p * (size_t)d->q; i++)
            sum += (double)plane[i];
    }
    return sum;
}

/* d_weight[k,c,r,s] = sum_{n,p,q} dy[n,k,p,q] x[n, c, p stride + r - pad, q stride + s - pad]
 * d_bias[k] = sum_{n,p,q} dy[n,k,p,q] */
void sl_ref_conv_bwd_weights(const sl_op *op, const void *const *in, void *const *out)
{
    const float *x = in[SL_CONV_BWD_WEIGHTS_X];   /* (N,C,H,W) */
    const float *dy = in[SL_CONV_BWD_WEIGHTS_DY]; /* (N,K,P,Q) */
    float *d_weight = out[0];                     /* (K,C,R,R) */
    float *d_bias = out[1];                       /* (K) or NULL */
    dims d = dims_of(op);
    size_t i = 0;
    for (int k = 0; k < d.k; k++) {
        for (int c = 0; c < d.c; c++) {
            for (int r = 0; r < d.r; r++) {
                for (int s = 0; s < d.r; s++)
                    d_weight[i++] = (float)weight_gradient_at(&d, x, dy, k, c, r, s);
            }
        }
        if (d_bias)
            d_bias[k] = (float)plane_sums(&d, dy, k);
    }
}
