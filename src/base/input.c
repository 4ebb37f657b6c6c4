#include "base/input.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/zip.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* Either gz (which passes plain text on as it is) or zip and entry. */
struct sl_input {
    char *name;
    size_t file_bytes;
    gzFile gz;
    zip_t *zip;
    zip_file_t *entry;
};

static sl_status create(sl_input **out, const char *name, sl_error *err)
{
    size_t n = strlen(name) + 1;
    sl_status st = sl_alloc(out, 1, sizeof **out, err);
    if (st)
        return st;
    st = sl_alloc(&(*out)->name, n, 1, err);
    if (st) {
        sl_input_close(*out);
        *out = NULL;
        return st;
    }
    memcpy((*out)->name, name, n);
    return SL_OK;
}

static size_t file_bytes(int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? (size_t)info.st_size : 0;
}

/* The descriptor is the input's on success. */
static sl_status attach(sl_input *input, int fd, sl_error *err)
{
    input->gz = gzdopen(fd, "rb");
    if (!input->gz)
        return sl_error_set(err, SL_ENOMEM, "not enough memory for a decompressor");
    gzbuffer(input->gz, 32 * 1024);
    return SL_OK;
}

static sl_status open_only_entry(sl_input *input, sl_error *err)
{
    sl_status st = sl_zip_open(&input->zip, input->name, err);
    if (st)
        return st;
    int n_files = 0;
    zip_uint64_t found = 0;
    zip_int64_t n_entries = zip_get_num_entries(input->zip, 0);
    for (zip_int64_t i = 0; i < n_entries; i++) {
        const char *name = zip_get_name(input->zip, (zip_uint64_t)i, 0);
        if (!name || !*name || name[strlen(name) - 1] == '/' || strncmp(name, "__MACOSX/", 9) == 0)
            continue;
        found = (zip_uint64_t)i;
        n_files++;
    }
    if (n_files != 1)
        st = sl_error_set(err, SL_EFORMAT, "a zip archive of %d files, expected exactly one",
                          n_files);
    zip_stat_t info;
    if (!st)
        st = sl_zip_open_entry(&input->entry, input->zip, found, &info, err);
    return st ? sl_error_at(err, st, "%s", input->name) : SL_OK;
}

sl_status sl_input_open(sl_input **out, const char *path, sl_error *err)
{
    *out = NULL;
    sl_input *input;
    sl_status st = create(&input, path, err);
    if (st)
        return st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        st = sl_io_error(err, path, "opened", errno);
        goto done;
    }
    input->file_bytes = file_bytes(fd);
    char magic[4];
    bool zipped = pread(fd, magic, 4, 0) == 4 && memcmp(magic, "PK\3\4", 4) == 0;
    st = zipped ? open_only_entry(input, err) : attach(input, fd, err);
    if (st)
        goto done;
    *out = input;
    if (!zipped)
        fd = -1; /* the input's now */
    input = NULL;
done:
    if (fd >= 0)
        close(fd);
    sl_input_close(input);
    return st;
}

sl_status sl_input_open_stream(sl_input **out, FILE *stream, const char *name, sl_error *err)
{
    *out = NULL;
    sl_input *input;
    sl_status st = create(&input, name, err);
    if (st)
        return st;
    int fd = dup(fileno(stream));
    if (fd < 0)
        st = sl_io_error(err, name, "read", errno);
    else
        input->file_bytes = file_bytes(fd);
    if (!st)
        st = attach(input, fd, err);
    if (st) {
        if (fd >= 0)
            close(fd);
        sl_input_close(input);
        return st;
    }
    *out = input;
    return SL_OK;
}

/* Why fewer bytes came than were asked for. */
static sl_status check_end(gzFile gz, sl_error *err)
{
    int code;
    const char *why = gzerror(gz, &code);
    switch (code) {
    case Z_OK:
    case Z_STREAM_END:
        return SL_OK;
    case Z_ERRNO:
        return sl_error_set(err, SL_EIO, "can't be read (%s)", strerror(errno));
    case Z_MEM_ERROR:
        return sl_error_set(err, SL_ENOMEM, "not enough memory for a decompressor");
    case Z_BUF_ERROR:
        return sl_error_set(err, SL_EFORMAT, "the gzip data is cut off");
    default:
        return sl_error_set(err, SL_EFORMAT, "the gzip data is damaged (%s)", why);
    }
}

sl_status sl_input_read(sl_input *input, void *out, size_t n, size_t *got, sl_error *err)
{
    if (input->entry)
        return sl_zip_read(input->entry, out, n, got, err);
    *got = 0;
    while (*got < n) {
        size_t left = n - *got;
        unsigned ask = left < INT_MAX ? (unsigned)left : INT_MAX;
        int r = gzread(input->gz, (char *)out + *got, ask);
        if (r > 0)
            *got += (size_t)r;
        if (r < (int)ask)
            return check_end(input->gz, err);
    }
    return SL_OK;
}

size_t sl_input_file_bytes(const sl_input *input)
{
    return input->file_bytes;
}

const char *sl_input_name(const sl_input *input)
{
    return input->name;
}

void sl_input_close(sl_input *input)
{
    if (!input)
        return;
    if (input->gz)
        gzclose(input->gz);
    if (input->entry)
        zip_fclose(input->entry);
    if (input->zip)
        zip_discard(input->zip);
    free(input->name);
    free(input);
}
