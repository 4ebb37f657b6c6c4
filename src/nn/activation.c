/* How activations lie in memory: sizes, and conversion from and to plain float32. */
#include "nn/backend.h"

#include "base/memory.h"
#include "nn/bf16.h"
#include <stdint.h>
#include <string.h>

/* Channels are padded to a multiple of this. */
static size_t multiple_of(sl_layout layout)
{
    return layout == SL_LAYOUT_CHANNELS_LAST8 ? 8 : (size_t)sl_layout_block(layout);
}

/* Channels that memory holds for an image. */
static size_t padded_channels(const sl_desc *d)
{
    size_t c = (size_t)sl_desc_stored(d), multiple = multiple_of(d->layout);
    return (c + multiple - 1) / multiple * multiple;
}

size_t sl_desc_bytes(const sl_desc *d)
{
    size_t n = padded_channels(d);
    if (!sl_size_mul(n, (size_t)d->n, &n) || !sl_size_mul(n, (size_t)d->h, &n) ||
        !sl_size_mul(n, (size_t)d->w, &n) || !sl_size_mul(n, sl_dtype_size(d->dtype), &n))
        return SIZE_MAX;
    return n;
}

/* Numbers from one pixel of a channel to the next: the channels that lie side by side. */
static size_t pixel_step(const sl_desc *d)
{
    return d->layout == SL_LAYOUT_CHANNELS_LAST8 ? padded_channels(d)
                                                 : (size_t)sl_layout_block(d->layout);
}

/* The number of a channel's first pixel. */
static size_t channel_start(const sl_desc *d, size_t n, size_t c)
{
    size_t pixels = (size_t)d->h * (size_t)d->w, step = pixel_step(d);
    return (n * padded_channels(d) + c / step * step) * pixels + c % step;
}

static void put(const sl_desc *d, void *to, size_t i, float value)
{
    if (d->dtype == SL_DTYPE_BF16)
        ((sl_bf16 *)to)[i] = sl_bf16_from_float(value);
    else
        ((float *)to)[i] = value;
}

static float get(const sl_desc *d, const void *from, size_t i)
{
    return d->dtype == SL_DTYPE_BF16 ? sl_bf16_to_float(((const sl_bf16 *)from)[i])
                                     : ((const float *)from)[i];
}

void sl_activation_pack(const sl_desc *d, const float *plain, void *packed)
{
    size_t pixels = (size_t)d->h * (size_t)d->w, channels = (size_t)d->c, step = pixel_step(d);
    bool view = sl_desc_stored(d) != d->c;
    for (size_t n = 0; n < (size_t)d->n; n++) {
        for (size_t c = 0; c < (view ? channels : padded_channels(d)); c++) {
            const float *from = plain + (n * channels + c) * pixels;
            size_t to = channel_start(d, n, c);
            for (size_t i = 0; i < pixels; i++)
                put(d, packed, to + i * step, c < channels ? from[i] : 0);
        }
    }
}

void sl_activation_unpack(const sl_desc *d, const void *packed, float *plain)
{
    size_t pixels = (size_t)d->h * (size_t)d->w, channels = (size_t)d->c, step = pixel_step(d);
    for (size_t n = 0; n < (size_t)d->n; n++) {
        for (size_t c = 0; c < channels; c++) {
            float *to = plain + (n * channels + c) * pixels;
            size_t from = channel_start(d, n, c);
            for (size_t i = 0; i < pixels; i++)
                to[i] = get(d, packed, from + i * step);
        }
    }
}
