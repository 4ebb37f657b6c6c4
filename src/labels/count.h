/* Counting, as the parts of sl_labels_count that the other files of this folder need. */
#ifndef LABELS_COUNT_H
#define LABELS_COUNT_H

#include "labels/people.h"
#include "labels/spool.h"
#include <jansson.h>

/* A sl_labels and what it points to. */
typedef struct {
    sl_labels view; /* first: a sl_labels * is a sl_counted * */
    int64_t *counts;
    int16_t *truth;
    sl_people people;
    sl_labels_file *files;
    json_t *rules;
    char rules_sha256[65];
    sl_arena texts;
} sl_counted;

/* Nothing counted yet. */
SL_CHECK sl_status sl_counted_create(sl_counted **out, const sl_labels_source *source,
                                     sl_error *err);
/* Counts the source's trials onto what is there; nobody may be there already. The judgments that
 * are in time, of everybody, are put into spool. */
SL_CHECK sl_status sl_counted_add(sl_counted *counted, const sl_labels_source *source,
                                  sl_spool *spool, sl_error *err);
/* Brings the view up to date. */
void sl_counted_sum_up(sl_counted *counted);
/* Takes up what sl_labels_write left in dir; checks hashes, rules and sizes (record.c). */
SL_CHECK sl_status sl_counted_load(sl_counted *counted, const char *dir, sl_error *err);
/* Appends a file to the list; path is copied. */
SL_CHECK sl_status sl_counted_add_file(sl_counted *counted, const sl_labels_file *file,
                                       sl_error *err);

#endif
