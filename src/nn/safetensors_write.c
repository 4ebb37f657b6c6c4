#include "nn/safetensors.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "nn/safetensors_format.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

sl_tensor_view sl_tensor_view_vector(const char *name, const float *data, size_t n)
{
    return (sl_tensor_view){ .name = name, .n_dims = 1, .dims = { n }, .data = data };
}

static sl_status view_bytes(const sl_tensor_view *t, size_t *out, sl_error *err)
{
    *out = sizeof(float);
    for (int i = 0; i < t->n_dims; i++)
        if (!sl_size_mul(*out, t->dims[i], out))
            return sl_error_set(err, SL_ENOMEM, "tensor '%s' is impossibly large", t->name);
    return SL_OK;
}

/* Adds the tensor to the header; *offset moves behind it. */
static sl_status describe(json_t *header, const sl_tensor_view *t, size_t *offset, sl_error *err)
{
    if (t->n_dims < 0 || t->n_dims > SL_SAFETENSORS_MAX_DIMS || strcmp(t->name, METADATA) == 0 ||
        json_object_get(header, t->name))
        return sl_error_set(err, SL_EINVAL,
                            "tensor '%s' can't be stored: its name is taken or it "
                            "has too many dimensions",
                            t->name);
    size_t bytes, end;
    sl_status st = view_bytes(t, &bytes, err);
    if (st)
        return st;
    if (!sl_size_add(*offset, bytes, &end) || end > INT64_MAX)
        return sl_error_set(err, SL_ENOMEM, "the tensors are impossibly large");
    json_t *shape = json_array();
    for (int i = 0; i < t->n_dims; i++)
        json_array_append_new(shape, json_integer((json_int_t)t->dims[i]));
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape,
                              "data_offsets", (json_int_t)*offset, (json_int_t)end);
    if (json_object_set_new(header, t->name, entry))
        return sl_error_set(err, SL_EINVAL, "tensor '%s' can't be named in JSON", t->name);
    *offset = end;
    return SL_OK;
}

/* Length and header, padded with spaces so that the data is aligned; the digest's digits are zeros.
 * *out is malloc'ed. */
static sl_status build_header(const sl_tensor_view *tensors, size_t n, const json_t *metadata,
                              char **out, size_t *size, sl_error *err)
{
    sl_status st = SL_OK;
    char *text = NULL;
    size_t offset = 0;
    json_t *header = json_object(), *meta = json_object();
    if (!header || !meta || (metadata && json_object_update(meta, (json_t *)metadata)) ||
        json_object_set_new(meta, FORMAT_KEY, json_string("1")) ||
        json_object_set_new(meta, SHA256_KEY, json_string(no_digest)) ||
        json_object_set(header, METADATA, meta)) {
        st = sl_error_set(err, SL_ENOMEM, "out of memory");
        goto done;
    }
    for (size_t i = 0; i < n && !st; i++)
        st = describe(header, &tensors[i], &offset, err);
    if (st)
        goto done;
    size_t length = json_dumpb(header, NULL, 0, JSON_COMPACT);
    size_t padded = (length + 7) / 8 * 8;
    if (length == 0 || padded > MAX_HEADER_BYTES) {
        st = sl_error_set(err, SL_EINVAL, "the header of %zu bytes can't be stored", length);
        goto done;
    }
    st = sl_alloc(&text, LENGTH_BYTES + padded, 1, err);
    if (st)
        goto done;
    const uint64_t stored_length = padded;
    memcpy(text, &stored_length, LENGTH_BYTES);
    memset(text + LENGTH_BYTES, ' ', padded);
    if (json_dumpb(header, text + LENGTH_BYTES, length, JSON_COMPACT) != length) {
        st = sl_error_set(err, SL_ENOMEM, "out of memory");
        goto done;
    }
    *out = text;
    *size = LENGTH_BYTES + padded;
    text = NULL; /* the caller's now */
done:
    free(text);
    json_decref(header);
    json_decref(meta);
    return st;
}

/* Puts the digest of header and tensors into the header. */
static sl_status sign(char *header, size_t size, const sl_tensor_view *tensors, size_t n,
                      sl_error *err)
{
    char hex[65];
    size_t bytes;
    sl_hash *hash = NULL;
    sl_status st = sl_hash_create(&hash, SL_HASH_SHA256, err);
    if (!st)
        st = sl_hash_update(hash, header, size, err);
    for (size_t i = 0; i < n && !st; i++) {
        st = view_bytes(&tensors[i], &bytes, err);
        if (!st)
            st = sl_hash_update(hash, tensors[i].data, bytes, err);
    }
    if (!st)
        st = sl_hash_finish(hash, hex, err);
    if (!st) {
        char *mark = memmem(header, size, SHA256_MARK, sizeof SHA256_MARK - 1);
        memcpy(mark + sizeof SHA256_MARK - 1, hex, DIGEST_CHARS);
    }
    sl_hash_destroy(hash);
    return st;
}

sl_status sl_safetensors_write(const char *path, const sl_tensor_view *tensors, size_t n,
                               const json_t *metadata, sl_error *err)
{
    char *header = NULL;
    size_t size = 0, bytes;
    sl_file_writer *writer = NULL;
    sl_status st = build_header(tensors, n, metadata, &header, &size, err);
    if (!st)
        st = sign(header, size, tensors, n, err);
    if (!st)
        st = sl_file_writer_open(&writer, path, err);
    if (st)
        goto done;
    st = sl_file_writer_write(writer, header, size, err);
    for (size_t i = 0; i < n && !st; i++) {
        st = view_bytes(&tensors[i], &bytes, err);
        if (!st)
            st = sl_file_writer_write(writer, tensors[i].data, bytes, err);
    }
    if (st)
        goto done;
    st = sl_file_writer_commit(writer, err);
    writer = NULL; /* commit has freed it */
done:
    sl_file_writer_abort(writer);
    free(header);
    return st;
}
