/* Compiled once an instruction set, with SL_VECTOR_ISA its name: see CMakeLists.txt. Written with
 * the compiler's vector types: a vector of 16 floats is one register under AVX-512, two under AVX2.
 * The loops themselves are in vector_loops.h, once for each type that activations are stored in. */
#include "nn/cpu/vector.h"

#include "nn/bf16.h"
#include <string.h>
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#ifndef SL_VECTOR_ISA
#define SL_VECTOR_ISA generic
#endif
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define QUOTE_(a) #a
#define QUOTE(a) QUOTE_(a)

typedef float v16 __attribute__((vector_size(64), aligned(4), may_alias));
typedef int v16i __attribute__((vector_size(64)));
typedef unsigned v16u __attribute__((vector_size(64)));
typedef uint16_t v16h __attribute__((vector_size(32), aligned(2), may_alias));
#define INLINE static inline __attribute__((always_inline))

enum {
    LANES = 16,
    CHUNK = 256, /* pixels: at most 16 KiB, half of a first-level cache */
    PARALLEL = 4 /* sums side by side, to hide the latency of an addition */
};

/* Vectors are passed by pointer: no ABI for 64-byte arguments is assumed. */
#define LOAD_F32(p) (*(const v16 *)(p))
#define STORE_F32(p, v) (*(v16 *)(p) = (v))
#define LOAD_BF16(p) ((v16)(__builtin_convertvector(*(const v16h *)(p), v16u) << 16))
#define STORE_BF16(p, v) store_bf16(p, &(const v16){ v })
#define MASK(condition, v) ((v16)((v16i)(v) & (condition)))
#define FIRST_LANES(n) ((v16i){ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 } < (n))
#define RELU(v) MASK(~((v) < 0), v) /* NaN stays */

/* As sl_bf16_from_float. */
INLINE void store_bf16(sl_bf16 *p, const v16 *v)
{
#ifdef __AVX512BF16__
    __m256bh rounded = _mm512_cvtneps_pbh((__m512)*v);
    memcpy(p, &rounded, sizeof rounded);
#else
    const v16u bits = (v16u)*v, size = bits & 0x7fffffff;
    const v16u nan = (v16u)(size > 0x7f800000), subnormal = (v16u)(size < 0x00800000);
    v16u upper = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    upper = (upper & ~nan) | ((bits >> 16 | 0x40) & nan);
    upper = (upper & ~subnormal) | (bits >> 16 & 0x8000 & subnormal);
    *(v16h *)p = __builtin_convertvector(upper, v16h);
#endif
}

/* to += sum of the parallel partial sums, in a fixed order */
INLINE void add_to_double(double to[LANES], const v16 *partial, size_t n)
{
    v16 sum = partial[0];
    for (size_t j = 1; j < n; j++)
        sum += partial[j];
    for (int c = 0; c < LANES; c++)
        to[c] += (double)sum[c];
}

/* What a name in vector_loops.h is called for the type at hand. */
#define TYPED(name) PASTE(name, SUFFIX)

#define SUFFIX _f32
#define element float
#define LOAD(p) LOAD_F32(p)
#define STORE(p, v) STORE_F32(p, v)
#define GET(p) (*(p))
#define PUT(p, v) (*(p) = (v))
#include "nn/cpu/vector_loops.h"
#undef SUFFIX
#undef element
#undef LOAD
#undef STORE
#undef GET
#undef PUT

#define SUFFIX _bf16
#define element sl_bf16
#define LOAD(p) LOAD_BF16(p)
#define STORE(p, v) STORE_BF16(p, v)
#define GET(p) sl_bf16_to_float(*(p))
#define PUT(p, v) (*(p) = sl_bf16_from_float(v))
#include "nn/cpu/vector_loops.h"

const sl_vector_kernels PASTE(sl_vector_, SL_VECTOR_ISA) = {
    .isa = QUOTE(SL_VECTOR_ISA),
    .of = { [SL_DTYPE_F32] = LOOPS(_f32), [SL_DTYPE_BF16] = LOOPS(_bf16) },
};
