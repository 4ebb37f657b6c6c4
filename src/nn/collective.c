#include "nn/collective.h"

#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sl_collective {
    sl_device *dev;
    sl_processes *processes;
    float share;
    sl_device_sum *own; /* of a device with memory of its own */
};

static const sl_device_memory *memory_of(const sl_collective *c)
{
    return sl_device_backend(c->dev)->memory;
}

sl_status sl_collective_open(sl_collective **out, sl_device *dev, sl_processes *processes,
                             float share, sl_error *err)
{
    sl_collective *c = NULL;
    sl_status st = sl_alloc(&c, 1, sizeof *c, err);

    *out = NULL;
    if (st)
        return st;
    *c = (sl_collective){ .dev = dev, .processes = processes, .share = share };
    if (memory_of(c) && !memory_of(c)->sum_open)
        st = sl_error_set(err, SL_EUNSUPPORTED,
                          "this build can't train one model on several '%s' devices (it was made "
                          "without NCCL)",
                          sl_device_backend(dev)->name);
    else if (memory_of(c))
        st = memory_of(c)->sum_open(dev, &c->own, processes, share, err);
    if (st)
        free(c);
    else
        *out = c;
    return st;
}

void sl_collective_close(sl_collective *collective)
{
    if (!collective)
        return;
    if (collective->own)
        memory_of(collective)->sum_close(collective->own);
    free(collective);
}

sl_status sl_collective_sum(sl_collective *collective, float *values, size_t n, sl_error *err)
{
    const sl_collective *c = collective;

    return c->own ? memory_of(c)->sum(c->own, values, n, err)
                  : sl_processes_sum(c->processes, values, n, c->share, err);
}

sl_status sl_device_open_local(sl_device **out, const char *name, int threads,
                               const sl_processes *processes, sl_error *err)
{
    char local[32];

    if (sl_processes_size(processes) == 1 || strcmp(name, "cuda") != 0)
        return sl_device_open(out, name, threads, err);
    snprintf(local, sizeof local, "cuda:+%d", sl_processes_local_rank(processes));
    return sl_device_open(out, local, threads, err);
}
