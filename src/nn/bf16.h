/* bfloat16, the upper half of a float32: one number at a time. Exact the one way, rounded to
 * nearest even the other, with NaN kept; float32's subnormals become zeros of their sign, as the
 * processors' instruction has them. */
#ifndef NN_BF16_H
#define NN_BF16_H

#include "base/host_device.h"
#include <stdint.h>
#include <string.h>

typedef uint16_t sl_bf16;

SL_HOST_DEVICE static inline float sl_bf16_to_float(sl_bf16 b)
{
    uint32_t bits = (uint32_t)b << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

SL_HOST_DEVICE static inline sl_bf16 sl_bf16_from_float(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    uint32_t size = bits & 0x7fffffff;
    if (size > 0x7f800000) /* NaN: made quiet, or cutting could leave infinity */
        return (sl_bf16)(bits >> 16 | 0x40);
    if (size < 0x00800000)
        return (sl_bf16)(bits >> 16 & 0x8000);
    return (sl_bf16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#endif
