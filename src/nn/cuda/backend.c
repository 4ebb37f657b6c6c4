#include "nn/cuda/context.h"

#include "base/memory.h"
#include <stdlib.h>

static const char *error_text(int error)
{
    return cudaGetErrorString((cudaError_t)error);
}

static sl_status check(cudaError_t error, sl_error *err)
{
    return error ? sl_error_set(err, SL_EDEVICE, "the GPU failed: %s", cudaGetErrorString(error))
                 : SL_OK;
}

/* The GPU's number; "" is the first. After a plus, it is counted around those that there are. */
static sl_status parse_number(const char *spec, int *out, bool *around, sl_error *err)
{
    char *end = NULL;
    *around = *spec == '+';
    spec += *around;
    long n = *spec ? strtol(spec, &end, 10) : 0;
    if (n < 0 || n > 1000 || (end && (*end || end == spec || *spec < '0' || *spec > '9')))
        return sl_error_set(err, SL_EINVAL, "device 'cuda:%.40s', expected a number from 0", spec);
    *out = (int)n;
    return SL_OK;
}

/* Tensor cores for bfloat16 came with 8.0, for which the kernels are built at least. */
enum { LEAST_MAJOR = 8 };

/* Why none can be used. */
static const char *no_gpu(cudaError_t failed)
{
    int driver = 0;
    if (!failed)
        return "there is none";
    return cudaDriverGetVersion(&driver) == cudaSuccess && driver == 0 ? "no driver is installed"
                                                                       : cudaGetErrorString(failed);
}

static sl_status choose_gpu(int number, bool around, sl_error *err)
{
    int count = 0, major = 0;
    cudaError_t failed = cudaGetDeviceCount(&count);
    if (failed || count == 0)
        return sl_error_set(err, SL_EUNSUPPORTED, "device 'cuda' needs an NVIDIA GPU: %s",
                            no_gpu(failed));
    if (around)
        number %= count;
    if (number >= count)
        return sl_error_set(err, SL_EINVAL, "there is no GPU %d, this machine has %d of them",
                            number, count);
    sl_status st = check(cudaSetDevice(number), err);
    if (!st)
        st = check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, number), err);
    if (!st && major < LEAST_MAJOR)
        st = sl_error_set(err, SL_EUNSUPPORTED,
                          "GPU %d has compute capability %d, %d.0 or more is needed", number, major,
                          LEAST_MAJOR);
    return st;
}

static const sl_cuda_functions functions = {
    .kernels = &sl_cuda_gpu_kernels,
    .error_text = error_text,
    .conv_create = sl_cudnn_conv_create,
    .conv_destroy = sl_cudnn_conv_destroy,
    .conv_weights = sl_cudnn_conv_weights,
    .conv_gradient_is_bf16 = sl_cudnn_conv_gradient_is_bf16,
    .conv_run = sl_cudnn_conv_run,
};

static void device_close(sl_device *device)
{
    sl_cuda_device *dev = (sl_cuda_device *)(void *)device;
    if (dev->context)
        sl_cudnn_close(dev);
    if (dev->stream)
        cudaStreamDestroy(sl_cuda_stream_of(dev));
    free(dev->context);
    free(dev);
}

static sl_status device_open(sl_device **out, const char *spec, int threads, sl_error *err)
{
    sl_cuda_device *dev = NULL;
    cudaStream_t stream = NULL;
    int number = 0;
    bool around;
    *out = NULL;
    sl_status st = parse_number(spec, &number, &around, err);
    if (!st)
        st = choose_gpu(number, around, err);
    if (!st)
        st = sl_alloc(&dev, 1, sizeof *dev, err);
    if (st)
        return st;
    dev->base = (sl_device_base){ .backend = &sl_backend_cuda, .threads = threads };
    dev->functions = &functions;
    st = sl_alloc(&dev->context, 1, sizeof *dev->context, err);
    if (!st) {
        st = check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), err);
        dev->stream = (sl_cuda_stream *)(void *)stream;
    }
    if (!st)
        st = sl_cudnn_open(dev, err);
    if (st)
        device_close((sl_device *)(void *)dev);
    else
        *out = (sl_device *)(void *)dev;
    return st;
}

const sl_backend sl_backend_cuda = {
    .name = "cuda",
    .memory = &sl_cuda_memory,
    .converts_input = true,
    .open = device_open,
    .close = device_close,
    .layout = sl_cuda_layout,
    .supports = sl_cuda_supports,
    .plan = sl_cuda_plan,
    .load = sl_cuda_load,
    .run = sl_cuda_run,
    .unplan = sl_cuda_unplan,
};
