#include "nn/cuda/cuda.h"

#include "base/memory.h"
#include <stdlib.h>

const sl_cuda_op *const sl_cuda_ops[SL_OP_COUNT] = {
    [SL_OP_CONV] = &sl_cuda_op_conv,
    [SL_OP_CONV_BWD_DATA] = &sl_cuda_op_conv_bwd_data,
    [SL_OP_CONV_BWD_WEIGHTS] = &sl_cuda_op_conv_bwd_weights,
    [SL_OP_NORM] = &sl_cuda_op_norm,
    [SL_OP_NORM_AGAIN] = &sl_cuda_op_norm_again,
    [SL_OP_NORM_BWD] = &sl_cuda_op_norm_bwd,
    [SL_OP_RELU] = &sl_cuda_op_relu,
    [SL_OP_RELU_BWD] = &sl_cuda_op_relu_bwd,
    [SL_OP_ADD] = &sl_cuda_op_add,
    [SL_OP_MAX_POOL] = &sl_cuda_op_max_pool,
    [SL_OP_MAX_POOL_BWD] = &sl_cuda_op_max_pool_bwd,
    [SL_OP_AVG_POOL] = &sl_cuda_op_avg_pool,
    [SL_OP_AVG_POOL_BWD] = &sl_cuda_op_avg_pool_bwd,
    [SL_OP_GLOBAL_POOL] = &sl_cuda_op_global_pool,
    [SL_OP_GLOBAL_POOL_BWD] = &sl_cuda_op_global_pool_bwd,
    [SL_OP_CONCAT] = &sl_cuda_op_concat,
    [SL_OP_CONCAT_BWD] = &sl_cuda_op_concat_bwd,
    [SL_OP_SUBSAMPLE] = &sl_cuda_op_subsample,
    [SL_OP_SUBSAMPLE_BWD] = &sl_cuda_op_subsample_bwd,
    [SL_OP_SHAKE] = &sl_cuda_op_shake,
    [SL_OP_SHAKE_BWD] = &sl_cuda_op_shake_bwd,
    [SL_OP_DROPOUT] = &sl_cuda_op_dropout,
    [SL_OP_DROPOUT_BWD] = &sl_cuda_op_dropout,
    [SL_OP_CONVERT] = &sl_cuda_op_convert,
    [SL_OP_LINEAR] = &sl_cuda_op_linear,
    [SL_OP_LINEAR_BWD] = &sl_cuda_op_linear_bwd,
    [SL_OP_XENT] = &sl_cuda_op_xent,
};

sl_layout sl_cuda_layout(const sl_device *dev, int c, int h, int w)
{
    (void)dev, (void)c, (void)h, (void)w;
    return SL_LAYOUT_CHANNELS_LAST8;
}

bool sl_cuda_supports(const sl_device *dev, const sl_op *op)
{
    const sl_cuda_op *kind = sl_cuda_ops[op->kind];
    (void)dev;
    return kind && (!kind->supports || kind->supports(op));
}

sl_status sl_cuda_check(const sl_cuda_device *dev, int error, sl_error *err)
{
    return error ? sl_error_set(err, SL_EDEVICE, "the GPU failed: %s",
                                dev->functions->error_text(error))
                 : SL_OK;
}

static sl_cuda_kernel *kernel_of(sl_kernel *kernel)
{
    return (sl_cuda_kernel *)(void *)kernel;
}

void sl_cuda_unplan(sl_kernel *kernel)
{
    sl_cuda_kernel *k = kernel_of(kernel);
    k->dev->functions->conv_destroy(k->conv);
    free(k);
}

sl_status sl_cuda_plan(sl_device *dev, const sl_op *op, sl_kernel **out, size_t *scratch_bytes,
                       sl_error *err)
{
    sl_cuda_kernel *k = NULL;
    *out = NULL;
    *scratch_bytes = 0;
    sl_status st = sl_alloc(&k, 1, sizeof *k, err);
    if (st)
        return st;
    k->base = (sl_kernel_base){ .backend = sl_device_backend(dev), .op = *op };
    k->dev = (sl_cuda_device *)(void *)dev;
    if (sl_cuda_ops[op->kind]->plan)
        st = sl_cuda_ops[op->kind]->plan(k, scratch_bytes, err);
    if (st)
        sl_cuda_unplan((sl_kernel *)(void *)k);
    else
        *out = (sl_kernel *)(void *)k;
    return st;
}

sl_status sl_cuda_load(sl_kernel *kernel, const void *const *in, sl_error *err)
{
    sl_cuda_kernel *k = kernel_of(kernel);
    const sl_cuda_op *op = sl_cuda_ops[k->base.op.kind];
    return op->load ? op->load(k, in, err) : SL_OK;
}

sl_status sl_cuda_run(sl_kernel *kernel, const void *const *in, void *const *out, void *scratch,
                      sl_error *err)
{
    sl_cuda_kernel *k = kernel_of(kernel);
    return sl_cuda_ops[k->base.op.kind]->run(k, in, out, scratch, err);
}
