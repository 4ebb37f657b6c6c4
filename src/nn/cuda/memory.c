/* The GPU's memory, and passes recorded as CUDA graphs. */
#include "nn/cuda/context.h"

#include "base/memory.h"
#include <stdlib.h>

struct sl_recording {
    sl_cuda_device *dev;
    cudaGraphExec_t graph;
};

struct sl_mark {
    sl_cuda_device *dev;
    cudaEvent_t event;
};

static sl_cuda_device *of(sl_device *dev)
{
    return (sl_cuda_device *)(void *)dev;
}

static cudaStream_t stream(sl_device *dev)
{
    return sl_cuda_stream_of(of(dev));
}

static void count(sl_cuda_held *held, size_t bytes)
{
    held->now += bytes;
    held->most = held->now > held->most ? held->now : held->most;
}

static size_t most_bytes(const sl_device *dev)
{
    return ((const sl_cuda_device *)(const void *)dev)->held.most;
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
        count(&of(dev)->held, bytes);
    if (!failed)
        failed = (int)cudaMemsetAsync(*out, 0, bytes, stream(dev));
    return sl_cuda_check(of(dev), failed, err);
}

static void release(sl_device *dev, void *memory, size_t bytes)
{
    if (!memory)
        return;
    cudaStreamSynchronize(stream(dev));
    cudaFree(memory);
    of(dev)->held.now -= bytes;
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

static void unmark(sl_mark *mark)
{
    if (mark && mark->event)
        cudaEventDestroy(mark->event);
    free(mark);
}

static sl_status create_mark(sl_device *dev, sl_mark **out, sl_error *err)
{
    sl_mark *mark = NULL;
    sl_status st = sl_alloc(&mark, 1, sizeof *mark, err);
    if (st)
        return st;
    mark->dev = of(dev);
    st = sl_cuda_check(of(dev), (int)cudaEventCreate(&mark->event), err);
    if (st)
        unmark(mark);
    else
        *out = mark;
    return st;
}

static sl_status set_mark(sl_device *dev, sl_mark **mark, sl_error *err)
{
    sl_status st = *mark ? SL_OK : create_mark(dev, mark, err);
    return st ? st : sl_cuda_check(of(dev), (int)cudaEventRecord((*mark)->event, stream(dev)), err);
}

static sl_status elapsed(sl_mark *from, sl_mark *to, double *seconds, sl_error *err)
{
    float ms = 0;
    int failed = (int)cudaEventSynchronize(to->event);
    if (!failed)
        failed = (int)cudaEventElapsedTime(&ms, from->event, to->event);
    *seconds = 1e-3 * (double)ms;
    return sl_cuda_check(to->dev, failed, err);
}

const sl_device_memory sl_cuda_memory = {
    .allocate = allocate,
    .release = release,
    .most_bytes = most_bytes,
    .upload = upload,
    .download = download,
    .wait = wait_for_all,
    .update = update,
    .assemble = assemble,
    .tally = tally,
#ifdef SL_NCCL_LIBRARY
    .sum_open = sl_nccl_open,
    .sum = sl_nccl_sum,
    .sum_close = sl_nccl_close,
#endif
    .record_begin = record_begin,
    .record_end = record_end,
    .replay = replay,
    .forget = forget,
    .mark = set_mark,
    .elapsed = elapsed,
    .unmark = unmark,
};
