#include "base/file.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct sl_file_writer {
    FILE *stream;
    char *path, *temporary;
};

/* Opens a new file beside path, under a name that no other process or thread has. Not mkstemp: it
 * would make the file private, whatever the umask says. */
static sl_status open_temporary(sl_file_writer *w, sl_error *err)
{
    enum { ATTEMPTS = 1000 };
    size_t room = strlen(w->path) + 32;
    sl_status st = sl_alloc(&w->temporary, room, 1, err);
    if (st)
        return st;
    int fd = -1;
    for (int i = 0; i < ATTEMPTS && fd < 0; i++) {
        snprintf(w->temporary, room, "%s.%ld.%d.tmp", w->path, (long)getpid(), i);
        fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd >= 0) {
        w->stream = fdopen(fd, "wb");
        if (w->stream)
            return SL_OK;
    }
    st = sl_io_error(err, w->path, "written", errno);
    if (fd >= 0) {
        close(fd);
        unlink(w->temporary);
    }
    return st;
}

sl_status sl_file_writer_open(sl_file_writer **out, const char *path, sl_error *err)
{
    *out = NULL;
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        sl_error_set(err, SL_EINVAL, "can't be written: it is there and not a regular file");
        return sl_error_at(err, SL_EINVAL, "%s", path);
    }
    sl_file_writer *w;
    sl_status st = sl_alloc(&w, 1, sizeof *w, err);
    if (st)
        return st;
    size_t n = strlen(path) + 1;
    st = sl_alloc(&w->path, n, 1, err);
    if (st)
        goto done;
    memcpy(w->path, path, n);
    st = open_temporary(w, err);
    if (st)
        goto done;
    *out = w;
    w = NULL;
done:
    sl_file_writer_abort(w);
    return st;
}

FILE *sl_file_writer_stream(sl_file_writer *writer)
{
    return writer->stream;
}

sl_status sl_file_writer_write(sl_file_writer *writer, const void *bytes, size_t n, sl_error *err)
{
    if (n > 0 && fwrite(bytes, 1, n, writer->stream) != n)
        return sl_io_error(err, writer->path, "written", errno);
    return SL_OK;
}

/* A rename is only durable once its folder is. File systems that can't sync a folder say EINVAL. */
static int sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (!folder)
        return ENOMEM;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = fd < 0 || (fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP) ? errno : 0;
    if (fd >= 0)
        close(fd);
    free(folder);
    return failed;
}

sl_status sl_file_writer_commit(sl_file_writer *w, sl_error *err)
{
    sl_status st = SL_OK;
    int failed = 0;
    if (ferror(w->stream)) /* its errno is gone; nearly always the disk */
        failed = ENOSPC;
    else if (fflush(w->stream) != 0 || fsync(fileno(w->stream)) != 0)
        failed = errno;
    if (fclose(w->stream) != 0 && !failed)
        failed = errno;
    w->stream = NULL;
    if (!failed && rename(w->temporary, w->path) != 0)
        failed = errno;
    if (failed) {
        st = sl_io_error(err, w->path, "written", failed);
    } else {
        w->temporary[0] = '\0';
        failed = sync_folder_of(w->path);
        if (failed)
            st = sl_io_error(err, w->path, "made durable, though it is written", failed);
    }
    sl_file_writer_abort(w);
    return st;
}

void sl_file_writer_abort(sl_file_writer *w)
{
    if (!w)
        return;
    if (w->stream)
        fclose(w->stream);
    if (w->temporary && w->temporary[0])
        unlink(w->temporary);
    free(w->temporary);
    free(w->path);
    free(w);
}

sl_status sl_file_write(const char *path, const void *bytes, size_t n, sl_error *err)
{
    sl_file_writer *w;
    sl_status st = sl_file_writer_open(&w, path, err);
    if (st)
        return st;
    st = sl_file_writer_write(w, bytes, n, err);
    if (st) {
        sl_file_writer_abort(w);
        return st;
    }
    return sl_file_writer_commit(w, err);
}
