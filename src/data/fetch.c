#include "data/fetch.h"
#include "base/file.h"
#include "base/npy.h"
#include "data/extract.h"
#include "data/synth.h"
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define IMAGES_MAX_BYTES (16u << 20) /* CIFAR-10.1's have 6.2 MB */
#define ARRAY_MAX_BYTES (1u << 20)

#define CIFAR_URL "https://www.cs.toronto.edu/~kriz/"
#define HUMAN_URL "https://raw.githubusercontent.com/jcpeterson/cifar-10h/master/data/"
#define V_URL "https://raw.githubusercontent.com/modestyachts/CIFAR-10.1/master/datasets/"

/* CIFAR-10.1's images, whose hash isn't known: uint8 (n, 32, 32, 3), complete. */
static sl_status check_images(const char *path, sl_error *err)
{
    sl_npy images = { 0 };
    sl_status st = sl_npy_read(&images, path, err);
    if (!st &&
        (images.type != SL_NPY_U8 || images.n_dims != 4 || images.shape[1] != SL_CIFAR_SIDE ||
         images.shape[2] != SL_CIFAR_SIDE || images.shape[3] != 3))
        st = sl_error_set(err, SL_EFORMAT, "isn't a uint8 array of shape (n, 32, 32, 3)");
    sl_npy_release(&images);
    return st;
}

/* The hashes of the single arrays are in sl_known_files. */
const sl_publication sl_publications[SL_PUBLICATIONS] = {
    { "cifar-10-binary.tar.gz", CIFAR_URL,
      "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", 170052171, 170052171,
      NULL, SL_FILE_TRAIN, SL_RECORD_FILES },
    { "cifar10h-counts.npy", HUMAN_URL, NULL, 800128, 800128, NULL, SL_FILE_COUNTS, 1 },
    { "cifar10h-probs.npy", HUMAN_URL, NULL, 800128, 800128, NULL, SL_FILE_PROBS, 1 },
    { "cifar10.1_v4_labels.npy", V_URL, NULL, 0, ARRAY_MAX_BYTES, NULL, SL_FILE_V4_LABELS, 1 },
    { "cifar10.1_v4_data.npy", V_URL, NULL, 0, IMAGES_MAX_BYTES, check_images, SL_FILE_V4_DATA, 1 },
    { "cifar10.1_v6_labels.npy", V_URL, NULL, 0, ARRAY_MAX_BYTES, NULL, SL_FILE_V6_LABELS, 1 },
    { "cifar10.1_v6_data.npy", V_URL, NULL, 0, IMAGES_MAX_BYTES, check_images, SL_FILE_V6_DATA, 1 },
};

sl_fetch_options sl_fetch_options_default(void)
{
    return (sl_fetch_options){ .base_url = NULL, .retries = 6, .retry_wait_ms = 1000 };
}

typedef struct {
    const char *dir;
    const sl_fetch_options *options;
    sl_progress_fn *progress;
    void *user;
    sl_data *before; /* what dir had; NULL: nothing */
    sl_arena memory; /* paths and addresses */
} fetcher;

static sl_status check_options(const sl_fetch_options *o, sl_error *err)
{
    const char *url = o->base_url;
    if (url && strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
        return sl_error_set(err, SL_EINVAL,
                            "base url '%s' starts with neither http:// nor https://", url);
    if (o->retries < 0 || o->retry_wait_ms < 0)
        return sl_error_set(err, SL_EINVAL, "retries (%d) and the wait (%d ms) can't be negative",
                            o->retries, o->retry_wait_ms);
    return SL_OK;
}

/* Whether all that p gives is there, and nothing of it is known to be damaged. */
static sl_status is_there(const fetcher *f, const sl_publication *p, bool *there, sl_error *err)
{
    sl_status st = SL_OK;
    *there = f->before != NULL;
    for (int i = 0; !st && *there && i < p->n_files; i++) {
        const sl_file_id file = (sl_file_id)((int)p->first + i);
        sl_file_report report = { .state = SL_FILE_DAMAGED };
        if (f->before->path[file])
            st = sl_data_check_file(f->before, file, &report, err);
        *there = !st && report.state != SL_FILE_DAMAGED;
    }
    return st;
}

static sl_status download(fetcher *f, const sl_publication *p, const char *path, sl_error *err)
{
    const char *base = f->options->base_url ? f->options->base_url : p->folder_url;
    const size_t n = strlen(base);
    sl_download d = { .path = path,
                      .sha256 = p->sha256 ? p->sha256 : sl_known_files[p->first].sha256,
                      .size = p->size,
                      .max_bytes = p->max_bytes,
                      .check = p->check };
    sl_status st = sl_arena_printf(&f->memory, &d.url, err, "%s%s%s", base,
                                   base[n - 1] == '/' ? "" : "/", p->name);
    return st ? st : sl_download_file(&d, f->options, f->progress, f->user, err);
}

/* Into folder, which is made of the archive; that is removed afterwards. */
static sl_status fetch_archive(fetcher *f, const sl_publication *p, const char *folder,
                               sl_error *err)
{
    const char *archive;
    if (access(folder, F_OK) == 0)
        return sl_error_set(err, SL_EIO,
                            "the folder '%s' is there, but not whole: remove it, then fetch again",
                            folder);
    sl_status st = sl_arena_printf(&f->memory, &archive, err, "%s/%s", f->dir, p->name);
    if (!st && !sl_file_exists(archive)) /* it is if we were killed while extracting */
        st = download(f, p, archive, err);
    if (!st)
        st = sl_cifar_extract(archive, folder, err);
    if (!st || st == SL_EFORMAT)
        unlink(archive);
    return st;
}

static sl_status fetch_one(fetcher *f, const sl_publication *p, sl_error *err)
{
    const char *folder, *path;
    bool there;
    sl_status st = is_there(f, p, &there, err);
    if (st || there) {
        if (!st)
            sl_log(SL_LOG_INFO, "'%s' is there already", p->name);
        return st;
    }
    st = sl_arena_printf(&f->memory, &folder, err, "%s/%s", f->dir,
                         sl_known_files[p->first].subfolder);
    if (st || p->n_files > 1)
        return st ? st : fetch_archive(f, p, folder, err);
    st = sl_arena_printf(&f->memory, &path, err, "%s/%s", folder, p->name);
    if (!st)
        st = sl_make_directories(folder, err);
    return st ? st : download(f, p, path, err);
}

/* What dir has already, if anything. */
static sl_status look_at(fetcher *f, sl_error *err)
{
    sl_error none;
    sl_status st = sl_make_directories(f->dir, err);
    if (st)
        return st;
    st = sl_data_open(&f->before, f->dir, NULL, &none);
    if (st == SL_ENOTFOUND)
        return SL_OK;
    if (!st && strcmp(sl_data_kind(f->before), "cifar10") != 0)
        return sl_error_set(err, SL_EINVAL,
                            "'%s' holds a synthetic set: name another folder for CIFAR", f->dir);
    if (st && err)
        *err = none;
    return st;
}

sl_status sl_data_fetch_list(const char *dir, const sl_publication *list, int n,
                             const sl_fetch_options *options, sl_progress_fn *progress, void *user,
                             sl_error *err)
{
    fetcher f = { .dir = dir, .options = options, .progress = progress, .user = user };
    sl_status st = check_options(options, err);
    if (st)
        return st;
    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        return sl_error_set(err, SL_ENOMEM, "libcurl can't start");
    st = look_at(&f, err);
    for (int i = 0; !st && i < n; i++)
        st = fetch_one(&f, &list[i], err);
    curl_global_cleanup();
    sl_data_close(f.before);
    sl_arena_release(&f.memory);
    return st;
}

sl_status sl_data_fetch(const char *dir, const sl_fetch_options *options, sl_progress_fn *progress,
                        void *user, sl_error *err)
{
    return sl_data_fetch_list(dir, sl_publications, SL_PUBLICATIONS, options, progress, user, err);
}
