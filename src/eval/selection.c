#include "eval/selection.h"

#include "base/csv.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/npy.h"

#include <inttypes.h>
#include <softlabel/dataset.h>
#include <stdlib.h>

void sl_selection_release(sl_selection *selection)
{
    free(selection->indices);
    *selection = (sl_selection){ 0 };
}

/* Checks and hashes what s holds, and hands it over or frees it. */
static sl_status seal(sl_selection *s, sl_selection *out, sl_error *err)
{
    bool *chosen = NULL;
    sl_hash *hash = NULL;
    sl_status st = sl_alloc(&chosen, s->of, sizeof *chosen, err);
    if (!st && s->n == 0)
        st = sl_error_set(err, SL_EINVAL, "no image is selected");
    for (size_t i = 0; i < s->n && !st; i++) {
        const int64_t image = s->indices[i];
        if (image < 0 || (uint64_t)image >= s->of)
            st = sl_error_set(err, SL_EFORMAT, "index %" PRId64 ", expected 0 to %zu", image,
                              s->of - 1);
        else if (chosen[image])
            st = sl_error_set(err, SL_EFORMAT, "index %" PRId64 " is there twice", image);
        else
            chosen[image] = true;
    }
    if (!st)
        st = sl_hash_create(&hash, SL_HASH_SHA256, err);
    for (size_t i = 0; i < s->of && !st; i++) {
        const int64_t image = (int64_t)i; /* numbers here lie as in the file: little-endian */
        if (chosen[i])
            st = sl_hash_update(hash, &image, sizeof image, err);
    }
    if (!st)
        st = sl_hash_finish(hash, s->sha256, err);
    sl_hash_destroy(hash);
    free(chosen);
    if (st) {
        sl_selection_release(s);
        return st;
    }
    *out = *s;
    return SL_OK;
}

sl_status sl_selection_all(sl_selection *out, size_t of, sl_error *err)
{
    sl_selection s = { .what = "all images", .n = of, .of = of };
    *out = (sl_selection){ 0 };
    sl_status st = sl_alloc(&s.indices, of, sizeof *s.indices, err);
    if (st)
        return st;
    for (size_t i = 0; i < of; i++)
        s.indices[i] = (int64_t)i;
    return seal(&s, out, err);
}

sl_status sl_selection_split(sl_selection *out, size_t of, uint32_t seed, sl_split_part part,
                             sl_error *err)
{
    sl_selection s = { .of = of };
    sl_split split;
    *out = (sl_selection){ 0 };
    sl_status st = sl_split_create(&split, of, of - of / 10, seed, err);
    if (st)
        return st;
    snprintf(s.what, sizeof s.what, "%s part of split seed %" PRIu32,
             part == SL_PART_TRAINING ? "training" : "validation", seed);
    int64_t **taken = part == SL_PART_TRAINING ? &split.train : &split.val;
    s.n = part == SL_PART_TRAINING ? split.n_train : split.n_val;
    s.indices = *taken;
    *taken = NULL;
    sl_split_release(&split);
    return seal(&s, out, err);
}

static sl_status read_npy(sl_selection *s, const char *path, sl_error *err)
{
    sl_npy array;
    double *values = NULL;
    sl_status st = sl_npy_read(&array, path, err);
    if (st)
        return st;
    if (array.n_dims != 1 || array.type == SL_NPY_F32 || array.type == SL_NPY_F64)
        st = sl_error_set(err, SL_EFORMAT, "isn't a list of whole numbers");
    if (!st)
        st = sl_npy_to_f64(&array, &values, err);
    if (!st)
        st = sl_alloc(&s->indices, array.count, sizeof *s->indices, err);
    for (size_t i = 0; i < array.count && !st; i++)
        s->indices[i] =
            values[i] >= -1 && values[i] < (double)s->of ? (int64_t)values[i] : (int64_t)s->of;
    s->n = array.count;
    free(values);
    sl_npy_release(&array);
    return st ? sl_error_at(err, st, "%s", path) : SL_OK;
}

static sl_status read_text(sl_selection *s, const char *path, sl_error *err)
{
    sl_csv *csv;
    const sl_text *fields;
    size_t n, capacity = 0;
    sl_status st = sl_csv_open(&csv, path, err);
    if (st)
        return st;
    while (!(st = sl_csv_next(csv, &fields, &n, err)) && n > 0) {
        st = sl_grow(&s->indices, &capacity, s->n + 1, sizeof *s->indices, err);
        if (st)
            break;
        if (n != 1 || !sl_parse_i64(fields[0].text, fields[0].length, &s->indices[s->n])) {
            st = sl_error_set(err, SL_EFORMAT, "expected one whole number");
            sl_csv_error_at(csv, err, st);
            break;
        }
        s->n++;
    }
    sl_csv_close(csv);
    return st;
}

sl_status sl_selection_read(sl_selection *out, size_t of, const char *path, sl_error *err)
{
    sl_selection s = { .of = of };
    char magic[6] = "";
    *out = (sl_selection){ 0 };
    const char *slash = strrchr(path, '/');
    snprintf(s.what, sizeof s.what, "images listed in %.100s", slash ? slash + 1 : path);
    FILE *file = fopen(path, "rb");
    const bool npy = file && fread(magic, 1, 6, file) == 6 && memcmp(magic, "\x93NUMPY", 6) == 0;
    if (file)
        fclose(file);
    sl_status st = npy ? read_npy(&s, path, err) : read_text(&s, path, err);
    if (st) {
        sl_selection_release(&s);
        return st;
    }
    st = seal(&s, out, err);
    return st ? sl_error_at(err, st, "%s", path) : SL_OK;
}
