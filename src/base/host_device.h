/* Marks small functions that run on the host and on a GPU alike. */
#ifndef BASE_HOST_DEVICE_H
#define BASE_HOST_DEVICE_H

#ifdef __CUDACC__
#define SL_HOST_DEVICE __host__ __device__
#else
#define SL_HOST_DEVICE
#endif

/* a * b, rounded: no device makes one multiply-add of this and a sum. */
SL_HOST_DEVICE static inline float sl_product(float a, float b)
{
#ifdef __CUDA_ARCH__
    return __fmul_rn(a, b);
#else
    return a * b;
#endif
}

#endif
