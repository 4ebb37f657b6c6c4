/* CIFAR-10's binary version: records of 3073 bytes, a label 0..9 and the image's red, green and
 * blue planes of 32 rows of 32 pixels. Source: cs.toronto.edu/~kriz/cifar.html. */
#include "base/file.h"
#include "base/memory.h"
#include "data/dataset_private.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static sl_status count_records(const char *path, size_t *out, sl_error *err)
{
    uint64_t size;
    sl_status st = sl_file_size(path, &size, err);
    if (st)
        return st;
    const uint64_t rest = size % SL_CIFAR_RECORD, records = size / SL_CIFAR_RECORD;
    if (size == 0)
        st = sl_error_set(err, SL_EFORMAT, "is empty, expected records of %d bytes",
                          SL_CIFAR_RECORD);
    else if (rest != 0)
        st = sl_error_set(err, SL_EFORMAT,
                          "size is %" PRIu64 " bytes, expected a multiple of %d: record %" PRIu64
                          " is cut off after %" PRIu64 " bytes",
                          size, SL_CIFAR_RECORD, records, rest);
    *out = (size_t)records;
    return st ? sl_error_at(err, st, "%s", path) : SL_OK;
}

/* Reads the n records of path: pixels (n, 3, 32, 32), labels (n). */
static sl_status read_records(const char *path, size_t n, uint8_t *pixels, uint8_t *labels,
                              sl_error *err)
{
    sl_status st = SL_OK;
    FILE *file = fopen(path, "rb");
    if (!file)
        return sl_error_at(err, sl_error_set(err, SL_EIO, "can't open it: %s", strerror(errno)),
                           "%s", path);
    for (size_t i = 0; !st && i < n; i++) {
        if (fread(labels + i, 1, 1, file) != 1 ||
            fread(pixels + i * SL_CIFAR_PIXELS, SL_CIFAR_PIXELS, 1, file) != 1)
            st = ferror(file) ? sl_error_set(err, SL_EIO, "reading failed: %s", strerror(errno))
                              : sl_error_set(err, SL_EFORMAT, "record %zu is cut off", i);
        else if (labels[i] >= SL_CIFAR_CLASSES)
            st = sl_error_set(err, SL_EFORMAT, "label of record %zu is %d, expected 0..%d", i,
                              labels[i], SL_CIFAR_CLASSES - 1);
    }
    fclose(file);
    return st ? sl_error_at(err, st, "%s", path) : SL_OK;
}

sl_status sl_cifar_read_classes(sl_dataset **out, const char *name, const char *const *class_names,
                                const char *const *paths, int n_paths, sl_error *err)
{
    *out = NULL;
    sl_dataset *set = NULL;
    size_t *records = NULL, n = 0;
    uint8_t *pixels, *labels;
    sl_status st = sl_alloc(&records, (size_t)n_paths, sizeof *records, err);
    for (int f = 0; !st && f < n_paths; f++) {
        st = count_records(paths[f], &records[f], err);
        if (!st && !sl_size_add(n, records[f], &n))
            st = sl_error_set(err, SL_ENOMEM, "too many images");
    }
    if (st)
        goto done;
    st = sl_dataset_create(&set, name, n, class_names, &pixels, &labels, err);
    if (st)
        goto done;
    for (int f = 0; f < n_paths; f++) {
        st = read_records(paths[f], records[f], pixels, labels, err);
        if (st)
            goto done;
        pixels += records[f] * SL_CIFAR_PIXELS;
        labels += records[f];
    }
    st = sl_dataset_seal(set, err);
    if (st)
        goto done;
    *out = set;
    set = NULL;
done:
    sl_dataset_destroy(set);
    free(records);
    return st;
}

sl_status sl_cifar_read(sl_dataset **out, const char *name, const char *const *paths, int n_paths,
                        sl_error *err)
{
    return sl_cifar_read_classes(out, name, NULL, paths, n_paths, err);
}
