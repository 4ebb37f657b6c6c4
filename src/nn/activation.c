/* How activations lie in memory: sizes, and conversion from and to plain float32. */
#include "nn/backend.h"

#include "base/memory.h"
#include <stdint.h>
#include <string.h>

enum { BLOCK = 16 };

static size_t padded_channels(const sl_desc *d)
{
    size_t c = (size_t)d->c;
    return d->layout == SL_LAYOUT_BLOCKED16 ? (c + BLOCK - 1) / BLOCK * BLOCK : c;
}

size_t sl_desc_bytes(const sl_desc *d)
{
    size_t n = padded_channels(d);
    if (!sl_size_mul(n, (size_t)d->n, &n) || !sl_size_mul(n, (size_t)d->h, &n) ||
        !sl_size_mul(n, (size_t)d->w, &n) || !sl_size_mul(n, sizeof(float), &n))
        return SIZE_MAX;
    return n;
}

/* Where the run of pixels of (image, channel) starts in a blocked tensor; pixels are BLOCK apart.
 */
static size_t blocked_start(const sl_desc *d, size_t n, size_t c)
{
    size_t pixels = (size_t)d->h * (size_t)d->w, blocks = padded_channels(d) / BLOCK;
    return (n * blocks + c / BLOCK) * pixels * BLOCK + c % BLOCK;
}

void sl_activation_pack(const sl_desc *d, const float *plain, void *packed)
{
    float *out = packed;
    size_t pixels = (size_t)d->h * (size_t)d->w, channels = (size_t)d->c;
    if (d->layout == SL_LAYOUT_PLAIN) {
        memcpy(out, plain, sl_desc_bytes(d));
        return;
    }
    for (size_t n = 0; n < (size_t)d->n; n++) {
        for (size_t c = 0; c < padded_channels(d); c++) {
            float *to = out + blocked_start(d, n, c);
            const float *from = plain + (n * channels + c) * pixels;
            for (size_t i = 0; i < pixels; i++)
                to[i * BLOCK] = c < channels ? from[i] : 0;
        }
    }
}

void sl_activation_unpack(const sl_desc *d, const void *packed, float *plain)
{
    const float *in = packed;
    size_t pixels = (size_t)d->h * (size_t)d->w, channels = (size_t)d->c;
    if (d->layout == SL_LAYOUT_PLAIN) {
        memcpy(plain, in, sl_desc_bytes(d));
        return;
    }
    for (size_t n = 0; n < (size_t)d->n; n++) {
        for (size_t c = 0; c < channels; c++) {
            const float *from = in + blocked_start(d, n, c);
            float *to = plain + (n * channels + c) * pixels;
            for (size_t i = 0; i < pixels; i++)
                to[i] = from[i * BLOCK];
        }
    }
}
