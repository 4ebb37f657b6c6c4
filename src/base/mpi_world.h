/* The few of MPI's functions that processes.c stands on: mpi_world.c, or mpi_none.c in a build
 * without MPI. */
#ifndef BASE_MPI_WORLD_H
#define BASE_MPI_WORLD_H

#include "base/processes.h"

SL_CHECK sl_status sl_mpi_join(sl_processes *out, sl_error *err);
void sl_mpi_leave(void);
void sl_mpi_abort(int code);

/* values (n) become the greatest of all processes'. Waits without taking the processor from those
 * who work on. */
SL_CHECK sl_status sl_mpi_max(int *values, int n, sl_error *err);
SL_CHECK sl_status sl_mpi_sum(float *values, size_t n, sl_error *err);
SL_CHECK sl_status sl_mpi_broadcast(void *bytes, size_t n, int root, sl_error *err);
SL_CHECK sl_status sl_mpi_gather(const void *bytes, size_t n, void *all, sl_error *err);

#endif
