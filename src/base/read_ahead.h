/* An input read, unpacked and hashed on a thread of its own, some blocks ahead of the thread that
 * takes them. For files only: a pipe may leave the thread waiting for ever. */
#ifndef BASE_READ_AHEAD_H
#define BASE_READ_AHEAD_H

#include "base/hash.h"
#include "base/input.h"

typedef struct sl_read_ahead sl_read_ahead;

/* Both are borrowed, and the thread's own until destroy; hash may be NULL. */
SL_CHECK sl_status sl_read_ahead_create(sl_read_ahead **out, sl_input *input, sl_hash *hash,
                                        sl_error *err);
/* As sl_input_read. The hash is of the whole input once fewer than n bytes came. */
SL_CHECK sl_status sl_read_ahead_read(sl_read_ahead *ahead, void *out, size_t n, size_t *got,
                                      sl_error *err);
/* Waits for the block that is being read; NULL is fine. */
void sl_read_ahead_destroy(sl_read_ahead *ahead);

#endif
