/* The thread that owns the study's database. Requests that wait are answered together in one
 * transaction and acknowledged after it is on the disk: one sync serves all of them. */
#ifndef STUDY_WORKER_H
#define STUDY_WORKER_H

#include "study/api.h"
#include "study/study.h"

typedef struct sl_worker sl_worker;

typedef struct sl_job {
    sl_request request;
    struct sl_job *next;
    void *user;
} sl_job;

/* Called in the worker's thread once a job's request has its answer. The job is the caller's again,
 * and may be gone when this returns. */
typedef void sl_job_done_fn(sl_job *job);

/* Opens the database and starts the thread. study must outlive it. */
SL_CHECK sl_status sl_worker_start(sl_worker **out, sl_study *study, sl_job_done_fn *done,
                                   sl_error *err);
/* Any thread. */
void sl_worker_push(sl_worker *worker, sl_job *job);
/* Answers what was pushed and ends the thread; what is pushed from now on is refused at once. */
void sl_worker_end(sl_worker *worker);
void sl_worker_destroy(sl_worker *worker); /* after end; NULL is fine */

#endif
