/* One file from an http(s) server: whole and checked, or not at all. */
#ifndef DATA_DOWNLOAD_H
#define DATA_DOWNLOAD_H

#include <softlabel/fetch.h>
#include <stdint.h>

/* Looks at a received file before it gets its name; SL_EFORMAT throws it away. */
typedef sl_status sl_download_check(const char *path, sl_error *err);

typedef struct {
    const char *url, *path;   /* from, to */
    const char *sha256;       /* NULL: not known */
    uint64_t size;            /* 0: not known */
    uint64_t max_bytes;       /* a longer answer is refused */
    sl_download_check *check; /* NULL: size and hash are enough */
} sl_download;

/* Receives into "path.part", going on behind what is there already, checks size and hash, and
 * renames to path. One process at a time: another's download of the same file is SL_EIO.
 * curl_global_init must have been called. */
SL_CHECK sl_status sl_download_file(const sl_download *download, const sl_fetch_options *options,
                                    sl_progress_fn *progress, void *user, sl_error *err);

#endif
