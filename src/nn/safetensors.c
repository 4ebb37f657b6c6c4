#include "nn/safetensors.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "nn/safetensors_format.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE_BYTES ((size_t)1 << 32)

typedef enum { NOT_FLOAT, F16, BF16, F32, F64 } float_kind;
typedef struct {
    const char *name;
    size_t bytes;
    float_kind kind;
} dtype;
static const dtype dtypes[] = {
    { "F32", 4, F32 },        { "F64", 8, F64 },       { "F16", 2, F16 },
    { "BF16", 2, BF16 },      { "I64", 8, NOT_FLOAT }, { "I32", 4, NOT_FLOAT },
    { "I16", 2, NOT_FLOAT },  { "I8", 1, NOT_FLOAT },  { "U64", 8, NOT_FLOAT },
    { "U32", 4, NOT_FLOAT },  { "U16", 2, NOT_FLOAT }, { "U8", 1, NOT_FLOAT },
    { "BOOL", 1, NOT_FLOAT },
};

typedef struct {
    sl_safetensors_entry entry;
    const dtype *type;
    size_t begin, end; /* in the data */
} stored;

struct sl_safetensors {
    json_t *header;  /* owns the names and the metadata */
    stored *tensors; /* in the order of the data */
    size_t n;
    const unsigned char *data;
    size_t data_bytes;
    unsigned char *owned; /* the file's bytes, if we read them */
};

static const dtype *find_dtype(const char *name)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(dtypes[i].name, name) == 0)
            return &dtypes[i];
    return NULL;
}

/* An array of at most max whole numbers >= 0. */
static sl_status parse_sizes(const json_t *object, const char *key, size_t max, size_t *out,
                             size_t *n, sl_error *err)
{
    json_t *array;
    sl_status st = sl_json_get(object, key, &array, err);
    if (st)
        return st;
    *n = json_array_size(array);
    if (!json_is_array(array) || *n > max)
        return sl_error_set(err, SL_EFORMAT, "'%s' isn't an array of at most %zu numbers", key,
                            max);
    for (size_t i = 0; i < *n; i++) {
        const json_t *item = json_array_get(array, i);
        if (!json_is_integer(item) || json_integer_value(item) < 0)
            return sl_error_set(err, SL_EFORMAT, "'%s' holds something other than sizes", key);
        out[i] = (size_t)json_integer_value(item);
    }
    return SL_OK;
}

static sl_status parse_tensor(stored *t, const char *name, const json_t *json, size_t data_bytes,
                              sl_error *err)
{
    const char *type;
    size_t n_dims, offsets[2], n_offsets, bytes;
    sl_status st = sl_json_get_string(json, "dtype", &type, err);
    if (!st)
        st = parse_sizes(json, "shape", SL_SAFETENSORS_MAX_DIMS, t->entry.dims, &n_dims, err);
    if (!st)
        st = parse_sizes(json, "data_offsets", 2, offsets, &n_offsets, err);
    if (st)
        return st;
    t->type = find_dtype(type);
    if (!t->type)
        return sl_error_set(err, SL_EFORMAT, "unknown dtype '%s'", type);
    t->entry.name = name;
    t->entry.dtype = t->type->name;
    t->entry.n_dims = (int)n_dims;
    t->entry.count = 1;
    for (size_t i = 0; i < n_dims; i++)
        if (!sl_size_mul(t->entry.count, t->entry.dims[i], &t->entry.count))
            return sl_error_set(err, SL_EFORMAT, "its shape is impossibly large");
    if (n_offsets != 2 || offsets[0] > offsets[1] || offsets[1] > data_bytes)
        return sl_error_set(err, SL_EFORMAT,
                            "its data_offsets don't lie in the %zu bytes of data; the file is "
                            "truncated or damaged",
                            data_bytes);
    t->begin = offsets[0];
    t->end = offsets[1];
    if (!sl_size_mul(t->entry.count, t->type->bytes, &bytes) || bytes != t->end - t->begin)
        return sl_error_set(err, SL_EFORMAT,
                            "its data_offsets hold %zu bytes, not what its shape "
                            "and dtype need",
                            t->end - t->begin);
    return SL_OK;
}

static int by_offset(const void *a, const void *b)
{
    const stored *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* Every byte of the data belongs to exactly one tensor. */
static sl_status check_coverage(const sl_safetensors *file, sl_error *err)
{
    size_t at = 0;
    for (size_t i = 0; i < file->n; i++) {
        const stored *t = &file->tensors[i];
        if (t->begin != at)
            return sl_error_set(err, SL_EFORMAT,
                                "tensor '%s' begins at byte %zu of the data, "
                                "expected %zu: tensors overlap or leave a hole",
                                t->entry.name, t->begin, at);
        at = t->end;
    }
    if (at != file->data_bytes)
        return sl_error_set(err, SL_EFORMAT,
                            "%zu bytes of data where the tensors take %zu; the "
                            "file is damaged",
                            file->data_bytes, at);
    return SL_OK;
}

static sl_status parse_header(sl_safetensors *file, sl_error *err)
{
    sl_status st =
        sl_alloc(&file->tensors, json_object_size(file->header), sizeof *file->tensors, err);
    if (st)
        return st;
    const char *name;
    json_t *json;
    json_object_foreach(file->header, name, json)
    {
        if (strcmp(name, METADATA) == 0) {
            const char *key;
            json_t *text;
            if (!json_is_object(json))
                return sl_error_set(err, SL_EFORMAT, "'" METADATA "' isn't an object");
            json_object_foreach(json, key, text) if (!json_is_string(text)) return sl_error_set(
                err, SL_EFORMAT, "'%s' in '" METADATA "' isn't a text", key);
            continue;
        }
        st = parse_tensor(&file->tensors[file->n], name, json, file->data_bytes, err);
        if (st)
            return sl_error_at(err, st, "tensor '%s'", name);
        file->n++;
    }
    qsort(file->tensors, file->n, sizeof *file->tensors, by_offset);
    return check_coverage(file, err);
}

/* The digest of bytes with its own digits, at mark, counted as zeros. */
static sl_status digest(const unsigned char *bytes, size_t n, size_t digits_at, char hex[65],
                        sl_error *err)
{
    sl_hash *hash = NULL;
    sl_status st = sl_hash_create(&hash, SL_HASH_SHA256, err);
    if (!st)
        st = sl_hash_update(hash, bytes, digits_at, err);
    if (!st)
        st = sl_hash_update(hash, no_digest, DIGEST_CHARS, err);
    if (!st)
        st = sl_hash_update(hash, bytes + digits_at + DIGEST_CHARS, n - digits_at - DIGEST_CHARS,
                            err);
    if (!st)
        st = sl_hash_finish(hash, hex, err);
    sl_hash_destroy(hash);
    return st;
}

static sl_status check_digest(const sl_safetensors *file, const unsigned char *bytes, size_t n,
                              size_t header_bytes, sl_error *err)
{
    const char *stated = sl_safetensors_metadata(file, SHA256_KEY);
    if (!stated && !sl_safetensors_metadata(file, FORMAT_KEY))
        return SL_OK; /* another program's file */
    const unsigned char *mark =
        memmem(bytes + LENGTH_BYTES, header_bytes, SHA256_MARK, sizeof SHA256_MARK - 1);
    char hex[65] = "";
    if (stated && mark && strlen(stated) == DIGEST_CHARS) {
        size_t digits_at = (size_t)(mark - bytes) + sizeof SHA256_MARK - 1;
        sl_status st = digest(bytes, n, digits_at, hex, err);
        if (st)
            return st;
    }
    if (!stated || strcmp(hex, stated) != 0)
        return sl_error_set(err, SL_EFORMAT,
                            "the file is damaged: its bytes don't have the checksum that it "
                            "states; use another copy, or, if another program changed it, take "
                            "'" SHA256_KEY "' and '" FORMAT_KEY "' out of its metadata");
    return SL_OK;
}

sl_status sl_safetensors_parse(sl_safetensors **out, const unsigned char *bytes, size_t n,
                               sl_error *err)
{
    *out = NULL;
    uint64_t header_bytes = 0;
    if (n < LENGTH_BYTES + 2)
        return sl_error_set(err, SL_EFORMAT, "%zu bytes are too few for a safetensors file", n);
    memcpy(&header_bytes, bytes, LENGTH_BYTES);
    if (header_bytes > MAX_HEADER_BYTES || header_bytes > n - LENGTH_BYTES ||
        bytes[LENGTH_BYTES] != '{')
        return sl_error_set(err, SL_EFORMAT,
                            "no safetensors file, or a truncated one: a header of "
                            "%" PRIu64 " bytes in a file of %zu",
                            header_bytes, n);

    sl_safetensors *file = NULL;
    sl_status st = sl_alloc(&file, 1, sizeof *file, err);
    if (st)
        return st;
    file->data = bytes + LENGTH_BYTES + header_bytes;
    file->data_bytes = n - LENGTH_BYTES - (size_t)header_bytes;

    json_error_t why;
    file->header = json_loadb((const char *)bytes + LENGTH_BYTES, (size_t)header_bytes,
                              JSON_REJECT_DUPLICATES, &why);
    if (!file->header) {
        st = json_error_code(&why) == json_error_out_of_memory ? SL_ENOMEM : SL_EFORMAT;
        sl_error_set(err, st, "its header isn't valid JSON at byte %d: %s", why.position, why.text);
        goto done;
    }
    st = parse_header(file, err);
    if (!st)
        st = check_digest(file, bytes, n, (size_t)header_bytes, err);
    if (st)
        goto done;
    *out = file;
    file = NULL; /* the caller's now */
done:
    sl_safetensors_close(file);
    return st;
}

sl_status sl_safetensors_read(sl_safetensors **out, const char *path, sl_error *err)
{
    *out = NULL;
    unsigned char *bytes = NULL;
    size_t n = 0;
    sl_status st = sl_file_read(path, MAX_FILE_BYTES, &bytes, &n, err);
    if (st)
        return st;
    st = sl_safetensors_parse(out, bytes, n, err);
    if (st) {
        free(bytes);
        return sl_error_at(err, st, "%s", path);
    }
    (*out)->owned = bytes;
    return SL_OK;
}

void sl_safetensors_close(sl_safetensors *file)
{
    if (!file)
        return;
    json_decref(file->header);
    free(file->tensors);
    free(file->owned);
    free(file);
}

size_t sl_safetensors_count(const sl_safetensors *file)
{
    return file->n;
}

const sl_safetensors_entry *sl_safetensors_at(const sl_safetensors *file, size_t i)
{
    return &file->tensors[i].entry;
}

static const stored *find(const sl_safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->n; i++)
        if (strcmp(file->tensors[i].entry.name, name) == 0)
            return &file->tensors[i];
    return NULL;
}

const sl_safetensors_entry *sl_safetensors_find(const sl_safetensors *file, const char *name)
{
    const stored *t = find(file, name);
    return t ? &t->entry : NULL;
}

const char *sl_safetensors_metadata(const sl_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->header, METADATA), key));
}

/* ---- floats ---- */

static float float_from_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* IEEE 754 half precision: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
static float float_from_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = (half >> 10) & 0x1f, fraction = half & 0x3ff;
    if (exponent == 0) { /* zero or subnormal: fraction * 2^-24 */
        float value = (float)fraction * 0x1p-24f;
        return sign ? -value : value;
    }
    if (exponent == 0x1f) /* infinity, NaN */
        return float_from_bits(sign | 0x7f800000 | fraction << 13);
    return float_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

static void convert(float *out, const unsigned char *from, size_t n, float_kind kind)
{
    uint16_t bits;
    double wide;
    switch (kind) {
    case F32:
        if (n > 0)
            memcpy(out, from, n * sizeof *out);
        break;
    case F64:
        for (size_t i = 0; i < n; i++) {
            memcpy(&wide, from + i * sizeof wide, sizeof wide);
            out[i] = (float)wide;
        }
        break;
    case F16:
    case BF16:
        for (size_t i = 0; i < n; i++) {
            memcpy(&bits, from + i * sizeof bits, sizeof bits);
            out[i] = kind == F16 ? float_from_half(bits) : float_from_bits((uint32_t)bits << 16);
        }
        break;
    case NOT_FLOAT:
        break;
    }
}

/* "[16, 3, 3, 3]" */
static const char *dims_text(int n_dims, const size_t *dims, char buffer[200])
{
    size_t used = 0;
    buffer[0] = 0;
    for (int i = 0; i < n_dims; i++)
        used += (size_t)snprintf(buffer + used, 200 - used, "%s%zu", i ? ", " : "", dims[i]);
    return buffer;
}

sl_status sl_safetensors_get(const sl_safetensors *file, const char *name, int n_dims,
                             const size_t *dims, float *out, sl_error *err)
{
    const stored *t = find(file, name);
    if (!t)
        return sl_error_set(err, SL_EMISMATCH, "tensor '%s' is missing", name);
    bool same = t->entry.n_dims == n_dims;
    for (int i = 0; i < n_dims && same; i++)
        same = t->entry.dims[i] == dims[i];
    if (!same) {
        char has[200], wanted[200];
        return sl_error_set(err, SL_EMISMATCH, "tensor '%s' has the shape [%s], expected [%s]",
                            name, dims_text(t->entry.n_dims, t->entry.dims, has),
                            dims_text(n_dims, dims, wanted));
    }
    if (t->type->kind == NOT_FLOAT)
        return sl_error_set(err, SL_EFORMAT, "tensor '%s' is of type %s, expected a float", name,
                            t->type->name);
    convert(out, file->data + t->begin, t->entry.count, t->type->kind);
    return SL_OK;
}

sl_status sl_safetensors_get_vector(const sl_safetensors *file, const char *name, size_t n,
                                    float *out, sl_error *err)
{
    return sl_safetensors_get(file, name, 1, &n, out, err);
}
