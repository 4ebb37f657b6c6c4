#include "nn/ref/ref.h"

#include <string.h>

/* y = x / (1 - rate) where kept, else 0; dx of dy alike. y may be x's memory. */
void sl_ref_dropout(const sl_op *op, const void *const *in, void *const *out)
{
    const float *x = in[SL_DROPOUT_X]; /* (N,C,H,W) */
    float *y = out[0];                 /* (N,C,H,W) */
    uint64_t key;
    memcpy(&key, in[SL_DROPOUT_KEY], sizeof key);
    for (size_t i = 0; i < sl_ref_count(&op->x); i++)
        y[i] =
            sl_dropout_keeps(key, i, op->rate) ? (float)((double)x[i] / (1 - (double)op->rate)) : 0;
}
