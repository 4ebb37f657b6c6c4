#include "eval/predictions_private.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/npy.h"
#include "eval/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUM_TOLERANCE 1e-3 /* of float32 probabilities, and of those printed with few digits */

static const char logits_kind[] = "logits", probs_kind[] = "probs";

void sl_predictions_release(sl_predictions *p)
{
    free(p->name);
    free(p->log_p);
    free(p->labels);
    *p = (sl_predictions){ 0 };
}

/* ---- from what a file says to log probabilities ---- */

static sl_status check_size(size_t n, size_t classes, sl_error *err)
{
    if (n < 1 || classes < 2 || classes > SL_SCORE_MAX_CLASSES)
        return sl_error_set(err, SL_EFORMAT,
                            "%zu images of %zu classes; expected at least 1 of 2 to %d", n, classes,
                            SL_SCORE_MAX_CLASSES);
    return SL_OK;
}

static double row_sum(const double *row, int classes)
{
    double sum = 0;
    for (int k = 0; k < classes; k++)
        sum += row[k];
    return sum;
}

static bool is_distribution(const double *row, int classes)
{
    for (int k = 0; k < classes; k++)
        if (!(row[k] >= 0 && row[k] <= 1 + SUM_TOLERANCE))
            return false;
    return fabs(row_sum(row, classes) - 1) <= SUM_TOLERANCE;
}

static const char *tell_kind(const sl_predictions *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (!is_distribution(p->log_p + i * (size_t)p->classes, p->classes))
            return logits_kind;
    return probs_kind;
}

/* z - log sum exp z */
static void log_softmax(double *row, int classes)
{
    double max = row[0], sum = 0;
    for (int k = 1; k < classes; k++)
        max = fmax(max, row[k]);
    for (int k = 0; k < classes; k++)
        sum += exp(row[k] - max);
    const double log_sum = max + log(sum);
    for (int k = 0; k < classes; k++)
        row[k] -= log_sum;
}

static sl_status seal_row(double *row, size_t i, int classes, bool logits, sl_error *err)
{
    for (int k = 0; k < classes; k++)
        if (!isfinite(row[k]))
            return sl_error_set(err, SL_EFORMAT, "row %zu has %g for class %d, expected a number",
                                i, row[k], k);
    if (logits) {
        log_softmax(row, classes);
        return SL_OK;
    }
    const double sum = row_sum(row, classes);
    if (!is_distribution(row, classes))
        return sl_error_set(err, SL_EFORMAT,
                            "row %zu isn't a distribution (sum %.9g); probabilities are >= 0 and "
                            "sum to 1 within %g",
                            i, sum, SUM_TOLERANCE);
    for (int k = 0; k < classes; k++)
        row[k] = log(row[k] / sum);
    return SL_OK;
}

sl_status sl_predictions_seal(sl_predictions *p, const char *kind, sl_error *err)
{
    p->kind = kind ? kind : tell_kind(p);
    sl_status st = SL_OK;
    for (size_t i = 0; i < p->n && !st; i++)
        st =
            seal_row(p->log_p + i * (size_t)p->classes, i, p->classes, p->kind == logits_kind, err);
    return st;
}

/* ---- npy and npz ---- */

static sl_status take_values(sl_predictions *p, const sl_npy *array, sl_error *err)
{
    if (array->n_dims != 2)
        return sl_error_set(err, SL_EFORMAT, "has %d dimensions, expected (images, classes)",
                            array->n_dims);
    sl_status st = check_size(array->shape[0], array->shape[1], err);
    if (!st && array->type != SL_NPY_F32 && array->type != SL_NPY_F64)
        st = sl_error_set(err, SL_EFORMAT, "is of type %s, expected float32 or float64",
                          sl_npy_type_name(array->type));
    if (st)
        return st;
    p->n = array->shape[0];
    p->classes = (int)array->shape[1];
    return sl_npy_to_f64(array, &p->log_p, err);
}

static sl_status take_labels(int16_t **out, const sl_npy *array, size_t n, int classes,
                             sl_error *err)
{
    double *values = NULL;
    int16_t *labels = NULL;
    sl_status st = SL_OK;
    if (array->n_dims != 1 || array->shape[0] != n)
        return sl_error_set(err, SL_EMISMATCH, "isn't one label for each of %zu images", n);
    if (array->type == SL_NPY_F32 || array->type == SL_NPY_F64)
        return sl_error_set(err, SL_EFORMAT, "is of type %s, expected whole numbers",
                            sl_npy_type_name(array->type));
    st = sl_npy_to_f64(array, &values, err);
    if (!st)
        st = sl_alloc(&labels, n, sizeof *labels, err);
    for (size_t i = 0; i < n && !st; i++) {
        if (values[i] >= 0 && values[i] < classes)
            labels[i] = (int16_t)values[i];
        else
            st = sl_error_set(err, SL_EFORMAT, "row %zu has the label %.0f, expected 0 to %d", i,
                              values[i], classes - 1);
    }
    free(values);
    if (st)
        free(labels);
    else
        *out = labels;
    return st;
}

sl_status sl_hard_labels_read(int16_t **out, const char *path, size_t n, int classes, sl_error *err)
{
    sl_npy array;
    *out = NULL;
    sl_status st = sl_npy_read(&array, path, err);
    if (st)
        return st;
    st = take_labels(out, &array, n, classes, err);
    sl_npy_release(&array);
    return st ? sl_error_at(err, st, "%s", path) : SL_OK;
}

static sl_status read_npy(sl_predictions *p, const char *path, sl_error *err)
{
    sl_npy array;
    sl_status st = sl_npy_read(&array, path, err);
    if (st)
        return st;
    st = take_values(p, &array, err);
    if (!st)
        st = sl_predictions_seal(p, NULL, err);
    sl_npy_release(&array);
    return st ? sl_error_at(err, st, "%s", path) : SL_OK;
}

static sl_status read_npz_labels(sl_predictions *p, sl_npz *npz, sl_error *err)
{
    sl_npy array;
    sl_status st = sl_npz_read(npz, "labels", &array, err);
    if (st)
        return st;
    st = take_labels(&p->labels, &array, p->n, p->classes, err);
    sl_npy_release(&array);
    return st ? sl_error_at(err, st, "labels.npy") : SL_OK;
}

static sl_status read_npz(sl_predictions *p, const char *path, sl_error *err)
{
    sl_npz *npz;
    sl_npy array = { 0 };
    sl_status st = sl_npz_open(&npz, path, err);
    if (st)
        return st;
    const char *kind = sl_npz_has(npz, logits_kind) ? logits_kind : probs_kind;
    if (!sl_npz_has(npz, kind)) {
        st = sl_error_set(err, SL_EFORMAT, "has neither an array 'logits' nor 'probs'");
        goto at_path;
    }
    st = sl_npz_read(npz, kind, &array, err);
    if (st)
        goto done; /* its place is there already */
    st = take_values(p, &array, err);
    if (!st)
        st = sl_predictions_seal(p, kind, err);
    if (st)
        sl_error_at(err, st, "%s.npy", kind);
    else if (sl_npz_has(npz, "labels"))
        st = read_npz_labels(p, npz, err);
at_path:
    if (st)
        sl_error_at(err, st, "%s", path);
done:
    sl_npy_release(&array);
    sl_npz_close(npz);
    return st;
}

/* ---- any file ---- */

/* "a/b/model_test.npz" is model_test. */
static sl_status set_name(sl_predictions *p, const char *path, sl_error *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    const size_t n = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    sl_status st = sl_alloc(&p->name, n + 1, 1, err);
    if (!st)
        memcpy(p->name, name, n);
    return st;
}

/* The first bytes say what a file is; of an unreadable one, whoever reads it says why. */
static void read_magic(const char *path, char magic[6])
{
    FILE *file = fopen(path, "rb");
    memset(magic, 0, 6);
    if (!file)
        return;
    if (fread(magic, 1, 6, file) < 6)
        magic[0] = 0;
    fclose(file);
}

sl_status sl_predictions_read(sl_predictions *out, const char *path, const char *const *class_names,
                              int n_names, sl_error *err)
{
    char magic[6];
    sl_predictions p = { 0 };
    *out = (sl_predictions){ 0 };
    read_magic(path, magic);
    sl_status st = set_name(&p, path, err);
    if (!st)
        st = sl_hash_file(path, SL_HASH_SHA256, p.sha256, err);
    if (st)
        goto done;
    if (memcmp(magic, "\x93NUMPY", 6) == 0) {
        st = read_npy(&p, path, err);
    } else if (memcmp(magic, "PK\3\4", 4) == 0) {
        st = read_npz(&p, path, err);
    } else {
        st = sl_predictions_read_csv(&p, path, class_names, n_names, err);
        if (!st)
            st = check_size(p.n, (size_t)p.classes, err);
        if (!st)
            st = sl_predictions_seal(&p, NULL, err);
        if (st && !(err && *err->place))
            sl_error_at(err, st, "%s", path);
    }
done:
    if (st)
        sl_predictions_release(&p);
    else
        *out = p;
    return st;
}

sl_status sl_predictions_from_logits(sl_predictions *out, const char *name, const float *logits,
                                     size_t n, int classes, sl_error *err)
{
    sl_predictions p = { .n = n, .classes = classes };
    size_t count;
    *out = (sl_predictions){ 0 };
    if (!sl_size_mul(n, (size_t)classes, &count))
        return sl_error_set(err, SL_ENOMEM, "too many images");
    sl_status st = check_size(n, (size_t)classes, err);
    if (!st)
        st = set_name(&p, name, err);
    if (!st)
        st = sl_alloc(&p.log_p, count, sizeof *p.log_p, err);
    if (!st)
        st = sl_sha256(logits, count * sizeof *logits, p.sha256, err);
    if (st)
        goto done;
    for (size_t i = 0; i < count; i++)
        p.log_p[i] = (double)logits[i];
    st = sl_predictions_seal(&p, logits_kind, err);
done:
    if (st)
        sl_predictions_release(&p);
    else
        *out = p;
    return st;
}
