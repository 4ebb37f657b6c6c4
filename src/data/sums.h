/* SHA256SUMS, as sha256sum writes and checks it: what a folder's files were when they were whole.
 * It is written beside files whose publisher names no checksum of each. */
#ifndef DATA_SUMS_H
#define DATA_SUMS_H

#include <softlabel/error.h>

/* Hashes the n named files of dir and writes dir/SHA256SUMS. */
SL_CHECK sl_status sl_sums_write(const char *dir, const char *const *names, int n, sl_error *err);

/* The hash that the SHA256SUMS beside path has for it; "" if there is none. */
SL_CHECK sl_status sl_sums_find(const char *path, char sha256[65], sl_error *err);

#endif
