#include "nn/ref/ref.h"

#include <string.h>

/* This backend has one layout and one dtype. */
void sl_ref_convert(const sl_op *op, const void *const *in, void *const *out)
{
    memcpy(out[0], in[0], sl_ref_count(&op->x) * sizeof(float));
}
