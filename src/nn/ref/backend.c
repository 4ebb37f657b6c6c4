#include "nn/ref/ref.h"

#include "base/memory.h"
#include <stdlib.h>

struct sl_device {
    sl_device_base base;
};

struct sl_kernel {
    sl_kernel_base base;
};

typedef void kernel_fn(const sl_op *op, const void *const *in, void *const *out);

static kernel_fn *const kernels[SL_OP_COUNT] = {
    [SL_OP_CONV] = sl_ref_conv,
    [SL_OP_CONV_BWD_DATA] = sl_ref_conv_bwd_data,
    [SL_OP_CONV_BWD_WEIGHTS] = sl_ref_conv_bwd_weights,
    [SL_OP_NORM] = sl_ref_norm,
    [SL_OP_NORM_AGAIN] = sl_ref_norm_again,
    [SL_OP_NORM_BWD] = sl_ref_norm_bwd,
    [SL_OP_RELU] = sl_ref_relu,
    [SL_OP_RELU_BWD] = sl_ref_relu_bwd,
    [SL_OP_ADD] = sl_ref_add,
    [SL_OP_MAX_POOL] = sl_ref_max_pool,
    [SL_OP_MAX_POOL_BWD] = sl_ref_max_pool_bwd,
    [SL_OP_AVG_POOL] = sl_ref_avg_pool,
    [SL_OP_AVG_POOL_BWD] = sl_ref_avg_pool_bwd,
    [SL_OP_GLOBAL_POOL] = sl_ref_global_pool,
    [SL_OP_GLOBAL_POOL_BWD] = sl_ref_global_pool_bwd,
    [SL_OP_CONCAT] = sl_ref_concat,
    [SL_OP_CONCAT_BWD] = sl_ref_concat_bwd,
    [SL_OP_SUBSAMPLE] = sl_ref_subsample,
    [SL_OP_SUBSAMPLE_BWD] = sl_ref_subsample_bwd,
    [SL_OP_SHAKE] = sl_ref_shake,
    [SL_OP_SHAKE_BWD] = sl_ref_shake_bwd,
    [SL_OP_DROPOUT] = sl_ref_dropout,
    [SL_OP_DROPOUT_BWD] = sl_ref_dropout,
    [SL_OP_CONVERT] = sl_ref_convert,
    [SL_OP_LINEAR] = sl_ref_linear,
    [SL_OP_LINEAR_BWD] = sl_ref_linear_bwd,
    [SL_OP_XENT] = sl_ref_xent,
};

/* threads isn't used: one thread adds in one order. */
static sl_status ref_open(sl_device **out, const char *spec, int threads, sl_error *err)
{
    *out = NULL;
    if (*spec)
        return sl_error_set(err, SL_EINVAL, "device 'ref' has no variant '%.40s'", spec);
    sl_status st = sl_alloc(out, 1, sizeof **out, err);
    if (!st)
        (*out)->base = (sl_device_base){ .backend = &sl_backend_ref, .threads = threads };
    return st;
}

static void ref_close(sl_device *dev)
{
    free(dev);
}

static sl_layout ref_layout(const sl_device *dev, int c, int h, int w)
{
    (void)dev, (void)c, (void)h, (void)w;
    return SL_LAYOUT_PLAIN;
}

static bool ref_supports(const sl_device *dev, const sl_op *op)
{
    (void)dev;
    return kernels[op->kind] && op->x.layout == SL_LAYOUT_PLAIN &&
           op->y.layout == SL_LAYOUT_PLAIN && op->x.dtype == SL_DTYPE_F32 &&
           op->y.dtype == SL_DTYPE_F32;
}

static sl_status ref_plan(sl_device *dev, const sl_op *op, sl_kernel **out, size_t *scratch_bytes,
                          sl_error *err)
{
    *out = NULL;
    *scratch_bytes = 0;
    if (!ref_supports(dev, op)) {
        char text[100];
        return sl_error_set(err, SL_EUNSUPPORTED,
                            "device 'ref' computes plain float32 only, not %s",
                            sl_op_text(op, text, sizeof text));
    }
    sl_status st = sl_alloc(out, 1, sizeof **out, err);
    if (!st)
        (*out)->base = (sl_kernel_base){ .backend = &sl_backend_ref, .op = *op };
    return st;
}

static sl_status ref_run(sl_kernel *k, const void *const *in, void *const *out, void *scratch,
                         sl_error *err)
{
    (void)scratch, (void)err;
    kernels[k->base.op.kind](&k->base.op, in, out);
    return SL_OK;
}

static void ref_unplan(sl_kernel *k)
{
    free(k);
}

const sl_backend sl_backend_ref = {
    .name = "ref",
    .open = ref_open,
    .close = ref_close,
    .layout = ref_layout,
    .supports = ref_supports,
    .plan = ref_plan,
    .run = ref_run,
    .unplan = ref_unplan,
};
