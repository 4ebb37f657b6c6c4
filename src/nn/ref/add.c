#include "nn/ref/ref.h"

/* y = [relu](a + b), where channels that b lacks are zeros. y may be a's memory, or b's where b has
 * them all. */
void sl_ref_add(const sl_op *op, const void *const *in, void *const *out)
{
    const float *a = in[0], *b = in[1]; /* (N,C,H,W), (N,residual_c,H,W) */
    float *y = out[0];                  /* (N,C,H,W) */
    size_t pixels = (size_t)op->y.h * (size_t)op->y.w, count = (size_t)op->y.c * pixels;
    size_t b_count = (size_t)sl_op_residual_c(op) * pixels;
    for (size_t n = 0; n < (size_t)op->y.n; n++, a += count, b += b_count, y += count) {
        for (size_t i = 0; i < count; i++) {
            float sum = i < b_count ? a[i] + b[i] : a[i];
            y[i] = op->relu && sum <= 0 ? 0 : sum;
        }
    }
}
