#include "labels/spool.h"
#include "base/file.h"
#include "base/memory.h"
#include <errno.h>
#include <stdlib.h>

#define N_BUFFER 8192

struct sl_spool {
    FILE *file;
    bool reading;
    size_t n; /* in the buffer, to be written */
    sl_judgment buffer[N_BUFFER];
};

static const char name[] = "temporary file of judgments";

sl_status sl_spool_create(sl_spool **out, sl_error *err)
{
    sl_spool *s;
    *out = NULL;
    sl_status st = sl_alloc(&s, 1, sizeof *s, err);
    if (st)
        return st;
    s->file = tmpfile();
    if (!s->file) {
        st = sl_io_error(err, name, "made", errno);
        sl_spool_destroy(s);
        return st;
    }
    setvbuf(s->file, NULL, _IONBF, 0); /* the buffer is here */
    *out = s;
    return SL_OK;
}

void sl_spool_destroy(sl_spool *s)
{
    if (!s)
        return;
    if (s->file)
        fclose(s->file);
    free(s);
}

static sl_status write_out(sl_spool *s, sl_error *err)
{
    if (fwrite(s->buffer, sizeof *s->buffer, s->n, s->file) != s->n)
        return sl_io_error(err, name, "written", errno);
    s->n = 0;
    return SL_OK;
}

sl_status sl_spool_put(sl_spool *s, const sl_judgment *judgment, sl_error *err)
{
    s->buffer[s->n++] = *judgment;
    return s->n == N_BUFFER ? write_out(s, err) : SL_OK;
}

sl_status sl_spool_next(sl_spool *s, const sl_judgment **out, size_t *n, sl_error *err)
{
    *out = s->buffer;
    *n = 0;
    if (!s->reading) {
        sl_status st = write_out(s, err);
        if (st)
            return st;
        rewind(s->file);
        s->reading = true;
    }
    *n = fread(s->buffer, sizeof *s->buffer, N_BUFFER, s->file);
    if (*n > 0)
        return SL_OK;
    if (ferror(s->file))
        return sl_io_error(err, name, "read", errno);
    rewind(s->file);
    return SL_OK;
}
