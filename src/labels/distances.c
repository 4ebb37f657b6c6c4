/* A table of distances between classes, as CSV. */
#include "base/csv.h"
#include "base/memory.h"

#include <softlabel/labels.h>
#include <stdlib.h>

enum { MAX_CLASSES = 255 };

typedef struct {
    double *values; /* (n, n) */
    char *names;    /* (n, SL_CLASS_NAME_SIZE) of the header */
    size_t n;
} table;

static char *name_of(const table *t, size_t i)
{
    return t->names + i * SL_CLASS_NAME_SIZE;
}

static sl_status read_header(table *t, const sl_text *fields, size_t n, sl_error *err)
{
    if (n < 3 || n > MAX_CLASSES + 1)
        return sl_error_set(err, SL_EFORMAT,
                            "a header of %zu columns, expected one for the rows' names and one for "
                            "each of 2 to %d classes",
                            n, MAX_CLASSES);
    t->n = n - 1;
    sl_status st = sl_alloc(&t->values, t->n * t->n, sizeof *t->values, err);
    if (!st)
        st = sl_alloc(&t->names, t->n, SL_CLASS_NAME_SIZE, err);
    for (size_t i = 0; i < t->n && !st; i++) {
        const sl_text *name = &fields[i + 1];
        if (name->length == 0 || name->length >= SL_CLASS_NAME_SIZE)
            st = sl_error_set(err, SL_EFORMAT, "column %zu: a name of %zu bytes, expected 1 to %d",
                              i + 2, name->length, SL_CLASS_NAME_SIZE - 1);
        else
            memcpy(name_of(t, i), name->text, name->length);
    }
    return st;
}

static sl_status read_row(table *t, size_t row, const sl_text *fields, size_t n, sl_error *err)
{
    if (row == t->n)
        return sl_error_set(err, SL_EFORMAT, "more rows than the header's %zu classes", t->n);
    if (n != t->n + 1)
        return sl_error_set(err, SL_EFORMAT, "%zu columns, expected %zu", n, t->n + 1);
    if (!sl_text_is(fields[0], name_of(t, row)))
        return sl_error_set(err, SL_EFORMAT, "the row of '%.*s', expected '%s' as in the header",
                            (int)fields[0].length, fields[0].text, name_of(t, row));
    for (size_t i = 0; i < t->n; i++) {
        double *d = &t->values[row * t->n + i];
        if (!sl_parse_f64(fields[i + 1].text, fields[i + 1].length, false, d) || !(*d >= 0) ||
            (i == row && *d != 0))
            return sl_error_set(err, SL_EFORMAT, "column '%s': '%.*s', expected %s", name_of(t, i),
                                (int)fields[i + 1].length, fields[i + 1].text,
                                i == row ? "0" : "a number >= 0");
    }
    return SL_OK;
}

static sl_status read_all(table *t, sl_csv *csv, sl_error *err)
{
    const sl_text *fields;
    size_t n;
    sl_status st = sl_csv_next(csv, &fields, &n, err);
    if (st)
        return st;
    st = read_header(t, fields, n, err);
    if (st)
        return sl_csv_error_at(csv, err, st);
    for (size_t row = 0;; row++) {
        st = sl_csv_next(csv, &fields, &n, err);
        if (st)
            return st;
        if (n == 0 && row == t->n)
            return SL_OK;
        st = n == 0 ? sl_error_set(err, SL_EFORMAT, "%zu rows, expected %zu", row, t->n)
                    : read_row(t, row, fields, n, err);
        if (st)
            return sl_csv_error_at(csv, err, st);
    }
}

sl_status sl_distances_read(double **out, char (**names)[SL_CLASS_NAME_SIZE], int *n_classes,
                            const char *path, sl_error *err)
{
    table t = { 0 };
    sl_csv *csv;
    *out = NULL;
    *names = NULL;
    *n_classes = 0;
    sl_status st = sl_csv_open(&csv, path, err);
    if (st)
        return st;
    st = read_all(&t, csv, err);
    sl_csv_close(csv);
    if (st) {
        free(t.values);
        free(t.names);
        return st;
    }
    *out = t.values;
    *names = (char(*)[SL_CLASS_NAME_SIZE])t.names;
    *n_classes = (int)t.n;
    return SL_OK;
}
