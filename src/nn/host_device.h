/* Marks small functions that run on the host and on a GPU alike. */
#ifndef NN_HOST_DEVICE_H
#define NN_HOST_DEVICE_H

#ifdef __CUDACC__
#define SL_HOST_DEVICE __host__ __device__
#else
#define SL_HOST_DEVICE
#endif

#endif
