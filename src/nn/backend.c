#include "nn/backend.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const sl_backend *const backends[] = {
    &sl_backend_cpu,
    &sl_backend_ref,
#ifdef SL_HAVE_CUDA
    &sl_backend_cuda,
#endif
};
enum { N_BACKENDS = sizeof backends / sizeof *backends };

const sl_backend *sl_device_backend(const sl_device *dev)
{
    return ((const sl_device_base *)(const void *)dev)->backend;
}

/* The processors this process may run on. */
static int usable_processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 1024 ? 1024 : (int)n;
}

sl_status sl_device_open(sl_device **out, const char *name, int threads, sl_error *err)
{
    *out = NULL;
    size_t length = strcspn(name, ":");
    const char *spec = name[length] == ':' ? name + length + 1 : "";
    if (threads < 0)
        return sl_error_set(err, SL_EINVAL, "%d threads, expected 1 or more (0: all)", threads);
    for (int i = 0; i < N_BACKENDS; i++) {
        if (strlen(backends[i]->name) == length && strncmp(backends[i]->name, name, length) == 0)
            return backends[i]->open(out, spec, threads ? threads : usable_processors(), err);
    }
    if (length == 4 && strncmp(name, "cuda", 4) == 0)
        return sl_error_set(err, SL_EUNSUPPORTED,
                            "this build has no device 'cuda' (it was made without CUDA or cuDNN), "
                            "use 'cpu' or 'ref'");
    return sl_error_set(err, SL_EINVAL,
                        "unknown device '%.40s', expected 'cpu', 'ref' or 'cuda[:N]'", name);
}

void sl_device_close(sl_device *dev)
{
    if (dev)
        sl_device_backend(dev)->close(dev);
}

size_t sl_device_most_bytes(const sl_device *dev)
{
    const sl_device_memory *memory = sl_device_backend(dev)->memory;
    return memory ? memory->most_bytes(dev) : 0;
}

sl_status sl_dtype_parse(sl_dtype *out, const char *name, sl_error *err)
{
    bool narrow = strcmp(name, "bf16") == 0;
    if (!narrow && strcmp(name, "f32") != 0)
        return sl_error_set(err, SL_EINVAL, "precision '%.40s', expected 'f32' or 'bf16'", name);
    *out = narrow ? SL_DTYPE_BF16 : SL_DTYPE_F32;
    return SL_OK;
}

bool sl_op_may_alias(const sl_op *op, int out, int in)
{
    switch (op->kind) {
    case SL_OP_CONV:
        return out == 0 && in == SL_CONV_RESIDUAL;
    case SL_OP_NORM:
        return out == SL_NORM_Y && (in == SL_NORM_X || in == SL_NORM_RESIDUAL);
    case SL_OP_SHAKE:
        return in != SL_SHAKE_ALPHA;
    case SL_OP_DROPOUT:
    case SL_OP_DROPOUT_BWD:
        return in == SL_DROPOUT_X;
    case SL_OP_NORM_BWD:
        return out == SL_NORM_BWD_DX && (in == SL_NORM_BWD_DY || in == SL_NORM_BWD_DY2 ||
                                         in == SL_NORM_BWD_X || in == SL_NORM_BWD_EXTRA);
    case SL_OP_SHAKE_BWD:
        return in == SL_SHAKE_BWD_DY;
    case SL_OP_RELU:
    case SL_OP_ADD:
    case SL_OP_RELU_BWD:
        return true;
    default:
        return false;
    }
}

static const char *const kind_names[SL_OP_COUNT] = {
    [SL_OP_CONV] = "conv",
    [SL_OP_CONV_BWD_DATA] = "conv_bwd_data",
    [SL_OP_CONV_BWD_WEIGHTS] = "conv_bwd_weights",
    [SL_OP_NORM] = "norm",
    [SL_OP_NORM_AGAIN] = "norm_again",
    [SL_OP_NORM_BWD] = "norm_bwd",
    [SL_OP_RELU] = "relu",
    [SL_OP_RELU_BWD] = "relu_bwd",
    [SL_OP_ADD] = "add",
    [SL_OP_MAX_POOL] = "max_pool",
    [SL_OP_MAX_POOL_BWD] = "max_pool_bwd",
    [SL_OP_AVG_POOL] = "avg_pool",
    [SL_OP_AVG_POOL_BWD] = "avg_pool_bwd",
    [SL_OP_CONCAT] = "concat",
    [SL_OP_CONCAT_BWD] = "concat_bwd",
    [SL_OP_SUBSAMPLE] = "subsample",
    [SL_OP_SUBSAMPLE_BWD] = "subsample_bwd",
    [SL_OP_SHAKE] = "shake",
    [SL_OP_SHAKE_BWD] = "shake_bwd",
    [SL_OP_DROPOUT] = "dropout",
    [SL_OP_DROPOUT_BWD] = "dropout_bwd",
    [SL_OP_CONVERT] = "convert",
    [SL_OP_GLOBAL_POOL] = "global_pool",
    [SL_OP_GLOBAL_POOL_BWD] = "global_pool_bwd",
    [SL_OP_LINEAR] = "linear",
    [SL_OP_LINEAR_BWD] = "linear_bwd",
    [SL_OP_XENT] = "xent",
};

const char *sl_op_text(const sl_op *op, char *buffer, size_t size)
{
    char form[32] = "";
    if (op->kernel)
        snprintf(form, sizeof form, " %dx%d/%d", op->kernel, op->kernel, op->stride);
    snprintf(buffer, size, "%s%s%s %d->%d @%dx%d n=%d", kind_names[op->kind], form,
             op->relu ? "+relu" : "", op->x.c, op->y.c, op->x.h, op->x.w, op->x.n);
    return buffer;
}
