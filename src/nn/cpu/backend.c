#include "nn/cpu/conv.h"

#include "base/memory.h"
#include <omp.h>
#include <stdlib.h>

/* Convolutions aside: conv.h. */
static const sl_cpu_op *const ops[SL_OP_COUNT] = {
    [SL_OP_NORM] = &sl_cpu_norm,
    [SL_OP_NORM_AGAIN] = &sl_cpu_norm_again,
    [SL_OP_NORM_BWD] = &sl_cpu_norm_bwd,
    [SL_OP_RELU] = &sl_cpu_relu,
    [SL_OP_RELU_BWD] = &sl_cpu_relu_bwd,
    [SL_OP_ADD] = &sl_cpu_add,
    [SL_OP_MAX_POOL] = &sl_cpu_max_pool,
    [SL_OP_MAX_POOL_BWD] = &sl_cpu_max_pool_bwd,
    [SL_OP_AVG_POOL] = &sl_cpu_avg_pool,
    [SL_OP_AVG_POOL_BWD] = &sl_cpu_avg_pool_bwd,
    [SL_OP_GLOBAL_POOL] = &sl_cpu_global_pool,
    [SL_OP_GLOBAL_POOL_BWD] = &sl_cpu_global_pool_bwd,
    [SL_OP_CONCAT] = &sl_cpu_concat,
    [SL_OP_CONCAT_BWD] = &sl_cpu_concat_bwd,
    [SL_OP_SUBSAMPLE] = &sl_cpu_subsample,
    [SL_OP_SUBSAMPLE_BWD] = &sl_cpu_subsample_bwd,
    [SL_OP_SHAKE] = &sl_cpu_shake,
    [SL_OP_SHAKE_BWD] = &sl_cpu_shake_bwd,
    [SL_OP_DROPOUT] = &sl_cpu_dropout,
    [SL_OP_DROPOUT_BWD] = &sl_cpu_dropout,
    [SL_OP_CONVERT] = &sl_cpu_convert,
    [SL_OP_LINEAR] = &sl_cpu_linear,
    [SL_OP_LINEAR_BWD] = &sl_cpu_linear_bwd,
    [SL_OP_XENT] = &sl_cpu_xent,
};

static void device_close(sl_device *device)
{
    sl_cpu_device *dev = (sl_cpu_device *)device;
    sl_onednn_destroy(dev->onednn);
    free(dev);
}

static sl_status device_open(sl_device **out, const char *spec, int threads, sl_error *err)
{
    sl_cpu_device *dev = NULL;
    *out = NULL;
    if (*spec)
        return sl_error_set(err, SL_EINVAL, "device 'cpu' takes no '%.40s'", spec);
    sl_status st = sl_alloc(&dev, 1, sizeof *dev, err);
    if (st)
        return st;
    dev->base.backend = &sl_backend_cpu;
    dev->base.threads = threads;
    dev->vector = sl_vector_select();
    st = sl_onednn_create(&dev->onednn, err);
    if (st) {
        device_close((sl_device *)dev);
        return st;
    }
    *out = (sl_device *)dev;
    return SL_OK;
}

static sl_layout layout(const sl_device *dev, int c, int h, int w)
{
    (void)c, (void)h, (void)w;
    return ((const sl_cpu_device *)dev)->vector->lanes == 8 ? SL_LAYOUT_BLOCKED8
                                                            : SL_LAYOUT_BLOCKED16;
}

static const sl_cpu_op *functions_of(const sl_cpu_device *dev, const sl_op *op)
{
    return sl_cpu_is_conv(op) ? sl_cpu_conv_choose(dev, op) : ops[op->kind];
}

static bool supports(const sl_device *dev, const sl_op *op)
{
    const sl_cpu_op *functions = functions_of((const sl_cpu_device *)dev, op);
    return functions && (!functions->supports || functions->supports(op));
}

/* Both oneDNN and our own loops take the calling thread's number of OpenMP threads. */
static void use_threads(const sl_cpu_device *dev)
{
    if (omp_get_max_threads() != dev->base.threads)
        omp_set_num_threads(dev->base.threads);
}

static void unplan(sl_kernel *kernel)
{
    sl_cpu_kernel *k = (sl_cpu_kernel *)kernel;
    sl_onednn_conv_destroy(k->conv);
    sl_onednn_product_destroy(k->product);
    free(k->weights);
    if (k->inner)
        unplan((sl_kernel *)k->inner);
    free(k);
}

static sl_status plan(sl_device *device, const sl_op *op, sl_kernel **out, size_t *scratch_bytes,
                      sl_error *err)
{
    sl_cpu_kernel *k = NULL;
    *out = NULL;
    *scratch_bytes = 0;
    sl_status st = sl_alloc(&k, 1, sizeof *k, err);
    if (st)
        return st;
    k->base.backend = &sl_backend_cpu;
    k->base.op = *op;
    k->dev = (sl_cpu_device *)device;
    k->functions = functions_of(k->dev, op);
    use_threads(k->dev);
    if (k->functions->plan)
        st = k->functions->plan(k, scratch_bytes, err);
    if (st) {
        unplan((sl_kernel *)k);
        return st;
    }
    *out = (sl_kernel *)k;
    return SL_OK;
}

static sl_status load(sl_kernel *kernel, const void *const *in, sl_error *err)
{
    sl_cpu_kernel *k = (sl_cpu_kernel *)kernel;
    if (!k->functions->load)
        return SL_OK;
    use_threads(k->dev);
    return k->functions->load(k, in, err);
}

static sl_status run(sl_kernel *kernel, const void *const *in, void *const *out, void *scratch,
                     sl_error *err)
{
    sl_cpu_kernel *k = (sl_cpu_kernel *)kernel;
    use_threads(k->dev);
    return k->functions->run(k, in, out, scratch, err);
}

const sl_backend sl_backend_cpu = {
    .name = "cpu",
    .open = device_open,
    .close = device_close,
    .layout = layout,
    .supports = supports,
    .plan = plan,
    .takes_weights = true,
    .load = load,
    .run = run,
    .unplan = unplan,
};
