/* Rows of the raw table, as it was released. */
#ifndef LABELS_RAW_WRITE_H
#define LABELS_RAW_WRITE_H

#include "labels/raw.h"

/* Writes the header / a row to the stream, whose errors are the caller's to look for. names are the
 * classes'; file may be "". */
void sl_raw_put_header(FILE *stream);
void sl_raw_put(FILE *stream, const sl_raw_trial *trial, const char *const *names,
                const char *file);

#endif
