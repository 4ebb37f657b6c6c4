/* The dashboard's status, counted again every few seconds while somebody looks at it, in a thread
 * of its own so that nobody's answer waits for it. */
#ifndef STUDY_STATUS_CACHE_H
#define STUDY_STATUS_CACHE_H

#include "study/study.h"

typedef struct sl_status_cache sl_status_cache;

SL_CHECK sl_status sl_status_cache_start(sl_status_cache **out, sl_study *study, sl_error *err);
void sl_status_cache_stop(sl_status_cache *cache); /* NULL is fine */
/* A copy of the latest, the caller's; NULL if there's none yet. Any thread. */
char *sl_status_cache_get(sl_status_cache *cache);

#endif
