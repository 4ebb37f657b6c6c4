/* Named tensors in a file: the safetensors format, so that PyTorch and others open what we write.
 *
 *     8 bytes   length of the header, little endian
 *     header    JSON: {"__metadata__": {text: text},
 *                      name: {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}}
 *     data      the tensors' bytes, little endian, row-major, without holes
 *
 * Files that we write carry a checksum of every byte in their metadata; a damaged one is refused
 * when read. Files of other programs have none, and are read as they are.
 * Source: github.com/huggingface/safetensors, README "Format". */
#ifndef NN_SAFETENSORS_H
#define NN_SAFETENSORS_H

#include <jansson.h>
#include <softlabel/error.h>
#include <stddef.h>

#define SL_SAFETENSORS_MAX_DIMS 8

/* A float32 array in the caller's memory. */
typedef struct {
    const char *name; /* not "__metadata__" */
    int n_dims;       /* 0 (a single number) .. SL_SAFETENSORS_MAX_DIMS */
    size_t dims[SL_SAFETENSORS_MAX_DIMS];
    const float *data; /* product of dims floats */
} sl_tensor_view;

/* A vector of n floats, the most common kind. */
sl_tensor_view sl_tensor_view_vector(const char *name, const float *data, size_t n);

/* Writes n tensors, stored as F32 in the order given, whole or not at all. metadata is an object of
 * strings (borrowed; NULL: none); keys that start with "softlabel.sha256" are ours. Names must
 * differ. SL_EINVAL for what the format can't hold. */
SL_CHECK sl_status sl_safetensors_write(const char *path, const sl_tensor_view *tensors, size_t n,
                                        const json_t *metadata, sl_error *err);

/* A file in memory, checked whole when opened: header, offsets, checksum. */
typedef struct sl_safetensors sl_safetensors;

typedef struct {
    const char *name;
    const char *dtype; /* "F32"; F16, BF16, F64 are converted by sl_safetensors_get */
    int n_dims;
    size_t dims[SL_SAFETENSORS_MAX_DIMS];
    size_t count; /* product of dims */
} sl_safetensors_entry;

/* SL_EFORMAT when the file isn't what the format says, or is damaged. */
SL_CHECK sl_status sl_safetensors_read(sl_safetensors **out, const char *path, sl_error *err);
/* The same from memory; bytes is borrowed until close. */
SL_CHECK sl_status sl_safetensors_parse(sl_safetensors **out, const unsigned char *bytes, size_t n,
                                        sl_error *err);
void sl_safetensors_close(sl_safetensors *file); /* NULL is fine */

size_t sl_safetensors_count(const sl_safetensors *file);
const sl_safetensors_entry *sl_safetensors_at(const sl_safetensors *file, size_t i);
const sl_safetensors_entry *sl_safetensors_find(const sl_safetensors *file,
                                                const char *name); /* or NULL */
/* A text of the metadata, or NULL; borrowed until close. */
const char *sl_safetensors_metadata(const sl_safetensors *file, const char *key);

/* Copies a tensor that must have exactly these dims into out as float32. SL_EMISMATCH, naming the
 * tensor, when it is missing or of another shape; SL_EFORMAT when its dtype isn't a float. */
SL_CHECK sl_status sl_safetensors_get(const sl_safetensors *file, const char *name, int n_dims,
                                      const size_t *dims, float *out, sl_error *err);
/* The same for a vector of n. */
SL_CHECK sl_status sl_safetensors_get_vector(const sl_safetensors *file, const char *name, size_t n,
                                             float *out, sl_error *err);

#endif
