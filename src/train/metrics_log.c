#include "train/metrics_log.h"

#include "base/file.h"
#include "base/memory.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sl_metrics_log_release(sl_metrics_log *log)
{
    free(log->cells);
    log->cells = NULL;
    log->n_rows = log->capacity = 0;
}

sl_status sl_metrics_log_add(sl_metrics_log *log, const double *row, sl_error *err)
{
    size_t width = (size_t)log->n_columns;
    sl_status st =
        sl_grow(&log->cells, &log->capacity, (log->n_rows + 1) * width, sizeof *row, err);

    if (st)
        return st;
    memcpy(log->cells + log->n_rows * width, row, width * sizeof *row);
    log->n_rows++;
    return SL_OK;
}

double *sl_metrics_log_row(const sl_metrics_log *log, size_t row)
{
    assert(row < log->n_rows);
    return log->cells + row * (size_t)log->n_columns;
}

sl_status sl_metrics_log_put_row(const sl_metrics_log *log, size_t row, json_t *object,
                                 const char *key, sl_error *err)
{
    const double *cells = sl_metrics_log_row(log, row);
    json_t *values = json_object();
    int failed = json_object_set_new(object, key, values);

    for (int c = 0; c < log->n_columns && !failed; c++)
        if (!isnan(cells[c]))
            failed = json_object_set_new(values, log->columns[c],
                                         c == 0 ? json_integer((json_int_t)cells[c])
                                                : json_real(cells[c]));
    return failed ? sl_error_set(err, SL_ENOMEM, "not enough memory for a row of metrics") : SL_OK;
}

static void print_number(FILE *out, double value)
{
    char text[32];

    if (isnan(value))
        return;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fputs(text, out);
}

sl_status sl_metrics_log_write(const sl_metrics_log *log, const char *path, sl_error *err)
{
    sl_file_writer *writer;
    sl_status st = sl_file_writer_open(&writer, path, err);
    FILE *out;

    if (st)
        return st;
    out = sl_file_writer_stream(writer);
    for (int c = 0; c < log->n_columns; c++)
        fprintf(out, "%s%s", c ? "," : "", log->columns[c]);
    fputc('\n', out);
    for (size_t r = 0; r < log->n_rows; r++) {
        for (int c = 0; c < log->n_columns; c++) {
            if (c)
                fputc(',', out);
            print_number(out, sl_metrics_log_row(log, r)[c]);
        }
        fputc('\n', out);
    }
    return sl_file_writer_commit(writer, err);
}
