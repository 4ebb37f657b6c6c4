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

struct sl_cuda_context {
    sl_cudnn_functions cudnn;
    cudnnHandle_t handle;
};

static inline cudaStream_t sl_cuda_stream_of(const sl_cuda_device *dev)
{
    return (cudaStream_t)(void *)dev->stream;
}

/* As in sl_cuda_functions: cudnn.c. */
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

extern const sl_device_memory sl_cuda_memory;     /* memory.c */
extern const sl_cuda_kernels sl_cuda_gpu_kernels; /* kernels.cu */

#endif
