/* Sixteen numbers at once, with the compiler's vector types: one register under AVX-512, two under
 * AVX2, float32 in registers whether memory holds float32 or bfloat16. For the files that are
 * compiled once an instruction set (SL_VECTOR_ISA is its name: see CMakeLists.txt). Macros, because
 * no ABI for 64-byte arguments is assumed. */
#ifndef NN_CPU_LANES_H
#define NN_CPU_LANES_H

#include <stdint.h>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#ifndef SL_VECTOR_ISA
#define SL_VECTOR_ISA generic
#endif
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define QUOTE_(a) #a
#define QUOTE(a) QUOTE_(a)
#define INLINE static inline __attribute__((always_inline))

typedef float v16 __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t v16i __attribute__((vector_size(64)));
typedef uint32_t v16u __attribute__((vector_size(64)));
typedef uint16_t v16h __attribute__((vector_size(32), aligned(2), may_alias));

enum { LANES = 16 };

#define LOAD(p) (*(const v16 *)(p))
#define STORE(p, v) (*(v16 *)(p) = (v))
#define MASK(condition, v) ((v16)((v16i)(v) & (condition)))
#define ALL_LANES ((v16i){ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 })
#define FIRST_LANES(n) (ALL_LANES < (n))
#define RELU(v) MASK(~((v) < 0), v) /* NaN stays */

/* bfloat16, to the bit as in nn/bf16.h. */
#ifdef __AVX512F__ /* the compiler would widen halves of it */
#define WIDEN(h) ((v16u)_mm512_cvtepu16_epi32((__m256i)(h)))
#else
#define WIDEN(h) __builtin_convertvector(h, v16u)
#endif
#define LOAD_BF16(p) ((v16)(WIDEN(*(const v16h *)(p)) << 16))
#ifdef __AVX512BF16__
#define STORE_BF16(p, v) (*(v16h *)(p) = (v16h)_mm512_cvtneps_pbh((__m512)(v)))
#else
#define STORE_BF16(p, v)                                                                  \
    do {                                                                                  \
        const v16u bits_ = (v16u)(v), size_ = bits_ & 0x7fffffff;                         \
        const v16u rounded_ = bits_ + 0x7fff + (bits_ >> 16 & 1);                         \
        const v16u nan_ = (v16u)(size_ > 0x7f800000), zero_ = (v16u)(size_ < 0x00800000); \
        const v16u kept_ = (rounded_ & ~nan_) | ((bits_ | 0x00400000) & nan_);            \
        const v16u stored_ = (kept_ & ~zero_) | (bits_ & 0x80000000 & zero_);             \
        *(v16h *)(p) = __builtin_convertvector(stored_ >> 16, v16h);                      \
    } while (0)
#endif

/* Number i on (a multiple of 16, counted in numbers) of memory of either dtype; bf16 is a constant
 * where these are inlined. */
#define LOAD_AT(p, i, bf16) \
    ((bf16) ? LOAD_BF16((const uint16_t *)(p) + (i)) : LOAD((const float *)(p) + (i)))
#define STORE_AT(p, i, v, bf16)                     \
    do {                                            \
        if (bf16)                                   \
            STORE_BF16((uint16_t *)(p) + (i), (v)); \
        else                                        \
            STORE((float *)(p) + (i), (v));         \
    } while (0)

#endif
