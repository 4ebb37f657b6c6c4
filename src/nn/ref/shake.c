/* Shake-shake (Gastaldi 2017): a weighted mean of two branches, image by image, whose gradient is
 * split by other weights. */
#include "nn/ref/ref.h"

static size_t image_size(const sl_op *op, int channels)
{
    return (size_t)channels * (size_t)op->y.h * (size_t)op->y.w;
}

/* y = alpha a + (1 - alpha) b + residual. y may be a's, b's or the residual's memory. */
void sl_ref_shake(const sl_op *op, const void *const *in, void *const *out)
{
    const float *a = in[SL_SHAKE_A], *b = in[SL_SHAKE_B]; /* (N,C,H,W) */
    const float *alpha = in[SL_SHAKE_ALPHA];              /* (N) */
    const float *residual = in[SL_SHAKE_RESIDUAL];        /* (N,residual_c,H,W) or NULL */
    float *y = out[0];                                    /* (N,C,H,W) */
    size_t count = image_size(op, op->y.c);
    size_t added = residual ? image_size(op, sl_op_residual_c(op)) : 0;
    for (size_t n = 0; n < (size_t)op->y.n; n++, a += count, b += count, y += count) {
        double share = (double)alpha[n];
        for (size_t i = 0; i < count; i++) {
            double sum = share * (double)a[i] + (1 - share) * (double)b[i];
            sum += i < added ? (double)residual[n * added + i] : 0;
            y[i] = (float)sum;
        }
    }
}

/* da = beta dy, db = (1 - beta) dy. Either may be dy's memory. */
void sl_ref_shake_bwd(const sl_op *op, const void *const *in, void *const *out)
{
    const float *dy = in[SL_SHAKE_BWD_DY];     /* (N,C,H,W) */
    const float *beta = in[SL_SHAKE_BWD_BETA]; /* (N) */
    float *da = out[SL_SHAKE_BWD_DA];          /* (N,C,H,W) */
    float *db = out[SL_SHAKE_BWD_DB];          /* (N,C,H,W) */
    size_t count = image_size(op, op->y.c);
    for (size_t i = 0; i < (size_t)op->y.n * count; i++) {
        double d = (double)dy[i], share = (double)beta[i / count];
        da[i] = (float)(share * d);
        db[i] = (float)((1 - share) * d);
    }
}
