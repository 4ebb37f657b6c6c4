/* Text to be read from front to back: a plain file, gzip (known by its first bytes, not its name),
 * the only file in a zip archive, or a stream such as stdin. One thread at a time. */
#ifndef BASE_INPUT_H
#define BASE_INPUT_H

#include <softlabel/error.h>
#include <stddef.h>
#include <stdio.h>

typedef struct sl_input sl_input;

/* Errors carry the path. Folders and macOS's __MACOSX/ don't count as files of an archive. */
SL_CHECK sl_status sl_input_open(sl_input **out, const char *path, sl_error *err);

/* Plain or gzip, from where the stream's file descriptor stands: nothing may have been read from
 * the stream, which stays open and the caller's. name is for messages. */
SL_CHECK sl_status sl_input_open_stream(sl_input **out, FILE *stream, const char *name,
                                        sl_error *err);

/* Reads n bytes, fewer only at the end. Damaged or cut off packed data is SL_EFORMAT. Errors carry
 * no place. */
SL_CHECK sl_status sl_input_read(sl_input *input, void *out, size_t n, size_t *got, sl_error *err);

/* Of the file that it is read from, packed or not; 0 where it comes from something else. */
size_t sl_input_file_bytes(const sl_input *input);
const char *sl_input_name(const sl_input *input);
void sl_input_close(sl_input *input); /* NULL is fine */

#endif
