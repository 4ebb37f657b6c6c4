/* Every second pixel: y[i][j] = x[2i + offset][2j + offset], 0 beyond the image. */
#include "nn/ref/ref.h"

#include <string.h>

void sl_ref_subsample(const sl_op *op, const void *const *in, void *const *out)
{
    const float *x = in[0]; /* (N,C,H,W) */
    float *y = out[0];      /* (N,C,P,Q), P = (H + 1)/2 */
    size_t h = (size_t)op->x.h, w = (size_t)op->x.w, offset = (size_t)op->offset;
    size_t p = (size_t)op->y.h, q = (size_t)op->y.w;
    for (size_t plane = 0; plane < (size_t)op->x.n * (size_t)op->x.c; plane++) {
        for (size_t i = 0; i < p; i++) {
            for (size_t j = 0; j < q; j++) {
                size_t row = 2 * i + offset, column = 2 * j + offset;
                y[(plane * p + i) * q + j] =
                    row < h && column < w ? x[(plane * h + row) * w + column] : 0;
            }
        }
    }
}

void sl_ref_subsample_bwd(const sl_op *op, const void *const *in, void *const *out)
{
    const float *dy = in[0]; /* (N,C,P,Q) */
    float *dx = out[0];      /* (N,C,H,W) */
    size_t h = (size_t)op->x.h, w = (size_t)op->x.w, offset = (size_t)op->offset;
    size_t p = (size_t)op->y.h, q = (size_t)op->y.w;
    memset(dx, 0, sl_ref_count(&op->x) * sizeof *dx);
    for (size_t plane = 0; plane < (size_t)op->x.n * (size_t)op->x.c; plane++) {
        for (size_t row = offset; row < h; row += 2) {
            for (size_t column = offset; column < w; column += 2)
                dx[(plane * h + row) * w + column] = dy[(plane * p + row / 2) * q + column / 2];
        }
    }
}
