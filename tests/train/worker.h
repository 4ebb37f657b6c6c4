/* Runs in processes of their own, that can be killed at a chosen moment: the test program starts
 * itself again as such a worker.
 *
 * A moment is the call to fsync, rename or unlink, before and after, and each report of progress,
 * so also between any two steps. */
#ifndef TESTS_TRAIN_WORKER_H
#define TESTS_TRAIN_WORKER_H

#include <stdbool.h>
#include <sys/types.h>

typedef struct {
    const char *command; /* "train", "finetune"; "mix": fine-tuning with everything random */
    const char *data, *out;
    const char *model;      /* architecture; checkpoint */
    const char *save_every; /* steps */
    long kill_at;           /* the moment, counted from 1; 0: never */
    long max_file_bytes;    /* no file may grow beyond (a full disk); 0: no limit */
} worker_job;

/* Starts the job. main must begin with worker_main. */
pid_t worker_start(const worker_job *job);
typedef enum { WORKER_DONE, WORKER_FAILED, WORKER_KILLED } worker_end;
worker_end worker_wait(pid_t pid);

/* How many moments the last undisturbed job of this out folder had. */
long worker_moments(const char *out);

/* Does the job and exits, if argv says that this process is a worker. */
void worker_main(int argc, char **argv);

#endif
