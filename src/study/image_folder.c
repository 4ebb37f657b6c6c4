/* A pool out of a folder: <class>/<file>, or <file> for images of no known class. */
#include "base/file.h"
#include "study/image_file.h"
#include "study/images.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FILES 1000000u

typedef struct {
    sl_images *images;
    sl_pool *pool;
    size_t capacity;
    sl_mistakes *mistakes;
} reader;

static sl_status add_file(reader *r, const char *path, const char *name, int truth, sl_error *err)
{
    unsigned char head[16];
    FILE *file = fopen(path, "rb");
    if (!file)
        return sl_io_error(err, path, "opened", errno);
    size_t n = fread(head, 1, sizeof head, file);
    fclose(file);
    if (!sl_image_type(head, n)) {
        sl_mistakes_add(r->mistakes, "%s: isn't a PNG, JPEG, GIF or WebP image", path);
        return SL_OK;
    }
    uint64_t bytes;
    sl_status st = sl_file_size(path, &bytes, err);
    if (!st && bytes > SL_IMAGE_MAX_BYTES)
        sl_mistakes_add(r->mistakes, "%s: is larger than %zu bytes", path, SL_IMAGE_MAX_BYTES);
    if (!st && r->pool->n >= MAX_FILES)
        st = sl_error_set(err, SL_EINVAL, "more than %u images", MAX_FILES);
    if (!st)
        st = sl_grow(&r->pool->items, &r->capacity, r->pool->n + 1, sizeof(sl_image), err);
    if (st)
        return st;
    sl_image *image = &r->pool->items[r->pool->n];
    *image = (sl_image){ .truth = truth, .index = (uint32_t)r->pool->n };
    st = sl_arena_strdup(&r->images->memory, &image->path, path, err);
    if (!st)
        st = sl_arena_strdup(&r->images->memory, &image->name, name, err);
    r->pool->n += !st;
    return st;
}

static int class_called(const sl_study_config *config, const char *name)
{
    for (int k = 0; k < config->n_classes; k++)
        if (strcmp(config->classes[k], name) == 0)
            return k;
    return -1;
}

static sl_status read_level(reader *r, const char *dir, const char *inside, int truth,
                            sl_error *err);

static sl_status read_entry(reader *r, const char *dir, const char *entry, const char *inside,
                            int truth, sl_error *err)
{
    char *path = NULL, name[600];
    struct stat info;
    sl_status st = sl_path_join(&path, dir, entry, err);
    if (st)
        return st;
    snprintf(name, sizeof name, "%s%s%s", inside ? inside : "", inside ? "/" : "", entry);
    if (stat(path, &info) != 0) {
        st = sl_io_error(err, path, "found", errno);
    } else if (S_ISREG(info.st_mode)) {
        st = add_file(r, path, name, truth, err);
    } else if (S_ISDIR(info.st_mode) && !inside) {
        int k = class_called(r->images->config, entry);
        if (k < 0)
            sl_mistakes_add(r->mistakes, "%s: the folder is called like none of the classes", path);
        else
            st = read_level(r, path, entry, k, err);
    } else {
        sl_mistakes_add(r->mistakes, "%s: is neither an image nor a class's folder", path);
    }
    free(path);
    return st;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Sorted by bytes, so that an image's number doesn't depend on the file system or locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static sl_status read_level(reader *r, const char *dir, const char *inside, int truth,
                            sl_error *err)
{
    struct dirent **entries = NULL;
    int n = scandir(dir, &entries, not_hidden, by_name);
    if (n < 0)
        return sl_io_error(err, dir, "read", errno);
    sl_status st = SL_OK;
    for (int i = 0; i < n; i++) {
        if (!st)
            st = read_entry(r, dir, entries[i]->d_name, inside, truth, err);
        free(entries[i]);
    }
    free(entries);
    return st;
}

sl_status sl_pool_read_folder(sl_images *images, sl_pool_id id, const char *dir,
                              sl_mistakes *mistakes, sl_error *err)
{
    const char *folder = images->config->pool[id].folder;
    char *path = NULL, *real = NULL;
    struct stat info;
    reader r = { images, &images->pool[id], 0, mistakes };
    if (!*folder)
        return SL_OK; /* told already */
    sl_status st = folder[0] == '/' ? sl_path_join(&path, folder, "", err)
                                    : sl_path_join(&path, dir, folder, err);
    if (st)
        return st;
    /* By one name, so that an image that is in two pools is known for it. */
    real = realpath(path, NULL);
    if (!real || stat(real, &info) != 0 || !S_ISDIR(info.st_mode)) {
        sl_mistakes_add(mistakes, "%s: there is no such folder", path);
    } else {
        r.pool->found = true;
        st = read_level(&r, real, NULL, -1, err);
    }
    free(real);
    free(path);
    return st;
}

sl_status sl_images_check_files(const sl_images *images, sl_mistakes *mistakes, sl_error *err)
{
    for (int p = 0; p < SL_POOLS; p++) {
        const sl_pool *pool = &images->pool[p];
        for (size_t i = 0; i < pool->n && !pool->pixels; i++) {
            const char *path = pool->items[i].path, *damage = NULL;
            unsigned char *bytes = NULL;
            size_t n = 0;
            sl_status st = sl_file_read(path, SL_IMAGE_MAX_BYTES, &bytes, &n, err);
            if (st == SL_ENOMEM)
                return st;
            if (st)
                sl_mistakes_add_error(mistakes, sl_pool_names[p], err);
            else if ((damage = sl_image_damage(bytes, n)))
                sl_mistakes_add(mistakes, "%s: %s; save it anew or take it out", path, damage);
            free(bytes);
        }
    }
    return SL_OK;
}
