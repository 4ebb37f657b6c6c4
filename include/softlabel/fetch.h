/* Downloading the data sets from their publishers, or from a mirror. */
#ifndef SOFTLABEL_FETCH_H
#define SOFTLABEL_FETCH_H

#include <softlabel/error.h>
#include <softlabel/log.h>

typedef struct {
    const char *base_url; /* a mirror that has every file as base_url/NAME; NULL: the publishers */
    int retries;          /* how often a broken download goes on where it broke; >= 0 */
    int retry_wait_ms;    /* wait before the first, doubled before each further one; >= 0 */
} sl_fetch_options;
SL_API sl_fetch_options sl_fetch_options_default(void); /* NULL, 6, 1000 */

/* Gets what dir doesn't have yet, whole: CIFAR-10 (binary version, extracted), CIFAR-10H's counts
 * and probs, CIFAR-10.1 v4 and v6, 182 MB in all, in the publishers' names:
 *     dir/cifar-10-batches-bin/   dir/cifar10h/   dir/cifar10.1/
 * Every file appears whole or not at all. SHA-256 is checked wherever the publisher's is known, the
 * format where it isn't. A download that breaks leaves "NAME.part", from which the next run goes
 * on; one that turns out wrong leaves nothing.
 * Errors  SL_EINVAL a base_url that is not http(s); SL_ENOTFOUND a server's 404; SL_EIO network or
 *         disk; SL_EFORMAT wrong checksum (expected and got), damaged archive; SL_EINTERRUPTED */
SL_API SL_CHECK sl_status sl_data_fetch(const char *dir, const sl_fetch_options *options,
                                        sl_progress_fn *progress, void *user, sl_error *err);

#endif
