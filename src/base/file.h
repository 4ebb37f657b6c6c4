/* Files: whole reads with a ceiling, and writes that appear whole or not at all. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <softlabel/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* SL_EIO (SL_ENOTFOUND for a missing file, SL_ENOMEM), saying that path "can't be <done>" and the
 * system's reason, errnum an errno. */
sl_status sl_io_error(sl_error *err, const char *path, const char *done, int errnum);

/* Reads all of path. SL_EFORMAT when it is longer than max_bytes; *out is malloc'ed, has a NUL
 * behind its *size bytes, and is the caller's. Errors carry the path as their place. */
SL_CHECK sl_status sl_file_read(const char *path, size_t max_bytes, unsigned char **out,
                                size_t *size, sl_error *err);

bool sl_file_exists(const char *path); /* regular file */
SL_CHECK sl_status sl_file_size(const char *path, uint64_t *out, sl_error *err);
SL_CHECK sl_status sl_make_directories(const char *path, sl_error *err); /* mkdir -p, mode 0777 */

/* dir + "/" + name, in memory that the caller frees; SL_ENOMEM. */
SL_CHECK sl_status sl_path_join(char **out, const char *dir, const char *name, sl_error *err);

/* A file being written: bytes go to a temporary name in the same folder; commit flushes, fsyncs,
 * renames over path and fsyncs the folder; abort (or a failed commit) leaves path as it was and no
 * temporary behind. stream() is for printf-like writing; errors on it show at commit. path, if it
 * is there, must be a regular file (a device would be replaced by one). */
typedef struct sl_file_writer sl_file_writer;
SL_CHECK sl_status sl_file_writer_open(sl_file_writer **out, const char *path, sl_error *err);
FILE *sl_file_writer_stream(sl_file_writer *writer);
SL_CHECK sl_status sl_file_writer_write(sl_file_writer *writer, const void *bytes, size_t n,
                                        sl_error *err);
SL_CHECK sl_status sl_file_writer_commit(sl_file_writer *writer, sl_error *err); /* also frees */
void sl_file_writer_abort(sl_file_writer *writer);                               /* NULL is fine */

/* The two above in one: path gets exactly these bytes. */
SL_CHECK sl_status sl_file_write(const char *path, const void *bytes, size_t n, sl_error *err);

#endif
