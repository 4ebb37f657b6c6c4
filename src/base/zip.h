/* What npz files and zipped text have in common: opening an archive through libzip. */
#ifndef BASE_ZIP_H
#define BASE_ZIP_H

#include <softlabel/error.h>
#include <zip.h>

/* Opens an archive for reading; zip_discard ends it. Errors carry the path. */
SL_CHECK sl_status sl_zip_open(zip_t **out, const char *path, sl_error *err);

/* Opens entry index for reading, if it is stored or deflated and not encrypted; its size and packed
 * size go to *info. zip_fclose ends it. */
SL_CHECK sl_status sl_zip_open_entry(zip_file_t **out, zip_t *zip, zip_uint64_t index,
                                     zip_stat_t *info, sl_error *err);

/* Reads up to n bytes into out, fewer only at the end, where the checksum is checked. */
SL_CHECK sl_status sl_zip_read(zip_file_t *entry, void *out, size_t n, size_t *got, sl_error *err);

#endif
