/* CIFAR-10.1 as released: images npy uint8 (n, 32, 32, 3), labels npy integer (n).
 * Source: github.com/modestyachts/CIFAR-10.1. */
#include "base/npy.h"
#include "data/dataset_private.h"

static sl_status check_images(const sl_npy *images, const char *path, sl_error *err)
{
    const size_t *s = images->shape;
    sl_status st = SL_OK;
    if (images->type != SL_NPY_U8)
        st = sl_error_set(err, SL_EFORMAT, "images are %s, expected uint8",
                          sl_npy_type_name(images->type));
    else if (images->n_dims != 4 || s[0] == 0 || s[1] != SL_CIFAR_SIDE || s[2] != SL_CIFAR_SIDE ||
             s[3] != 3)
        st = sl_error_set(err, SL_EFORMAT, "images have another shape than (n, 32, 32, 3)");
    return st ? sl_error_at(err, st, "%s", path) : SL_OK;
}

/* Checks labels and writes them as bytes. */
static sl_status read_labels(const sl_npy *labels, size_t n, uint8_t *out, const char *path,
                             sl_error *err)
{
    sl_status st = SL_OK;
    if (labels->type != SL_NPY_I32 && labels->type != SL_NPY_I64 && labels->type != SL_NPY_U8)
        st = sl_error_set(err, SL_EFORMAT, "labels are %s, expected int32, int64 or uint8",
                          sl_npy_type_name(labels->type));
    else if (labels->n_dims != 1)
        st = sl_error_set(err, SL_EFORMAT, "labels have %d dimensions, expected 1", labels->n_dims);
    else if (labels->count != n)
        st = sl_error_set(err, SL_EFORMAT, "has %zu labels, but there are %zu images",
                          labels->count, n);
    for (size_t i = 0; !st && i < n; i++) {
        const int64_t label = labels->type == SL_NPY_I32   ? ((const int32_t *)labels->data)[i]
                              : labels->type == SL_NPY_I64 ? ((const int64_t *)labels->data)[i]
                                                           : ((const uint8_t *)labels->data)[i];
        if (label < 0 || label >= SL_CIFAR_CLASSES)
            st = sl_error_set(err, SL_EFORMAT, "label of image %zu is %lld, expected 0..%d", i,
                              (long long)label, SL_CIFAR_CLASSES - 1);
        else
            out[i] = (uint8_t)label;
    }
    return st ? sl_error_at(err, st, "%s", path) : SL_OK;
}

/* (n, 32, 32, 3) -> (n, 3, 32, 32) */
static void planes_from_pixels(const uint8_t *nhwc, size_t n, uint8_t *nchw)
{
    const size_t area = SL_CIFAR_SIDE * SL_CIFAR_SIDE;
    for (size_t i = 0; i < n; i++, nhwc += SL_CIFAR_PIXELS, nchw += SL_CIFAR_PIXELS)
        for (size_t p = 0; p < area; p++)
            for (size_t c = 0; c < 3; c++)
                nchw[c * area + p] = nhwc[p * 3 + c];
}

sl_status sl_cifar101_read(sl_dataset **out, const char *name, const char *data_npy,
                           const char *labels_npy, sl_error *err)
{
    *out = NULL;
    sl_npy images = { 0 }, classes = { 0 };
    sl_dataset *set = NULL;
    uint8_t *pixels, *labels;
    sl_status st = sl_npy_read(&images, data_npy, err);
    if (!st)
        st = check_images(&images, data_npy, err);
    if (!st)
        st = sl_npy_read(&classes, labels_npy, err);
    if (!st)
        st = sl_dataset_create(&set, name, images.shape[0], NULL, &pixels, &labels, err);
    if (!st)
        st = read_labels(&classes, images.shape[0], labels, labels_npy, err);
    if (st)
        goto done;
    planes_from_pixels(images.data, images.shape[0], pixels);
    st = sl_dataset_seal(set, err);
    if (st)
        goto done;
    *out = set;
    set = NULL;
done:
    sl_dataset_destroy(set);
    sl_npy_release(&images);
    sl_npy_release(&classes);
    return st;
}
