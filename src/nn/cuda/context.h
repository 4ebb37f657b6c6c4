/* What a cuda device holds of the runtime and of cuDNN. */
#ifndef NN_CUDA_CONTEXT_H
#define NN_CUDA_CONTEXT_H

#include "nn/cuda/cuda.h"
#include <cuda_runtime_api.h>
#include <cudnn_graph.h>

/* cuDNN's functions, found at run time: so the program starts, and everything but this device
 * works, on machines that have no cuDNN. */
typedef struct {
    void *shared_object;
    cudnnStatus_t (*create)(cudnnHandle_t *handle);
    cudnnStatus_t (*destroy)(cudnnHandle_t handle);
    cudnnStatus_t (*set_stream)(cudnnHandle_t handle, cudaStream_t stream);
    const char *(*error_string)(cudnnStatus_t status);
    cudnnStatus_t (*create_descriptor)(cudnnBackendDescriptorType_t type,
                                       cudnnBackendDescriptor_t *descriptor);
    cudnnStatus_t (*destroy_descriptor)(cudnnBackendDescriptor_t descriptor);
    cudnnStatus_t (*finalize)(cudnnBackendDescriptor_t descriptor);
    cudnnStatus_t (*set_attribute)(cudnnBackendDescriptor_t descriptor,
                                   cudnnBackendAttributeName_t name,
                                   cudnnBackendAttributeType_t type, int64_t count,
                                   const void *elements);
    cudnnStatus_t (*get_attribute)(cudnnBackendDescriptor_t descriptor,
                                   cudnnBackendAttributeName_t name,
                                   cudnnBackendAttributeType_t type, int64_t count,
                                   int64_t *elements_there, void *elements);
    cudnnStatus_t (*execute)(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                             cudnnBackendDescriptor_t variant_pack);
} sl_cudnn_functions;

typedef struct sl_cudnn_shared sl_cudnn_shared; /* a plan, for all convolutions of a shape */

struct sl_cuda_context {
    sl_cudnn_functions cudnn;
    cudnnHandle_t handle;
    sl_cudnn_shared *shared; /* a list */
};

static inline cudaStream_t sl_cuda_stream_of(const sl_cuda_device *dev)
{
    return (cudaStream_t)(void *)dev->stream;
}

/* As in sl_cuda_functions: cudnn_conv.c. */
SL_CHECK sl_status sl_cudnn_conv_create(sl_cuda_conv **out, sl_cuda_device *dev,
                                        const sl_cuda_conv_shape *shape, size_t *workspace,
                                        sl_error *err);
void sl_cudnn_conv_destroy(sl_cuda_conv *conv);
void *sl_cudnn_conv_weights(const sl_cuda_conv *conv);
bool sl_cudnn_conv_gradient_is_bf16(const sl_cuda_conv *conv);
SL_CHECK sl_status sl_cudnn_conv_run(sl_cuda_conv *conv, void *x, void *w, void *y, void *workspace,
                                     sl_error *err);

/* Opens cuDNN for the device's stream: cudnn.c. */
SL_CHECK sl_status sl_cudnn_open(sl_cuda_device *dev, sl_error *err);
void sl_cudnn_close(sl_cuda_device *dev); /* also what is half open */
SL_CHECK sl_status sl_cudnn_check(const sl_cudnn_functions *f, cudnnStatus_t status, sl_error *err);

/* Makes descriptors one after another: the first failure stays, all are destroyed at the end. */
enum { SL_CUDNN_MOST_DESCRIPTORS = 16 };
typedef struct {
    const sl_cudnn_functions *f;
    cudnnStatus_t status;
    cudnnBackendDescriptor_t made[SL_CUDNN_MOST_DESCRIPTORS];
    int n;
} sl_cudnn_builder;
sl_cudnn_builder sl_cudnn_begin(const sl_cuda_context *context);
cudnnBackendDescriptor_t sl_cudnn_make(sl_cudnn_builder *b, cudnnBackendDescriptorType_t type);
void sl_cudnn_set(sl_cudnn_builder *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                  cudnnBackendAttributeType_t type, int64_t count, const void *elements);
void sl_cudnn_finish(sl_cudnn_builder *b, cudnnBackendDescriptor_t d);
void sl_cudnn_end(sl_cudnn_builder *b);

/* How a convolution is computed, its tensors under these names: cudnn_plan.c. */
enum { SL_CUDNN_X = 'x', SL_CUDNN_W = 'w', SL_CUDNN_Y = 'y' };
typedef struct {
    cudnnBackendDescriptor_t descriptor;
    size_t workspace;
    bool w_bf16; /* the weights, or their gradient */
} sl_cudnn_plan;
SL_CHECK sl_status sl_cudnn_plan_create(sl_cudnn_plan *out, const sl_cuda_context *context,
                                        const sl_cuda_conv_shape *shape, sl_error *err);

/* sl_device_memory's sums: nccl.c, in builds with NCCL. */
SL_CHECK sl_status sl_nccl_open(sl_device *dev, sl_device_sum **out, sl_processes *processes,
                                float share, sl_error *err);
SL_CHECK sl_status sl_nccl_sum(sl_device_sum *sum, float *values, size_t n, sl_error *err);
void sl_nccl_close(sl_device_sum *sum);

extern const sl_device_memory sl_cuda_memory;     /* memory.c */
extern const sl_cuda_kernels sl_cuda_gpu_kernels; /* kernels.cu */

#endif
