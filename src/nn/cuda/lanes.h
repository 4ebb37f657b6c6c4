/* Activations as the cuda backend has them: n, h, w, and channels padded with zeros to a multiple
 * of 8. Eight channels of a pixel, "lanes", are what a thread works on at once: 16 bytes of
 * bfloat16, 32 of float32. All arithmetic is float32.
 *
 * Loops over lanes run to SL_LANES, with a condition inside where fewer count: a GPU keeps an array
 * in registers only where the compiler knows every index. */
#ifndef NN_CUDA_LANES_H
#define NN_CUDA_LANES_H

#include "nn/bf16.h"
#include <stddef.h>
#include <stdint.h>

enum { SL_LANES = 8 };

typedef struct {
    float v[SL_LANES];
} sl_lanes;

/* A pointer to an activation, its type, and how many groups of lanes a pixel of it has. A group
 * number counts over all of them: pixel * groups + group. */
typedef struct {
    void *p;
    int bf16; /* or float32 */
    size_t groups;
} sl_grouped;

SL_HOST_DEVICE static inline float sl_number_load(const void *p, int bf16, size_t i)
{
    return bf16 ? sl_bf16_to_float(((const sl_bf16 *)p)[i]) : ((const float *)p)[i];
}

SL_HOST_DEVICE static inline void sl_number_store(void *p, int bf16, size_t i, float value)
{
    if (bf16)
        ((sl_bf16 *)p)[i] = sl_bf16_from_float(value);
    else
        ((float *)p)[i] = value;
}

SL_HOST_DEVICE static inline sl_lanes sl_lanes_load(const sl_grouped *from, size_t group)
{
    sl_lanes out;
#ifdef __CUDA_ARCH__
    if (from->bf16) {
        uint4 q = ((const uint4 *)from->p)[group];
        const unsigned words[4] = { q.x, q.y, q.z, q.w };
        for (int i = 0; i < 4; i++) {
            out.v[2 * i] = __uint_as_float(words[i] << 16);
            out.v[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
        }
    } else {
        const float4 a = ((const float4 *)from->p)[2 * group];
        const float4 b = ((const float4 *)from->p)[2 * group + 1];
        const float all[SL_LANES] = { a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w };
        for (int i = 0; i < SL_LANES; i++)
            out.v[i] = all[i];
    }
#else
    for (int i = 0; i < SL_LANES; i++)
        out.v[i] = sl_number_load(from->p, from->bf16, group * SL_LANES + (size_t)i);
#endif
    return out;
}

SL_HOST_DEVICE static inline void sl_lanes_store(const sl_grouped *to, size_t group, sl_lanes x)
{
#ifdef __CUDA_ARCH__
    if (to->bf16) {
        unsigned words[4];
        for (int i = 0; i < 4; i++)
            words[i] = (unsigned)sl_bf16_from_float(x.v[2 * i]) |
                       (unsigned)sl_bf16_from_float(x.v[2 * i + 1]) << 16;
        ((uint4 *)to->p)[group] = make_uint4(words[0], words[1], words[2], words[3]);
    } else {
        ((float4 *)to->p)[2 * group] = make_float4(x.v[0], x.v[1], x.v[2], x.v[3]);
        ((float4 *)to->p)[2 * group + 1] = make_float4(x.v[4], x.v[5], x.v[6], x.v[7]);
    }
#else
    for (int i = 0; i < SL_LANES; i++)
        sl_number_store(to->p, to->bf16, group * SL_LANES + (size_t)i, x.v[i]);
#endif
}

/* The first count lanes only: what lies behind them is another operation's. */
SL_HOST_DEVICE static inline void sl_lanes_store_some(const sl_grouped *to, size_t group,
                                                      sl_lanes x, int count)
{
    if (count >= SL_LANES) {
        sl_lanes_store(to, group, x);
        return;
    }
    for (int i = 0; i < SL_LANES; i++)
        if (i < count)
            sl_number_store(to->p, to->bf16, group * SL_LANES + (size_t)i, x.v[i]);
}

SL_HOST_DEVICE static inline sl_lanes sl_lanes_zero(void)
{
    sl_lanes out;
    for (int i = 0; i < SL_LANES; i++)
        out.v[i] = 0;
    return out;
}

/* Group g of a pixel of an activation that may be narrower than g (zeros then) or absent. */
SL_HOST_DEVICE static inline sl_lanes sl_lanes_of_pixel(const sl_grouped *from, size_t pixel,
                                                        size_t g)
{
    if (!from->p || g >= from->groups)
        return sl_lanes_zero();
    return sl_lanes_load(from, pixel * from->groups + g);
}

/* Lanes of group g that are channels below c. */
SL_HOST_DEVICE static inline int sl_lanes_below(int c, size_t g)
{
    int left = c - (int)g * SL_LANES;
    return left < 0 ? 0 : left < SL_LANES ? left : SL_LANES;
}

#endif
