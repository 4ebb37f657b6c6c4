#include "study/images.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/random.h"
#include "data/synth.h"
#include "study/image_file.h"
#include "study/png.h"
#include "study/streams.h"
#include <stdlib.h>
#include <string.h>

/* ---- synthetic ---- */

/* Draws until the label is k; for an attention check, until hardly anybody could say another. */
static void draw_synthetic(sl_random *r, int k, bool unambiguous, double z[SL_SYNTH_FEATURES])
{
    double p[SL_CIFAR_CLASSES];
    int label;
    do {
        sl_synth_draw(r, &label, z);
        sl_synth_posterior(z, p);
    } while (label != k || (unambiguous && p[k] < 0.9999));
}

static sl_status read_synthetic(sl_images *images, sl_pool_id id, sl_mistakes *mistakes,
                                sl_error *err)
{
    const sl_study_config *config = images->config;
    sl_pool *pool = &images->pool[id];
    double z[SL_SYNTH_FEATURES];
    if (config->n_classes != SL_CIFAR_CLASSES) {
        sl_mistakes_add(mistakes, "classes: synthetic images have %d classes, not %d",
                        SL_CIFAR_CLASSES, config->n_classes);
        return SL_OK;
    }
    size_t n = config->pool[id].count;
    sl_status st = sl_alloc(&pool->items, n, sizeof *pool->items, err);
    if (!st)
        st = sl_alloc(&pool->pixels, n, SL_CIFAR_PIXELS, err);
    for (size_t i = 0; !st && i < n; i++) {
        sl_random r = sl_study_stream(config->seed, SL_STREAM_SYNTHETIC, (uint32_t)id, (uint32_t)i);
        sl_image *image = &pool->items[i];
        image->truth = (int)(i % SL_CIFAR_CLASSES);
        image->index = (uint32_t)i;
        draw_synthetic(&r, image->truth, id == SL_POOL_ATTENTION, z);
        sl_synth_render(&r, z, pool->pixels + i * SL_CIFAR_PIXELS);
        st = sl_arena_printf(&images->memory, &image->name, err, "synthetic/%s/%zu",
                             sl_pool_names[id], i);
    }
    pool->n = st ? 0 : n;
    pool->found = n > 0;
    return st;
}

/* ---- CIFAR-10 ---- */

/* count images drawn by the seed, as evenly over classes as the set allows; in the set's order. */
static sl_status draw_subset(const sl_images *images, sl_pool_id id, const sl_dataset *set,
                             bool *chosen, sl_error *err)
{
    const size_t count = images->config->pool[id].count, K = (size_t)set->classes;
    const size_t share = (count + K - 1) / K; /* at most, of a class */
    size_t taken[256] = { 0 }, n = 0;
    uint32_t *order = NULL;
    sl_status st = sl_alloc(&order, set->n, sizeof *order, err);
    if (st)
        return st;
    for (size_t i = 0; i < set->n; i++)
        order[i] = (uint32_t)i;
    sl_random r = sl_study_stream(images->config->seed, SL_STREAM_SUBSET, (uint32_t)id, 0);
    sl_random_shuffle(&r, order, set->n);
    for (size_t i = 0; i < set->n && n < count; i++) {
        if (taken[set->labels[order[i]]] == share)
            continue;
        taken[set->labels[order[i]]]++;
        chosen[order[i]] = true;
        n++;
    }
    free(order);
    return SL_OK;
}

static sl_status choose(const sl_images *images, sl_pool_id id, const sl_dataset *set, bool *chosen,
                        sl_mistakes *mistakes, sl_error *err)
{
    const sl_pool_config *wanted = &images->config->pool[id];
    for (size_t i = 0; i < wanted->n_index; i++) {
        if (wanted->index[i] >= set->n)
            sl_mistakes_add(mistakes, "%s: 'index' has image %u, but the set has only %zu",
                            sl_pool_names[id], wanted->index[i], set->n);
        else if (chosen[wanted->index[i]])
            sl_mistakes_add(mistakes, "%s: 'index' has image %u twice", sl_pool_names[id],
                            wanted->index[i]);
        else
            chosen[wanted->index[i]] = true;
    }
    if (wanted->index)
        return SL_OK;
    if (wanted->count > set->n)
        sl_mistakes_add(mistakes, "%s: member 'count' is %u, but the set has only %zu images",
                        sl_pool_names[id], wanted->count, set->n);
    if (wanted->count)
        return draw_subset(images, id, set, chosen, err);
    memset(chosen, true, set->n);
    return SL_OK;
}

/* Copies the chosen images, so that the rest of the set needn't stay in memory. */
static sl_status take_set(sl_images *images, sl_pool_id id, const sl_dataset *set,
                          sl_mistakes *mistakes, sl_error *err)
{
    sl_pool *pool = &images->pool[id];
    bool *chosen = NULL;
    size_t n = 0;
    pool->found = true;
    sl_status st = sl_alloc(&chosen, set->n, sizeof *chosen, err);
    if (!st)
        st = choose(images, id, set, chosen, mistakes, err);
    for (size_t i = 0; !st && i < set->n; i++)
        n += chosen[i];
    if (!st)
        st = sl_alloc(&pool->items, n, sizeof *pool->items, err);
    if (!st)
        st = sl_alloc(&pool->pixels, n, SL_CIFAR_PIXELS, err);
    for (size_t i = 0; !st && i < set->n; i++) {
        if (!chosen[i])
            continue;
        sl_image *image = &pool->items[pool->n];
        image->truth = set->labels[i];
        image->index = (uint32_t)i;
        memcpy(pool->pixels + pool->n * SL_CIFAR_PIXELS, set->pixels + i * SL_CIFAR_PIXELS,
               SL_CIFAR_PIXELS);
        st = sl_arena_printf(&images->memory, &image->name, err, "cifar10/%s/%zu",
                             images->config->pool[id].set, i);
        pool->n++;
    }
    free(chosen);
    return st;
}

static sl_status read_cifar(sl_images *images, sl_data *data, sl_mistakes *mistakes, sl_error *err)
{
    static const struct {
        const char *name;
        sl_set_id id;
    } sets[] = { { "test", SL_SET_TEST }, { "train", SL_SET_TRAIN } };
    sl_status st = SL_OK;
    if (images->config->n_classes != SL_CIFAR_CLASSES) {
        sl_mistakes_add(mistakes, "classes: CIFAR-10 has %d classes, not %d", SL_CIFAR_CLASSES,
                        images->config->n_classes);
        return SL_OK;
    }
    for (size_t s = 0; s < 2 && !st; s++) {
        sl_dataset *set = NULL;
        for (int p = 0; p < SL_POOLS && !st; p++) {
            const sl_pool_config *wanted = &images->config->pool[p];
            if (wanted->source != SL_SOURCE_CIFAR10 || strcmp(wanted->set, sets[s].name) != 0)
                continue;
            if (!set)
                st = sl_data_read(data, sets[s].id, &set, err);
            if (!st)
                st = take_set(images, (sl_pool_id)p, set, mistakes, err);
        }
        sl_dataset_destroy(set);
    }
    return st;
}

static sl_status open_cifar(sl_images *images, const sl_study_data *from, sl_mistakes *mistakes,
                            sl_error *err)
{
    sl_data *data = NULL;
    sl_status st = sl_data_open(&data, from->dir, from->unpack_dir, err);
    if (!st && strcmp(sl_data_kind(data), "cifar10") != 0)
        st = sl_error_set(err, SL_EMISMATCH, "'%s' holds no CIFAR-10", sl_data_folder(data));
    if (!st)
        st = read_cifar(images, data, mistakes, err);
    sl_data_close(data);
    if (!st || st == SL_ENOMEM)
        return st;
    sl_mistakes_add_error(mistakes, "images", err); /* an author can mend this */
    return SL_OK;
}

/* ---- all pools ---- */

/* Whether a pool has what its participants need of each class. */
static void check_pool(const sl_images *images, sl_pool_id id, int needed, int total,
                       sl_mistakes *mistakes)
{
    const sl_study_config *config = images->config;
    const sl_pool *pool = &images->pool[id];
    size_t of_class[SL_STUDY_MAX_CLASSES] = { 0 }, unknown = 0;
    for (size_t i = 0; i < pool->n; i++) {
        if (pool->items[i].truth < 0)
            unknown++;
        else
            of_class[pool->items[i].truth]++;
    }
    if (pool->n < (size_t)total)
        sl_mistakes_add(mistakes, "%s: has %zu images, but a participant needs %d",
                        sl_pool_names[id], pool->n, total);
    if (unknown > 0 && id != SL_POOL_IMAGES)
        sl_mistakes_add(mistakes, "%s: %zu images have no class; put each in its class's folder",
                        sl_pool_names[id], unknown);
    for (int k = 0; k < config->n_classes && unknown == 0 && pool->n >= (size_t)total; k++)
        if (of_class[k] < (size_t)needed)
            sl_mistakes_add(mistakes, "%s: has %zu of class '%s', but a participant needs %d",
                            sl_pool_names[id], of_class[k], config->classes[k], needed);
}

/* What tells an image from others, across pools. */
static const char *identity_of(const sl_image *image)
{
    return image->path ? image->path : image->name;
}

static int by_identity(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Who has practised on an image has been told what it shows. */
static sl_status check_practice_apart(const sl_images *images, sl_mistakes *mistakes, sl_error *err)
{
    const sl_pool *practice = &images->pool[SL_POOL_PRACTICE];
    const sl_pool *judged = &images->pool[SL_POOL_IMAGES];
    const char **known = NULL, *first = NULL;
    size_t shared = 0;
    sl_status st = sl_alloc(&known, practice->n, sizeof *known, err);
    if (st)
        return st;
    for (size_t i = 0; i < practice->n; i++)
        known[i] = identity_of(&practice->items[i]);
    qsort(known, practice->n, sizeof *known, by_identity);
    for (size_t i = 0; i < judged->n; i++) {
        const char *name = identity_of(&judged->items[i]);
        if (!bsearch(&name, known, practice->n, sizeof *known, by_identity))
            continue;
        first = first ? first : name;
        shared++;
    }
    if (shared > 0)
        sl_mistakes_add(mistakes, "practice_images: %zu of them are to be judged too, such as '%s'",
                        shared, first);
    free(known);
    return SL_OK;
}

static sl_status check_pools(const sl_images *images, sl_mistakes *mistakes, sl_error *err)
{
    const sl_study_config *config = images->config;
    const int K = config->n_classes, judged = config->images_per_participant;
    const int practised = config->practice_blocks > 0 ? config->practice_images : 0;
    const struct {
        int of_class, total;
    } needed[SL_POOLS] = {
        [SL_POOL_IMAGES] = { K ? (judged + K - 1) / K : 0, judged },
        [SL_POOL_PRACTICE] = { K ? (practised + K - 1) / K : 0, practised },
        [SL_POOL_ATTENTION] = { 0, sl_study_checks(config) },
    };
    for (int p = 0; p < SL_POOLS && K > 0; p++)
        if (needed[p].total > 0 && images->pool[p].found)
            check_pool(images, (sl_pool_id)p, needed[p].of_class, needed[p].total, mistakes);
    return practised > 0 ? check_practice_apart(images, mistakes, err) : SL_OK;
}

static sl_status hash_images(sl_images *images, sl_error *err)
{
    sl_hash *hash = NULL;
    const uint32_t n_classes = (uint32_t)images->config->n_classes;
    sl_status st = sl_hash_create(&hash, SL_HASH_SHA256, err);
    if (!st)
        st = sl_hash_update(hash, &n_classes, sizeof n_classes, err);
    for (int p = 0; p < SL_POOLS; p++) {
        const sl_pool *pool = &images->pool[p];
        const uint64_t n = pool->n;
        if (!st)
            st = sl_hash_update(hash, &n, sizeof n, err);
        for (size_t i = 0; !st && i < pool->n; i++) {
            const sl_image *image = &pool->items[i];
            st = sl_hash_update(hash, &image->truth, sizeof image->truth, err);
            if (!st)
                st = sl_hash_update(hash, image->name, strlen(image->name) + 1, err);
        }
        if (!st && pool->pixels)
            st = sl_hash_update(hash, pool->pixels, pool->n * SL_CIFAR_PIXELS, err);
    }
    if (!st)
        st = sl_hash_finish(hash, images->sha256, err);
    sl_hash_destroy(hash);
    return st;
}

sl_status sl_images_open(sl_images *images, const sl_study_config *config, const char *dir,
                         const sl_study_data *data, sl_mistakes *mistakes, sl_error *err)
{
    bool cifar = false;
    sl_status st = SL_OK;
    memset(images, 0, sizeof *images);
    images->config = config;
    for (int p = 0; p < SL_POOLS && !st; p++) {
        switch (config->pool[p].source) {
        case SL_SOURCE_SYNTHETIC:
            st = read_synthetic(images, (sl_pool_id)p, mistakes, err);
            break;
        case SL_SOURCE_FOLDER:
            st = sl_pool_read_folder(images, (sl_pool_id)p, dir, mistakes, err);
            break;
        case SL_SOURCE_CIFAR10:
            cifar = true;
            break;
        }
    }
    if (!st && cifar)
        st = open_cifar(images, data, mistakes, err);
    if (!st)
        st = check_pools(images, mistakes, err);
    if (!st)
        st = hash_images(images, err);
    if (st)
        sl_images_release(images);
    return st;
}

void sl_images_release(sl_images *images)
{
    for (int p = 0; p < SL_POOLS; p++) {
        free(images->pool[p].items);
        free(images->pool[p].pixels);
    }
    sl_arena_release(&images->memory);
    memset(images, 0, sizeof *images);
}

sl_status sl_images_read(const sl_images *images, sl_pool_id pool, size_t i, unsigned char **bytes,
                         size_t *size, const char **type, sl_error *err)
{
    const sl_pool *from = &images->pool[pool];
    *bytes = NULL;
    if (i >= from->n)
        return sl_error_set(err, SL_EINVAL, "image %zu of %zu", i, from->n);
    if (from->pixels) {
        *type = "image/png";
        return sl_png_encode(from->pixels + i * SL_CIFAR_PIXELS, SL_CIFAR_SIDE, SL_CIFAR_SIDE,
                             bytes, size, err);
    }
    sl_status st = sl_file_read(from->items[i].path, SL_IMAGE_MAX_BYTES, bytes, size, err);
    if (st)
        return st;
    *type = sl_image_type(*bytes, *size);
    if (*type)
        return SL_OK;
    free(*bytes);
    *bytes = NULL;
    sl_error_set(err, SL_EFORMAT, "isn't an image any more");
    return sl_error_at(err, SL_EFORMAT, "%s", from->items[i].path);
}

bool sl_images_same(const sl_images *images, sl_pool_id a, size_t i, sl_pool_id b, size_t j)
{
    return strcmp(identity_of(&images->pool[a].items[i]), identity_of(&images->pool[b].items[j])) ==
           0;
}
