#include "base/file.h"
#include "base/memory.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

sl_status sl_io_error(sl_error *err, const char *path, const char *done, int errnum)
{
    sl_status code = SL_EIO;
    if (errnum == ENOENT || errnum == ENOTDIR)
        code = SL_ENOTFOUND;
    else if (errnum == ENOMEM)
        code = SL_ENOMEM;
    sl_error_set(err, code, "can't be %s (%s)", done, strerror(errnum));
    return sl_error_at(err, code, "%s", path);
}

sl_status sl_file_read(const char *path, size_t max_bytes, unsigned char **out, size_t *size,
                       sl_error *err)
{
    enum { CHUNK = 64 * 1024 };
    *out = NULL;
    *size = 0;
    unsigned char *bytes = NULL;
    size_t capacity = 0, used = 0;
    FILE *file = fopen(path, "rb");
    if (!file)
        return sl_io_error(err, path, "opened", errno);

    /* What stat says is only a first guess: the file may grow, or be a pipe. */
    struct stat info;
    size_t guess = CHUNK;
    if (fstat(fileno(file), &info) == 0 && S_ISREG(info.st_mode) && info.st_size >= 0 &&
        (uint64_t)info.st_size <= max_bytes)
        guess = (size_t)info.st_size + 2; /* the NUL, and one byte to see the end by */

    sl_status st = sl_grow(&bytes, &capacity, guess, 1, err);
    while (!st) {
        size_t n = fread(bytes + used, 1, capacity - 1 - used, file);
        if (n == 0)
            break;
        used += n;
        if (used > max_bytes) {
            st = sl_error_set(err, SL_EFORMAT, "longer than the %zu bytes expected at most",
                              max_bytes);
            sl_error_at(err, st, "%s", path);
        } else if (used == capacity - 1) {
            st = sl_grow(&bytes, &capacity, capacity + CHUNK, 1, err);
        }
    }
    if (!st && ferror(file))
        st = sl_io_error(err, path, "read", errno);
    fclose(file);
    if (st) {
        free(bytes);
        return st;
    }
    bytes[used] = '\0';
    *out = bytes;
    *size = used;
    return SL_OK;
}

bool sl_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

sl_status sl_file_size(const char *path, uint64_t *out, sl_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return sl_io_error(err, path, "found", errno);
    if (!S_ISREG(info.st_mode)) {
        sl_error_set(err, SL_EINVAL, "not a regular file");
        return sl_error_at(err, SL_EINVAL, "%s", path);
    }
    *out = (uint64_t)info.st_size;
    return SL_OK;
}

static sl_status make_directory(const char *path, sl_error *err)
{
    if (mkdir(path, 0777) == 0)
        return SL_OK;
    int reason = errno;
    struct stat info;
    if (reason == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return SL_OK;
    return sl_io_error(err, path, "made a folder", reason);
}

sl_status sl_make_directories(const char *path, sl_error *err)
{
    size_t n = strlen(path) + 1;
    char *prefix;
    sl_status st = sl_alloc(&prefix, n, 1, err);
    if (st)
        return st;
    memcpy(prefix, path, n);
    for (char *p = prefix + 1; !st && n > 1 && *p; p++) {
        if (*p != '/' || p[-1] == '/')
            continue;
        *p = '\0';
        st = make_directory(prefix, err);
        *p = '/';
    }
    if (!st)
        st = make_directory(prefix, err);
    free(prefix);
    return st;
}

sl_status sl_path_join(char **out, const char *dir, const char *name, sl_error *err)
{
    size_t n_dir = strlen(dir), n_name = strlen(name);
    sl_status st = sl_alloc(out, n_dir + n_name + 2, 1, err);
    if (st)
        return st;
    memcpy(*out, dir, n_dir);
    (*out)[n_dir] = '/';
    memcpy(*out + n_dir + 1, name, n_name);
    return SL_OK;
}
