#include "base/file.h"
#include "base/memory.h"
#include "base/npy_header.h"
#include "base/zip.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sl_npz {
    zip_t *zip;
    char *path;
    uint64_t archive_bytes;
};

sl_status sl_npz_open(sl_npz **out, const char *path, sl_error *err)
{
    *out = NULL;
    size_t n = strlen(path) + 1;
    sl_npz *npz;
    sl_status st = sl_alloc(&npz, 1, sizeof *npz, err);
    if (st)
        return st;
    st = sl_alloc(&npz->path, n, 1, err);
    if (st)
        goto done;
    memcpy(npz->path, path, n);
    st = sl_file_size(path, &npz->archive_bytes, err);
    if (st)
        goto done;
    st = sl_zip_open(&npz->zip, path, err);
    if (st)
        goto done;
    *out = npz;
    npz = NULL;
done:
    sl_npz_close(npz);
    return st;
}

/* The index of name's entry, -1 if there is none. */
static zip_int64_t locate(const sl_npz *npz, const char *name)
{
    char file[256];
    int n = snprintf(file, sizeof file, "%s.npy", name);
    return n > 0 && (size_t)n < sizeof file ? zip_name_locate(npz->zip, file, 0) : -1;
}

bool sl_npz_has(const sl_npz *npz, const char *name)
{
    return locate(npz, name) >= 0;
}

/* Refuses an entry before its memory is taken: deflate can't pack tighter than 1032 to 1. The
 * packed size is as much hearsay as the unpacked one; the archive's own size is not. */
static sl_status check_size(const sl_npz *npz, const zip_stat_t *info, sl_error *err)
{
    if (info->size > SL_NPZ_MAX_BYTES)
        return sl_error_set(err, SL_EFORMAT, "unpacks to %llu bytes, more than the %zu allowed",
                            (unsigned long long)info->size, SL_NPZ_MAX_BYTES);
    if (info->size / 1032 > npz->archive_bytes)
        return sl_error_set(err, SL_EFORMAT, "says it unpacks to %llu bytes in an archive of %llu",
                            (unsigned long long)info->size, (unsigned long long)npz->archive_bytes);
    return SL_OK;
}

/* All of an entry, malloc'ed. */
static sl_status read_entry(const sl_npz *npz, zip_uint64_t index, unsigned char **out,
                            size_t *size, sl_error *err)
{
    zip_stat_t info;
    zip_file_t *entry;
    unsigned char *bytes = NULL;
    size_t n, got;
    *out = NULL;
    *size = 0;
    sl_status st = sl_zip_open_entry(&entry, npz->zip, index, &info, err);
    if (st)
        return st;
    st = check_size(npz, &info, err);
    if (st)
        goto done;
    n = (size_t)info.size;
    st = sl_alloc(&bytes, n + 1, 1, err);
    if (st)
        goto done;
    st = sl_zip_read(entry, bytes, n + 1, &got, err); /* asks for one more to reach the end */
    if (st)
        goto done;
    if (got != n) {
        st = sl_error_set(err, SL_EFORMAT, "unpacks to other than the %zu bytes it says", n);
        goto done;
    }
    *out = bytes;
    *size = n;
    bytes = NULL;
done:
    free(bytes);
    zip_fclose(entry);
    return st;
}

sl_status sl_npz_read(sl_npz *npz, const char *name, sl_npy *out, sl_error *err)
{
    *out = (sl_npy){ 0 };
    zip_int64_t index = locate(npz, name);
    if (index < 0) {
        sl_error_set(err, SL_ENOTFOUND, "there is no array '%s' in it", name);
        return sl_error_at(err, SL_ENOTFOUND, "%s", npz->path);
    }
    unsigned char *bytes;
    size_t n;
    sl_status st = read_entry(npz, (zip_uint64_t)index, &bytes, &n, err);
    if (!st)
        st = sl_npy_adopt(out, bytes, n, err);
    if (st) {
        sl_error_at(err, st, "%s.npy", name);
        sl_error_at(err, st, "%s", npz->path);
    }
    return st;
}

void sl_npz_close(sl_npz *npz)
{
    if (!npz)
        return;
    if (npz->zip)
        zip_discard(npz->zip);
    free(npz->path);
    free(npz);
}
