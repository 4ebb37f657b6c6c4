#include "labels/raw.h"
#include "base/csv.h"
#include "base/hash.h"
#include "base/memory.h"
#include <stdlib.h>

/* The columns that are needed, then those that are checked where they are. */
enum {
    ANNOTATOR,
    INDEX,
    CHECK,
    TRUTH,
    CHOICE,
    IMAGE,
    REACTION,
    ELAPSED,
    NEEDED,
    CORRECT = NEEDED,
    TRUTH_NAME,
    CHOICE_NAME,
    COLUMNS
};
static const char *const column_names[COLUMNS] = {
    "annotator_id",  "trial_index",          "is_attn_check",   "true_label",
    "chosen_label",  "cifar10_test_set_idx", "reaction_time",   "time_elapsed",
    "correct_guess", "true_category",        "chosen_category",
};
/* What the released file's own header has for cifar10_test_set_idx. */
static const char image_as_released[] = "cifar10_test_test_idx";

#define ABSENT SIZE_MAX

struct sl_raw {
    const sl_labels_source *source;
    sl_labels_file *files; /* (n_raw) */
    size_t next;           /* file to be opened */
    sl_csv *csv;           /* of file next-1, or NULL */
    sl_hash *hash;         /* of that file */
    size_t column[COLUMNS], n_columns;
    sl_arena memory;
    sl_text names[255]; /* what the files call a class; NULL until one says */
};

sl_status sl_raw_open(sl_raw **out, const sl_labels_source *source, sl_error *err)
{
    sl_raw *raw;
    *out = NULL;
    sl_status st = sl_alloc(&raw, 1, sizeof *raw, err);
    if (st)
        return st;
    raw->source = source;
    st = sl_alloc(&raw->files, source->n_raw, sizeof *raw->files, err);
    for (size_t i = 0; i < source->n_raw && !st; i++)
        raw->files[i].path = source->raw[i];
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
    sl_hash_destroy(raw->hash);
    sl_arena_release(&raw->memory);
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

/* ---- a file's beginning and end ---- */

static bool has_column(const sl_text *header, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (sl_text_is(header[i], name))
            return true;
    return false;
}

static sl_status find_columns(sl_raw *raw, const sl_text *header, sl_error *err)
{
    const size_t n = raw->n_columns;
    if (n == 0)
        return sl_error_set(err, SL_EFORMAT, "no header row; expected the raw table's columns");
    for (int c = 0; c < COLUMNS; c++) {
        const char *name = column_names[c];
        raw->column[c] = ABSENT;
        if (c == IMAGE && !has_column(header, n, name) && has_column(header, n, image_as_released))
            name = image_as_released;
        if (c >= NEEDED && !has_column(header, n, name))
            continue;
        sl_status st = sl_csv_column(header, n, name, &raw->column[c], err);
        if (st)
            return st;
    }
    return SL_OK;
}

static sl_status open_next(sl_raw *raw, sl_error *err)
{
    const sl_text *header;
    sl_labels_file *file = &raw->files[raw->next++];
    sl_status st;
    if (strcmp(file->path, "-") != 0)
        st = sl_csv_open(&raw->csv, file->path, err);
    else if (raw->source->stream)
        st = sl_csv_open_stream(&raw->csv, raw->source->stream, "standard input", err);
    else
        st = sl_error_set(err, SL_EINVAL, "standard input can't be read again: name a file");
    if (!st)
        st = sl_hash_create(&raw->hash, SL_HASH_SHA256, err);
    if (st)
        return st;
    sl_csv_set_hash(raw->csv, raw->hash);
    st = sl_csv_next(raw->csv, &header, &raw->n_columns, err);
    if (st)
        return st;
    st = find_columns(raw, header, err);
    return st ? sl_csv_error_at(raw->csv, err, st) : SL_OK;
}

/* The same file twice would count everybody in it twice. */
static sl_status end_file(sl_raw *raw, sl_error *err)
{
    sl_labels_file *file = &raw->files[raw->next - 1];
    sl_csv_close(raw->csv);
    raw->csv = NULL;
    sl_status st = sl_hash_finish(raw->hash, file->sha256, err);
    sl_hash_destroy(raw->hash);
    raw->hash = NULL;
    for (const sl_labels_file *other = raw->files; other < file && !st; other++)
        if (strcmp(file->sha256, other->sha256) == 0)
            st = sl_error_set(err, SL_EINVAL, "'%s' and '%s' are the same data", other->path,
                              file->path);
    return st;
}

/* ---- a row ---- */

static sl_status bad_field(sl_error *err, int column, sl_text field, const char *expected)
{
    const int shown = field.length < 40 ? (int)field.length : 40;
    return sl_error_set(err, SL_EFORMAT, "%s '%.*s' isn't %s", column_names[column], shown,
                        field.text, expected);
}

static inline sl_status take_integer(const sl_text *fields, const size_t *at, int column,
                                     int64_t min, int64_t max, int64_t *out, sl_error *err)
{
    const sl_text field = fields[at[column]];
    char expected[80];
    *out = sl_parse_short(field.text, field.length);
    if (*out >= 0 && *out >= min && *out <= max)
        return SL_OK;
    if (sl_parse_i64(field.text, field.length, out) && *out >= min && *out <= max)
        return SL_OK;
    snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long)min,
             (long long)max);
    return bad_field(err, column, field, expected);
}

/* A clock that was set back makes a reaction time negative: the released data has some. */
static inline sl_status take_ms(const sl_text *fields, const size_t *at, int column, double *out,
                                sl_error *err)
{
    const sl_text field = fields[at[column]];
    *out = sl_parse_short(field.text, field.length);
    if (*out >= 0 || sl_parse_f64(field.text, field.length, false, out))
        return SL_OK;
    return bad_field(err, column, field, "a number of milliseconds");
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

/* A class has one name in all files, and a name one class. */
static sl_status check_name(sl_raw *raw, int column, const sl_text *fields, int class,
                            sl_error *err)
{
    if (raw->column[column] == ABSENT || class < 0)
        return SL_OK;
    const sl_text field = fields[raw->column[column]];
    sl_text *known = &raw->names[class];
    const int shown = field.length < 40 ? (int)field.length : 40;
    if (known->text) {
        if (sl_text_equal(*known, field))
            return SL_OK;
        return sl_error_set(err, SL_EFORMAT, "%s '%.*s' of class %d, which was '%.*s' before",
                            column_names[column], shown, field.text, class,
                            known->length < 40 ? (int)known->length : 40, known->text);
    }
    for (int k = 0; k < raw->source->n_classes; k++)
        if (raw->names[k].text && sl_text_equal(raw->names[k], field))
            return sl_error_set(err, SL_EFORMAT, "%s '%.*s' of class %d, which was class %d before",
                                column_names[column], shown, field.text, class, k);
    char *copy;
    sl_status st = sl_arena_alloc(&raw->memory, &copy, field.length + 1, 1, err);
    if (st)
        return st;
    memcpy(copy, field.text, field.length);
    *known = (sl_text){ copy, field.length };
    return SL_OK;
}

/* What a row says twice, it must say alike. */
static sl_status check_trial(sl_raw *raw, const sl_text *fields, const sl_raw_trial *trial,
                             sl_error *err)
{
    int64_t correct = 0;
    sl_status st = check_name(raw, TRUTH_NAME, fields, trial->truth, err);
    if (!st)
        st = check_name(raw, CHOICE_NAME, fields, trial->choice, err);
    if (st || raw->column[CORRECT] == ABSENT || trial->truth < 0)
        return st;
    st = take_integer(fields, raw->column, CORRECT, 0, 1, &correct, err);
    if (!st && correct != (trial->choice == trial->truth))
        st = sl_error_set(err, SL_EFORMAT,
                          "correct_guess is %d, but true_label is %d and chosen_label %d",
                          (int)correct, trial->truth, trial->choice);
    return st;
}

sl_status sl_raw_next(sl_raw *raw, sl_raw_trial *out, bool *end, sl_error *err)
{
    const sl_text *fields;
    size_t n = 0;
    *end = false;
    while (n == 0) {
        sl_status st = SL_OK;
        if (!raw->csv) {
            *end = raw->next == raw->source->n_raw;
            if (!*end)
                st = open_next(raw, err);
            if (st || *end)
                return st;
        }
        st = sl_csv_next(raw->csv, &fields, &n, err);
        if (!st && n == 0)
            st = end_file(raw, err);
        if (st)
            return st;
    }
    raw->files[raw->next - 1].rows++;
    sl_status st = SL_OK;
    if (n != raw->n_columns)
        st =
            sl_error_set(err, SL_EFORMAT, "%zu fields where the header has %zu", n, raw->n_columns);
    if (!st)
        st = take_trial(raw, fields, out, err);
    if (!st)
        st = check_trial(raw, fields, out, err);
    return st ? sl_csv_error_at(raw->csv, err, st) : SL_OK;
}
