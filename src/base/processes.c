#include "base/processes.h"

#include "base/memory.h"
#include "base/mpi_world.h"

#include <stdlib.h>
#include <string.h>

enum { WISHES = 3 };

/* What launchers tell each process: Open MPI's; those of PMI (MPICH, Intel MPI, Slurm with pmi2);
 * MVAPICH's; srun's, whose processes belong together only if it set up MPI. */
static const struct {
    const char *size, *rank, *if_set;
} launchers[] = {
    { "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", NULL },
    { "PMI_SIZE", "PMI_RANK", NULL },
    { "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK", NULL },
    { "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "PMIX_RANK" },
};

static int number_of(const char *variable)
{
    const char *text = getenv(variable);
    long n = text ? strtol(text, NULL, 10) : 0;

    return n > 0 && n <= 1 << 20 ? (int)n : 0;
}

int sl_processes_launched(int *rank)
{
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
        const int n = number_of(launchers[i].size);

        if (!n || (launchers[i].if_set && !getenv(launchers[i].if_set)))
            continue;
        if (rank)
            *rank = number_of(launchers[i].rank);
        return n;
    }
    if (rank)
        *rank = 0;
    return 1;
}

void sl_processes_forget(void)
{
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
        unsetenv(launchers[i].size);
        unsetenv(launchers[i].rank);
    }
}

sl_status sl_processes_open(sl_processes **out, sl_error *err)
{
    const int launched = sl_processes_launched(NULL);
    sl_processes *p = NULL;

    *out = NULL;
    if (launched == 1)
        return SL_OK;
    sl_status st = sl_alloc(&p, 1, sizeof *p, err);
    if (!st)
        st = sl_mpi_join(p, err);
    if (!st && p->size != launched) {
        st = sl_error_set(err, SL_EUNSUPPORTED,
                          "the launcher started %d processes, of which MPI finds %d: use the "
                          "mpirun of the MPI that softlabel was built with",
                          launched, p->size);
        sl_mpi_leave();
    }
    if (st)
        free(p);
    else
        *out = p;
    return st;
}

void sl_processes_close(sl_processes *processes)
{
    if (!processes)
        return;
    sl_mpi_leave();
    free(processes);
}

int sl_processes_rank(const sl_processes *processes)
{
    return processes ? processes->rank : 0;
}

int sl_processes_size(const sl_processes *processes)
{
    return processes ? processes->size : 1;
}

int sl_processes_local_rank(const sl_processes *processes)
{
    return processes ? processes->local_rank : 0;
}

int sl_processes_sharing(const sl_processes *processes)
{
    return processes ? processes->sharing : 1;
}

bool sl_processes_leads(const sl_processes *processes)
{
    return sl_processes_rank(processes) == 0;
}

/* The failure of the process `first` to all, who say which it was where it isn't rank 0. */
static sl_status share_failure(const sl_processes *p, int first, sl_error *err)
{
    sl_status st = sl_mpi_broadcast(err, sizeof *err, first, err);

    if (st)
        return st;
    return first > 0 ? sl_error_at(err, err->code, "process %d of %d", first + 1, p->size)
                     : err->code;
}

sl_status sl_processes_agree(sl_processes *processes, sl_status st, unsigned *wishes, sl_error *err)
{
    sl_processes *p = processes;
    sl_error own = { .code = st };
    int most[1 + WISHES] = { 0 };

    if (!p)
        return st;
    if (!err)
        err = &own;
    if (st) {
        err->code = st;
        most[0] = p->size - p->rank; /* the greatest is the first in rank */
    }
    for (int i = 0; i < WISHES && wishes; i++)
        most[1 + i] = (int)(*wishes >> i & 1);
    st = sl_mpi_max(most, 1 + WISHES, err);
    if (!st && most[0]) {
        st = share_failure(p, p->size - most[0], err);
        p->failed_together = true;
    }
    for (int i = 0; i < WISHES && wishes; i++)
        *wishes |= (unsigned)most[1 + i] << i;
    return st;
}

bool sl_processes_failed_together(const sl_processes *processes)
{
    return processes && processes->failed_together;
}

void sl_processes_abort(sl_processes *processes, int code)
{
    if (processes)
        sl_mpi_abort(code);
}

sl_status sl_processes_sum(sl_processes *processes, float *values, size_t n, float scale,
                           sl_error *err)
{
    for (size_t i = 0; i < n; i++)
        values[i] *= scale;
    return processes ? sl_mpi_sum(values, n, err) : SL_OK;
}

sl_status sl_processes_broadcast(sl_processes *processes, void *bytes, size_t n, sl_error *err)
{
    return processes ? sl_mpi_broadcast(bytes, n, 0, err) : SL_OK;
}

sl_status sl_processes_gather(sl_processes *processes, const void *bytes, size_t n, void *all,
                              sl_error *err)
{
    if (processes)
        return sl_mpi_gather(bytes, n, all, err);
    memcpy(all, bytes, n);
    return SL_OK;
}
