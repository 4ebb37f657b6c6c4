/* NumPy's .npy (format versions 1.0, 2.0, 3.0) and .npz (zip of .npy; stored or deflated).
 * Source: numpy.lib.format. Little-endian and C order only. What is malformed is SL_EFORMAT; what
 * is well-formed but Fortran-ordered, big-endian or of another type (objects, records, complex) is
 * SL_EUNSUPPORTED, and says so. Any thread; one thread at a time for one sl_npz. */
#ifndef BASE_NPY_H
#define BASE_NPY_H

#include <softlabel/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    SL_NPY_U8,
    SL_NPY_I8,
    SL_NPY_U16,
    SL_NPY_I16,
    SL_NPY_U32,
    SL_NPY_I32,
    SL_NPY_U64,
    SL_NPY_I64,
    SL_NPY_F32,
    SL_NPY_F64,
    SL_NPY_BOOL,
} sl_npy_type;

#define SL_NPY_MAX_DIMS 8

/* An array in memory, native byte order, C order. data is malloc'ed and owned. */
typedef struct {
    sl_npy_type type;
    int n_dims; /* 0..8 */
    size_t shape[SL_NPY_MAX_DIMS];
    size_t count; /* product of shape */
    void *data;
} sl_npy;

size_t sl_npy_item_size(sl_npy_type type);
const char *sl_npy_type_name(sl_npy_type type); /* "int64" */

/* Parse exactly n bytes: a shorter or longer body than the header says is SL_EFORMAT. */
SL_CHECK sl_status sl_npy_parse(sl_npy *out, const void *bytes, size_t n, sl_error *err);
SL_CHECK sl_status sl_npy_read(sl_npy *out, const char *path, sl_error *err);
SL_CHECK sl_status sl_npy_write(const char *path, sl_npy_type type, int n_dims, const size_t *shape,
                                const void *data, sl_error *err);
void sl_npy_release(sl_npy *array); /* zeroed is fine */

/* The array as float64 (any numeric type), malloc'ed, count values; bool is refused. */
SL_CHECK sl_status sl_npy_to_f64(const sl_npy *array, double **out, sl_error *err);

/* An npz's arrays by name (without ".npy"). An array that unpacks to more than SL_NPZ_MAX_BYTES, or
 * to more than its archive's bytes could hold, is SL_EFORMAT before memory is taken for it. */
#define SL_NPZ_MAX_BYTES ((size_t)2 << 30)
typedef struct sl_npz sl_npz;
SL_CHECK sl_status sl_npz_open(sl_npz **out, const char *path, sl_error *err);
bool sl_npz_has(const sl_npz *npz, const char *name);
SL_CHECK sl_status sl_npz_read(sl_npz *npz, const char *name, sl_npy *out, sl_error *err);
void sl_npz_close(sl_npz *npz); /* NULL is fine */

#endif
