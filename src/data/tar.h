/* Reading a tar archive as a stream. Source: POSIX ustar (IEEE 1003.1, pax), and what older tars
 * wrote. Made for input that can't be trusted: nothing is written anywhere, names are only data,
 * headers must carry their checksum, and the stream may not be longer than it was said to be. */
#ifndef DATA_TAR_H
#define DATA_TAR_H

#include <softlabel/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Puts up to n bytes of the stream into out; *got < n only at its end. */
typedef sl_status sl_tar_source(void *user, void *out, size_t n, size_t *got, sl_error *err);

typedef struct {
    sl_tar_source *source;
    void *user;
    uint64_t offset, max_bytes; /* read so far; at most */
    uint64_t left;              /* of the entry's content */
    unsigned padding;           /* behind it, to a multiple of 512 */
} sl_tar;

typedef struct {
    char name[257]; /* as the archive has it, prefix included */
    uint64_t size;
    bool regular; /* a file; not a folder, link or another header */
} sl_tar_entry;

void sl_tar_init(sl_tar *tar, sl_tar_source *source, void *user, uint64_t max_bytes);
/* Goes to the next entry, past what of the last one wasn't read; *end at the archive's end. */
SL_CHECK sl_status sl_tar_next(sl_tar *tar, sl_tar_entry *entry, bool *end, sl_error *err);
/* Reads up to n bytes of the entry's content; *got is less only at its end. */
SL_CHECK sl_status sl_tar_read(sl_tar *tar, void *out, size_t n, size_t *got, sl_error *err);

#endif
