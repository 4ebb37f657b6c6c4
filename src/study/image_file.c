#include "study/image_file.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#define MAX_SIDE 32767u /* pixels; browsers show no larger ones */

static const char ends_early[] = "is cut short";
static const char no_image[] = "has no picture in it";
static const char bad_size[] = "has a width or height of 0 or above 32767 pixels";
static const char broken[] = "is damaged";

/* What is left of a file. */
typedef struct {
    const unsigned char *at;
    size_t n;
} rest;

/* Takes n bytes off the front; NULL if there aren't as many. */
static const unsigned char *take(rest *r, size_t n)
{
    const unsigned char *taken = r->at;
    if (n > r->n)
        return NULL;
    r->at += n;
    r->n -= n;
    return taken;
}

static uint32_t big32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t little32(const unsigned char *at)
{
    return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static uint32_t big16(const unsigned char *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t little16(const unsigned char *at)
{
    return (uint32_t)at[1] << 8 | at[0];
}

static bool is_size(uint32_t width, uint32_t height)
{
    return width > 0 && height > 0 && width <= MAX_SIDE && height <= MAX_SIDE;
}

/* ---- PNG. Source: W3C, Portable Network Graphics (2nd edition) ---- */

typedef struct {
    uint32_t width, height;
    unsigned bits; /* a pixel */
    bool interlaced;
} png_header;

static const char *read_png_header(const unsigned char *data, uint32_t n, png_header *h)
{
    static const unsigned samples[7] = { 1, 0, 3, 1, 2, 0, 4 }; /* of a colour type; 0: unknown */
    if (n != 13)
        return broken;
    *h = (png_header){ .width = big32(data), .height = big32(data + 4), .interlaced = data[12] };
    if (!is_size(h->width, h->height))
        return bad_size;
    const unsigned depth = data[8], colour = data[9];
    if (colour > 6 || samples[colour] == 0 || data[10] != 0 || data[11] != 0 || data[12] > 1 ||
        !(depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16))
        return broken;
    h->bits = depth * samples[colour];
    return NULL;
}

/* Bytes of a picture's lines, each after its filter's number. */
static uint64_t line_bytes(uint32_t width, uint32_t height, unsigned bits)
{
    return width > 0 ? height * (1 + ((uint64_t)width * bits + 7) / 8) : 0;
}

static uint64_t unpacked_bytes(const png_header *h)
{
    static const struct {
        uint32_t x, y, dx, dy;
    } passes[7] = { { 0, 0, 8, 8 }, { 4, 0, 8, 8 }, { 0, 4, 4, 8 }, { 2, 0, 4, 4 },
                    { 0, 2, 2, 4 }, { 1, 0, 2, 2 }, { 0, 1, 1, 2 } };
    if (!h->interlaced)
        return line_bytes(h->width, h->height, h->bits);
    uint64_t sum = 0;
    for (int p = 0; p < 7; p++)
        sum += line_bytes((h->width + passes[p].dx - 1 - passes[p].x) / passes[p].dx,
                          (h->height + passes[p].dy - 1 - passes[p].y) / passes[p].dy, h->bits);
    return sum;
}

/* The pixels, chunk by chunk; counts in z->total_out what they unpack to, up to wanted. */
static const char *unpack_chunk(z_stream *z, const unsigned char *data, uint32_t n, uint64_t wanted)
{
    unsigned char lines[32768];
    int code = Z_OK;
    z->next_in = (unsigned char *)(uintptr_t)data;
    z->avail_in = n;
    while (code == Z_OK && z->avail_in > 0 && z->total_out < wanted) {
        z->next_out = lines;
        z->avail_out = sizeof lines;
        code = inflate(z, Z_NO_FLUSH);
    }
    return code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR ? NULL : broken;
}

static const char *read_chunks(rest r, z_stream *z)
{
    png_header h = { 0 };
    uint64_t wanted = 0;
    const char *damage = NULL;
    while (!damage) {
        const unsigned char *head = take(&r, 8);
        const uint32_t n = head ? big32(head) : 0;
        const unsigned char *data = head ? take(&r, n) : NULL;
        const unsigned char *sum = data ? take(&r, 4) : NULL;
        if (!sum)
            return ends_early;
        if (crc32(crc32(0, NULL, 0), head + 4, n + 4) != big32(sum) ||
            (wanted == 0) != (memcmp(head + 4, "IHDR", 4) == 0))
            return broken;
        if (wanted == 0) {
            damage = read_png_header(data, n, &h);
            wanted = damage ? 0 : unpacked_bytes(&h);
        } else if (memcmp(head + 4, "IDAT", 4) == 0) {
            damage = unpack_chunk(z, data, n, wanted);
        } else if (memcmp(head + 4, "IEND", 4) == 0) {
            return z->total_out >= wanted ? NULL : ends_early;
        }
    }
    return damage;
}

static const char *png_damage(rest r)
{
    z_stream z = { 0 };
    if (!take(&r, 8) || inflateInit(&z) != Z_OK)
        return broken;
    const char *damage = read_chunks(r, &z);
    inflateEnd(&z);
    return damage;
}

/* ---- JPEG. Source: ITU-T T.81, annex B ---- */

/* The next marker: 0xff, as often as one likes, and a byte that is neither 0xff nor, in packed
 * pixels, 0 or a restart; 0: there is none. */
static unsigned next_marker(rest *r)
{
    const unsigned char *byte;
    bool after_ff = false;
    while ((byte = take(r, 1))) {
        if (after_ff && *byte != 0xff && *byte != 0 && !(*byte >= 0xd0 && *byte <= 0xd7))
            return *byte;
        after_ff = *byte == 0xff;
    }
    return 0;
}

static const char *jpeg_damage(rest r)
{
    bool framed = false, scanned = false;
    if (next_marker(&r) != 0xd8)
        return broken;
    for (;;) {
        const unsigned marker = next_marker(&r);
        if (marker == 0)
            return ends_early;
        if (marker == 0xd9)
            return scanned ? NULL : no_image;
        if (marker == 0x01)
            continue; /* the one other marker that stands alone */
        const unsigned char *length = take(&r, 2);
        const size_t n = length ? big16(length) : 0;
        const unsigned char *data = n >= 2 ? take(&r, n - 2) : NULL;
        if (!data)
            return length && n < 2 ? broken : ends_early;
        /* A frame's header: 0xc0 to 0xcf but for tables, an extension and conditioning. */
        if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 &&
            marker != 0xcc) {
            if (n < 8)
                return broken;
            if (!is_size(big16(data + 3), big16(data + 1)))
                return bad_size;
            framed = true;
        }
        if (marker == 0xda && !framed)
            return broken;
        scanned = scanned || marker == 0xda;
    }
}

/* ---- GIF. Source: CompuServe, Graphics Interchange Format 89a ---- */

/* Blocks of up to 255 bytes, each after its length, up to an empty one. */
static bool skip_blocks(rest *r)
{
    const unsigned char *n;
    while ((n = take(r, 1)) && *n > 0)
        if (!take(r, *n))
            return false;
    return n != NULL;
}

static bool skip_colours(rest *r, unsigned flags)
{
    return !(flags & 0x80) || take(r, (size_t)3 << ((flags & 7) + 1)) != NULL;
}

static const char *gif_damage(rest r)
{
    const unsigned char *screen = take(&r, 13), *kind, *image;
    bool found = false;
    if (!screen || !skip_colours(&r, screen[10]))
        return ends_early;
    while ((kind = take(&r, 1))) {
        switch (*kind) {
        case 0x3b: /* the end */
            return found ? NULL : no_image;
        case 0x21: /* an extension: its label, then blocks */
            if (!take(&r, 1) || !skip_blocks(&r))
                return ends_early;
            break;
        case 0x2c: /* a picture: place, colours, the width of its codes, blocks */
            image = take(&r, 9);
            if (!image || !skip_colours(&r, image[8]) || !take(&r, 1) || !skip_blocks(&r))
                return ends_early;
            if (!is_size(little16(image + 4), little16(image + 6)))
                return bad_size;
            found = true;
            break;
        default:
            return broken;
        }
    }
    return ends_early;
}

/* ---- WebP. Source: Google, WebP Container Specification ---- */

static const char *webp_damage(rest r)
{
    const unsigned char *head = take(&r, 12), *chunk;
    bool found = false;
    const uint32_t size = head ? little32(head + 4) : 0; /* from "WEBP" on */
    if (size < 4 || size - 4 > r.n)
        return ends_early;
    r.n = size - 4;
    while ((chunk = take(&r, 8))) {
        const uint32_t n = little32(chunk + 4);
        if (!take(&r, n) || (n % 2 == 1 && !take(&r, 1)))
            return ends_early;
        found =
            found || (n > 0 && (memcmp(chunk, "VP8 ", 4) == 0 || memcmp(chunk, "VP8L", 4) == 0 ||
                                memcmp(chunk, "ANMF", 4) == 0));
    }
    return found ? NULL : no_image;
}

/* ---- all of them ---- */

typedef struct {
    const char *magic, *type;
    size_t n;           /* of magic */
    const char *at_8th; /* four letters that stand there too, or NULL */
    const char *(*damage)(rest r);
} image_kind;

static const image_kind *kind_of(const unsigned char *bytes, size_t n)
{
    static const image_kind kinds[] = {
        { "\x89PNG\r\n\x1a\n", "image/png", 8, NULL, png_damage },
        { "\xff\xd8\xff", "image/jpeg", 3, NULL, jpeg_damage },
        { "GIF87a", "image/gif", 6, NULL, gif_damage },
        { "GIF89a", "image/gif", 6, NULL, gif_damage },
        { "RIFF", "image/webp", 4, "WEBP", webp_damage },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (n >= kinds[i].n && memcmp(bytes, kinds[i].magic, kinds[i].n) == 0 &&
            (!kinds[i].at_8th || (n >= 12 && memcmp(bytes + 8, kinds[i].at_8th, 4) == 0)))
            return &kinds[i];
    return NULL;
}

const char *sl_image_type(const unsigned char *bytes, size_t n)
{
    const image_kind *kind = kind_of(bytes, n);
    return kind ? kind->type : NULL;
}

const char *sl_image_damage(const unsigned char *bytes, size_t n)
{
    const image_kind *kind = kind_of(bytes, n);
    return kind ? kind->damage((rest){ bytes, n }) : "isn't a PNG, JPEG, GIF or WebP image";
}
