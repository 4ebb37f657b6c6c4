/* CSV read row by row as RFC 4180 has it: quotes around fields with commas, quotes ("" for one) or
 * line ends; LF or CRLF, the last one may lack; a byte-order mark and empty lines are passed over.
 * Memory doesn't grow with the file. One thread at a time. */
#ifndef BASE_CSV_H
#define BASE_CSV_H

#include "base/hash.h"
#include "base/text.h"
#include <softlabel/error.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SL_CSV_MAX_ROW ((size_t)1 << 20) /* bytes of one row; a longer one is SL_EFORMAT */

typedef struct sl_csv sl_csv;

/* As sl_input_open and sl_input_open_stream: plain, gzip, a zip archive of one file, or a stream.
 */
SL_CHECK sl_status sl_csv_open(sl_csv **out, const char *path, sl_error *err);
SL_CHECK sl_status sl_csv_open_stream(sl_csv **out, FILE *stream, const char *name, sl_error *err);
void sl_csv_close(sl_csv *csv); /* NULL is fine */

/* Adds all text, unpacked, to hash as it is read: of the whole file once sl_csv_next has come to
 * its end. To be called before the first row; hash is borrowed until close. */
void sl_csv_set_hash(sl_csv *csv, sl_hash *hash);

/* The next row: its n >= 1 fields, unquoted, valid until the next call; NULL and n 0 behind the
 * last row. Rows may differ in length. Errors, also of NUL bytes, carry file and line; after one,
 * only close may follow. */
SL_CHECK sl_status sl_csv_next(sl_csv *csv, const sl_text **fields, size_t *n, sl_error *err);

/* Puts "file: line N" in front of the place, N the line where the last row began. For errors that
 * the caller finds in a row; returns code. */
sl_status sl_csv_error_at(const sl_csv *csv, sl_error *err, sl_status code);

/* Where a header row has the column called name; SL_EFORMAT if nowhere or twice. */
SL_CHECK sl_status sl_csv_column(const sl_text *header, size_t n, const char *name, size_t *out,
                                 sl_error *err);

#endif
