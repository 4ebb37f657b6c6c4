#include "study/png.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define BLOCK 65535u /* bytes of a stored block */

static unsigned char *put_u32(unsigned char *at, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (unsigned char)(value >> shift);
    return at;
}

/* A chunk whose n bytes of data stand at at + 8 already. Returns what follows it. */
static unsigned char *end_chunk(unsigned char *at, const char *type, size_t n)
{
    put_u32(at, (uint32_t)n);
    memcpy(at + 4, type, 4);
    uLong crc = crc32(0, at + 4, (uInt)(n + 4)); /* of type and data */
    return put_u32(at + 8 + n, (uint32_t)crc);
}

/* Lines of RGB triples, each after its filter's number, 0: none. */
static void interleave(const uint8_t *pixels, uint32_t width, uint32_t height, unsigned char *lines)
{
    const size_t plane = (size_t)width * height;
    for (uint32_t y = 0; y < height; y++) {
        *lines++ = 0;
        for (uint32_t x = 0; x < width; x++)
            for (size_t c = 0; c < 3; c++)
                *lines++ = pixels[c * plane + (size_t)y * width + x];
    }
}

/* What zlib calls stored blocks (RFC 1950, 1951). Packing an image of a few KB costs more time than
 * it saves bytes: noise doesn't pack. */
static unsigned char *store(unsigned char *at, const unsigned char *bytes, size_t n)
{
    const uLong sum = adler32(adler32(0, NULL, 0), bytes, (uInt)n);
    *at++ = 0x78; /* deflate, 32 KiB window */
    *at++ = 0x01;
    for (size_t done = 0; done < n;) {
        const size_t size = n - done < BLOCK ? n - done : BLOCK;
        *at++ = done + size == n; /* the last block? */
        *at++ = (unsigned char)size;
        *at++ = (unsigned char)(size >> 8);
        *at++ = (unsigned char)~size;
        *at++ = (unsigned char)(~size >> 8);
        memcpy(at, bytes + done, size);
        at += size;
        done += size;
    }
    return put_u32(at, (uint32_t)sum);
}

sl_status sl_png_encode(const uint8_t *pixels, uint32_t width, uint32_t height, unsigned char **out,
                        size_t *size, sl_error *err)
{
    static const unsigned char signature[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
    enum { AROUND = sizeof signature + (12 + 13) + 12 + 12 }; /* header, IDAT's frame, IEND */
    unsigned char *lines = NULL, *png = NULL;
    *out = NULL;
    if (width == 0 || height == 0 || width > 4096 || height > 4096)
        return sl_error_set(err, SL_EINVAL, "an image of %ux%u pixels can't be encoded", width,
                            height);
    const size_t n = ((size_t)width * 3 + 1) * height;
    sl_status st = sl_alloc(&lines, n, 1, err);
    if (!st)
        st = sl_alloc(&png, AROUND + 6 + n + 5 * (n / BLOCK + 1), 1, err);
    if (st)
        goto done;
    interleave(pixels, width, height, lines);

    unsigned char *at = png;
    memcpy(at, signature, sizeof signature);
    at += sizeof signature;
    unsigned char *header = put_u32(put_u32(at + 8, width), height);
    header[0] = 8; /* bits a sample */
    header[1] = 2; /* RGB */
    at = end_chunk(at, "IHDR", 13);
    at = end_chunk(at, "IDAT", (size_t)(store(at + 8, lines, n) - (at + 8)));
    at = end_chunk(at, "IEND", 0);
    *size = (size_t)(at - png);
    *out = png;
    png = NULL;
done:
    free(lines);
    free(png);
    return st;
}
