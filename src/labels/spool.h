/* Judgments on their way through a file: read once, gone through again as often as need be, never
 * all in memory. */
#ifndef LABELS_SPOOL_H
#define LABELS_SPOOL_H

#include <softlabel/labels.h>

typedef struct sl_spool sl_spool;

/* In a temporary file without a name. */
SL_CHECK sl_status sl_spool_create(sl_spool **out, sl_error *err);
void sl_spool_destroy(sl_spool *spool); /* NULL is fine */

SL_CHECK sl_status sl_spool_put(sl_spool *spool, const sl_judgment *judgment, sl_error *err);

/* The next n >= 1 judgments in the order they were put, until the next call; n 0 behind the last,
 * where the next call begins anew. After the first call nothing can be put. */
SL_CHECK sl_status sl_spool_next(sl_spool *spool, const sl_judgment **out, size_t *n,
                                 sl_error *err);

#endif
