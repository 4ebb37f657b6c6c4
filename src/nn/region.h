/* A piece of memory that a device's operations work on, and the host's side of it. On devices that
 * work in the host's memory both are the same, and moving costs nothing. */
#ifndef NN_REGION_H
#define NN_REGION_H

#include "nn/backend.h"

typedef struct {
    sl_device *dev; /* borrowed */
    unsigned char *host, *device;
    size_t bytes;
    bool owns_host, owns_device;
} sl_region;

/* Zeros, for the operations alone: host is NULL where device is another memory. */
SL_CHECK sl_status sl_region_create_inside(sl_region *region, sl_device *dev, size_t bytes,
                                           sl_error *err);
/* Zeros on both sides. */
SL_CHECK sl_status sl_region_create(sl_region *region, sl_device *dev, size_t bytes, sl_error *err);
/* The caller's array as host's side, borrowed; nothing is moved yet. */
SL_CHECK sl_status sl_region_create_around(sl_region *region, sl_device *dev, void *host,
                                           size_t bytes, sl_error *err);
void sl_region_release(sl_region *region); /* zero-initialised is fine */

SL_CHECK sl_status sl_region_push(const sl_region *region, sl_error *err); /* host to device */
SL_CHECK sl_status sl_region_pull(const sl_region *region, sl_error *err); /* device to host */

/* Between the caller's bytes and device memory at an address inside some region. */
SL_CHECK sl_status sl_device_put(sl_device *dev, void *to, const void *from, size_t bytes,
                                 sl_error *err);
SL_CHECK sl_status sl_device_get(sl_device *dev, void *to, const void *from, size_t bytes,
                                 sl_error *err);

#endif
