/* Cross-entropy against a distribution (paper, eq. 6), a row at a time; in double, since rows are
 * short and the loss is what everything is judged by. */
#include "nn/cpu/cpu.h"

#include <math.h>

/* log sum_k exp(z_k), without overflow */
static double log_sum_exp(const float *z, size_t classes)
{
    double top = (double)z[0], sum = 0;
    for (size_t j = 1; j < classes; j++)
        top = (double)z[j] > top ? (double)z[j] : top;
    for (size_t j = 0; j < classes; j++)
        sum += exp((double)z[j] - top);
    return top + log(sum);
}

static sl_status run(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err)
{
    (void)scratch, (void)err;
    size_t n = (size_t)k->base.op.x.n, classes = (size_t)k->base.op.x.c;
    const float *logits = in[SL_XENT_LOGITS], *target = in[SL_XENT_TARGET];
    float *loss = out[SL_XENT_LOSS], *d_logits = out[SL_XENT_D_LOGITS];
    for (size_t i = 0; i < n; i++) {
        const float *z = logits + i * classes, *p = target + i * classes;
        double norm = log_sum_exp(z, classes), sum = 0, mass = 0;
        for (size_t j = 0; j < classes; j++) {
            if (p[j] != 0) /* 0 log 0 = 0 */
                sum -= (double)p[j] * ((double)z[j] - norm);
            mass += (double)p[j];
        }
        loss[i] = (float)sum;
        for (size_t j = 0; d_logits && j < classes; j++)
            d_logits[i * classes + j] =
                (float)((exp((double)z[j] - norm) * mass - (double)p[j]) / (double)n);
    }
    return SL_OK;
}

static bool supports(const sl_op *op)
{
    return op->x.layout == SL_LAYOUT_PLAIN && op->x.dtype == SL_DTYPE_F32;
}

const sl_cpu_op sl_cpu_xent = { .supports = supports, .run = run };
