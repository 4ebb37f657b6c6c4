/* Distributions over classes: from counts, probabilities or labels, checked row by row. */
#include "base/hash.h"
#include "base/memory.h"
#include "base/npy.h"
#include <math.h>
#include <softlabel/dataset.h>
#include <stdlib.h>

#define SUM_TOLERANCE 1e-4

typedef struct {
    sl_targets targets; /* first, so that the targets' address is their owner's */
    sl_arena memory;
    double *p64; /* (n, classes), the targets' own, to be filled */
    float *p;
} owned_targets;

static sl_status targets_create(owned_targets **out, const char *name, size_t n, int classes,
                                sl_error *err)
{
    *out = NULL;
    owned_targets *owned = NULL;
    size_t count;
    if (classes < 1 || !sl_size_mul(n, (size_t)classes, &count))
        return sl_error_set(err, SL_EINVAL, "targets can't be %zu rows of %d classes", n, classes);
    sl_status st = sl_alloc(&owned, 1, sizeof *owned, err);
    if (st)
        return st;
    st = sl_arena_alloc(&owned->memory, &owned->p64, count, sizeof *owned->p64, err);
    if (!st)
        st = sl_arena_alloc(&owned->memory, &owned->p, count, sizeof *owned->p, err);
    if (!st)
        st = sl_arena_strdup(&owned->memory, &owned->targets.name, name, err);
    if (st) {
        sl_targets_destroy(&owned->targets);
        return st;
    }
    owned->targets.n = n;
    owned->targets.classes = classes;
    owned->targets.p = owned->p;
    owned->targets.p64 = owned->p64;
    *out = owned;
    return SL_OK;
}

void sl_targets_destroy(sl_targets *targets)
{
    if (!targets)
        return;
    owned_targets *owned = (owned_targets *)targets;
    sl_arena_release(&owned->memory);
    free(owned);
}

/* Rounds p64 to p, hashes it, and hands the targets over. */
static sl_status targets_seal(owned_targets *owned, sl_targets **out, sl_error *err)
{
    const size_t count = owned->targets.n * (size_t)owned->targets.classes;
    for (size_t i = 0; i < count; i++)
        owned->p[i] = (float)owned->p64[i];
    sl_status st = sl_sha256(owned->p64, count * sizeof *owned->p64, owned->targets.sha256, err);
    if (!st)
        *out = &owned->targets;
    return st;
}

/* Checks one row of counts or probabilities and writes it as probabilities. */
static sl_status normalise_row(const double *row, int classes, size_t i, bool counts, double *p,
                               sl_error *err)
{
    double sum = 0;
    for (int k = 0; k < classes; k++) {
        if (!(row[k] >= 0) || isinf(row[k]))
            return sl_error_set(err, SL_EFORMAT,
                                "row %zu has %g for class %d, expected a number >= 0", i, row[k],
                                k);
        sum += row[k];
    }
    if (counts ? !(sum >= 1) : sum == 0)
        return sl_error_set(err, SL_EFORMAT, "row %zu sums to 0, so it says nothing", i);
    if (!counts && !(fabs(sum - 1) <= SUM_TOLERANCE))
        return sl_error_set(err, SL_EFORMAT,
                            "row %zu sums to %.9g, expected 1 within %g (counts are integers)", i,
                            sum, SUM_TOLERANCE);
    for (int k = 0; k < classes; k++)
        p[k] = counts ? row[k] / sum : row[k];
    return SL_OK;
}

static sl_status targets_from(sl_targets **out, const char *name, const double *rows, bool counts,
                              size_t n, int classes, sl_error *err)
{
    *out = NULL;
    owned_targets *owned;
    sl_status st = targets_create(&owned, name, n, classes, err);
    for (size_t i = 0; !st && i < n; i++) {
        const size_t at = i * (size_t)classes;
        st = normalise_row(rows + at, classes, i, counts, owned->p64 + at, err);
    }
    if (!st)
        st = targets_seal(owned, out, err);
    if (st && owned)
        sl_targets_destroy(&owned->targets);
    return st;
}

sl_status sl_targets_from_rows(sl_targets **out, const char *name, const double *p, size_t n,
                               int classes, sl_error *err)
{
    return targets_from(out, name, p, false, n, classes, err);
}

sl_status sl_targets_read(sl_targets **out, const char *name, const char *path, size_t n,
                          int classes, sl_error *err)
{
    *out = NULL;
    sl_npy array = { 0 };
    double *rows = NULL;
    sl_status st = sl_npy_read(&array, path, err);
    if (st)
        return st; /* its place is the path already */
    if (array.n_dims != 2 || array.shape[0] != n || array.shape[1] != (size_t)classes) {
        st = array.n_dims == 2
                 ? sl_error_set(err, SL_EMISMATCH,
                                "has the shape (%zu, %zu), but the data set needs (%zu, %d)",
                                array.shape[0], array.shape[1], n, classes)
                 : sl_error_set(err, SL_EMISMATCH,
                                "has %d dimensions, but the data set needs (%zu, %d)", array.n_dims,
                                n, classes);
        goto done;
    }
    st = sl_npy_to_f64(&array, &rows, err);
    if (st)
        goto done;
    const bool counts = array.type != SL_NPY_F32 && array.type != SL_NPY_F64;
    st = targets_from(out, name, rows, counts, n, classes, err);
done:
    free(rows);
    sl_npy_release(&array);
    return st ? sl_error_at(err, st, "%s", path) : SL_OK;
}

sl_status sl_targets_from_labels(sl_targets **out, const sl_dataset *set, sl_error *err)
{
    *out = NULL;
    owned_targets *owned;
    sl_status st = targets_create(&owned, "hard", set->n, set->classes, err);
    if (st)
        return st;
    for (size_t i = 0; i < set->n; i++)
        owned->p64[i * (size_t)set->classes + set->labels[i]] = 1;
    st = targets_seal(owned, out, err);
    if (st)
        sl_targets_destroy(&owned->targets);
    return st;
}

sl_status sl_targets_smooth(sl_targets **out, const sl_targets *from, double epsilon, sl_error *err)
{
    *out = NULL;
    if (!(epsilon >= 0 && epsilon < 1))
        return sl_error_set(err, SL_EINVAL, "label smoothing of %g, expected 0 <= smoothing < 1",
                            epsilon);
    owned_targets *owned;
    sl_status st = targets_create(&owned, "smoothed", from->n, from->classes, err);
    if (st)
        return st;
    const size_t count = from->n * (size_t)from->classes;
    for (size_t i = 0; i < count; i++)
        owned->p64[i] = (1 - epsilon) * from->p64[i] + epsilon / from->classes;
    st = targets_seal(owned, out, err);
    if (st)
        sl_targets_destroy(&owned->targets);
    return st;
}
