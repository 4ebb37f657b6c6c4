#include "nn/device_images.h"

#include "base/memory.h"
#include <assert.h>
#include <stdlib.h>

struct sl_device_images {
    sl_device *dev;
    sl_region pixels, table, recipes, partner; /* the device's side alone */
    size_t batch;
    int h, w;
};

bool sl_device_keeps_images(const sl_device *dev)
{
    return sl_device_backend(dev)->memory;
}

static sl_status create_regions(sl_device_images *images, size_t bytes, sl_error *err)
{
    const struct {
        sl_region *region;
        size_t bytes;
    } all[] = { { &images->pixels, bytes },
                { &images->table, sizeof(sl_pixel_table) },
                { &images->recipes, images->batch * sizeof(sl_image_recipe) },
                { &images->partner, images->batch * sizeof(uint32_t) } };
    sl_status st = SL_OK;
    for (size_t i = 0; i < sizeof all / sizeof *all && !st; i++)
        st = sl_region_create_inside(all[i].region, images->dev, all[i].bytes, err);
    return st;
}

sl_status sl_device_images_create(sl_device_images **out, sl_device *dev, const uint8_t *pixels,
                                  size_t n, int h, int w, const sl_pixel_table *table, size_t batch,
                                  sl_error *err)
{
    sl_device_images *images = NULL;
    const size_t bytes = n * 3 * (size_t)h * (size_t)w; /* the set lies in memory: no overflow */
    *out = NULL;
    sl_status st = sl_alloc(&images, 1, sizeof *images, err);
    if (st)
        return st;
    images->dev = dev;
    images->batch = batch;
    images->h = h;
    images->w = w;
    st = create_regions(images, bytes, err);
    if (!st)
        st = sl_device_put(dev, images->pixels.device, pixels, bytes, err);
    if (!st)
        st = sl_device_put(dev, images->table.device, table, sizeof *table, err);
    if (st)
        sl_device_images_destroy(images);
    else
        *out = images;
    return st;
}

void sl_device_images_destroy(sl_device_images *images)
{
    if (!images)
        return;
    sl_region_release(&images->pixels);
    sl_region_release(&images->table);
    sl_region_release(&images->recipes);
    sl_region_release(&images->partner);
    free(images);
}

sl_status sl_device_images_assemble(sl_device_images *images, const sl_image_recipe *recipes,
                                    size_t n_recipes, const uint32_t *partner, float lambda,
                                    size_t n, float *out, sl_error *err)
{
    assert(n <= n_recipes && n_recipes <= images->batch);
    sl_status st = sl_device_put(images->dev, images->recipes.device, recipes,
                                 n_recipes * sizeof *recipes, err);
    if (!st && partner)
        st = sl_device_put(images->dev, images->partner.device, partner, n * sizeof *partner, err);
    if (st)
        return st;
    const sl_assembly assembly = {
        .table = (const sl_pixel_table *)(const void *)images->table.device,
        .pixels = images->pixels.device,
        .recipes = (const sl_image_recipe *)(const void *)images->recipes.device,
        .partner = partner ? (const uint32_t *)(const void *)images->partner.device : NULL,
        .lambda = lambda,
        .n = (int)n,
        .h = images->h,
        .w = images->w,
        .out = out,
    };
    return sl_device_backend(images->dev)->memory->assemble(images->dev, &assembly, err);
}
