#include "data/staging.h"
#include "base/file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int remove_entry(const char *path, const struct stat *s, int flag, struct FTW *ftw)
{
    (void)s, (void)flag, (void)ftw;
    return remove(path);
}

static bool remove_tree(const char *path)
{
    return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT;
}

/* Whether there is something at path that a rename would not replace. */
static bool is_taken(const char *path)
{
    struct stat s;
    if (lstat(path, &s))
        return false;
    if (!S_ISDIR(s.st_mode))
        return true;
    DIR *dir = opendir(path);
    int entries = 0;
    while (dir && entries < 3 && readdir(dir))
        entries++;
    if (dir)
        closedir(dir);
    return !dir || entries > 2; /* more than . and .. */
}

/* Opens and locks the folder that holds dir, making it if need be. */
static sl_status lock_parent(const char *dir, int *fd, sl_error *err)
{
    const char *slash = strrchr(dir, '/');
    char *parent =
        slash && slash > dir ? strndup(dir, (size_t)(slash - dir)) : strdup(slash ? "/" : ".");
    if (!parent)
        return sl_error_set(err, SL_ENOMEM, "no memory for a path");
    sl_status st = sl_make_directories(parent, err);
    if (!st) {
        *fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (*fd < 0 || flock(*fd, LOCK_EX))
            st = sl_error_set(err, SL_EIO, "can't lock the folder '%s': %s", parent,
                              strerror(errno));
    }
    free(parent);
    return st;
}

sl_status sl_staging_open(sl_staging *staging, const char *dir, bool *exists, sl_error *err)
{
    *exists = false;
    *staging = (sl_staging){ .lock = -1 };
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/') /* "out/" is "out" */
        n--;
    if (asprintf(&staging->dir, "%.*s", (int)n, dir) < 0)
        staging->dir = NULL;
    if (asprintf(&staging->part, "%.*s.part", (int)n, dir) < 0)
        staging->part = NULL;
    sl_status st = SL_OK;
    if (!staging->dir || !staging->part)
        st = sl_error_set(err, SL_ENOMEM, "no memory for a path");
    if (!st)
        st = lock_parent(staging->dir, &staging->lock, err);
    if (!st && is_taken(staging->dir)) {
        *exists = true;
        return SL_OK;
    }
    if (!st && (!remove_tree(staging->part) || mkdir(staging->part, 0777)))
        st = sl_error_set(err, SL_EIO, "can't make the folder '%s': %s", staging->part,
                          strerror(errno));
    if (st)
        sl_staging_close(staging);
    return st;
}

sl_status sl_staging_commit(sl_staging *staging, sl_error *err)
{
    if (rename(staging->part, staging->dir) || fsync(staging->lock))
        return sl_error_set(err, SL_EIO, "can't rename '%s' to '%s': %s", staging->part,
                            staging->dir, strerror(errno));
    return SL_OK;
}

void sl_staging_close(sl_staging *staging)
{
    if (!staging->dir)
        return;
    if (staging->lock >= 0) {
        if (staging->part)
            remove_tree(staging->part); /* nothing is there after a commit */
        close(staging->lock);
    }
    free(staging->dir);
    free(staging->part);
    *staging = (sl_staging){ 0 };
}
