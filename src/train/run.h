/* A run's folder:
 *
 *     config.json        everything needed to repeat the run, written first
 *     metrics.csv        one row an epoch, rewritten after each
 *     events.out.tfevents.softlabel    the same for TensorBoard
 *     checkpoints/       the state that a killed run goes on from
 *     result.json        written last: the run has finished
 *     lock               held by the process that works here
 *
 * and the models that the run makes. One process at a time owns it, from open to close. */
#ifndef TRAIN_RUN_H
#define TRAIN_RUN_H

#include "base/json.h"
#include "base/memory.h"

#include <softlabel/error.h>
#include <softlabel/processes.h>
#include <stdbool.h>

typedef struct {
    bool finished;                                                   /* result.json is there */
    const char *folder, *config, *metrics, *events, *state, *result; /* paths */

    sl_arena memory; /* private from here */
    int lock;
} sl_run;

/* Makes the folder, or continues in it if config is the one it was begun with. Members of config's
 * "settings", "model" and "data" objects must be equal: SL_EMISMATCH names the first that differs.
 * Other members are for the reader. SL_EIO when another process works in the folder. What a
 * killed process left half-written is removed.
 *
 * All of processes must call it (NULL: this one alone), with the same config: SL_EMISMATCH, too.
 * Rank 0 owns the folder; the others touch nothing in it, and share what comes of it. */
SL_CHECK sl_status sl_run_open(sl_run **out, const char *folder, const json_t *config,
                               sl_processes *processes, sl_error *err);
void sl_run_close(sl_run *run); /* NULL is fine */

/* Does a process work in this folder? */
bool sl_run_is_busy(const char *folder);

/* folder/name, owned by the run. */
SL_CHECK sl_status sl_run_path(sl_run *run, const char **out, const char *name, sl_error *err);

/* Writes result.json, then removes the state. */
SL_CHECK sl_status sl_run_finish(sl_run *run, const json_t *result, sl_error *err);

#endif
