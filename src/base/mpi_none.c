/* A build without MPI: several processes are refused, so nothing else here is ever reached. */
#include "base/mpi_world.h"

#include <stddef.h>

static sl_status refuse(sl_error *err)
{
    return sl_error_set(err, SL_EUNSUPPORTED,
                        "several processes were started together, but this build has no MPI; "
                        "build softlabel where Open MPI's development files are, or start one "
                        "process");
}

sl_status sl_mpi_join(sl_processes *out, sl_error *err)
{
    (void)out;
    return refuse(err);
}

void sl_mpi_leave(void)
{
}

void sl_mpi_abort(int code)
{
    (void)code;
}

sl_status sl_mpi_max(int *values, int n, sl_error *err)
{
    (void)values, (void)n;
    return refuse(err);
}

sl_status sl_mpi_sum(float *values, size_t n, sl_error *err)
{
    (void)values, (void)n;
    return refuse(err);
}

sl_status sl_mpi_broadcast(void *bytes, size_t n, int root, sl_error *err)
{
    (void)bytes, (void)n, (void)root;
    return refuse(err);
}

sl_status sl_mpi_gather(const void *bytes, size_t n, void *all, sl_error *err)
{
    (void)bytes, (void)n, (void)all;
    return refuse(err);
}
