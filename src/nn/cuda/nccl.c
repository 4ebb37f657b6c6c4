/* Sums over several GPUs, a process each, by NCCL, which like cuDNN is found at run time. They are
 * asked for on the device's stream, so that they are recorded with the pass that they end. */
#include "nn/cuda/context.h"

#include "base/memory.h"
#include "base/processes.h"
#include <dlfcn.h>
#include <nccl.h>
#include <stdlib.h>

typedef struct {
    void *shared_object;
    ncclResult_t (*unique_id)(ncclUniqueId *id);
    ncclResult_t (*init_rank)(ncclComm_t *comm, int size, ncclUniqueId id, int rank);
    ncclResult_t (*give_up)(ncclComm_t comm);
    ncclResult_t (*create_scaled_sum)(ncclRedOp_t *op, void *scale, ncclDataType_t type,
                                      ncclScalarResidence_t residence, ncclComm_t comm);
    ncclResult_t (*all_reduce)(const void *from, void *to, size_t n, ncclDataType_t type,
                               ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream);
    const char *(*error_string)(ncclResult_t result);
} functions;

struct sl_device_sum {
    sl_cuda_device *dev;
    functions nccl;
    ncclComm_t comm;
    ncclRedOp_t scaled_sum; /* dies with comm */
};

static void *find(void *library, const char *name, bool *all)
{
    void *f = dlsym(library, name);
    *all = *all && f;
    return f;
}

/* dlsym's void pointers become functions, as POSIX has it. */
static bool find_functions(functions *f)
{
    bool all = true;
    *(void **)&f->unique_id = find(f->shared_object, "ncclGetUniqueId", &all);
    *(void **)&f->init_rank = find(f->shared_object, "ncclCommInitRank", &all);
    *(void **)&f->give_up = find(f->shared_object, "ncclCommAbort", &all);
    *(void **)&f->create_scaled_sum = find(f->shared_object, "ncclRedOpCreatePreMulSum", &all);
    *(void **)&f->all_reduce = find(f->shared_object, "ncclAllReduce", &all);
    *(void **)&f->error_string = find(f->shared_object, "ncclGetErrorString", &all);
    return all;
}

static sl_status check(const sl_device_sum *sum, ncclResult_t result, sl_error *err)
{
    return result == ncclSuccess
               ? SL_OK
               : sl_error_set(err, SL_EDEVICE, "NCCL failed: %s", sum->nccl.error_string(result));
}

/* It stays: newer versions have threads that last as long as the process. */
static sl_status open_library(functions *f, sl_error *err)
{
    const int how = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE;
    f->shared_object = dlopen("libnccl.so.2", how);
    if (!f->shared_object)
        f->shared_object = dlopen(SL_NCCL_LIBRARY, how); /* where it was built */
    if (!f->shared_object || !find_functions(f))
        return sl_error_set(err, SL_EUNSUPPORTED, "several GPUs need NCCL, 2.11 or later: %s",
                            f->shared_object ? "this is an older version"
                                             : "no libnccl.so.2 found");
    return SL_OK;
}

/* By the end of a run all sums are done everywhere; after a failure, others may never come to
 * destroy theirs, which ncclCommDestroy may wait for. */
void sl_nccl_close(sl_device_sum *sum)
{
    if (!sum)
        return;
    if (sum->comm) {
        cudaStreamSynchronize(sl_cuda_stream_of(sum->dev));
        sum->nccl.give_up(sum->comm);
    }
    if (sum->nccl.shared_object)
        dlclose(sum->nccl.shared_object);
    free(sum);
}

/* All processes have the library and their GPU: they meet by rank 0's id. */
static sl_status meet(sl_device_sum *sum, sl_processes *processes, float share, sl_error *err)
{
    ncclUniqueId id;
    sl_status st = SL_OK;
    if (sl_processes_leads(processes))
        st = check(sum, sum->nccl.unique_id(&id), err);
    st = sl_processes_agree(processes, st, NULL, err);
    if (!st)
        st = sl_processes_broadcast(processes, &id, sizeof id, err);
    if (!st)
        st = check(sum,
                   sum->nccl.init_rank(&sum->comm, sl_processes_size(processes), id,
                                       sl_processes_rank(processes)),
                   err);
    if (!st)
        st = check(sum,
                   sum->nccl.create_scaled_sum(&sum->scaled_sum, &share, ncclFloat32,
                                               ncclScalarHostImmediate, sum->comm),
                   err);
    return st;
}

sl_status sl_nccl_open(sl_device *dev, sl_device_sum **out, sl_processes *processes, float share,
                       sl_error *err)
{
    sl_device_sum *sum = NULL;
    *out = NULL;
    sl_status st = sl_alloc(&sum, 1, sizeof *sum, err);
    if (!st) {
        sum->dev = (sl_cuda_device *)(void *)dev;
        st = open_library(&sum->nccl, err);
    }
    st = sl_processes_agree(processes, st, NULL, err);
    if (!st)
        st = meet(sum, processes, share, err);
    if (st)
        sl_nccl_close(sum);
    else
        *out = sum;
    return st;
}

sl_status sl_nccl_sum(sl_device_sum *sum, float *values, size_t n, sl_error *err)
{
    return check(sum,
                 sum->nccl.all_reduce(values, values, n, ncclFloat32, sum->scaled_sum, sum->comm,
                                      sl_cuda_stream_of(sum->dev)),
                 err);
}
