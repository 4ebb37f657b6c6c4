/* Takes up again what a folder of labels holds. */
#include "base/npy.h"
#include "labels/record.h"
#include "labels/rules.h"
#include <stdlib.h>

static sl_status load_counts(sl_counted *c, const char *path, sl_error *err)
{
    sl_npy array;
    const size_t k = (size_t)c->view.n_classes;
    sl_status st = sl_npy_read(&array, path, err);
    if (st)
        return st;
    if (array.type != SL_NPY_I64 || array.n_dims != 2 || array.shape[0] != c->view.n_images ||
        array.shape[1] != k)
        st = sl_error_set(err, SL_EFORMAT, "'%s' isn't int64 of shape (%zu, %zu)", path,
                          c->view.n_images, k);
    else
        memcpy(c->counts, array.data, c->view.n_images * k * sizeof *c->counts);
    for (size_t i = 0; i < c->view.n_images * k && !st; i++)
        if (c->counts[i] < 0)
            st = sl_error_set(err, SL_EFORMAT, "'%s' has a negative count", path);
    sl_npy_release(&array);
    return st;
}

static sl_status load_truth(sl_counted *c, const char *path, sl_error *err)
{
    sl_npy array;
    sl_status st = sl_npy_read(&array, path, err);
    if (st)
        return st;
    if (array.type != SL_NPY_I64 || array.n_dims != 1 || array.shape[0] != c->view.n_images)
        st = sl_error_set(err, SL_EFORMAT, "'%s' isn't int64 of shape (%zu,)", path,
                          c->view.n_images);
    for (size_t i = 0; i < c->view.n_images && !st; i++) {
        const int64_t truth = ((const int64_t *)array.data)[i];
        if (truth < -1 || truth >= c->view.n_classes)
            st = sl_error_set(err, SL_EFORMAT, "'%s' has a class %lld", path, (long long)truth);
        c->truth[i] = (int16_t)truth;
    }
    sl_npy_release(&array);
    return st;
}

static sl_status load(sl_counted *c, const sl_record *r, sl_error *err)
{
    sl_labels_file file;
    sl_status st = SL_OK;
    for (size_t i = 0; i < sl_record_files(r) && !st; i++) {
        st = sl_record_file(r, i, &file, err);
        if (!st)
            st = sl_counted_add_file(c, &file, err);
    }
    if (!st)
        st = load_counts(c, r->paths[SL_RESULT_COUNTS], err);
    if (!st)
        st = load_truth(c, r->paths[SL_RESULT_TRUTH], err);
    if (!st)
        st = sl_people_read(&c->people, r->paths[SL_RESULT_PEOPLE], err);
    sl_counted_sum_up(c);
    return st;
}

sl_status sl_counted_load(sl_counted *c, const char *dir, sl_error *err)
{
    sl_record r = { 0 };
    sl_status st = sl_record_open(&r, dir, err);
    if (!st && strcmp(r.rules_sha256, c->rules_sha256) != 0)
        st = sl_error_set(err, SL_EMISMATCH, "'%s' was counted with other rules", dir);
    if (!st && ((size_t)r.n_images != c->view.n_images || r.n_classes != c->view.n_classes))
        st = sl_error_set(err, SL_EMISMATCH, "'%s' has %lld images of %lld classes", dir,
                          (long long)r.n_images, (long long)r.n_classes);
    if (!st)
        st = load(c, &r, err);
    sl_record_release(&r);
    return st;
}

sl_status sl_labels_read(sl_labels **out, const char *dir, sl_error *err)
{
    sl_record r = { 0 };
    sl_counted *c = NULL;
    *out = NULL;
    sl_status st = sl_record_open(&r, dir, err);
    if (st)
        goto done;
    const sl_labels_source sizes = { .n_images = (size_t)r.n_images,
                                     .n_classes = (int)r.n_classes,
                                     .rules = &r.rules };
    st = sl_counted_create(&c, &sizes, err);
    if (!st)
        st = load(c, &r, err);
done:
    sl_record_release(&r);
    if (!st)
        *out = &c->view;
    else if (c)
        sl_labels_destroy(&c->view);
    return st;
}
