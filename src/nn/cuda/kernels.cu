/* The kernels' bodies on the GPU. */
#include "nn/cuda/reduction_bodies.h"

#include <cuda_runtime.h>

enum { THREADS = 256 };

static cudaStream_t stream_of(sl_cuda_stream *stream)
{
    return reinterpret_cast<cudaStream_t>(stream);
}

#define MAP(name)                                                                                  \
    static __global__ void name##_kernel(const sl_cuda_##name a, size_t n)                         \
    {                                                                                              \
        size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;                                     \
        if (i < n)                                                                                 \
            name##_at(&a, i);                                                                      \
    }                                                                                              \
    static int launch_##name(sl_cuda_stream *stream, const sl_cuda_##name *arguments, size_t n)    \
    {                                                                                              \
        unsigned blocks = (unsigned)((n + THREADS - 1) / THREADS);                                 \
        if (n == 0)                                                                                \
            return 0;                                                                              \
        name##_kernel<<<blocks, THREADS, 0, stream_of(stream)>>>(*arguments, n);                   \
        return (int)cudaGetLastError();                                                            \
    }
SL_CUDA_MAPS(MAP)

#define REDUCTION(name)                                                                            \
    static __global__ void __launch_bounds__(SL_BLOCK_THREADS)                                     \
        name##_kernel(const sl_cuda_##name a)                                                      \
    {                                                                                              \
        __shared__ double shared[SL_SHARED_BYTES / sizeof(double)];                                \
        for (int phase = 0; phase < SL_PHASES; phase++) {                                          \
            name##_phase(&a, shared, blockIdx.x, (int)threadIdx.x, phase);                         \
            __syncthreads();                                                                       \
        }                                                                                          \
    }                                                                                              \
    static int launch_##name(sl_cuda_stream *stream, const sl_cuda_##name *arguments, size_t n)    \
    {                                                                                              \
        if (n == 0)                                                                                \
            return 0;                                                                              \
        name##_kernel<<<(unsigned)n, SL_BLOCK_THREADS, 0, stream_of(stream)>>>(*arguments);        \
        return (int)cudaGetLastError();                                                            \
    }
SL_CUDA_REDUCTIONS(REDUCTION)

#define MEMBER(name) launch_##name,
extern "C" const sl_cuda_kernels sl_cuda_gpu_kernels;
const sl_cuda_kernels sl_cuda_gpu_kernels = { SL_CUDA_MAPS(MEMBER) SL_CUDA_REDUCTIONS(MEMBER) };
