/* Concatenation by channels, one operand at a time. */
#include "nn/ref/ref.h"

#include <string.h>

/* Where image n starts: of x, and of x's channels among y's. */
static size_t x_start(const sl_op *op, size_t n)
{
    return n * (size_t)op->x.c * (size_t)op->x.h * (size_t)op->x.w;
}

static size_t y_start(const sl_op *op, size_t n)
{
    size_t stored = (size_t)sl_desc_stored(&op->y), first = (size_t)op->channel;
    return (n * stored + first) * (size_t)op->x.h * (size_t)op->x.w;
}

void sl_ref_concat(const sl_op *op, const void *const *in, void *const *out)
{
    const float *x = in[0]; /* (N,C,H,W) */
    float *y = out[0];      /* (N,stored,H,W), stored >= channel + C */
    for (size_t n = 0; n < (size_t)op->x.n; n++)
        memcpy(y + y_start(op, n), x + x_start(op, n), x_start(op, 1) * sizeof *x);
}

/* Of one image: dx += slope (x - mean) + offset. */
static void add_common_terms(const sl_op *op, const void *const *in, const float *x, float *dx)
{
    const float *mean = in[SL_CONCAT_BWD_MEAN]; /* (y.c), as are the others */
    const float *slope = in[SL_CONCAT_BWD_SLOPE], *offset = in[SL_CONCAT_BWD_OFFSET];
    size_t pixels = (size_t)op->x.h * (size_t)op->x.w;
    for (size_t i = 0; i < (size_t)op->x.c * pixels; i++) {
        size_t c = (size_t)op->channel + i / pixels;
        double term = (double)slope[c] * ((double)x[i] - (double)mean[c]) + (double)offset[c];
        dx[i] = (float)((double)dx[i] + term);
    }
}

void sl_ref_concat_bwd(const sl_op *op, const void *const *in, void *const *out)
{
    const float *dy = in[SL_CONCAT_BWD_DY]; /* (N,stored,H,W) */
    const float *x = in[SL_CONCAT_BWD_X];   /* likewise, or NULL */
    float *dx = out[0];                     /* (N,C,H,W) */
    for (size_t n = 0; n < (size_t)op->x.n; n++) {
        memcpy(dx + x_start(op, n), dy + y_start(op, n), x_start(op, 1) * sizeof *dx);
        if (x)
            add_common_terms(op, in, x + y_start(op, n), dx + x_start(op, n));
    }
}
