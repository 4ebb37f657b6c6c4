#include "labels/raw.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ANNOTATOR, INDEX, CHECK, TRUTH, CHOICE, IMAGE, REACTION, ELAPSED, COLUMNS };
static const char *const column_names[COLUMNS] = {
    "annotator_id", "trial_index",          "is_attn_check", "true_label",
    "chosen_label", "cifar10_test_set_idx", "reaction_time", "time_elapsed",
};

struct sl_raw {
    const sl_labels_source *source;
    sl_labels_file *files; /* (n_raw) */
    FILE **spools;         /* (n_raw), NULL where the path itself is read */
    size_t next;           /* file to be opened */
    sl_csv *csv;           /* of file next-1, or NULL */
    size_t column[COLUMNS], n_columns;
};

/* Copies the stream to a temporary file without a name, hashing it. */
static sl_status spool(FILE *stream, const char *name, FILE **out, char sha256[65], sl_error *err)
{
    unsigned char buffer[1 << 16];
    sl_hash *hash = NULL;
    FILE *file = tmpfile();
    sl_status st = file ? SL_OK : sl_io_error(err, "temporary file", "made", errno);
    if (!st)
        st = sl_hash_create(&hash, SL_HASH_SHA256, err);
    while (!st) {
        const size_t n = fread(buffer, 1, sizeof buffer, stream);
        if (n == 0)
            break;
        st = sl_hash_update(hash, buffer, n, err);
        if (!st && fwrite(buffer, 1, n, file) != n)
            st = sl_io_error(err, "temporary file", "written", errno);
    }
    if (!st && ferror(stream))
        st = sl_io_error(err, name, "read", errno);
    if (!st && fflush(file))
        st = sl_io_error(err, "temporary file", "written", errno);
    if (!st)
        st = sl_hash_finish(hash, sha256, err);
    sl_hash_destroy(hash);
    if (st && file)
        fclose(file);
    else
        *out = file;
    return st;
}

static sl_status prepare(sl_raw *raw, size_t i, sl_error *err)
{
    sl_labels_file *file = &raw->files[i];
    struct stat info;
    file->path = raw->source->raw[i];
    if (strcmp(file->path, "-") == 0) {
        if (!raw->source->stream)
            return sl_error_set(err, SL_EINVAL, "standard input can't be read again: name a file");
        for (size_t j = 0; j < i; j++)
            if (strcmp(raw->files[j].path, "-") == 0)
                return sl_error_set(err, SL_EINVAL, "'-' is named twice");
        return spool(raw->source->stream, "standard input", &raw->spools[i], file->sha256, err);
    }
    if (stat(file->path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
        FILE *stream = fopen(file->path, "rbe");
        if (!stream)
            return sl_io_error(err, file->path, "opened", errno);
        sl_status st = spool(stream, file->path, &raw->spools[i], file->sha256, err);
        fclose(stream);
        return st;
    }
    return sl_hash_file(file->path, SL_HASH_SHA256, file->sha256, err);
}

sl_status sl_raw_open(sl_raw **out, const sl_labels_source *source, sl_error *err)
{
    sl_raw *raw;
    *out = NULL;
    sl_status st = sl_alloc(&raw, 1, sizeof *raw, err);
    if (st)
        return st;
    raw->source = source;
    st = sl_alloc(&raw->files, source->n_raw, sizeof *raw->files, err);
    if (!st)
        st = sl_alloc(&raw->spools, source->n_raw, sizeof(FILE *), err);
    for (size_t i = 0; i < source->n_raw && !st; i++) {
        st = prepare(raw, i, err);
        for (size_t j = 0; j < i && !st; j++)
            if (strcmp(raw->files[i].sha256, raw->files[j].sha256) == 0)
                st = sl_error_set(err, SL_EINVAL, "'%s' and '%s' are the same data",
                                  raw->files[j].path, raw->files[i].path);
    }
    if (st)
        sl_raw_close(raw);
    else
        *out = raw;
    return st;
}

void sl_raw_close(sl_raw *raw)
{
    if (!raw)
        return;
    sl_csv_close(raw->csv);
    for (size_t i = 0; raw->spools && i < raw->source->n_raw; i++)
        if (raw->spools[i])
            fclose(raw->spools[i]);
    free(raw->spools);
    free(raw->files);
    free(raw);
}

const sl_labels_file *sl_raw_files(const sl_raw *raw)
{
    return raw->files;
}

sl_status sl_raw_error_at(const sl_raw *raw, sl_error *err, sl_status code)
{
    return raw->csv ? sl_csv_error_at(raw->csv, err, code) : code;
}

static sl_status open_next(sl_raw *raw, sl_error *err)
{
    const size_t i = raw->next++;
    const sl_text *fields;
    sl_status st;
    if (!raw->spools[i]) {
        st = sl_csv_open(&raw->csv, raw->files[i].path, err);
    } else if (lseek(fileno(raw->spools[i]), 0, SEEK_SET) < 0) {
        st = sl_io_error(err, raw->files[i].path, "read again", errno);
    } else {
        st = sl_csv_open_stream(&raw->csv, raw->spools[i], raw->files[i].path, err);
    }
    raw->files[i].rows = 0;
    if (!st)
        st = sl_csv_next(raw->csv, &fields, &raw->n_columns, err);
    if (st)
        return st;
    if (raw->n_columns == 0)
        st = sl_error_set(err, SL_EFORMAT, "no header row; expected the raw table's columns");
    for (int c = 0; c < COLUMNS && !st; c++)
        st = sl_csv_column(fields, raw->n_columns, column_names[c], &raw->column[c], err);
    return st ? sl_csv_error_at(raw->csv, err, st) : SL_OK;
}

static sl_status bad_field(sl_error *err, int column, sl_text field, const char *expected)
{
    const int shown = field.length < 40 ? (int)field.length : 40;
    return sl_error_set(err, SL_EFORMAT, "%s '%.*s' isn't %s", column_names[column], shown,
                        field.text, expected);
}

static sl_status take_integer(const sl_text *fields, const size_t *at, int column, int64_t min,
                              int64_t max, int64_t *out, sl_error *err)
{
    const sl_text field = fields[at[column]];
    char expected[80];
    if (sl_parse_i64(field.text, field.length, out) && *out >= min && *out <= max)
        return SL_OK;
    snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long)min,
             (long long)max);
    return bad_field(err, column, field, expected);
}

static sl_status take_ms(const sl_text *fields, const size_t *at, int column, double *out,
                         sl_error *err)
{
    const sl_text field = fields[at[column]];
    if (sl_parse_f64(field.text, field.length, false, out) && *out >= 0)
        return SL_OK;
    return bad_field(err, column, field, "a number of milliseconds, 0 or more");
}

static sl_status take_image(const sl_raw *raw, const sl_text *fields, sl_raw_trial *out,
                            sl_error *err)
{
    const sl_text field = fields[raw->column[IMAGE]];
    if (!out->check)
        return take_integer(fields, raw->column, IMAGE, 0, (int64_t)raw->source->n_images - 1,
                            &out->image, err);
    if (sl_parse_i64(field.text, field.length, &out->image) && out->image == SL_RAW_NO_IMAGE)
        return SL_OK;
    return bad_field(err, IMAGE, field, "-99999, as on every attention check");
}

static sl_status take_trial(const sl_raw *raw, const sl_text *fields, sl_raw_trial *out,
                            sl_error *err)
{
    const size_t *at = raw->column;
    const int64_t last = raw->source->n_classes - 1;
    int64_t check = 0, truth = 0, choice = 0;
    out->annotator = fields[at[ANNOTATOR]];
    if (out->annotator.length == 0 || out->annotator.length > 200)
        return sl_error_set(err, SL_EFORMAT, "annotator_id is %s",
                            out->annotator.length ? "longer than 200 bytes" : "empty");
    sl_status st = take_integer(fields, at, INDEX, 0, SL_RAW_MAX_INDEX, &out->index, err);
    if (!st)
        st = take_integer(fields, at, CHECK, 0, 1, &check, err);
    if (!st)
        st = take_integer(fields, at, TRUTH, check ? 0 : -1, last, &truth, err);
    if (!st)
        st = take_integer(fields, at, CHOICE, 0, last, &choice, err);
    out->check = check;
    out->truth = (int)truth;
    out->choice = (int)choice;
    if (!st)
        st = take_image(raw, fields, out, err);
    if (!st)
        st = take_ms(fields, at, REACTION, &out->reaction_ms, err);
    if (!st)
        st = take_ms(fields, at, ELAPSED, &out->elapsed_ms, err);
    return st;
}

sl_status sl_raw_next(sl_raw *raw, sl_raw_trial *out, bool *end, sl_error *err)
{
    const sl_text *fields;
    size_t n = 0;
    sl_status st;
    *end = false;
    while (n == 0) {
        if (!raw->csv) {
            *end = raw->next == raw->source->n_raw;
            if (*end)
                raw->next = 0;
            st = *end ? SL_OK : open_next(raw, err);
            if (st || *end)
                return st;
        }
        st = sl_csv_next(raw->csv, &fields, &n, err);
        if (st)
            return st;
        if (n == 0) {
            sl_csv_close(raw->csv);
            raw->csv = NULL;
        }
    }
    raw->files[raw->next - 1].rows++;
    if (n != raw->n_columns)
        st =
            sl_error_set(err, SL_EFORMAT, "%zu fields where the header has %zu", n, raw->n_columns);
    else
        st = take_trial(raw, fields, out, err);
    return st ? sl_csv_error_at(raw->csv, err, st) : SL_OK;
}
