#include "train/feeder.h"

#include "base/memory.h"
#include "data/augment.h"

#include <stdlib.h>

struct sl_feeder {
    sl_loader *loader;
    sl_plan *plan;
    sl_device_images *images; /* or NULL: the loader makes them */
};

static sl_status keep_images(sl_feeder *f, sl_device *device, const sl_dataset *set,
                             const sl_loader_options *o, sl_error *err)
{
    sl_pixel_table table;

    sl_pixel_table_init(&table, &o->normalization);
    return sl_device_images_create(&f->images, device, set->pixels, set->n, set->height, set->width,
                                   &table, o->batch_size, err);
}

sl_status sl_feeder_create(sl_feeder **out, const sl_dataset *set, const sl_targets *targets,
                           const int64_t *indices, size_t n_indices,
                           const sl_loader_options *options, sl_plan *plan, sl_device *device,
                           sl_error *err)
{
    sl_loader_options o = *options;
    sl_feeder *f = NULL;
    sl_status st;

    *out = NULL;
    o.recipes = sl_device_keeps_images(device);
    st = sl_alloc(&f, 1, sizeof *f, err);
    if (st)
        return st;
    f->plan = plan;
    st = sl_loader_create(&f->loader, set, targets, indices, n_indices, &o, err);
    if (!st && o.recipes)
        st = keep_images(f, device, set, &o, err);
    if (st)
        sl_feeder_destroy(f);
    else
        *out = f;
    return st;
}

void sl_feeder_destroy(sl_feeder *feeder)
{
    if (!feeder)
        return;
    sl_loader_destroy(feeder->loader);
    sl_device_images_destroy(feeder->images);
    free(feeder);
}

size_t sl_feeder_batches(const sl_feeder *feeder)
{
    return sl_loader_batches(feeder->loader);
}

sl_status sl_feeder_start(sl_feeder *feeder, uint32_t epoch, size_t first_batch, sl_error *err)
{
    return sl_loader_start(feeder->loader, epoch, first_batch, err);
}

sl_status sl_feeder_next(sl_feeder *feeder, const sl_batch **out, sl_error *err)
{
    sl_status st = sl_loader_next(feeder->loader, out, err);
    const sl_batch *b = *out;

    if (st || !b || !feeder->images)
        return st;
    return sl_plan_assemble(feeder->plan, feeder->images, b->recipes, b->n_recipes, b->partner,
                            b->lambda, (int)b->n, err);
}
