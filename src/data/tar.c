#include "data/tar.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BLOCK 512

/* A header's fields: offset and length. */
enum { NAME = 0, NAME_N = 100, SIZE = 124, SIZE_N = 12, SUM = 148, SUM_N = 8, TYPE = 156 };
enum { MAGIC = 257, PREFIX = 345, PREFIX_N = 155 };

void sl_tar_init(sl_tar *tar, sl_tar_source *source, void *user, uint64_t max_bytes)
{
    *tar = (sl_tar){ .source = source, .user = user, .max_bytes = max_bytes };
}

/* Exactly n bytes of the stream. */
static sl_status read_exactly(sl_tar *tar, void *out, size_t n, sl_error *err)
{
    size_t got = 0;
    if (n > tar->max_bytes - tar->offset)
        return sl_error_set(err, SL_EFORMAT, "the archive is longer than %" PRIu64 " bytes",
                            tar->max_bytes);
    sl_status st = tar->source(tar->user, out, n, &got, err);
    tar->offset += got;
    if (!st && got < n)
        st = sl_error_set(err, SL_EFORMAT,
                          "the archive ends at byte %" PRIu64 ", in the middle of something",
                          tar->offset);
    return st;
}

static sl_status skip(sl_tar *tar, uint64_t n, sl_error *err)
{
    unsigned char scratch[16 * BLOCK];
    sl_status st = SL_OK;
    while (!st && n > 0) {
        const size_t now = n < sizeof scratch ? (size_t)n : sizeof scratch;
        st = read_exactly(tar, scratch, now, err);
        n -= now;
    }
    return st;
}

/* An octal number, with spaces before and a space or NUL behind it or up to the field's end. */
static bool parse_octal(const unsigned char *field, size_t n, uint64_t *out)
{
    size_t i = 0, digits = 0;
    *out = 0;
    while (i < n && field[i] == ' ')
        i++;
    for (; i < n && field[i] >= '0' && field[i] <= '7'; i++, digits++)
        *out = *out * 8 + (uint64_t)(field[i] - '0'); /* 12 digits: 36 bits */
    return digits > 0 && (i == n || field[i] == ' ' || field[i] == '\0');
}

static bool has_right_sum(const unsigned char header[BLOCK])
{
    uint64_t stated, sum = 0;
    for (int i = 0; i < BLOCK; i++)
        sum += i >= SUM && i < SUM + SUM_N ? ' ' : header[i];
    return parse_octal(header + SUM, SUM_N, &stated) && stated == sum;
}

static bool is_zero(const unsigned char header[BLOCK])
{
    for (int i = 0; i < BLOCK; i++)
        if (header[i])
            return false;
    return true;
}

static void read_name(const unsigned char header[BLOCK], char name[257])
{
    const char *last = (const char *)header + NAME, *prefix = (const char *)header + PREFIX;
    const bool ustar = memcmp(header + MAGIC, "ustar", 6) == 0; /* GNU's has a space there */
    if (ustar && *prefix)
        snprintf(name, 257, "%.*s/%.*s", PREFIX_N, prefix, NAME_N, last);
    else
        snprintf(name, 257, "%.*s", NAME_N, last);
}

sl_status sl_tar_next(sl_tar *tar, sl_tar_entry *entry, bool *end, sl_error *err)
{
    unsigned char header[BLOCK];
    *end = false;
    sl_status st = skip(tar, tar->left, err);
    if (!st)
        st = skip(tar, tar->padding, err);
    tar->left = tar->padding = 0;
    const uint64_t at = tar->offset;
    if (!st)
        st = read_exactly(tar, header, BLOCK, err);
    if (st)
        return st;
    if (is_zero(header)) {
        *end = true;
        return SL_OK;
    }
    if (!has_right_sum(header))
        return sl_error_set(err, SL_EFORMAT, "there is no tar header at byte %" PRIu64, at);
    if (!parse_octal(header + SIZE, SIZE_N, &entry->size))
        return sl_error_set(err, SL_EFORMAT, "the entry at byte %" PRIu64 " has an unreadable size",
                            at);
    read_name(header, entry->name);
    entry->regular = header[TYPE] == '0' || header[TYPE] == '\0';
    tar->left = entry->size;
    tar->padding = (unsigned)(-entry->size % BLOCK);
    return SL_OK;
}

sl_status sl_tar_read(sl_tar *tar, void *out, size_t n, size_t *got, sl_error *err)
{
    *got = n < tar->left ? n : (size_t)tar->left;
    sl_status st = read_exactly(tar, out, *got, err);
    tar->left -= *got;
    return st;
}
