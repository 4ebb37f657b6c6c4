/* PNG, written: 8-bit RGB. Source: W3C, Portable Network Graphics (2nd edition). */
#ifndef STUDY_PNG_H
#define STUDY_PNG_H

#include <softlabel/error.h>
#include <stddef.h>
#include <stdint.h>

/* pixels: (3, height, width), planar. *out is malloc'ed and the caller's; the same pixels give the
 * same bytes. */
SL_CHECK sl_status sl_png_encode(const uint8_t *pixels, uint32_t width, uint32_t height,
                                 unsigned char **out, size_t *size, sl_error *err);

#endif
