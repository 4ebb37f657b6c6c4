#include "train/together.h"

#include "base/hash.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

sl_status sl_together(sl_processes *processes, sl_status st, unsigned *wishes, sl_error *err)
{
    return st == SL_EDEVICE ? st : sl_processes_agree(processes, st, wishes, err);
}

/* The state's numbers, to travel at once. */
typedef struct {
    int epoch;
    bool flag;
    uint64_t batch, seen, steps;
} numbers;

sl_status sl_together_share(sl_processes *processes, sl_train_state *state, bool *flag,
                            sl_error *err)
{
    sl_train_state *s = state;
    sl_optimizer *o = s->optimizer;
    const size_t values = sl_graph_value_floats(s->params->graph) * sizeof(float);
    const size_t buffers = sl_graph_buffer_floats(s->params->graph) * sizeof(float);
    numbers n = { s->epoch, *flag, s->batch, s->sums.seen, o->steps };
    sl_status st;

    if (!processes)
        return SL_OK;
    st = sl_processes_broadcast(processes, &n, sizeof n, err);
    if (!st)
        st = sl_processes_broadcast(processes, s->tallies,
                                    (size_t)s->processes * sizeof *s->tallies, err);
    if (!st)
        st = sl_processes_broadcast(processes, s->params->values, values, err);
    if (!st)
        st = sl_processes_broadcast(processes, s->params->buffers, buffers, err);
    for (int i = 0; i < o->n_state && !st; i++)
        st = sl_processes_broadcast(processes, o->state[i], values, err);
    if (st)
        return st;
    s->epoch = n.epoch;
    *flag = n.flag;
    s->batch = n.batch;
    s->sums = (sl_epoch_sums){ s->tallies[sl_processes_rank(processes)], n.seen };
    o->steps = n.steps;
    return SL_OK;
}

typedef struct {
    char values[65], buffers[65]; /* hashes */
} digest;

sl_status sl_together_alike(sl_processes *processes, const sl_params *params, sl_error *err)
{
    const size_t values = sl_graph_value_floats(params->graph) * sizeof(float);
    const size_t buffers = sl_graph_buffer_floats(params->graph) * sizeof(float);
    const size_t n = (size_t)sl_processes_size(processes);
    digest own = { 0 }, *all = NULL;
    sl_status st;

    if (!processes)
        return SL_OK;
    st = sl_alloc(&all, n, sizeof *all, err);
    if (!st)
        st = sl_sha256(params->values, values, own.values, err);
    if (!st)
        st = sl_sha256(params->buffers, buffers, own.buffers, err);
    st = sl_processes_agree(processes, st, NULL, err);
    if (!st)
        st = sl_processes_gather(processes, &own, sizeof own, all, err);
    for (size_t i = 1; i < n && !st; i++)
        if (memcmp(&all[0], &all[i], sizeof own) != 0)
            st = sl_processes_agree(
                processes,
                sl_error_set(err, SL_EDEVICE,
                             "processes 1 and %zu of %zu have other parameters: a fault of a "
                             "machine, or of what connects them; the last good state is kept",
                             i + 1, n),
                NULL, err);
    free(all);
    return st;
}
