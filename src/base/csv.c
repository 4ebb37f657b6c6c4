#include "base/csv.h"
#include "base/input.h"
#include "base/memory.h"
#include "base/read_ahead.h"
#include <inttypes.h>
#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { LARGE = 1 << 20 }; /* bytes of a file that is worth a second thread */

struct sl_csv {
    sl_input *input;
    sl_read_ahead *ahead;     /* reads the input and hashes it; NULL: that's done here */
    sl_hash *hash;            /* of what was read, or NULL */
    bool at_end;              /* the input has no more than what is in the buffer */
    uint64_t line, next_line; /* where the last row began; where the next one does */
    sl_text *fields;
    size_t n_fields, capacity;
    char *buffer;      /* grows to SL_CSV_MAX_ROW when a row doesn't fit */
    size_t size;       /* of the buffer */
    size_t begin, end; /* the bytes of the buffer that are still to be parsed */
};

/* Makes a reader of the input, which is the reader's from here, also on failure. */
static sl_status create(sl_csv **out, sl_input *input, sl_error *err)
{
    sl_status st = sl_alloc(out, 1, sizeof **out, err);
    if (st) {
        sl_input_close(input);
        return st;
    }
    (*out)->input = input;
    (*out)->line = (*out)->next_line = 1;
    st = sl_grow(&(*out)->buffer, &(*out)->size, SL_CSV_MAX_ROW / 16, 1, err);
    if (st) {
        sl_csv_close(*out);
        *out = NULL;
    }
    return st;
}

sl_status sl_csv_open(sl_csv **out, const char *path, sl_error *err)
{
    *out = NULL;
    sl_input *input;
    sl_status st = sl_input_open(&input, path, err);
    return st ? st : create(out, input, err);
}

sl_status sl_csv_open_stream(sl_csv **out, FILE *stream, const char *name, sl_error *err)
{
    *out = NULL;
    sl_input *input;
    sl_status st = sl_input_open_stream(&input, stream, name, err);
    return st ? st : create(out, input, err);
}

void sl_csv_close(sl_csv *csv)
{
    if (!csv)
        return;
    sl_read_ahead_destroy(csv->ahead);
    sl_input_close(csv->input);
    free(csv->fields);
    free(csv->buffer);
    free(csv);
}

void sl_csv_set_hash(sl_csv *csv, sl_hash *hash)
{
    csv->hash = hash;
}

sl_status sl_csv_error_at(const sl_csv *csv, sl_error *err, sl_status code)
{
    return sl_error_at(err, code, "%s: line %" PRIu64, sl_input_name(csv->input), csv->line);
}

/* The next n bytes, fewer at the end. */
static sl_status read_bytes(sl_csv *csv, char *out, size_t n, size_t *got, sl_error *err)
{
    if (csv->ahead)
        return sl_read_ahead_read(csv->ahead, out, n, got, err);
    sl_status st = sl_input_read(csv->input, out, n, got, err);
    return !st && csv->hash ? sl_hash_update(csv->hash, out, *got, err) : st;
}

/* Moves what is left to the front of the buffer and reads more behind it. */
static sl_status refill(sl_csv *csv, sl_error *err)
{
    bool first = csv->begin == 0 && csv->end == 0;
    size_t left = csv->end - csv->begin;
    if (left == SL_CSV_MAX_ROW)
        return sl_error_set(err, SL_EFORMAT, "a row of more than %zu bytes; is a quote left open?",
                            SL_CSV_MAX_ROW);
    sl_status st = sl_grow(&csv->buffer, &csv->size, left + 1, 1, err); /* doubles it */
    if (!st && first && sl_input_file_bytes(csv->input) >= LARGE)
        st = sl_read_ahead_create(&csv->ahead, csv->input, csv->hash, err);
    if (st)
        return st;
    memmove(csv->buffer, csv->buffer + csv->begin, left);
    size_t got, room = csv->size - left;
    st = read_bytes(csv, csv->buffer + left, room, &got, err);
    if (st)
        return st;
    csv->begin = 0;
    csv->end = left + got;
    csv->at_end = got < room;
    if (first && csv->end >= 3 && memcmp(csv->buffer, "\xef\xbb\xbf", 3) == 0)
        csv->begin = 3;
    return SL_OK;
}

/* The end of the row that begins at row: its line end, or NULL if there is none before end.
 * *quoted says whether the row has quotes, *open whether one of them isn't closed. */
static char *find_row_end(char *row, char *end, bool *quoted, bool *open)
{
    *open = false;
    char *newline = memchr(row, '\n', (size_t)(end - row));
    char *stop = newline ? newline : end;
    *quoted = memchr(row, '"', (size_t)(stop - row)) != NULL;
    if (!*quoted)
        return newline;
    for (char *p = row; p < end; p++) {
        if (*p == '"')
            *open = !*open;
        else if (*p == '\n' && !*open)
            return p;
    }
    return NULL;
}

static inline sl_status add_field(sl_csv *csv, const char *text, const char *end, sl_error *err)
{
    if (csv->n_fields == csv->capacity) {
        sl_status st =
            sl_grow(&csv->fields, &csv->capacity, csv->n_fields + 1, sizeof *csv->fields, err);
        if (st)
            return st;
    }
    csv->fields[csv->n_fields++] = (sl_text){ text, (size_t)(end - text) };
    return SL_OK;
}

/* ---- a row without quotes, in one pass ---- */

#define BLOCK 16 /* bytes looked at together */

/* Bit i: p[i] is a comma, a line end, a quote or NUL. */
static inline unsigned find_marks(const char *p)
{
#ifdef __SSE2__
    const __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
    const __m128i comma = _mm_cmpeq_epi8(x, _mm_set1_epi8(','));
    const __m128i newline = _mm_cmpeq_epi8(x, _mm_set1_epi8('\n'));
    const __m128i quote = _mm_cmpeq_epi8(x, _mm_set1_epi8('"'));
    const __m128i nul = _mm_cmpeq_epi8(x, _mm_setzero_si128());
    const __m128i any = _mm_or_si128(_mm_or_si128(comma, newline), _mm_or_si128(quote, nul));
    return (unsigned)_mm_movemask_epi8(any);
#else
    unsigned marks = 0;
    for (unsigned i = 0; i < BLOCK; i++)
        marks |= (unsigned)(p[i] == ',' || p[i] == '\n' || p[i] == '"' || p[i] == 0) << i;
    return marks;
#endif
}

/* Takes the next row if it is plain text, not empty, and whole in the buffer with some bytes behind
 * it, as nearly all are. False: nothing was taken, sl_csv_next must look closer. */
static bool take_plain_row(sl_csv *csv)
{
    const char *const row = csv->buffer + csv->begin, *const end = csv->buffer + csv->end;
    const char *field = row;
    size_t n = 0;
    for (const char *p = row; end - p >= BLOCK; p += BLOCK) {
        for (unsigned marks = find_marks(p); marks; marks &= marks - 1) {
            const char *at = p + __builtin_ctz(marks);
            if (n == csv->capacity || (*at != ',' && *at != '\n'))
                return false;
            csv->fields[n++] = (sl_text){ field, (size_t)(at - field) };
            field = at + 1;
            if (*at == ',')
                continue;
            sl_text *last = &csv->fields[n - 1];
            if (last->length > 0 && at[-1] == '\r')
                last->length--;
            if (n == 1 && last->length == 0)
                return false;
            csv->n_fields = n;
            csv->begin += (size_t)(field - row);
            csv->line = csv->next_line++;
            return true;
        }
    }
    return false;
}

/* ---- any row ---- */

static sl_status split_plain(sl_csv *csv, const char *row, const char *end, sl_error *err)
{
    for (;;) {
        const char *comma = memchr(row, ',', (size_t)(end - row));
        sl_status st = add_field(csv, row, comma ? comma : end, err);
        if (st || !comma)
            return st;
        row = comma + 1;
    }
}

/* Takes one field with a quote at p; it is unquoted in place. Returns what is behind it, NULL if it
 * isn't closed. */
static char *unquote(char *p, char *end, char **text_end)
{
    char *to = ++p;
    while (p < end) {
        if (*p == '"') {
            p++;
            if (p == end || *p != '"') {
                *text_end = to;
                return p;
            }
        }
        *to++ = *p++;
    }
    return NULL;
}

static sl_status split_quoted(sl_csv *csv, char *p, char *end, sl_error *err)
{
    for (;;) {
        char *text = p, *text_end, *behind;
        if (p < end && *p == '"') {
            text = p + 1;
            behind = unquote(p, end, &text_end);
            if (!behind)
                return sl_error_set(err, SL_EFORMAT, "a quote isn't closed");
            if (behind < end && *behind != ',')
                return sl_error_set(err, SL_EFORMAT, "a closing quote isn't followed by a comma");
        } else {
            behind = memchr(p, ',', (size_t)(end - p));
            behind = text_end = behind ? behind : end;
            if (memchr(p, '"', (size_t)(text_end - p)))
                return sl_error_set(err, SL_EFORMAT,
                                    "a quote within an unquoted field; quote the whole field");
        }
        sl_status st = add_field(csv, text, text_end, err);
        if (st || behind == end)
            return st;
        p = behind + 1;
    }
}

/* Finds the next row in the buffer, filled as needed, and moves past it; NULL at the end. */
static sl_status take_row(sl_csv *csv, char **row, char **row_end, bool *quoted, sl_error *err)
{
    bool open;
    char *newline;
    *row = *row_end = NULL;
    for (;;) {
        newline = find_row_end(csv->buffer + csv->begin, csv->buffer + csv->end, quoted, &open);
        if (newline || csv->at_end)
            break;
        sl_status st = refill(csv, err);
        if (st)
            return st;
    }
    if (csv->begin < csv->end)
        *row = csv->buffer + csv->begin;
    *row_end = newline ? newline : csv->buffer + csv->end;
    csv->begin = newline ? (size_t)(newline + 1 - csv->buffer) : csv->end;
    return open ? sl_error_set(err, SL_EFORMAT, "a quote isn't closed") : SL_OK;
}

static uint64_t count_lines(const char *p, const char *end)
{
    uint64_t n = 0;
    while ((p = memchr(p, '\n', (size_t)(end - p)))) {
        p++;
        n++;
    }
    return n;
}

sl_status sl_csv_next(sl_csv *csv, const sl_text **fields, size_t *n, sl_error *err)
{
    char *row, *end;
    bool quoted;
    if (take_plain_row(csv)) {
        *fields = csv->fields;
        *n = csv->n_fields;
        return SL_OK;
    }
    *fields = NULL;
    *n = 0;
    csv->n_fields = 0;
    do { /* until there is a row that isn't empty */
        csv->line = csv->next_line;
        sl_status st = take_row(csv, &row, &end, &quoted, err);
        if (st)
            return sl_csv_error_at(csv, err, st);
        if (!row)
            return SL_OK;
        csv->next_line += 1 + (quoted ? count_lines(row, end) : 0);
        if (end > row && end[-1] == '\r')
            end--;
    } while (row == end);

    sl_status st;
    if (memchr(row, '\0', (size_t)(end - row)))
        st = sl_error_set(err, SL_EFORMAT, "a NUL byte: this isn't a text file in UTF-8");
    else
        st = quoted ? split_quoted(csv, row, end, err) : split_plain(csv, row, end, err);
    if (st)
        return sl_csv_error_at(csv, err, st);
    *fields = csv->fields;
    *n = csv->n_fields;
    return SL_OK;
}

sl_status sl_csv_column(const sl_text *header, size_t n, const char *name, size_t *out,
                        sl_error *err)
{
    size_t found = n;
    for (size_t i = 0; i < n; i++) {
        if (!sl_text_is(header[i], name))
            continue;
        if (found < n)
            return sl_error_set(err, SL_EFORMAT, "column '%s' is there twice", name);
        found = i;
    }
    if (found == n)
        return sl_error_set(err, SL_EFORMAT, "column '%s' is missing", name);
    *out = found;
    return SL_OK;
}
