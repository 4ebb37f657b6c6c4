#include "nn/region.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

static const sl_device_memory *memory_of(const sl_device *dev)
{
    return sl_device_backend(dev)->memory;
}

/* The device's side of a region whose host's side is set, or NULL if it has none. */
static sl_status create_device(sl_region *r, sl_error *err)
{
    const sl_device_memory *memory = memory_of(r->dev);
    void *device = r->host;
    sl_status st = SL_OK;
    if (memory)
        st = memory->allocate(r->dev, &device, r->bytes, err);
    r->device = device;
    r->owns_device = !st && memory;
    return st;
}

sl_status sl_region_create_around(sl_region *region, sl_device *dev, void *host, size_t bytes,
                                  sl_error *err)
{
    *region = (sl_region){ .dev = dev, .host = host, .bytes = bytes };
    return create_device(region, err);
}

sl_status sl_region_create(sl_region *region, sl_device *dev, size_t bytes, sl_error *err)
{
    *region = (sl_region){ .dev = dev, .bytes = bytes };
    sl_status st = sl_alloc_aligned(&region->host, bytes, 1, err);
    region->owns_host = !st;
    return st ? st : create_device(region, err);
}

sl_status sl_region_create_inside(sl_region *region, sl_device *dev, size_t bytes, sl_error *err)
{
    if (!memory_of(dev))
        return sl_region_create(region, dev, bytes, err);
    *region = (sl_region){ .dev = dev, .bytes = bytes };
    return create_device(region, err);
}

void sl_region_release(sl_region *region)
{
    if (region->owns_device)
        memory_of(region->dev)->release(region->dev, region->device, region->bytes);
    if (region->owns_host)
        free(region->host);
    *region = (sl_region){ 0 };
}

/* Nothing to move: both sides are one, or it is empty. */
static bool is_even(const sl_region *region)
{
    return region->host == region->device || region->bytes == 0;
}

sl_status sl_region_push(const sl_region *region, sl_error *err)
{
    return is_even(region)
               ? SL_OK
               : sl_device_put(region->dev, region->device, region->host, region->bytes, err);
}

sl_status sl_region_pull(const sl_region *region, sl_error *err)
{
    return is_even(region)
               ? SL_OK
               : sl_device_get(region->dev, region->host, region->device, region->bytes, err);
}

sl_status sl_device_put(sl_device *dev, void *to, const void *from, size_t bytes, sl_error *err)
{
    if (memory_of(dev))
        return memory_of(dev)->upload(dev, to, from, bytes, err);
    memcpy(to, from, bytes);
    return SL_OK;
}

sl_status sl_device_get(sl_device *dev, void *to, const void *from, size_t bytes, sl_error *err)
{
    if (memory_of(dev))
        return memory_of(dev)->download(dev, to, from, bytes, err);
    memcpy(to, from, bytes);
    return SL_OK;
}
