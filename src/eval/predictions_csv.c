/* Predictions as a table for people and spreadsheets. */
#include "eval/predictions_private.h"

#include "base/csv.h"
#include "base/memory.h"
#include "eval/metrics.h"

#include <inttypes.h>
#include <stdlib.h>

#define MAX_IMAGES ((size_t)1 << 28)

/* What a column holds: a class's number, or one of these. */
enum { LABEL = -1, IMAGE = -2 };

typedef struct {
    sl_predictions *p;
    sl_csv *csv;
    int *columns; /* (n_columns) */
    size_t n_columns;
    bool has_label, has_image;
    double *rows;    /* (n, classes), in the file's order */
    int64_t *images; /* (n): a row's place */
    int16_t *labels; /* (n), in the file's order */
    size_t n, row_capacity, image_capacity, label_capacity;
} table;

static bool class_of(sl_text text, int classes, const char *const *names, int n_names, int *out)
{
    uint64_t number;
    for (int k = 0; k < n_names && k < classes; k++) {
        if (sl_text_is(text, names[k])) {
            *out = k;
            return true;
        }
    }
    if (!sl_parse_u64(text.text, text.length, &number) || number >= (uint64_t)classes)
        return false;
    *out = (int)number;
    return true;
}

static sl_status take_header(table *t, const sl_text *fields, size_t n, const char *const *names,
                             int n_names, sl_error *err)
{
    sl_status st = sl_alloc(&t->columns, n, sizeof *t->columns, err);
    if (st)
        return st;
    t->n_columns = n;
    for (size_t i = 0; i < n; i++) {
        t->has_label |= sl_text_is(fields[i], "label");
        t->has_image |= sl_text_is(fields[i], "image");
    }
    const size_t classes = n - t->has_label - t->has_image;
    if (classes < 2 || classes > SL_SCORE_MAX_CLASSES)
        return sl_error_set(err, SL_EFORMAT, "%zu columns of classes, expected 2 to %d", classes,
                            SL_SCORE_MAX_CLASSES);
    t->p->classes = (int)classes;
    for (size_t i = 0; i < n; i++) {
        int *column = &t->columns[i];
        const int shown = fields[i].length < 40 ? (int)fields[i].length : 40;
        if (sl_text_is(fields[i], "label"))
            *column = LABEL;
        else if (sl_text_is(fields[i], "image"))
            *column = IMAGE;
        else if (!class_of(fields[i], (int)classes, names, n_names, column))
            return sl_error_set(err, SL_EFORMAT,
                                "column '%.*s' is neither a class (its name, or 0 to %zu) nor "
                                "'label' nor 'image'",
                                shown, fields[i].text, classes - 1);
        for (size_t j = 0; j < i; j++)
            if (t->columns[j] == *column)
                return sl_error_set(err, SL_EFORMAT, "column '%.*s' is there twice", shown,
                                    fields[i].text);
    }
    return SL_OK;
}

static sl_status bad_field(const table *t, size_t column, sl_text field, const char *expected,
                           sl_error *err)
{
    const int shown = field.length < 40 ? (int)field.length : 40;
    sl_error_set(err, SL_EFORMAT, "field %zu is '%.*s', expected %s", column + 1, shown, field.text,
                 expected);
    return sl_csv_error_at(t->csv, err, SL_EFORMAT);
}

static sl_status grow(table *t, sl_error *err)
{
    const size_t n = t->n + 1, classes = (size_t)t->p->classes;
    if (n > MAX_IMAGES)
        return sl_error_set(err, SL_EFORMAT, "more than %zu rows", MAX_IMAGES);
    sl_status st = sl_grow(&t->rows, &t->row_capacity, n * classes, sizeof *t->rows, err);
    if (!st)
        st = sl_grow(&t->images, &t->image_capacity, n, sizeof *t->images, err);
    if (!st)
        st = sl_grow(&t->labels, &t->label_capacity, n, sizeof *t->labels, err);
    return st;
}

static sl_status take_row(table *t, const sl_text *fields, size_t n, sl_error *err)
{
    if (n != t->n_columns) {
        sl_error_set(err, SL_EFORMAT, "%zu fields, but the header has %zu", n, t->n_columns);
        return sl_csv_error_at(t->csv, err, SL_EFORMAT);
    }
    sl_status st = grow(t, err);
    if (st)
        return st;
    const int classes = t->p->classes;
    t->images[t->n] = (int64_t)t->n;
    for (size_t i = 0; i < n; i++) {
        const sl_text f = fields[i];
        int64_t number;
        double value;
        if (t->columns[i] >= 0) {
            if (!sl_parse_f64(f.text, f.length, false, &value))
                return bad_field(t, i, f, "a number", err);
            t->rows[t->n * (size_t)classes + (size_t)t->columns[i]] = value;
        } else if (!sl_parse_i64(f.text, f.length, &number) || number < 0) {
            return bad_field(t, i, f, "a whole number >= 0", err);
        } else if (t->columns[i] == IMAGE) {
            t->images[t->n] = number;
        } else if (number < classes) {
            t->labels[t->n] = (int16_t)number;
        } else {
            return bad_field(t, i, f, "the number of a class", err);
        }
    }
    t->n++;
    return SL_OK;
}

/* Brings the rows into the images' order: each of 0..n-1 must be there once. */
static sl_status order_rows(table *t, sl_error *err)
{
    sl_predictions *p = t->p;
    const size_t classes = (size_t)p->classes;
    bool *seen = NULL;
    sl_status st = sl_alloc(&p->log_p, t->n * classes, sizeof *p->log_p, err);
    if (!st && t->has_label)
        st = sl_alloc(&p->labels, t->n, sizeof *p->labels, err);
    if (!st)
        st = sl_alloc(&seen, t->n, sizeof *seen, err);
    for (size_t i = 0; i < t->n && !st; i++) {
        const size_t image = (size_t)t->images[i];
        if (image >= t->n || seen[image]) {
            st =
                sl_error_set(err, SL_EFORMAT, "image %zu %s; each of 0 to %zu must be there once",
                             image, image >= t->n ? "of too few rows" : "is there twice", t->n - 1);
            break;
        }
        seen[image] = true;
        memcpy(p->log_p + image * classes, t->rows + i * classes, classes * sizeof *t->rows);
        if (t->has_label)
            p->labels[image] = t->labels[i];
    }
    p->n = t->n;
    free(seen);
    return st;
}

sl_status sl_predictions_read_csv(sl_predictions *p, const char *path,
                                  const char *const *class_names, int n_names, sl_error *err)
{
    table t = { .p = p };
    const sl_text *fields;
    size_t n;
    sl_status st = sl_csv_open(&t.csv, path, err);
    if (st)
        return st;
    st = sl_csv_next(t.csv, &fields, &n, err);
    if (st)
        goto done;
    st = n == 0 ? sl_error_set(err, SL_EFORMAT, "an empty file")
                : take_header(&t, fields, n, class_names, n_names, err);
    if (st) {
        sl_csv_error_at(t.csv, err, st);
        goto done;
    }
    while (!st && !(st = sl_csv_next(t.csv, &fields, &n, err)) && n > 0)
        st = take_row(&t, fields, n, err);
    if (!st)
        st = order_rows(&t, err);
done:
    free(t.columns);
    free(t.rows);
    free(t.images);
    free(t.labels);
    sl_csv_close(t.csv);
    return st;
}
