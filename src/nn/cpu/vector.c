/* Compiled once an instruction set, with SL_VECTOR_ISA its name: see CMakeLists.txt. The loops
 * themselves are in vector_loops.h, once for each type that activations are stored in. */
#include "nn/cpu/vector.h"

#include "nn/bf16.h"
#include "nn/cpu/lanes.h"
#include <string.h>

enum {
    CHUNK = 256, /* pixels: at most 16 KiB, half of a first-level cache */
    PARALLEL = 4 /* sums side by side, to hide the latency of an addition */
};

/* to += sum of the parallel partial sums, in a fixed order */
INLINE void add_to_double(double to[LANES], const vfloat *partial, size_t n)
{
    vfloat sum = partial[0];
    for (size_t j = 1; j < n; j++)
        sum += partial[j];
    for (int c = 0; c < LANES; c++)
        to[c] += (double)sum[c];
}

/* Calls of(more, dy2, y, shift) with the constant NULL in place of each that is NULL (and of shift
 * if there is y), so that every one of the twelve becomes a loop without branches. */
#define SPECIALIZE(of, more)                      \
    do {                                          \
        if (y)                                    \
            SPECIALIZE_DY(of, more, y, NULL);     \
        else if (shift)                           \
            SPECIALIZE_DY(of, more, NULL, shift); \
        else                                      \
            SPECIALIZE_DY(of, more, NULL, NULL);  \
    } while (0)
#define SPECIALIZE_DY(of, more, y, shift) \
    do {                                  \
        if (more && dy2)                  \
            of(more, dy2, y, shift);      \
        else if (more)                    \
            of(more, NULL, y, shift);     \
        else if (dy2)                     \
            of(NULL, dy2, y, shift);      \
        else                              \
            of(NULL, NULL, y, shift);     \
    } while (0)

#define BF16 0
#define TYPED(name) name##_f32
#include "nn/cpu/vector_loops.h"
#undef BF16
#undef TYPED

#define BF16 1
#define TYPED(name) name##_bf16
#include "nn/cpu/vector_loops.h"

#define LOOPS(type)                                                                              \
    {                                                                                            \
        .moments = moments_##type, .normalize = normalize_##type,                                \
        .norm_bwd_sums = norm_bwd_sums_##type, .norm_bwd_apply = norm_bwd_apply_##type,          \
        .norm_bwd_add = norm_bwd_add_##type, .add = add_##type, .relu = relu_##type,             \
        .relu_bwd = relu_bwd_##type, .tile_sum = tile_sum_##type, .tile_fill = tile_fill_##type, \
    }

const sl_vector_kernels PASTE(sl_vector_, SL_VECTOR_ISA) = {
    .isa = QUOTE(SL_VECTOR_ISA),
    .lanes = LANES,
    .of = { [SL_DTYPE_F32] = LOOPS(f32), [SL_DTYPE_BF16] = LOOPS(bf16) },
    .tiles = &PASTE(sl_tiles_, SL_VECTOR_ISA),
    .winograd = &PASTE(sl_winograd_, SL_VECTOR_ISA),
};
