#include "nn/cpu/vector.h"

const sl_vector_kernels *sl_vector_select(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        return __builtin_cpu_supports("avx512bf16") ? &sl_vector_avx512bf16 : &sl_vector_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &sl_vector_avx2;
#endif
    return &sl_vector_generic;
}
