#include "nn/guarded_device.h"

#include "base/memory.h"
#include "nn/optimizer.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MAX_BLOCKS = 64 };

typedef struct {
    void *start;
    size_t bytes;
} block;

struct sl_mark {
    guarded_counts *counts;
    double time;
};

typedef struct {
    sl_device_base base;
    sl_device *inner;
    block blocks[MAX_BLOCKS];
    size_t bytes, most_bytes;
    int ticks;
    guarded_counts counts;
    sl_recording *recording; /* being made, or NULL */
} guarded;

typedef struct {
    sl_kernel_base base;
    guarded *dev;
    sl_kernel *inner;
} guarded_kernel;

struct sl_device_sum {
    guarded *dev;
    sl_processes *processes;
    float share;
};

/* A call of run, of load, or of sum. */
typedef struct {
    guarded_kernel *kernel;
    const void *in[SL_OP_MAX_IN];
    void *out[SL_OP_MAX_OUT];
    void *scratch;
    bool load;
    sl_device_sum *sum; /* or NULL */
    float *values;
    size_t n;
} call;

struct sl_recording {
    guarded *dev;
    call *calls;
    size_t n, capacity;
};

static const sl_backend guarded_backend;

static guarded *of(sl_device *dev)
{
    return (guarded *)(void *)dev;
}

static void protect(guarded *g, int how)
{
    for (int i = 0; i < MAX_BLOCKS; i++) {
        if (g->blocks[i].start)
            mprotect(g->blocks[i].start, g->blocks[i].bytes, how);
    }
}

static void unlock(guarded *g)
{
    protect(g, PROT_READ | PROT_WRITE);
}

static void lock(guarded *g)
{
    protect(g, PROT_NONE);
}

static sl_status allocate(sl_device *dev, void **out, size_t bytes, sl_error *err)
{
    guarded *g = of(dev);
    *out = NULL;
    for (int i = 0; i < MAX_BLOCKS; i++) {
        if (g->blocks[i].start)
            continue;
        void *start =
            mmap(NULL, bytes + 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* of 0 too */
        if (start == MAP_FAILED)
            break;
        g->blocks[i] = (block){ start, bytes + 1 };
        g->counts.allocations++;
        g->bytes += bytes;
        g->most_bytes = g->bytes > g->most_bytes ? g->bytes : g->most_bytes;
        *out = start;
        return SL_OK;
    }
    return sl_error_set(err, SL_ENOMEM, "no more guarded memory");
}

static size_t most_bytes(const sl_device *dev)
{
    return ((const guarded *)(const void *)dev)->most_bytes;
}

static void release(sl_device *dev, void *memory, size_t bytes)
{
    guarded *g = of(dev);
    for (int i = 0; i < MAX_BLOCKS && memory; i++) {
        if (g->blocks[i].start != memory)
            continue;
        munmap(memory, g->blocks[i].bytes);
        g->blocks[i] = (block){ NULL, 0 };
        g->counts.allocations--;
        g->bytes -= bytes;
        return;
    }
}

static sl_status copy(sl_device *dev, void *to, const void *from, size_t bytes, sl_error *err)
{
    (void)err;
    unlock(of(dev));
    memcpy(to, from, bytes);
    lock(of(dev));
    return SL_OK;
}

static sl_status wait_for_it(sl_device *dev, sl_error *err)
{
    (void)dev, (void)err;
    return SL_OK;
}

static sl_status update(sl_device *dev, const sl_optimizer_update *u, float *values,
                        const float *gradients, float *const state[2], size_t n, sl_error *err)
{
    (void)err;
    unlock(of(dev));
    sl_optimizer_update_run(u, values, gradients, state, n, 1);
    lock(of(dev));
    return SL_OK;
}

static sl_status assemble(sl_device *dev, const sl_assembly *assembly, sl_error *err)
{
    (void)err;
    unlock(of(dev));
    for (size_t i = 0; i < sl_assembly_count(assembly); i++)
        assembly->out[i] = sl_assembly_number(assembly, i);
    lock(of(dev));
    return SL_OK;
}

static sl_status tally(sl_device *dev, const sl_tally_step *step, sl_error *err)
{
    (void)err;
    unlock(of(dev));
    sl_tally_add(step);
    lock(of(dev));
    return SL_OK;
}

static sl_status do_call(const call *c, sl_error *err)
{
    guarded *g = c->sum ? c->sum->dev : c->kernel->dev;
    const sl_backend *inner = sl_device_backend(g->inner);
    unlock(g);
    if (c->sum) {
        sl_status summed = sl_processes_sum(c->sum->processes, c->values, c->n, c->sum->share, err);
        lock(g);
        return summed;
    }
    sl_status st = c->load ? inner->load(c->kernel->inner, c->in, err)
                           : inner->run(c->kernel->inner, c->in, c->out, c->scratch, err);
    lock(g);
    return st;
}

static sl_status ask(const call *c, sl_error *err)
{
    guarded *g = c->sum ? c->sum->dev : c->kernel->dev;
    sl_recording *r = g->recording;
    if (!r) {
        g->counts.runs += !c->load && !c->sum;
        return do_call(c, err);
    }
    sl_status st = sl_grow(&r->calls, &r->capacity, r->n + 1, sizeof *r->calls, err);
    if (!st)
        r->calls[r->n++] = *c;
    return st;
}

static sl_status sum_open(sl_device *dev, sl_device_sum **out, sl_processes *processes, float share,
                          sl_error *err)
{
    *out = NULL;
    sl_status st = sl_alloc(out, 1, sizeof **out, err);
    if (!st)
        **out = (sl_device_sum){ of(dev), processes, share };
    return st;
}

static sl_status sum(sl_device_sum *s, float *values, size_t n, sl_error *err)
{
    const call c = { .sum = s, .values = values, .n = n };
    return ask(&c, err);
}

static void sum_close(sl_device_sum *s)
{
    free(s);
}

static sl_status record_begin(sl_device *dev, sl_error *err)
{
    sl_status st = sl_alloc(&of(dev)->recording, 1, sizeof(sl_recording), err);
    if (!st)
        of(dev)->recording->dev = of(dev);
    return st;
}

static sl_status record_end(sl_device *dev, sl_recording **out, sl_error *err)
{
    (void)err;
    *out = of(dev)->recording;
    of(dev)->recording = NULL;
    return SL_OK;
}

static sl_status replay(sl_recording *recording, sl_error *err)
{
    recording->dev->counts.replays++;
    sl_status st = SL_OK;
    for (size_t i = 0; i < recording->n && !st; i++)
        st = do_call(&recording->calls[i], err);
    return st;
}

static void forget(sl_recording *recording)
{
    free(recording->calls);
    free(recording);
}

/* A clock that goes a second a mark. */
static sl_status mark(sl_device *dev, sl_mark **at, sl_error *err)
{
    guarded_counts *counts = &of(dev)->counts;
    if (!*at) {
        sl_status st = sl_alloc(at, 1, sizeof **at, err);
        if (st)
            return st;
        counts->marks++;
    }
    **at = (sl_mark){ counts, (double)++of(dev)->ticks };
    return SL_OK;
}

static sl_status elapsed(sl_mark *from, sl_mark *to, double *seconds, sl_error *err)
{
    (void)err;
    *seconds = to->time - from->time;
    return SL_OK;
}

static void unmark(sl_mark *at)
{
    if (at)
        at->counts->marks--;
    free(at);
}

static const sl_device_memory guarded_memory = {
    .allocate = allocate,
    .release = release,
    .most_bytes = most_bytes,
    .upload = copy,
    .download = copy,
    .wait = wait_for_it,
    .update = update,
    .assemble = assemble,
    .tally = tally,
    .sum_open = sum_open,
    .sum = sum,
    .sum_close = sum_close,
    .record_begin = record_begin,
    .record_end = record_end,
    .replay = replay,
    .forget = forget,
    .mark = mark,
    .elapsed = elapsed,
    .unmark = unmark,
};

static void guarded_close(sl_device *dev)
{
    sl_device_close(of(dev)->inner);
    free(dev);
}

static sl_layout layout(const sl_device *dev, int c, int h, int w)
{
    const guarded *g = (const guarded *)(const void *)dev;
    return sl_device_backend(g->inner)->layout(g->inner, c, h, w);
}

static bool supports(const sl_device *dev, const sl_op *op)
{
    const guarded *g = (const guarded *)(const void *)dev;
    return sl_device_backend(g->inner)->supports(g->inner, op);
}

static sl_status plan(sl_device *dev, const sl_op *op, sl_kernel **out, size_t *scratch_bytes,
                      sl_error *err)
{
    guarded_kernel *k = NULL;
    *out = NULL;
    sl_status st = sl_alloc(&k, 1, sizeof *k, err);
    if (st)
        return st;
    k->base = (sl_kernel_base){ .backend = &guarded_backend, .op = *op };
    k->dev = of(dev);
    st = sl_device_backend(k->dev->inner)->plan(k->dev->inner, op, &k->inner, scratch_bytes, err);
    if (st) {
        free(k);
        return st;
    }
    *out = (sl_kernel *)(void *)k;
    return SL_OK;
}

static sl_status load(sl_kernel *k, const void *const *in, sl_error *err)
{
    call c = { .kernel = (guarded_kernel *)(void *)k, .load = true };
    memcpy(c.in, in, sizeof c.in);
    return ask(&c, err);
}

static sl_status run(sl_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err)
{
    call c = { .kernel = (guarded_kernel *)(void *)k, .scratch = scratch };
    memcpy(c.in, in, sizeof c.in);
    memcpy(c.out, out, sizeof c.out);
    return ask(&c, err);
}

static void unplan(sl_kernel *kernel)
{
    guarded_kernel *k = (guarded_kernel *)(void *)kernel;
    sl_device_backend(k->dev->inner)->unplan(k->inner);
    free(k);
}

static const sl_backend guarded_backend = {
    .name = "guarded",
    .memory = &guarded_memory,
    .close = guarded_close,
    .layout = layout,
    .supports = supports,
    .plan = plan,
    .load = load,
    .run = run,
    .unplan = unplan,
};

sl_status guarded_device_open(sl_device **out, int threads, sl_error *err)
{
    guarded *g = NULL;
    *out = NULL;
    sl_status st = sl_alloc(&g, 1, sizeof *g, err);
    if (st)
        return st;
    g->base = (sl_device_base){ .backend = &guarded_backend, .threads = threads };
    st = sl_device_open(&g->inner, "cpu", threads, err);
    if (st) {
        free(g);
        return st;
    }
    *out = (sl_device *)(void *)g;
    return SL_OK;
}

guarded_counts guarded_device_counts(const sl_device *dev)
{
    return ((const guarded *)(const void *)dev)->counts;
}
