#include "nn/stopwatch.h"

#include "base/memory.h"
#include <stdlib.h>
#include <time.h>

struct sl_stopwatch {
    sl_device *dev;
    const sl_device_memory *memory; /* NULL: the host's, where what was asked for is done */
    size_t n;
    sl_mark **marks; /* of the device's clock, made when first set */
    double *times;   /* of the host's */
};

static bool has_clock(const sl_stopwatch *w)
{
    return w->memory && w->memory->mark;
}

sl_status sl_stopwatch_create(sl_stopwatch **out, sl_device *dev, size_t n_marks, sl_error *err)
{
    sl_stopwatch *w = NULL;
    *out = NULL;
    sl_status st = sl_alloc(&w, 1, sizeof *w, err);
    if (st)
        return st;
    *w = (sl_stopwatch){ .dev = dev, .memory = sl_device_backend(dev)->memory, .n = n_marks };
    if (has_clock(w))
        st = sl_alloc(&w->marks, n_marks, sizeof(sl_mark *), err);
    else
        st = sl_alloc(&w->times, n_marks, sizeof *w->times, err);
    if (st)
        sl_stopwatch_destroy(w);
    else
        *out = w;
    return st;
}

void sl_stopwatch_destroy(sl_stopwatch *watch)
{
    if (!watch)
        return;
    for (size_t i = 0; watch->marks && i < watch->n; i++)
        watch->memory->unmark(watch->marks[i]);
    free(watch->marks);
    free(watch->times);
    free(watch);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

sl_status sl_stopwatch_mark(sl_stopwatch *watch, size_t i, sl_error *err)
{
    if (has_clock(watch))
        return watch->memory->mark(watch->dev, &watch->marks[i], err);
    sl_status st = watch->memory ? watch->memory->wait(watch->dev, err) : SL_OK;
    watch->times[i] = now();
    return st;
}

sl_status sl_stopwatch_lap(sl_stopwatch *watch, size_t i, double *seconds, sl_error *err)
{
    if (has_clock(watch))
        return watch->memory->elapsed(watch->marks[i], watch->marks[i + 1], seconds, err);
    *seconds = watch->times[i + 1] - watch->times[i];
    return SL_OK;
}
