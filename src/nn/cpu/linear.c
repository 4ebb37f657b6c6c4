/* The linear layer: y (n,K) = x (n,C) weight^T + bias, weight (K,C). */
#include "nn/cpu/cpu.h"

#include <string.h>

static bool supports(const sl_op *op)
{
    return op->x.layout == SL_LAYOUT_PLAIN && op->x.dtype == SL_DTYPE_F32 &&
           sl_cpu_alike(&op->x, &op->y);
}

static sl_status run(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err)
{
    (void)scratch;
    size_t n = (size_t)k->base.op.x.n, c = (size_t)k->base.op.x.c, classes = (size_t)k->base.op.y.c;
    float *y = out[0];
    for (size_t i = 0; i < n; i++)
        memcpy(y + i * classes, in[SL_LINEAR_BIAS], classes * sizeof *y);
    return sl_onednn_matmul(false, true, n, classes, c, in[SL_LINEAR_X], in[SL_LINEAR_WEIGHT], true,
                            y, err);
}

static sl_status run_bwd(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                         sl_error *err)
{
    (void)scratch;
    size_t n = (size_t)k->base.op.x.n, c = (size_t)k->base.op.x.c, classes = (size_t)k->base.op.y.c;
    const float *dy = in[SL_LINEAR_BWD_DY];
    float *d_bias = out[SL_LINEAR_BWD_D_BIAS];
    for (size_t j = 0; j < classes; j++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += (double)dy[i * classes + j];
        d_bias[j] = (float)sum;
    }
    sl_status st = sl_onednn_matmul(true, false, classes, c, n, dy, in[SL_LINEAR_BWD_X], false,
                                    out[SL_LINEAR_BWD_D_WEIGHT], err);
    if (!st && out[SL_LINEAR_BWD_DX])
        st = sl_onednn_matmul(false, false, n, c, classes, dy, in[SL_LINEAR_BWD_WEIGHT], false,
                              out[SL_LINEAR_BWD_DX], err);
    return st;
}

const sl_cpu_op sl_cpu_linear = { .supports = supports, .run = run };
const sl_cpu_op sl_cpu_linear_bwd = { .supports = supports, .run = run_bwd };
