/* A folder that appears whole or not at all: it is filled under the name "DIR.part", then renamed.
 * Processes that make the same folder wait for each other. */
#ifndef DATA_STAGING_H
#define DATA_STAGING_H

#include <softlabel/error.h>
#include <stdbool.h>

/* Zeroed is valid and closed. */
typedef struct {
    char *dir, *part; /* the folder to be, and the one to fill */
    int lock;
} sl_staging;

/* Makes an empty "dir.part" (and dir's parents), throwing away what an interrupted run left. When
 * dir is there already, and not empty, *exists is set and there is nothing to fill: close it. */
SL_CHECK sl_status sl_staging_open(sl_staging *staging, const char *dir, bool *exists,
                                   sl_error *err);
/* Renames it to dir. */
SL_CHECK sl_status sl_staging_commit(sl_staging *staging, sl_error *err);
/* Removes what wasn't committed, and frees. */
void sl_staging_close(sl_staging *staging);

#endif
