#include "base/npy.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/npy_header.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "npy data is read as it lies");

static sl_status check_bools(const unsigned char *bytes, size_t n, sl_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] > 1)
            return sl_error_set(err, SL_EFORMAT, "element %zu of a bool array is %d", i, bytes[i]);
    return SL_OK;
}

sl_status sl_npy_adopt(sl_npy *out, unsigned char *bytes, size_t n, sl_error *err)
{
    sl_npy array = { 0 };
    size_t offset, wanted;
    sl_status st = sl_npy_header_parse(&array, &offset, bytes, n, err);
    if (!st) {
        bool fits = sl_size_mul(array.count, sl_npy_item_size(array.type), &wanted);
        if (!fits || wanted != n - offset) {
            char shape[SL_NPY_HEADER_MAX];
            sl_npy_shape_text(shape, array.n_dims, array.shape);
            st = sl_error_set(err, SL_EFORMAT, "%zu bytes of data, too %s for shape %s of %s",
                              n - offset, !fits || n - offset < wanted ? "few" : "many", shape,
                              sl_npy_type_name(array.type));
        } else if (array.type == SL_NPY_BOOL) {
            st = check_bools(bytes + offset, wanted, err);
        }
    }
    if (st) {
        free(bytes);
        *out = (sl_npy){ 0 };
        return st;
    }
    memmove(bytes, bytes + offset, wanted);
    array.data = bytes;
    *out = array;
    return SL_OK;
}

sl_status sl_npy_parse(sl_npy *out, const void *bytes, size_t n, sl_error *err)
{
    *out = (sl_npy){ 0 };
    unsigned char *copy;
    sl_status st = sl_alloc(&copy, n, 1, err);
    if (st)
        return st;
    if (n > 0)
        memcpy(copy, bytes, n);
    return sl_npy_adopt(out, copy, n, err);
}

sl_status sl_npy_read(sl_npy *out, const char *path, sl_error *err)
{
    *out = (sl_npy){ 0 };
    uint64_t ceiling;
    sl_status st = sl_file_size(path, &ceiling, err);
    if (st)
        return st;
    unsigned char *bytes;
    size_t n;
    st = sl_file_read(path, (size_t)ceiling, &bytes, &n, err);
    if (st)
        return st;
    st = sl_npy_adopt(out, bytes, n, err);
    return st ? sl_error_at(err, st, "%s", path) : SL_OK;
}

sl_status sl_npy_write(const char *path, sl_npy_type type, int n_dims, const size_t *shape,
                       const void *data, sl_error *err)
{
    assert(n_dims >= 0 && n_dims <= SL_NPY_MAX_DIMS);
    size_t bytes = sl_npy_item_size(type);
    for (int i = 0; i < n_dims; i++)
        if (!sl_size_mul(bytes, shape[i], &bytes))
            return sl_error_set(err, SL_EINVAL, "this array's size overflows");
    char header[SL_NPY_HEADER_MAX];
    size_t n = sl_npy_header_format(header, type, n_dims, shape);
    sl_file_writer *w;
    sl_status st = sl_file_writer_open(&w, path, err);
    if (st)
        return st;
    st = sl_file_writer_write(w, header, n, err);
    if (!st)
        st = sl_file_writer_write(w, data, bytes, err);
    if (st) {
        sl_file_writer_abort(w);
        return st;
    }
    return sl_file_writer_commit(w, err);
}

void sl_npy_release(sl_npy *array)
{
    free(array->data);
    *array = (sl_npy){ 0 };
}

static double value_at(const sl_npy *array, size_t i)
{
    switch (array->type) {
    case SL_NPY_U8:
        return ((const uint8_t *)array->data)[i];
    case SL_NPY_I8:
        return ((const int8_t *)array->data)[i];
    case SL_NPY_U16:
        return ((const uint16_t *)array->data)[i];
    case SL_NPY_I16:
        return ((const int16_t *)array->data)[i];
    case SL_NPY_U32:
        return ((const uint32_t *)array->data)[i];
    case SL_NPY_I32:
        return ((const int32_t *)array->data)[i];
    case SL_NPY_U64:
        return (double)((const uint64_t *)array->data)[i];
    case SL_NPY_I64:
        return (double)((const int64_t *)array->data)[i];
    case SL_NPY_F32:
        return (double)((const float *)array->data)[i];
    case SL_NPY_F64:
        return ((const double *)array->data)[i];
    case SL_NPY_BOOL:
        break;
    }
    assert(!"a numeric type");
    return 0;
}

sl_status sl_npy_to_f64(const sl_npy *array, double **out, sl_error *err)
{
    *out = NULL;
    if (array->type == SL_NPY_BOOL)
        return sl_error_set(err, SL_EFORMAT, "an array of numbers was expected, this one is bool");
    sl_status st = sl_alloc(out, array->count, sizeof **out, err);
    if (st)
        return st;
    for (size_t i = 0; i < array->count; i++)
        (*out)[i] = value_at(array, i);
    return SL_OK;
}
