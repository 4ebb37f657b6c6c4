/* Compiled once an instruction set, with SL_VECTOR_ISA its name: see CMakeLists.txt. The loops over
 * activations of one type are in tile_loops.h; here is what has two. */
#include "nn/cpu/tiles.h"

#include "nn/bf16.h"
#include "nn/cpu/lanes.h"
#include <string.h>

#define SELECT(condition, a, b) ((vfloat)(((vint)(a) & (condition)) | ((vint)(b) & ~(condition))))
/* Does b replace a as the maximum so far? */
#define BEATS(b, a) (((b) > (a)) | ((b) != (b)))

/* to = LANES of two vectors side by side, from lane start on */
#ifdef __AVX512F__
#define FROM_PAIR(to, low, high, start)                                                   \
    ((to) = (vfloat)_mm512_permutex2var_ps((__m512)(low), (__m512i)(ALL_LANES + (start)), \
                                           (__m512)(high)))
#else
#define FROM_PAIR(to, low, high, start) \
    do {                                \
        float both_[2 * LANES];         \
        STORE(both_, low);              \
        STORE(both_ + LANES, high);     \
        (to) = LOAD(both_ + (start));   \
    } while (0)
#endif

#define BF16 0
#define TYPED(name) name##_f32
#include "nn/cpu/tile_loops.h"
#undef BF16
#undef TYPED

#define BF16 1
#define TYPED(name) name##_bf16
#include "nn/cpu/tile_loops.h"

INLINE float get(const void *x, size_t i, bool bf16)
{
    return bf16 ? sl_bf16_to_float(((const sl_bf16 *)x)[i]) : ((const float *)x)[i];
}

INLINE void put(void *y, size_t i, float value, bool bf16)
{
    if (bf16)
        ((sl_bf16 *)y)[i] = sl_bf16_from_float(value);
    else
        ((float *)y)[i] = value;
}

INLINE void convert_loop(const void *x, void *y, size_t n, bool from, bool to)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        STORE_AT(y, i, LOAD_AT(x, i, from), to);
    for (; i < n; i++)
        put(y, i, get(x, i, from), to);
}

static void convert(const void *x, void *y, size_t n, sl_dtype from, sl_dtype to)
{
    if (from == to)
        memcpy(y, x, n * sl_dtype_size(from));
    else if (from == SL_DTYPE_BF16)
        convert_loop(x, y, n, true, false);
    else
        convert_loop(x, y, n, false, true);
}

/* LANES pixels at a time: as many planes' vectors, turned in the first-level cache, to pixels. */
INLINE void interleave_loop(const void *planes, void *tile, size_t pixels, int lanes, bool from,
                            bool to)
{
    for (size_t p = 0; p < pixels; p += LANES) {
        size_t n = pixels - p < LANES ? pixels - p : LANES;
        float turned[LANES * LANES] = { 0 };
        for (size_t c = 0; c < (size_t)lanes; c++) {
            float plane[LANES];
            if (n == LANES)
                STORE(plane, LOAD_AT(planes, c * pixels + p, from));
            for (size_t j = 0; j < n; j++)
                turned[j * LANES + c] =
                    n == LANES ? plane[j] : get(planes, c * pixels + p + j, from);
        }
        for (size_t j = 0; j < n; j++)
            STORE_AT(tile, (p + j) * LANES, LOAD(turned + j * LANES), to);
    }
}

static void interleave(const void *planes, void *tile, size_t pixels, int lanes, sl_dtype from,
                       sl_dtype to)
{
    bool from_bf16 = from == SL_DTYPE_BF16, to_bf16 = to == SL_DTYPE_BF16;
    if (from_bf16 && to_bf16)
        interleave_loop(planes, tile, pixels, lanes, true, true);
    else if (from_bf16)
        interleave_loop(planes, tile, pixels, lanes, true, false);
    else if (to_bf16)
        interleave_loop(planes, tile, pixels, lanes, false, true);
    else
        interleave_loop(planes, tile, pixels, lanes, false, false);
}

INLINE void separate_loop(const void *tile, void *planes, size_t pixels, int lanes, bool from,
                          bool to)
{
    for (size_t p = 0; p < pixels; p += LANES) {
        size_t n = pixels - p < LANES ? pixels - p : LANES;
        float turned[LANES * LANES];
        for (size_t j = 0; j < n; j++) {
            float pixel[LANES];
            STORE(pixel, LOAD_AT(tile, (p + j) * LANES, from));
            for (size_t c = 0; c < LANES; c++)
                turned[c * LANES + j] = pixel[c];
        }
        for (size_t c = 0; c < (size_t)lanes; c++) {
            size_t start = c * pixels + p;
            if (n == LANES)
                STORE_AT(planes, start, LOAD(turned + c * LANES), to);
            for (size_t j = 0; j < n && n < LANES; j++)
                put(planes, start + j, turned[c * LANES + j], to);
        }
    }
}

static void separate(const void *tile, void *planes, size_t pixels, int lanes, sl_dtype from,
                     sl_dtype to)
{
    bool from_bf16 = from == SL_DTYPE_BF16, to_bf16 = to == SL_DTYPE_BF16;
    if (from_bf16 && to_bf16)
        separate_loop(tile, planes, pixels, lanes, true, true);
    else if (from_bf16)
        separate_loop(tile, planes, pixels, lanes, true, false);
    else if (to_bf16)
        separate_loop(tile, planes, pixels, lanes, false, true);
    else
        separate_loop(tile, planes, pixels, lanes, false, false);
}

#define LOOPS(type)                                                                                \
    {                                                                                              \
        .max_pool = max_pool_##type, .max_pool_bwd = max_pool_bwd_##type,                          \
        .avg_pool = avg_pool_##type, .avg_pool_bwd = avg_pool_bwd_##type, .splice = splice_##type, \
        .shake = shake_##type, .shake_bwd = shake_bwd_##type, .dropout = dropout_##type,           \
    }

const sl_tile_kernels PASTE(sl_tiles_, SL_VECTOR_ISA) = {
    .of = { [SL_DTYPE_F32] = LOOPS(f32), [SL_DTYPE_BF16] = LOOPS(bf16) },
    .convert = convert,
    .interleave = interleave,
    .separate = separate,
};
