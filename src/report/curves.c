#include "report/curves.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { NO_COLUMN = -1 };

const char *sl_curve_column(sl_curve curve)
{
    static const char *const names[SL_CURVE_COUNT] = {
        [SL_CURVE_V6] = "v6",
        [SL_CURVE_V4] = "v4",
        [SL_CURVE_C10H_VAL_C10] = "c10h_val_c10",
        [SL_CURVE_C10H_VAL] = "c10h_val",
        [SL_CURVE_C10H_TRAIN_C10] = "c10h_train_c10",
        [SL_CURVE_C10H_TRAIN] = "c10h_train",
        [SL_CURVE_C10_50K] = "c10_50k",
    };

    return names[curve];
}

/* Where the header has what; NO_COLUMN: nowhere. */
typedef struct {
    size_t epoch;
    int at[SL_CURVE_COUNT][2]; /* loss, accuracy */
} layout;

static sl_status read_header(layout *l, const sl_text *header, size_t n, sl_error *err)
{
    static const char *const endings[] = { "loss", "acc" };
    int found = 0;
    sl_status st = sl_csv_column(header, n, "epoch", &l->epoch, err);

    for (int c = 0; c < SL_CURVE_COUNT && !st; c++)
        for (int e = 0; e < 2; e++) {
            char name[40];

            snprintf(name, sizeof name, "%s_%s", sl_curve_column((sl_curve)c), endings[e]);
            l->at[c][e] = NO_COLUMN;
            for (size_t i = 0; i < n && i < INT_MAX; i++)
                if (sl_text_is(header[i], name))
                    l->at[c][e] = (int)i;
            found += l->at[c][e] != NO_COLUMN;
        }
    if (!st && found == 0)
        st = sl_error_set(err, SL_EFORMAT,
                          "has none of the columns 'c10h_val_loss', "
                          "'c10h_val_acc', ...");
    return st;
}

static sl_status read_number(const sl_text *fields, size_t n, int column, double *out,
                             sl_error *err)
{
    *out = NAN;
    if (column == NO_COLUMN || (size_t)column >= n || fields[column].length == 0)
        return SL_OK;
    if (!sl_parse_f64(fields[column].text, fields[column].length, false, out))
        return sl_error_set(err, SL_EFORMAT, "'%.*s' isn't a number",
                            (int)(fields[column].length < 40 ? fields[column].length : 40),
                            fields[column].text);
    return SL_OK;
}

static sl_status read_point(const layout *l, const sl_text *fields, size_t n, sl_curve_point *p,
                            sl_error *err)
{
    int64_t epoch;
    sl_status st = SL_OK;

    if (l->epoch >= n || !sl_parse_i64(fields[l->epoch].text, fields[l->epoch].length, &epoch) ||
        epoch < 0 || epoch > INT_MAX)
        return sl_error_set(err, SL_EFORMAT, "'epoch' isn't a whole number from 0 on");
    p->epoch = (int)epoch;
    for (int c = 0; c < SL_CURVE_COUNT && !st; c++) {
        st = read_number(fields, n, l->at[c][0], &p->loss[c], err);
        if (!st)
            st = read_number(fields, n, l->at[c][1], &p->accuracy[c], err);
    }
    return st;
}

static sl_status read_rows(sl_curves *c, sl_csv *csv, sl_error *err)
{
    const sl_text *fields;
    size_t n, capacity = 0;
    layout l;
    sl_status st = sl_csv_next(csv, &fields, &n, err);

    if (st)
        return st;
    st = n ? read_header(&l, fields, n, err) : sl_error_set(err, SL_EFORMAT, "is empty");
    if (st)
        return sl_csv_error_at(csv, err, st);
    while (!(st = sl_csv_next(csv, &fields, &n, err)) && n > 0) {
        st = sl_grow(&c->points, &capacity, c->n + 1, sizeof *c->points, err);
        if (st)
            return st;
        st = read_point(&l, fields, n, &c->points[c->n], err);
        if (!st && c->n > 0 && c->points[c->n].epoch <= c->points[c->n - 1].epoch)
            st = sl_error_set(err, SL_EFORMAT, "epoch %d after epoch %d", c->points[c->n].epoch,
                              c->points[c->n - 1].epoch);
        if (st)
            return sl_csv_error_at(csv, err, st);
        c->n++;
    }
    return st;
}

sl_status sl_curves_read(sl_curves *out, const char *path, sl_error *err)
{
    struct stat info;
    char *inside = NULL;
    sl_csv *csv = NULL;
    sl_hash *hash = NULL;
    sl_curves c = { 0 };
    sl_status st = SL_OK;

    *out = c;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        st = sl_path_join(&inside, path, "metrics.csv", err);
    if (!st)
        st = sl_csv_open(&csv, inside ? inside : path, err);
    if (!st)
        st = sl_hash_create(&hash, SL_HASH_SHA256, err);
    if (st)
        goto done;
    sl_csv_set_hash(csv, hash);
    st = read_rows(&c, csv, err);
    if (!st && c.n == 0)
        st = sl_error_at(err, sl_error_set(err, SL_EFORMAT, "has no epochs"), "%s", path);
    if (!st)
        st = sl_hash_finish(hash, c.sha256, err);
    if (st)
        goto done;
    *out = c;
    c = (sl_curves){ 0 };
done:
    sl_curves_release(&c);
    sl_hash_destroy(hash);
    sl_csv_close(csv);
    free(inside);
    return st;
}

void sl_curves_release(sl_curves *curves)
{
    free(curves->points);
    *curves = (sl_curves){ 0 };
}

const sl_curve_point *sl_curves_at(const sl_curves *curves, int epoch)
{
    for (size_t i = 0; i < curves->n; i++)
        if (curves->points[i].epoch == epoch)
            return &curves->points[i];
    return NULL;
}

sl_report_row sl_curve_row(const sl_curve_point *point)
{
    static const sl_curve of[SL_REPORT_COLUMNS] = {
        [SL_REPORT_C10H_VAL] = SL_CURVE_C10H_VAL,
        [SL_REPORT_C10_VAL] = SL_CURVE_C10H_VAL_C10,
        [SL_REPORT_V4] = SL_CURVE_V4,
        [SL_REPORT_V6] = SL_CURVE_V6,
        [SL_REPORT_C10_50K] = SL_CURVE_C10_50K,
    };
    sl_report_row row = { .epoch = point->epoch };

    for (int c = 0; c < SL_REPORT_COLUMNS; c++) {
        row.loss[c] = point->loss[of[c]];
        row.accuracy[c] = point->accuracy[of[c]];
    }
    return row;
}
