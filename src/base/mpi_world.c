#include "base/mpi_world.h"

#include "base/memory.h"

#include <limits.h>
#include <mpi.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

/* A wait of this length is for something long, such as the scores between two epochs: then the
 * process looks now and then. */
static const double PATIENCE_S = 2e-3;
static const struct timespec PAUSE = { .tv_nsec = 200000 };

/* Floats or bytes that one call takes: its counts are ints. */
enum { AT_ONCE = 1 << 28 };

static sl_status check(int code, sl_error *err)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;

    if (code == MPI_SUCCESS)
        return SL_OK;
    MPI_Error_string(code, text, &length);
    return sl_error_set(err, SL_EDEVICE, "MPI failed: %s", text);
}

/* Of the processes on this machine, those whose CPUs are also this one's. */
static sl_status count_sharing(MPI_Comm local, int n, int *out, sl_error *err)
{
    cpu_set_t own, both, *all;
    sl_status st = sl_alloc(&all, (size_t)n, sizeof *all, err);

    if (st)
        return st;
    CPU_ZERO(&own);
    sched_getaffinity(0, sizeof own, &own);
    st = check(MPI_Allgather(&own, sizeof own, MPI_BYTE, all, sizeof own, MPI_BYTE, local), err);
    *out = 0;
    for (int i = 0; i < n; i++) {
        CPU_AND(&both, &own, &all[i]);
        *out += CPU_COUNT(&both) > 0;
    }
    if (*out < 1)
        *out = 1;
    free(all);
    return st;
}

sl_status sl_mpi_join(sl_processes *out, sl_error *err)
{
    MPI_Comm local;
    int level, n = 0;
    sl_status st = check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level), err);

    if (st)
        return st;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    st = check(MPI_Comm_rank(MPI_COMM_WORLD, &out->rank), err);
    if (!st)
        st = check(MPI_Comm_size(MPI_COMM_WORLD, &out->size), err);
    if (!st)
        st = check(
            MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &local),
            err);
    if (st)
        return st;
    st = check(MPI_Comm_rank(local, &out->local_rank), err);
    if (!st)
        st = check(MPI_Comm_size(local, &n), err);
    if (!st)
        st = count_sharing(local, n, &out->sharing, err);
    MPI_Comm_free(&local);
    return st;
}

void sl_mpi_leave(void)
{
    MPI_Finalize();
}

void sl_mpi_abort(int code)
{
    MPI_Abort(MPI_COMM_WORLD, code);
}

static sl_status wait_for(MPI_Request *request, sl_error *err)
{
    const double started = MPI_Wtime();
    int done = 0;
    sl_status st = check(MPI_Test(request, &done, MPI_STATUS_IGNORE), err);

    while (!st && !done) {
        if (MPI_Wtime() - started < PATIENCE_S)
            sched_yield();
        else
            nanosleep(&PAUSE, NULL);
        st = check(MPI_Test(request, &done, MPI_STATUS_IGNORE), err);
    }
    return st;
}

sl_status sl_mpi_max(int *values, int n, sl_error *err)
{
    MPI_Request request;
    sl_status st = check(
        MPI_Iallreduce(MPI_IN_PLACE, values, n, MPI_INT, MPI_MAX, MPI_COMM_WORLD, &request), err);

    return st ? st : wait_for(&request, err);
}

sl_status sl_mpi_sum(float *values, size_t n, sl_error *err)
{
    sl_status st = SL_OK;

    for (size_t at = 0; at < n && !st; at += AT_ONCE) {
        int count = n - at < AT_ONCE ? (int)(n - at) : AT_ONCE;
        st = check(
            MPI_Allreduce(MPI_IN_PLACE, values + at, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD),
            err);
    }
    return st;
}

sl_status sl_mpi_broadcast(void *bytes, size_t n, int root, sl_error *err)
{
    sl_status st = SL_OK;

    for (size_t at = 0; at < n && !st; at += AT_ONCE) {
        int count = n - at < AT_ONCE ? (int)(n - at) : AT_ONCE;
        st = check(MPI_Bcast((char *)bytes + at, count, MPI_BYTE, root, MPI_COMM_WORLD), err);
    }
    return st;
}

sl_status sl_mpi_gather(const void *bytes, size_t n, void *all, sl_error *err)
{
    if (n > INT_MAX)
        return sl_error_set(err, SL_ENOMEM, "%zu bytes are too many to gather", n);
    return check(MPI_Allgather(bytes, (int)n, MPI_BYTE, all, (int)n, MPI_BYTE, MPI_COMM_WORLD),
                 err);
}
