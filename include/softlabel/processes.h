/* Processes that a launcher (mpirun) started together to train one model. Each has the whole model
 * and takes its part of every batch.
 *
 * Where all must call a function, they do so in the same order, and each waits in it for the
 * others. NULL stands for a process alone, for which these functions do nothing. All of them belong
 * to the thread that opened. */
#ifndef SOFTLABEL_PROCESSES_H
#define SOFTLABEL_PROCESSES_H

#include <softlabel/error.h>
#include <stdbool.h>

typedef struct sl_processes sl_processes;

/* How many the launcher started, and this one's number from 0 (rank may be NULL), by the
 * environment that it gives them; 1 and 0 without a launcher. */
SL_API int sl_processes_launched(int *rank);

/* Removes that from the environment: this process goes its own way, and those that it starts. */
SL_API void sl_processes_forget(void);

/* Meets the others; all must call it, once. *out is NULL where only one was launched.
 * SL_EUNSUPPORTED when several were and this build has no MPI, or not the launcher's. */
SL_API SL_CHECK sl_status sl_processes_open(sl_processes **out, sl_error *err);
/* All must call it; it waits for them, so that a launcher doesn't end one while another talks. */
SL_API void sl_processes_close(sl_processes *processes);

SL_API int sl_processes_rank(const sl_processes *processes); /* 0..size-1 */
SL_API int sl_processes_size(const sl_processes *processes);
SL_API int sl_processes_local_rank(const sl_processes *processes); /* on this machine */
/* How many may run on this one's CPUs, itself included. */
SL_API int sl_processes_sharing(const sl_processes *processes);
/* Is it the one that writes files and talks: rank 0, or alone? */
SL_API bool sl_processes_leads(const sl_processes *processes);

/* All must call it. Each says how it fares: st, with *err when that isn't SL_OK. Returns SL_OK when
 * all are well, else, to all, the failure of the first in rank that has one. wishes (0..7 each;
 * NULL: none) become those of all together, or'ed. A process that waits long sleeps. */
SL_API SL_CHECK sl_status sl_processes_agree(sl_processes *processes, sl_status st,
                                             unsigned *wishes, sl_error *err);
/* Was the last agreement that all have failed? A failure that others don't know of leaves them
 * waiting: end them by sl_processes_abort. */
SL_API bool sl_processes_failed_together(const sl_processes *processes);
/* Ends all processes, this one with code, without a word. Doesn't return. */
SL_API void sl_processes_abort(sl_processes *processes, int code);

#endif
