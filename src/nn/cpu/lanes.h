/* As many numbers at once as a register holds (16 under AVX-512, 8 under AVX2; 8 in plain C, too),
 * with the compiler's vector types, float32 in registers whether memory holds float32 or bfloat16.
 * For the files that are compiled once an instruction set (SL_VECTOR_ISA is its name: see
 * CMakeLists.txt). Macros, because no ABI for arguments of that size is assumed. */
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

#ifdef __AVX512F__
enum { LANES = 16 };
#define ALL_LANES ((vint){ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 })
#else
enum { LANES = 8 };
#define ALL_LANES ((vint){ 0, 1, 2, 3, 4, 5, 6, 7 })
#endif

typedef float vfloat __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t vint __attribute__((vector_size(4 * LANES)));
typedef uint32_t vuint __attribute__((vector_size(4 * LANES)));
typedef uint16_t vhalf __attribute__((vector_size(2 * LANES), aligned(2), may_alias));

#define LOAD(p) (*(const vfloat *)(p))
#define STORE(p, v) (*(vfloat *)(p) = (v))
#define MASK(condition, v) ((vfloat)((vint)(v) & (condition)))
#define FIRST_LANES(n) (ALL_LANES < (n))
#define RELU(v) MASK(~((v) < 0), v) /* NaN stays */

/* bfloat16, to the bit as in nn/bf16.h. */
#ifdef __AVX512F__ /* the compiler would widen halves of it */
#define WIDEN(h) ((vuint)_mm512_cvtepu16_epi32((__m256i)(h)))
#else
#define WIDEN(h) __builtin_convertvector(h, vuint)
#endif
#define LOAD_BF16(p) ((vfloat)(WIDEN(*(const vhalf *)(p)) << 16))
#ifdef __AVX512BF16__
#define STORE_BF16(p, v) (*(vhalf *)(p) = (vhalf)_mm512_cvtneps_pbh((__m512)(v)))
#else
#define STORE_BF16(p, v)                                                                     \
    do {                                                                                     \
        const vuint bits_ = (vuint)(v), size_ = bits_ & 0x7fffffff;                          \
        const vuint rounded_ = bits_ + 0x7fff + (bits_ >> 16 & 1);                           \
        const vuint nan_ = (vuint)(size_ > 0x7f800000), zero_ = (vuint)(size_ < 0x00800000); \
        const vuint kept_ = (rounded_ & ~nan_) | ((bits_ | 0x00400000) & nan_);              \
        const vuint stored_ = (kept_ & ~zero_) | (bits_ & 0x80000000 & zero_);               \
        *(vhalf *)(p) = __builtin_convertvector(stored_ >> 16, vhalf);                       \
    } while (0)
#endif

/* Number i on (a multiple of LANES, counted in numbers) of memory of either dtype; bf16 is a
 * constant where these are inlined. */
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
