#include "train/events.h"

#include "base/file.h"
#include "base/memory.h"
#include "train/tfevents.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

struct sl_events {
    FILE *file;
    const sl_metrics_log *log;
    const char *path;
};

static double wall_time(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static sl_status flush(sl_events *e, sl_error *err)
{
    return fflush(e->file) ? sl_io_error(err, e->path, "written", errno) : SL_OK;
}

static sl_status write_row(sl_events *e, size_t row, sl_error *err)
{
    const double *cells = sl_metrics_log_row(e->log, row);
    sl_tf_scalar scalars[SL_METRICS_MAX_COLUMNS];
    int n = 0;
    sl_status st;

    for (int c = 1; c < e->log->n_columns; c++)
        if (!isnan(cells[c]))
            scalars[n++] = (sl_tf_scalar){ e->log->columns[c], cells[c] };
    st = sl_tfevents_add(e->file, wall_time(), (int64_t)cells[0], scalars, n, err);
    return st ? sl_error_at(err, st, "%s", e->path) : SL_OK;
}

sl_status sl_events_open(sl_events **out, const char *path, const sl_metrics_log *log,
                         sl_error *err)
{
    sl_events *e = NULL;
    sl_status st;

    *out = NULL;
    st = sl_alloc(&e, 1, sizeof *e, err);
    if (st)
        return st;
    e->log = log;
    e->path = path;
    e->file = fopen(path, "wbe");
    if (!e->file) {
        st = sl_io_error(err, path, "written", errno);
        goto done;
    }
    st = sl_tfevents_start(e->file, wall_time(), err);
    if (st)
        st = sl_error_at(err, st, "%s", path);
    for (size_t r = 0; r < log->n_rows && !st; r++)
        st = write_row(e, r, err);
    if (!st)
        st = flush(e, err);
    if (st)
        goto done;
    *out = e;
    e = NULL;
done:
    sl_events_close(e);
    return st;
}

sl_status sl_events_add(sl_events *events, size_t row, sl_error *err)
{
    sl_status st = write_row(events, row, err);

    return st ? st : flush(events, err);
}

void sl_events_close(sl_events *events)
{
    if (!events)
        return;
    if (events->file)
        fclose(events->file);
    free(events);
}
