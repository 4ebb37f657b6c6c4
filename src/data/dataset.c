/* An sl_dataset and all that hangs on it, in one arena. */
#include "base/hash.h"
#include "base/memory.h"
#include "data/dataset_private.h"
#include <stdlib.h>

typedef struct {
    sl_dataset set; /* first, so that a set's address is its owner's */
    sl_arena memory;
} owned_set;

const char *const sl_cifar10_class_names[SL_CIFAR_CLASSES] = {
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
};

static sl_status copy_class_names(owned_set *owned, const char *const *names, sl_error *err)
{
    const char **copy = NULL;
    sl_status st = sl_arena_alloc(&owned->memory, &copy, SL_CIFAR_CLASSES, sizeof *copy, err);
    for (int k = 0; !st && k < SL_CIFAR_CLASSES; k++)
        st = sl_arena_strdup(&owned->memory, &copy[k], names[k], err);
    owned->set.class_names = copy;
    return st;
}

sl_status sl_dataset_create(sl_dataset **out, const char *name, size_t n,
                            const char *const *class_names, uint8_t **pixels, uint8_t **labels,
                            sl_error *err)
{
    *out = NULL;
    owned_set *owned = NULL;
    sl_status st = sl_alloc(&owned, 1, sizeof *owned, err);
    if (st)
        return st;
    st = sl_arena_alloc(&owned->memory, pixels, n, SL_CIFAR_PIXELS, err);
    if (st)
        goto done;
    st = sl_arena_alloc(&owned->memory, labels, n, 1, err);
    if (st)
        goto done;
    st = sl_arena_strdup(&owned->memory, &owned->set.name, name, err);
    if (st)
        goto done;
    st = copy_class_names(owned, class_names ? class_names : sl_cifar10_class_names, err);
    if (st)
        goto done;
    owned->set.n = n;
    owned->set.channels = 3;
    owned->set.height = owned->set.width = SL_CIFAR_SIDE;
    owned->set.classes = SL_CIFAR_CLASSES;
    owned->set.pixels = *pixels;
    owned->set.labels = *labels;
    *out = &owned->set;
    owned = NULL;
done:
    if (owned)
        sl_dataset_destroy(&owned->set);
    return st;
}

sl_status sl_dataset_seal(sl_dataset *set, sl_error *err)
{
    sl_hash *hash = NULL;
    sl_status st = sl_hash_create(&hash, SL_HASH_SHA256, err);
    if (!st)
        st = sl_hash_update(hash, set->pixels, set->n * SL_CIFAR_PIXELS, err);
    if (!st)
        st = sl_hash_update(hash, set->labels, set->n, err);
    if (!st)
        st = sl_hash_finish(hash, set->sha256, err);
    sl_hash_destroy(hash);
    return st;
}

void sl_dataset_destroy(sl_dataset *set)
{
    if (!set)
        return;
    owned_set *owned = (owned_set *)set;
    sl_arena_release(&owned->memory);
    free(owned);
}
