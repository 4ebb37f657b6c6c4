/* Batch normalisation (Ioffe and Szegedy, 2015). Per channel, over the M = N H W numbers of it:
 *
 *     xhat = (x - mean) inv_std,  inv_std = 1 / sqrt(var + eps),  var biased (divided by M)
 *     y    = [relu](weight xhat + bias + residual)
 *
 * Backward, with dz the gradient before ReLU (algorithm 1's chain rule, simplified):
 *
 *     d_bias   = sum dz
 *     d_weight = sum dz xhat
 *     dx       = weight inv_std (dz - d_bias / M - xhat d_weight / M)  with the batch's statistics
 *     dx       = weight inv_std dz                                     with the running ones */
#include "nn/ref/ref.h"

#include <math.h>

static size_t plane_size(const sl_op *op)
{
    return (size_t)op->x.h * (size_t)op->x.w;
}

/* Where channel c of image n starts in an activation of so many channels: y and its gradient have
 * y.c of them, x and what has its shape sl_desc_stored(&x), the residual residual_c. */
static size_t plane_start(const sl_op *op, int channels, int n, int c)
{
    return ((size_t)n * (size_t)channels + (size_t)c) * plane_size(op);
}

static double channel_count(const sl_op *op)
{
    return (double)op->x.n * (double)plane_size(op);
}

/* Two passes: the mean first, so that a mean far from zero costs no digits of the variance. */
static void batch_moments(const sl_op *op, const float *x, int c, double *mean, double *var)
{
    double m = channel_count(op), sum = 0, squares = 0;
    for (int n = 0; n < op->x.n; n++) {
        const float *plane = x + plane_start(op, sl_desc_stored(&op->x), n, c);
        for (size_t i = 0; i < plane_size(op); i++)
            sum += (double)plane[i];
    }
    *mean = sum / m;
    for (int n = 0; n < op->x.n; n++) {
        const float *plane = x + plane_start(op, sl_desc_stored(&op->x), n, c);
        for (size_t i = 0; i < plane_size(op); i++)
            squares += ((double)plane[i] - *mean) * ((double)plane[i] - *mean);
    }
    *var = squares / m;
}

/* running = 0.9 running + 0.1 of the batch's, whose variance is unbiased (divided by M - 1) as in
 * PyTorch; a single number's stays 0. */
static void update_running(float *running_mean, float *running_var, double mean, double var,
                           double m)
{
    double momentum = (double)SL_NORM_MOMENTUM, unbiased = m > 1 ? var * m / (m - 1) : var;
    *running_mean = (float)((1 - momentum) * (double)*running_mean + momentum * mean);
    *running_var = (float)((1 - momentum) * (double)*running_var + momentum * unbiased);
}

/* Of the batch, as known or found from x. */
static void channel_moments(const sl_op *op, const void *const *in, int c, double *mean,
                            double *var)
{
    const float *known_mean = in[SL_NORM_KNOWN_MEAN], *known_var = in[SL_NORM_KNOWN_VAR];
    if (c >= op->known) {
        batch_moments(op, in[SL_NORM_X], c, mean, var);
        return;
    }
    *mean = (double)known_mean[c];
    *var = (double)known_var[c];
}

/* One plane. residual may be NULL, y may be x or residual: each number is read before it is
 * written. */
static void normalize(const float *x, const float *residual, float *y, size_t pixels, double mean,
                      double scale, double shift, bool relu)
{
    for (size_t i = 0; i < pixels; i++) {
        double z = ((double)x[i] - mean) * scale + shift;
        z += residual ? (double)residual[i] : 0;
        y[i] = relu && z <= 0 ? 0 : (float)z;
    }
}

void sl_ref_norm(const sl_op *op, const void *const *in, void *const *out)
{
    const float *x = in[SL_NORM_X];               /* (N,C,H,W) of (N,stored,H,W) */
    const float *residual = in[SL_NORM_RESIDUAL]; /* (N,residual_c,H,W) or NULL */
    const float *weight = in[SL_NORM_WEIGHT];     /* (C), as are the other vectors */
    const float *bias = in[SL_NORM_BIAS];
    float *running_mean = (float *)in[SL_NORM_RUNNING_MEAN]; /* inputs that are also updated */
    float *running_var = (float *)in[SL_NORM_RUNNING_VAR];
    float *y = out[SL_NORM_Y]; /* (N,C,H,W) */
    float *saved_mean = out[SL_NORM_MEAN];
    float *saved_inv_std = out[SL_NORM_INV_STD], *saved_var = out[SL_NORM_VAR];
    int stored = sl_desc_stored(&op->x), residual_c = sl_op_residual_c(op);
    for (int c = 0; c < op->x.c; c++) {
        double mean = (double)running_mean[c], var = (double)running_var[c];
        if (op->batch_stats) {
            channel_moments(op, in, c, &mean, &var);
            update_running(&running_mean[c], &running_var[c], mean, var, channel_count(op));
        }
        if (saved_var)
            saved_var[c] = (float)var;
        saved_mean[c] = (float)mean;
        saved_inv_std[c] = (float)(1 / sqrt(var + (double)SL_NORM_EPS));
        for (int n = 0; n < op->x.n; n++)
            normalize(x + plane_start(op, stored, n, c),
                      residual && c < residual_c ? residual + plane_start(op, residual_c, n, c)
                                                 : NULL,
                      y + plane_start(op, op->x.c, n, c), plane_size(op), (double)saved_mean[c],
                      (double)saved_inv_std[c] * (double)weight[c], (double)bias[c], op->relu);
    }
}

void sl_ref_norm_again(const sl_op *op, const void *const *in, void *const *out)
{
    const float *x = in[SL_NORM_AGAIN_X];           /* (N,C,H,W) of (N,stored,H,W) */
    const float *weight = in[SL_NORM_AGAIN_WEIGHT]; /* (C), as are the other vectors */
    const float *bias = in[SL_NORM_AGAIN_BIAS];
    const float *mean = in[SL_NORM_AGAIN_MEAN], *inv_std = in[SL_NORM_AGAIN_INV_STD];
    const float *residual = in[SL_NORM_AGAIN_RESIDUAL]; /* (N,residual_c,H,W) or NULL */
    int residual_c = sl_op_residual_c(op);
    float *y = out[0]; /* (N,C,H,W) */
    for (int n = 0; n < op->x.n; n++) {
        for (int c = 0; c < op->x.c; c++)
            normalize(x + plane_start(op, sl_desc_stored(&op->x), n, c),
                      residual && c < residual_c ? residual + plane_start(op, residual_c, n, c)
                                                 : NULL,
                      y + plane_start(op, op->x.c, n, c), plane_size(op), (double)mean[c],
                      (double)inv_std[c] * (double)weight[c], (double)bias[c], op->relu);
    }
}

/* A channel of one image. */
typedef struct {
    const float *dy, *dy2, *y; /* NULL: dy2 of one consumer; y without ReLU, or unless kept */
    const float *x;
    double mean, inv_std, weight, bias;
    bool relu;
} plane;

static plane plane_of(const sl_op *op, const void *const *in, int n, int c)
{
    const float *dy = in[SL_NORM_BWD_DY], *dy2 = in[SL_NORM_BWD_DY2], *y = in[SL_NORM_BWD_Y];
    const float *x = in[SL_NORM_BWD_X]; /* (N,C,H,W) of (N,stored,H,W); those above (N,C,H,W) */
    const float *mean = in[SL_NORM_BWD_MEAN], *inv_std = in[SL_NORM_BWD_INV_STD]; /* (C) */
    const float *weight = in[SL_NORM_BWD_WEIGHT], *bias = in[SL_NORM_BWD_BIAS];
    size_t start = plane_start(op, op->x.c, n, c);
    return (plane){ .dy = dy + start,
                    .dy2 = dy2 ? dy2 + start : NULL,
                    .y = y ? y + start : NULL,
                    .x = x + plane_start(op, sl_desc_stored(&op->x), n, c),
                    .mean = (double)mean[c],
                    .inv_std = (double)inv_std[c],
                    .weight = (double)weight[c],
                    .bias = bias ? (double)bias[c] : 0,
                    .relu = op->relu };
}

static double xhat_at(const plane *p, size_t i)
{
    return ((double)p->x[i] - p->mean) * p->inv_std;
}

/* Did ReLU cut? */
static bool is_cut(const plane *p, size_t i)
{
    if (p->relu && p->y)
        return p->y[i] <= 0;
    return p->relu && xhat_at(p, i) * p->weight + p->bias <= 0;
}

/* The gradient before ReLU: dy + dy2, but 0 where ReLU cut. */
static double dz_at(const plane *p, size_t i)
{
    if (is_cut(p, i))
        return 0;
    return (double)p->dy[i] + (p->dy2 ? (double)p->dy2[i] : 0);
}

/* dx = scale (dz - mean_dz - xhat mean_dz_xhat) + extra, d_residual = dz. */
static void input_gradient(const plane *p, size_t pixels, double scale, double mean_dz,
                           double mean_dz_xhat, const float *extra, float *dx, float *d_residual)
{
    for (size_t i = 0; i < pixels; i++) {
        double dz = dz_at(p, i), d = scale * (dz - mean_dz - xhat_at(p, i) * mean_dz_xhat);
        d += extra ? (double)extra[i] : 0;
        if (d_residual)
            d_residual[i] = (float)dz;
        dx[i] = (float)d;
    }
}

/* What the batch's statistics add to channel c's gradient, slope (x - mean) + offset, is left to
 * others: added to what they have of it already. */
static void leave_common_terms(const void *const *in, void *const *out, int c, double slope,
                               double offset)
{
    const float *other_slope = in[SL_NORM_BWD_SLOPE], *other_offset = in[SL_NORM_BWD_OFFSET];
    float *slope_out = out[SL_NORM_BWD_SLOPE_OUT], *offset_out = out[SL_NORM_BWD_OFFSET_OUT];
    slope_out[c] = (float)(slope + (other_slope ? (double)other_slope[c] : 0));
    offset_out[c] = (float)(offset + (other_offset ? (double)other_offset[c] : 0));
}

/* Means over the batch's numbers of a channel. */
typedef struct {
    double dz, dz_xhat;
} means;

static means channel_means(const sl_op *op, const void *const *in, int c)
{
    means m = { 0 };
    for (int n = 0; n < op->x.n; n++) {
        plane p = plane_of(op, in, n, c);
        for (size_t i = 0; i < plane_size(op); i++) {
            m.dz += dz_at(&p, i) / channel_count(op);
            m.dz_xhat += dz_at(&p, i) * xhat_at(&p, i) / channel_count(op);
        }
    }
    return m;
}

/* dx may be the memory of dy, dy2, x or extra: each number is read before it is written. */
void sl_ref_norm_bwd(const sl_op *op, const void *const *in, void *const *out)
{
    const float *weight = in[SL_NORM_BWD_WEIGHT]; /* (C), as are the other vectors */
    const float *inv_std = in[SL_NORM_BWD_INV_STD];
    const float *extra = in[SL_NORM_BWD_EXTRA];      /* (N,C,H,W) of (N,stored,H,W), or NULL */
    float *dx = out[SL_NORM_BWD_DX];                 /* (N,C,H,W) of (N,stored,H,W) */
    float *d_residual = out[SL_NORM_BWD_D_RESIDUAL]; /* (N,residual_c,H,W) or NULL */
    float *d_weight = out[SL_NORM_BWD_D_WEIGHT];
    float *d_bias = out[SL_NORM_BWD_D_BIAS];
    int residual_c = sl_op_residual_c(op);
    for (int c = 0; c < op->x.c; c++) {
        means m = channel_means(op, in, c);
        double s = (double)inv_std[c], scale = (double)weight[c] * s;
        d_bias[c] = (float)(m.dz * channel_count(op));
        d_weight[c] = (float)(m.dz_xhat * channel_count(op));
        if (!op->batch_stats)
            m = (means){ 0 };
        if (out[SL_NORM_BWD_SLOPE_OUT]) {
            leave_common_terms(in, out, c, -scale * s * m.dz_xhat, -scale * m.dz);
            m = (means){ 0 };
        }
        for (int n = 0; n < op->x.n; n++) {
            plane p = plane_of(op, in, n, c);
            size_t start = plane_start(op, sl_desc_stored(&op->x), n, c);
            input_gradient(&p, plane_size(op), scale, m.dz, m.dz_xhat, extra ? extra + start : NULL,
                           dx + start,
                           d_residual && c < residual_c
                               ? d_residual + plane_start(op, residual_c, n, c)
                               : NULL);
        }
    }
}
