/* The GPU's memory, and passes recorded as CUDA graphs. */
#include "nn/cuda/context.h"

#include "base/memory.h"
#include <stdlib.h>

struct sl_recording {
    sl_cuda_device *dev;
    cudaGraphExec_t graph;
};

static sl_cuda_device *of(sl_device *dev)
{
    return (sl_cuda_device *)(void *)dev;
}

static cudaStream_t stream(sl_device *dev)
{
    return sl_cuda_stream_of(of(dev));
}

static sl_status allocate(sl_device *dev, void **out, size_t bytes, sl_error *err)
{
    *out = NULL;
    int failed = (int)cudaMalloc(out, bytes ? bytes : 1);
    if (failed == (int)cudaErrorMemoryAllocation) {
        (void)cudaGetLastError(); /* or the next kernel's launch would seem to have failed */
        return sl_error_set(err, SL_ENOMEM,
                            "the GPU has no %zu bytes left, try a smaller batch or other work "
                            "elsewhere",
                            bytes);
    }
    if (!failed)
        failed = (int)cudaMemsetAsync(*out, 0, bytes, stream(dev));
    return sl_cuda_check(of(dev), failed, err);
}

static void release(sl_device *dev, void *memory)
{
    cudaStreamSynchronize(stream(dev));
    cudaFree(memory);
}

/* From pageable memory: returns when from has been read. */
static sl_status upload(sl_device *dev, void *to, const void *from, size_t bytes, sl_error *err)
{
    return sl_cuda_check(
        of(dev), (int)cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream(dev)), err);
}

static sl_status wait_for_all(sl_device *dev, sl_error *err)
{
    return sl_cuda_check(of(dev), (int)cudaStreamSynchronize(stream(dev)), err);
}

static sl_status download(sl_device *dev, void *to, const void *from, size_t bytes, sl_error *err)
{
    int failed = (int)cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream(dev));
    sl_status st = sl_cuda_check(of(dev), failed, err);
    return st ? st : wait_for_all(dev, err);
}

static sl_status update(sl_device *dev, const sl_optimizer_update *u, float *values,
                        const float *gradients, float *const state[2], size_t n, sl_error *err)
{
    sl_cuda_optimizer optimizer = {
        .u = *u, .values = values, .first = state[0], .second = state[1], .gradients = gradients
    };
    return sl_cuda_launch(of(dev), optimizer, &optimizer, n, err);
}

static sl_status assemble(sl_device *dev, const sl_assembly *assembly, sl_error *err)
{
    return sl_cuda_launch(of(dev), assemble, assembly, sl_assembly_count(assembly), err);
}

static sl_status tally(sl_device *dev, const sl_tally_step *step, sl_error *err)
{
    return sl_cuda_launch(of(dev), tally, step, 1, err);
}

static sl_status record_begin(sl_device *dev, sl_error *err)
{
    return sl_cuda_check(
        of(dev), (int)cudaStreamBeginCapture(stream(dev), cudaStreamCaptureModeThreadLocal), err);
}

static void forget(sl_recording *recording)
{
    if (!recording)
        return;
    cudaStreamSynchronize(sl_cuda_stream_of(recording->dev));
    if (recording->graph)
        cudaGraphExecDestroy(recording->graph);
    free(recording);
}

static sl_status record_end(sl_device *dev, sl_recording **out, sl_error *err)
{
    cudaGraph_t graph = NULL;
    sl_recording *r = NULL;
    *out = NULL;
    sl_status st = sl_cuda_check(of(dev), (int)cudaStreamEndCapture(stream(dev), &graph), err);
    if (!st)
        st = sl_alloc(&r, 1, sizeof *r, err);
    if (!st) {
        r->dev = of(dev);
        st = sl_cuda_check(of(dev), (int)cudaGraphInstantiateWithFlags(&r->graph, graph, 0), err);
    }
    if (graph)
        cudaGraphDestroy(graph);
    if (st)
        forget(r);
    else
        *out = r;
    return st;
}

static sl_status replay(sl_recording *recording, sl_error *err)
{
    return sl_cuda_check(recording->dev,
                         (int)cudaGraphLaunch(recording->graph, sl_cuda_stream_of(recording->dev)),
                         err);
}

const sl_device_memory sl_cuda_memory = {
    .allocate = allocate,
    .release = release,
    .upload = upload,
    .download = download,
    .wait = wait_for_all,
    .update = update,
    .assemble = assemble,
    .tally = tally,
    .record_begin = record_begin,
    .record_end = record_end,
    .replay = replay,
    .forget = forget,
};
