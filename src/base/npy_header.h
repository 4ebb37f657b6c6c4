/* The part of an npy file before its data. Shared by npy.c and
 * npz.c only. */
#ifndef BASE_NPY_HEADER_H
#define BASE_NPY_HEADER_H

#include "base/npy.h"

/* The most bytes that sl_npy_header_format writes. */
#define SL_NPY_HEADER_MAX 320

/* Reads the header of an npy of n bytes: type, n_dims, shape and count of *out, and where its data
 * begins. */
SL_CHECK sl_status sl_npy_header_parse(sl_npy *out, size_t *data_offset, const unsigned char *bytes,
                                       size_t n, sl_error *err);

/* Writes the header (version 1.0, a multiple of 64 bytes long) and returns its length. */
size_t sl_npy_header_format(char out[SL_NPY_HEADER_MAX], sl_npy_type type, int n_dims,
                            const size_t *shape);

/* The shape as NumPy shows it, "(3, 4)", into out. */
void sl_npy_shape_text(char out[SL_NPY_HEADER_MAX], int n_dims, const size_t *shape);

/* The array in n malloc'ed bytes of an npy file. Takes the bytes over, on failure too. */
SL_CHECK sl_status sl_npy_adopt(sl_npy *out, unsigned char *bytes, size_t n, sl_error *err);

#endif
