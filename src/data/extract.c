#include "data/extract.h"
#include "base/file.h"
#include "data/folder.h"
#include "data/staging.h"
#include "data/sums.h"
#include "data/tar.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define ARCHIVE_MAX_BYTES (512u << 20) /* unpacked; CIFAR-10's has 184 MB */
#define TRAILER_MAX_BYTES (1u << 20)
#define CLASS_NAMES_FILE "batches.meta.txt"
#define CLASS_NAMES_MAX_BYTES 4096
#define WANTED_FILES (SL_RECORD_FILES + 1)

static const char *wanted_name(int file)
{
    return file < SL_RECORD_FILES ? sl_known_files[file].name : CLASS_NAMES_FILE;
}

static int find_wanted(const char *entry_name)
{
    static const char folder[] = SL_CIFAR_SUBFOLDER "/";
    if (strncmp(entry_name, "./", 2) == 0)
        entry_name += 2;
    if (strncmp(entry_name, folder, sizeof folder - 1) != 0)
        return -1;
    for (int f = 0; f < WANTED_FILES; f++)
        if (strcmp(entry_name + sizeof folder - 1, wanted_name(f)) == 0)
            return f;
    return -1;
}

static sl_status read_gzip(void *user, void *out, size_t n, size_t *got, sl_error *err)
{
    gzFile gz = user;
    const int count = gzread(gz, out, (unsigned)n); /* n is a buffer's size, far below 2^31 */
    int code;
    *got = count > 0 ? (size_t)count : 0;
    if (count < 0)
        return sl_error_set(err, SL_EFORMAT, "can't decompress it: %s", gzerror(gz, &code));
    return SL_OK;
}

static sl_status extract_entry(sl_tar *tar, const sl_tar_entry *entry, int file, const char *dir,
                               sl_error *err)
{
    unsigned char buffer[1 << 16];
    sl_file_writer *writer = NULL;
    char *path = NULL;
    size_t got = 1;
    const uint64_t wanted = 10000 * SL_CIFAR_RECORD;
    if (file < SL_RECORD_FILES ? entry->size != wanted : entry->size > CLASS_NAMES_MAX_BYTES)
        return sl_error_set(err, SL_EFORMAT, "'%s' has %" PRIu64 " bytes, expected %" PRIu64,
                            entry->name, entry->size,
                            file < SL_RECORD_FILES ? wanted : CLASS_NAMES_MAX_BYTES);
    sl_status st = sl_path_join(&path, dir, wanted_name(file), err);
    if (!st)
        st = sl_file_writer_open(&writer, path, err);
    while (!st && got > 0) {
        st = sl_tar_read(tar, buffer, sizeof buffer, &got, err);
        if (!st)
            st = sl_file_writer_write(writer, buffer, got, err);
    }
    if (!st)
        st = sl_file_writer_commit(writer, err);
    else
        sl_file_writer_abort(writer);
    free(path);
    return st;
}

/* What lies behind the tar's end: nothing that matters, but gzip's checksum is at its end. */
static sl_status drain(gzFile gz, sl_error *err)
{
    unsigned char buffer[1 << 14];
    uint64_t total = 0;
    size_t got = 1;
    sl_status st = SL_OK;
    while (!st && got > 0) {
        st = read_gzip(gz, buffer, sizeof buffer, &got, err);
        total += got;
        if (!st && total > TRAILER_MAX_BYTES)
            st = sl_error_set(err, SL_EFORMAT, "there is more behind the archive's end");
    }
    int code = Z_OK;
    if (!st && (gzerror(gz, &code), code != Z_OK && code != Z_STREAM_END))
        st = sl_error_set(err, SL_EFORMAT, "can't decompress it: it is cut off");
    return st;
}

static sl_status extract_all(gzFile gz, const char *dir, sl_error *err)
{
    bool seen[WANTED_FILES] = { false }, end = false;
    sl_tar tar;
    sl_tar_init(&tar, read_gzip, gz, ARCHIVE_MAX_BYTES);
    sl_status st = SL_OK;
    while (!st && !end) {
        sl_tar_entry entry = { 0 };
        st = sl_tar_next(&tar, &entry, &end, err);
        const int file = !st && !end && entry.regular ? find_wanted(entry.name) : -1;
        if (file < 0)
            continue;
        if (seen[file])
            return sl_error_set(err, SL_EFORMAT, "'%s' is there twice", entry.name);
        seen[file] = true;
        st = extract_entry(&tar, &entry, file, dir, err);
    }
    for (int f = 0; !st && f < WANTED_FILES; f++)
        if (!seen[f])
            st = sl_error_set(err, SL_EFORMAT, "there is no '" SL_CIFAR_SUBFOLDER "/%s' in it",
                              wanted_name(f));
    return st ? st : drain(gz, err);
}

sl_status sl_cifar_extract(const char *archive, const char *dir, sl_error *err)
{
    sl_staging staging;
    bool exists;
    gzFile gz = NULL;
    sl_status st = sl_staging_open(&staging, dir, &exists, err);
    if (st)
        return st;
    if (exists) {
        st = sl_error_set(err, SL_EIO, "'%s' is there already", dir);
        goto done;
    }
    gz = gzopen(archive, "rb");
    if (!gz) {
        st = sl_error_at(err, sl_error_set(err, SL_EIO, "can't open it"), "%s", archive);
        goto done;
    }
    st = extract_all(gz, staging.part, err);
    if (st) {
        st = sl_error_at(err, st, "%s", archive);
        goto done;
    }
    const char *names[WANTED_FILES];
    for (int f = 0; f < WANTED_FILES; f++)
        names[f] = wanted_name(f);
    st = sl_sums_write(staging.part, names, WANTED_FILES, err);
    if (!st)
        st = sl_staging_commit(&staging, err);
done:
    if (gz)
        gzclose_r(gz);
    sl_staging_close(&staging);
    return st;
}
