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

void sl_ref_concat_bwd(const sl_op *op, const void *const *in, void *const *out)
{
    const float *dy = in[0]; /* (N,stored,H,W) */
    float *dx = out[0];      /* (N,C,H,W) */
    for (size_t n = 0; n < (size_t)op->x.n; n++)
        memcpy(dx + x_start(op, n), dy + y_start(op, n), x_start(op, 1) * sizeof *dx);
}
