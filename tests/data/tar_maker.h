/* Writing tar archives in memory, for tests. */
#ifndef TESTS_DATA_TAR_MAKER_H
#define TESTS_DATA_TAR_MAKER_H

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Puts the right checksum into a header. */
static inline void tar_sum(unsigned char header[512])
{
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += header[i];
    snprintf((char *)header + 148, 8, "%06o", sum); /* then a NUL and the space that is there */
}

/* A header for n bytes of content. */
static inline void tar_header(unsigned char header[512], const char *name, char type, size_t n)
{
    memset(header, 0, 512);
    snprintf((char *)header, 100, "%s", name);
    snprintf((char *)header + 100, 8, "0000644");
    snprintf((char *)header + 124, 12, "%011zo", n);
    header[156] = (unsigned char)type;
    memcpy(header + 257, "ustar\00000", 8);
    tar_sum(header);
}

/* Appends an entry to out; returns how many bytes that took. */
static inline size_t tar_add(unsigned char *out, const char *name, char type, const void *body,
                             size_t n)
{
    tar_header(out, name, type, n);
    const size_t padded = (n + 511) / 512 * 512;
    memset(out + 512, 0, padded);
    if (n > 0)
        memcpy(out + 512, body, n);
    return 512 + padded;
}

#endif
