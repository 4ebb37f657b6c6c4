/* Image files: whole ones of every kind are taken, and none that was cut short or, of PNG, changed
 * in any byte. */
#include "study/image_file.h"
#include "base/memory.h"
#include "fixture.h"
#include "study/png.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const struct {
    const char *type, *bytes;
    size_t n;
} samples[] = {
#define SAMPLE(type, bytes)           \
    {                                 \
        type, bytes, sizeof bytes - 1 \
    }
    SAMPLE("image/gif", FIXTURE_GIF),
    /* 3x2, grey, baseline */
    SAMPLE("image/jpeg", "\xff\xd8\xff\xe0\x00\x10\x4a\x46\x49\x46\x00\x01\x01\x00\x00\x01"
                         "\x00\x01\x00\x00\xff\xdb\x00\x43\x00\xa0\x6e\x78\x8c\x78\x64\xa0"
                         "\x8c\x82\x8c\xb4\xaa\xa0\xbe\xf0\xff\xff\xf0\xdc\xdc\xf0\xff\xff"
                         "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                         "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                         "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xc0\x00\x0b\x08\x00\x02"
                         "\x00\x03\x01\x01\x11\x00\xff\xc4\x00\x14\x00\x01\x00\x00\x00\x00"
                         "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xff\xc4\x00\x17"
                         "\x10\x00\x03\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
                         "\x00\x00\x01\x31\x91\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\x1d"
                         "\xc3\xff\xd9"),
    /* 3x2, lossy and lossless */
    SAMPLE("image/webp", "\x52\x49\x46\x46\x2a\x00\x00\x00\x57\x45\x42\x50\x56\x50\x38\x20"
                         "\x1e\x00\x00\x00\x90\x01\x00\x9d\x01\x2a\x03\x00\x02\x00\x09\x00"
                         "\xac\x25\xa4\x00\x02\x9c\xfd\xce\x00\x00\xfa\xe6\x39\x1d\xf3\x40"
                         "\x00\x00"),
    SAMPLE("image/webp", "\x52\x49\x46\x46\x22\x00\x00\x00\x57\x45\x42\x50\x56\x50\x38\x4c"
                         "\x16\x00\x00\x00\x2f\x02\x40\x00\x00\x0f\x70\x2d\xb7\x6b\xb9\x5d"
                         "\xcb\x6d\xfe\x03\x0f\x23\x10\xd1\xff\x10"),
};

/* In memory of its own, so that the address sanitizer sees a byte read too many. */
static const char *damage_of(const void *bytes, size_t n)
{
    unsigned char *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    const char *damage = sl_image_damage(copy, n);
    free(copy);
    return damage;
}

static void expect_cut_short(const void *bytes, size_t size)
{
    for (size_t n = 0; n < size; n++)
        if (!damage_of(bytes, n))
            fail_msg("%zu of %zu bytes are taken for the whole", n, size);
    assert_null(damage_of(bytes, size));
}

static void test_samples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const unsigned char *bytes = (const unsigned char *)samples[i].bytes;
        assert_string_equal(sl_image_type(bytes, samples[i].n), samples[i].type);
        expect_cut_short(bytes, samples[i].n);
    }
    assert_null(sl_image_type((const unsigned char *)"RIFF\4\0\0\0WAVE", 12));
    assert_non_null(damage_of("<svg/>", 6));
}

static void test_png_of_ours(void **state)
{
    (void)state;
    enum { SIDE = 12 };
    uint8_t pixels[3 * SIDE * SIDE];
    unsigned char *png;
    size_t n;
    sl_error err;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 37);
    assert_int_equal(sl_png_encode(pixels, SIDE, SIDE, &png, &n, &err), SL_OK);
    assert_string_equal(sl_image_type(png, n), "image/png");
    expect_cut_short(png, n);
    for (size_t i = 0; i < n; i++) {
        png[i] ^= 0x10;
        if (!damage_of(png, n))
            fail_msg("a change of byte %zu of %zu isn't seen", i, n);
        png[i] ^= 0x10;
    }
    free(png);
}

static size_t put_chunk(unsigned char *at, const char *type, const unsigned char *data, size_t n)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(n >> (24 - 8 * i));
    memcpy(at + 4, type, 4);
    memcpy(at + 8, data, n);
    const uLong sum = crc32(0, at + 4, (uInt)n + 4);
    for (int i = 0; i < 4; i++)
        at[8 + n + (size_t)i] = (unsigned char)(sum >> (24 - 8 * i));
    return n + 12;
}

/* A PNG whose pixels unpack to so many bytes. */
static size_t make_png(unsigned char *out, const unsigned char header[13], size_t unpacked)
{
    static const unsigned char lines[4096];
    unsigned char packed[4096];
    uLongf n = sizeof packed;
    assert_int_equal(compress(packed, &n, lines, unpacked), Z_OK);
    memcpy(out, "\x89PNG\r\n\x1a\n", 8);
    size_t used = 8 + put_chunk(out + 8, "IHDR", header, 13);
    used += put_chunk(out + used, "IDAT", packed, n / 2); /* in two chunks, as it may be */
    used += put_chunk(out + used, "IDAT", packed + n / 2, n - n / 2);
    return used + put_chunk(out + used, "IEND", packed, 0);
}

/* All sums of the pixels' bytes are right; whether there are enough pixels is what counts. */
static void test_png_pixels(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        unsigned char width, height, depth, colour, interlaced;
        size_t bytes; /* by the specification */
        const char *damage;
    } cases[] = {
        { "one pixel of one bit", 1, 1, 1, 0, 0, 2, NULL },
        { "a line lacks its last byte", 1, 1, 1, 0, 0, 1, "cut short" },
        { "palette, part of a byte", 5, 3, 2, 3, 0, 9, NULL },
        { "only the first pass has a pixel", 1, 1, 8, 2, 1, 4, NULL },
        { "passes with part of a byte", 5, 3, 2, 0, 1, 15, NULL },
        { "64 bits a pixel", 4, 9, 16, 6, 1, 305, NULL },
        { "odd sides", 33, 17, 8, 2, 1, 1717, NULL },
        { "the last pass lacks a byte", 33, 17, 8, 2, 1, 1716, "cut short" },
        { "all passes", 8, 8, 8, 6, 1, 271, NULL },
        { "no width", 0, 8, 8, 6, 0, 8, "width or height" },
        { "a colour type that there isn't", 8, 8, 8, 5, 0, 200, "damaged" },
        { "a depth that there isn't", 8, 8, 3, 0, 0, 200, "damaged" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const unsigned char header[13] = { 0,
                                           0,
                                           0,
                                           cases[i].width,
                                           0,
                                           0,
                                           0,
                                           cases[i].height,
                                           cases[i].depth,
                                           cases[i].colour,
                                           0,
                                           0,
                                           cases[i].interlaced };
        unsigned char png[8192];
        const char *damage = damage_of(png, make_png(png, header, cases[i].bytes));
        if (cases[i].damage ? !damage || !strstr(damage, cases[i].damage) : damage != NULL)
            fail_msg("%s: %s", cases[i].why, damage ? damage : "taken");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_png_of_ours),
        cmocka_unit_test(test_png_pixels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
