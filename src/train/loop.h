/* The loop that pretraining and fine-tuning share: epochs of steps, scores after each, the best
 * epoch kept, the state saved so that a killed run goes on as if nothing had happened.
 *
 * At an epoch's end the order is: score, save the state, then rewrite metrics.csv and append the
 * event. So whatever a kill leaves behind, the files follow from the state.
 *
 * Several processes run the same loop side by side, each on its part of every batch. Gradients are
 * summed within a pass; at the end of each step all agree on whether one failed, is to stop or to
 * save. Rank 0 alone scores and writes, while the others wait. All functions but create, amend and
 * destroy are for all processes to call. A failure that the others can't be told of, since they may
 * wait within a pass for the process that has it, is returned without an agreement. */
#ifndef TRAIN_LOOP_H
#define TRAIN_LOOP_H

#include "data/loader.h"
#include "nn/plan.h"
#include "nn/schedule.h"
#include "train/run.h"
#include "train/state.h"

/* One epoch, for the scores' callback. Epoch 0 is the model before training: NaN but for epoch. */
typedef struct {
    int epoch;             /* 1..epochs when trained */
    double lr;             /* of its last step */
    double loss, accuracy; /* means over its training batches, while the weights changed */
    double images_per_second;
} sl_epoch_summary;

/* Everything is borrowed until destroy. */
typedef struct {
    const sl_graph *graph;
    sl_params *params; /* of the network being trained */
    sl_params *best;   /* receives those of the best epoch; NULL: none is chosen */
    sl_device *device;
    sl_dtype dtype; /* see sl_plan_options */

    const sl_dataset *set;
    const sl_targets *targets;
    const int64_t *indices; /* the images to train on; NULL: all */
    size_t n_indices;
    sl_loader_options loader; /* its batch_size is the step's, of all processes together; the rest
                                 is set as training has it */

    sl_optimizer_options optimizer;
    sl_schedule schedule;
    uint64_t save_every; /* steps between saves within an epoch; 0: every few minutes */
    sl_processes *processes;

    const char *const *columns; /* of the metrics; the first is "epoch" */
    int n_columns;
    int best_column;  /* the epoch >= 1 with the lowest value here is the best, the first of equals
                       */
    bool score_first; /* score epoch 0, too */
    /* Measures params: writes row[1..n_columns-1], NaN for what isn't measured. What is measured
     * but not finite is its error. */
    sl_status (*score)(void *user, const sl_epoch_summary *epoch, double *row, sl_error *err);
    void *user;

    sl_progress_fn *progress; /* may be NULL */
    void *progress_user;
} sl_loop_options;

typedef struct sl_loop sl_loop;

/* Prepares training, so that what is impossible shows before a folder is made. SL_EINVAL when an
 * epoch has no whole batch, or a batch less images than there are processes. */
SL_CHECK sl_status sl_loop_create(sl_loop **out, const sl_loop_options *options, sl_error *err);
/* Moves into the run's folder (borrowed until destroy), going on from its state if there is one. */
SL_CHECK sl_status sl_loop_enter(sl_loop *loop, sl_run *run, sl_error *err);
/* Trains to the last epoch, once entered. SL_EDIVERGED: the last good state is kept.
 * SL_EINTERRUPTED when progress asked to stop: the state is saved. */
SL_CHECK sl_status sl_loop_run(sl_loop *loop, sl_error *err);
/* Writes what the caller changed in the log's row (by sl_metrics_log_row) to the files. */
SL_CHECK sl_status sl_loop_amend(sl_loop *loop, size_t row, sl_error *err);
/* Log and best are rank 0's. */
const sl_train_state *sl_loop_state(const sl_loop *loop);
void sl_loop_destroy(sl_loop *loop); /* NULL is fine */

#endif
