#include "nn/cpu/conv.h"

static bool multiplies_bf16(const sl_cpu_device *dev)
{
    return dev->vector->lanes == 16 && sl_onednn_has_bf16();
}

const sl_cpu_op *sl_cpu_conv_choose(const sl_cpu_device *dev, const sl_op *op)
{
    static const sl_cpu_op *const ways[] = { &sl_cpu_conv_winograd, &sl_cpu_conv_dense,
                                             &sl_cpu_conv_product, &sl_cpu_conv_onednn };
    if (op->x.dtype == SL_DTYPE_BF16 && !multiplies_bf16(dev))
        return sl_cpu_conv_in_f32.supports(op) ? &sl_cpu_conv_in_f32 : NULL;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (ways[i]->supports(op))
            return ways[i];
    }
    return NULL;
}
