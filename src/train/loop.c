#include "train/loop.h"

#include "base/file.h"
#include "base/processes.h"
#include "base/random.h"
#include "train/events.h"
#include "train/feeder.h"
#include "train/together.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Between saves within an epoch unless save_every says otherwise. */
static const double SAVE_INTERVAL_S = 300;

/* What a process wants behind a step. */
enum { WISH_STOP = 1, WISH_SAVE = 2 };

/* Asked of a device before it is waited for. */
enum { STEPS_AHEAD = 64 };

struct sl_loop {
    sl_loop_options o;
    sl_run *run;
    sl_train_state state;
    sl_metrics_log log;
    sl_plan *plan;
    sl_feeder *feeder;
    sl_optimizer *optimizer;
    sl_collective *collective; /* or NULL */
    sl_tally *tallies;         /* the state's */
    sl_events *events;
    bool scored;    /* epoch 0 has its row, or needs none */
    size_t batches; /* per epoch */
    double share;   /* of each batch's images, that this process computes */
    size_t unread;  /* steps behind the last reading of the plan's tally */
    double lr;
    double clock;         /* when state.seconds was last brought up to date */
    double saved;         /* when the state was last saved */
    double epoch_seconds; /* of training in this epoch, by this process */
    uint64_t epoch_images;
};

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static sl_status diverged(const sl_loop *l, sl_error *err)
{
    return sl_error_set(err, SL_EDIVERGED,
                        "training diverged in epoch %d, batch %llu (a loss or weight is no longer "
                        "finite); the last good state is kept; try a lower learning rate",
                        l->state.epoch + 1, (unsigned long long)l->state.batch + 1);
}

static bool all_finite(const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

/* Brings the sums up to date with the steps, for which it waits. */
static sl_status read_tally(sl_loop *l, sl_error *err)
{
    sl_status st = sl_plan_read_tally(l->plan, &l->state.sums.tally, err);

    if (st)
        return st;
    l->unread = 0;
    return isfinite(l->state.sums.tally.loss) ? SL_OK : diverged(l, err);
}

/* Brings all that the state is of to the host, and together. */
static sl_status collect(sl_loop *l, sl_error *err)
{
    sl_status st = l->unread ? read_tally(l, err) : SL_OK;

    if (!st)
        st = sl_plan_fetch(l->plan, err);
    st = sl_together(l->o.processes, st, NULL, err);
    return st ? st
              : sl_processes_gather(l->o.processes, &l->state.sums.tally, sizeof *l->tallies,
                                    l->tallies, err);
}

/* Rank 0's, of what was collected. */
static sl_status write_state(sl_loop *l, sl_error *err)
{
    double now = now_s();

    if (!all_finite(l->o.params->values, sl_graph_value_floats(l->o.graph)) ||
        !all_finite(l->o.params->buffers, sl_graph_buffer_floats(l->o.graph)))
        return diverged(l, err);
    l->state.seconds += now - l->clock;
    l->clock = now;
    return sl_train_state_write(&l->state, l->run->state, err);
}

static sl_status save(sl_loop *l, sl_error *err)
{
    sl_status st = collect(l, err);

    if (st)
        return st;
    l->saved = now_s();
    if (sl_processes_leads(l->o.processes))
        st = write_state(l, err);
    return sl_together(l->o.processes, st, NULL, err);
}

/* False: go on. */
static bool report(sl_loop *l)
{
    char task[64], detail[96];
    size_t batch_size = l->o.loader.batch_size;
    sl_progress p = {
        .task = task,
        .unit = "images",
        .detail = detail,
        .done = l->state.batch * batch_size,
        .total = l->batches * batch_size,
    };

    if (!l->o.progress)
        return false;
    snprintf(task, sizeof task, "epoch %d/%d", l->state.epoch + 1, l->o.schedule.epochs);
    detail[0] = '\0';
    if (l->state.sums.seen) {
        double own = (double)l->state.sums.seen * l->share; /* of the images */
        snprintf(detail, sizeof detail, "loss %.4f  acc %.4f  lr %.3g",
                 l->state.sums.tally.loss / own, (double)l->state.sums.tally.hits / own, l->lr);
    }
    return l->o.progress(l->o.progress_user, &p);
}

/* The network's own random numbers (dropout, shake) for the next step: others in each process. */
static void draw(sl_loop *l)
{
    sl_random r = sl_random_stream(l->o.loader.seed, SL_RANDOM_STEP, (uint32_t)l->state.epoch,
                                   (uint32_t)l->state.batch);
    uint64_t key = sl_random_u64(&r);

    for (int rank = sl_processes_rank(l->o.processes); rank > 0; rank--)
        key = sl_random_u64(&r);
    sl_plan_draw(l->plan, key);
}

/* One step on a batch, but for its pass. The update is left out if the loss is known not to be
 * finite: devices in the host's memory are waited for at every step, others now and then. */
static sl_status finish_step(sl_loop *l, const sl_batch *batch, sl_error *err)
{
    const size_t read_after = batch->images ? 1 : STEPS_AHEAD;
    uint64_t number = (uint64_t)l->state.epoch * l->batches + l->state.batch;
    sl_status st = sl_plan_add_to_tally(l->plan, err);

    l->state.sums.seen += l->o.loader.batch_size;
    if (!st && ++l->unread >= read_after)
        st = read_tally(l, err);
    if (st)
        return st;
    l->lr = sl_schedule_lr_at(&l->o.schedule, number, l->batches);
    st = sl_plan_update(l->plan, l->optimizer, l->lr, err);
    l->state.batch += !st;
    return st;
}

/* By rank 0's clock. */
static bool save_is_due(const sl_loop *l)
{
    if (l->o.save_every)
        return l->state.batch % l->o.save_every == 0;
    return sl_processes_leads(l->o.processes) && now_s() - l->saved >= SAVE_INTERVAL_S;
}

/* A step by all. wishes: what any of them wants now. */
static sl_status step(sl_loop *l, const sl_batch *batch, unsigned *wishes, sl_error *err)
{
    sl_status st;

    draw(l);
    st = sl_plan_step(l->plan, batch->images, batch->targets, NULL, NULL, NULL, err);
    if (st)
        return st;
    st = finish_step(l, batch, err);
    *wishes = 0;
    if (!st)
        *wishes = (report(l) ? WISH_STOP : 0) | (save_is_due(l) ? WISH_SAVE : 0);
    return sl_together(l->o.processes, st, wishes, err);
}

static sl_status stop(sl_loop *l, sl_error *err)
{
    sl_status st = save(l, err);

    if (st)
        return st;
    st = sl_error_set(err, SL_EINTERRUPTED, "stopped; the state is saved");
    return sl_together(l->o.processes, st, NULL, err);
}

/* The rest of the epoch under way; ends collected. */
static sl_status train_epoch(sl_loop *l, sl_error *err)
{
    double started = now_s();
    const sl_batch *batch;
    unsigned wishes;
    sl_status st = sl_feeder_start(l->feeder, (uint32_t)l->state.epoch, l->state.batch, err);

    if (!st)
        st = sl_plan_set_tally(l->plan, &l->state.sums.tally, err);
    l->unread = 0;
    l->epoch_images = 0;
    while (!st) {
        st = sl_feeder_next(l->feeder, &batch, err);
        if (st || !batch)
            break;
        st = step(l, batch, &wishes, err);
        if (st)
            break;
        l->epoch_images += l->o.loader.batch_size;
        if (wishes & WISH_STOP)
            return stop(l, err);
        if (wishes & WISH_SAVE)
            st = save(l, err);
    }
    if (!st)
        st = collect(l, err);
    l->epoch_seconds = now_s() - started;
    return st;
}

/* All processes' steps of the epoch. */
static sl_epoch_summary summarise(const sl_loop *l)
{
    const double seen = (double)l->state.sums.seen;
    sl_epoch_summary e = { .epoch = 0, .lr = NAN, .loss = NAN, .accuracy = NAN };
    sl_tally all = { 0 };

    if (!l->state.sums.seen)
        return e;
    for (int i = 0; i < l->state.processes; i++) {
        all.loss += l->tallies[i].loss;
        all.hits += l->tallies[i].hits;
    }
    e.epoch = l->state.epoch + 1;
    e.lr = sl_schedule_lr_at(&l->o.schedule, (uint64_t)e.epoch * l->batches - 1, l->batches);
    e.loss = all.loss / seen;
    e.accuracy = (double)all.hits / seen;
    e.images_per_second = l->epoch_seconds > 0 ? (double)l->epoch_images / l->epoch_seconds : NAN;
    return e;
}

/* Keeps the parameters if this row is the best so far. */
static sl_status keep_best(sl_loop *l, const sl_epoch_summary *e, const double *row, sl_error *err)
{
    const sl_metrics_log *log = &l->log;
    size_t best_row;

    if (!l->o.best || e->epoch < 1)
        return SL_OK;
    if (l->state.best_epoch >= 1) {
        best_row = (size_t)l->state.best_epoch - (l->o.score_first ? 0 : 1);
        if (!(row[l->o.best_column] < sl_metrics_log_row(log, best_row)[l->o.best_column]))
            return SL_OK;
    }
    l->state.best_epoch = e->epoch;
    return sl_params_copy(l->o.best, l->o.params, err);
}

static sl_status publish(sl_loop *l, size_t row, sl_error *err)
{
    sl_status st = sl_metrics_log_write(&l->log, l->run->metrics, err);

    return st ? st : sl_events_add(l->events, row, err);
}

/* Rank 0's: scores what was just trained (or the model as it came), and keeps it. */
static sl_status score_epoch(sl_loop *l, const sl_epoch_summary *e, sl_error *err)
{
    double row[SL_METRICS_MAX_COLUMNS];
    sl_status st = l->o.score(l->o.user, e, row, err);

    if (st == SL_EINTERRUPTED) {
        sl_status saved = write_state(l, err);

        return saved ? saved : sl_error_set(err, st, "stopped; the state is saved");
    }
    if (st)
        return st;
    row[0] = e->epoch;
    st = keep_best(l, e, row, err);
    return st ? st : sl_metrics_log_add(&l->log, row, err);
}

/* Scores the epoch, and makes it the state. */
static sl_status finish_epoch(sl_loop *l, sl_error *err)
{
    const sl_epoch_summary e = summarise(l);
    const bool leads = sl_processes_leads(l->o.processes);
    sl_status st = sl_together_alike(l->o.processes, l->o.params, err);

    if (!st && leads)
        st = score_epoch(l, &e, err);
    st = sl_together(l->o.processes, st, NULL, err);
    if (st)
        return st;
    l->scored = true;
    l->state.epoch = e.epoch;
    l->state.batch = 0;
    l->state.sums = (sl_epoch_sums){ 0 };
    memset(l->tallies, 0, (size_t)l->state.processes * sizeof *l->tallies);
    l->saved = now_s();
    if (leads)
        st = write_state(l, err);
    if (!st && leads)
        st = publish(l, l->log.n_rows - 1, err);
    return sl_together(l->o.processes, st, NULL, err);
}

sl_status sl_loop_run(sl_loop *loop, sl_error *err)
{
    sl_loop *l = loop;
    sl_status st = SL_OK;

    if (!l->scored)
        st = finish_epoch(l, err);
    while (!st && l->state.epoch < l->o.schedule.epochs) {
        st = train_epoch(l, err);
        if (!st)
            st = finish_epoch(l, err);
    }
    return st;
}

sl_status sl_loop_amend(sl_loop *loop, size_t row, sl_error *err)
{
    return publish(loop, row, err);
}

const sl_train_state *sl_loop_state(const sl_loop *loop)
{
    return &loop->state;
}

/* The rows of each batch that are this process's. */
static sl_status take_part(sl_loop *l, sl_error *err)
{
    sl_loader_options *o = &l->o.loader;
    const size_t rank = (size_t)sl_processes_rank(l->o.processes);
    const size_t n = (size_t)sl_processes_size(l->o.processes);

    if (o->batch_size < n)
        return sl_error_set(err, SL_EINVAL,
                            "batches of %zu images can't be divided among %zu processes; start "
                            "fewer, or make batches larger",
                            o->batch_size, n);
    o->first_row = o->batch_size * rank / n;
    o->rows = o->batch_size * (rank + 1) / n - o->first_row;
    l->share = (double)o->rows / (double)o->batch_size;
    return SL_OK;
}

static sl_status build(sl_loop *l, sl_error *err)
{
    sl_plan_options plan = { .mode = SL_MODE_TRAIN, .dtype = l->o.dtype };
    sl_status st = take_part(l, err);

    if (st)
        return st;
    plan.batch = (int)l->o.loader.rows;
    st = sl_plan_create(&l->plan, l->o.graph, l->o.params, l->o.device, &plan, err);
    if (!st)
        st = sl_feeder_create(&l->feeder, l->o.set, l->o.targets, l->o.indices, l->o.n_indices,
                              &l->o.loader, l->plan, l->o.device, err);
    if (st)
        return st;
    l->batches = sl_feeder_batches(l->feeder);
    st =
        sl_optimizer_create(&l->optimizer, &l->o.optimizer, sl_graph_value_floats(l->o.graph), err);
    return st ? st
              : sl_alloc(&l->tallies, (size_t)sl_processes_size(l->o.processes), sizeof *l->tallies,
                         err);
}

sl_status sl_loop_create(sl_loop **out, const sl_loop_options *options, sl_error *err)
{
    sl_loop *l = NULL;
    sl_status st;

    *out = NULL;
    st = sl_alloc(&l, 1, sizeof *l, err);
    if (st)
        return st;
    l->o = *options;
    l->o.loader.shuffle = true;
    l->o.loader.drop_last = true;
    l->log = (sl_metrics_log){ .columns = options->columns, .n_columns = options->n_columns };
    l->clock = l->saved = now_s();
    st = build(l, err);
    if (st)
        goto done;
    l->state = (sl_train_state){
        .best_epoch = -1,
        .log = &l->log,
        .params = options->params,
        .best = options->best,
        .optimizer = l->optimizer,
        .tallies = l->tallies,
        .processes = sl_processes_size(options->processes),
    };
    *out = l;
    l = NULL;
done:
    sl_loop_destroy(l);
    return st;
}

/* Rank 0's: reads the state, if there is one, and what follows from it. */
static sl_status restore(sl_loop *l, sl_error *err)
{
    sl_status st = SL_OK;

    if (sl_file_exists(l->run->state)) {
        st = sl_train_state_read(&l->state, l->run->state, err);
        if (!st)
            sl_log(SL_LOG_INFO, "continuing in '%s' behind epoch %d, batch %llu", l->run->folder,
                   l->state.epoch, (unsigned long long)l->state.batch);
    }
    l->scored = !l->o.score_first || l->log.n_rows > 0;
    /* What a killed process wrote behind the state goes. */
    if (!st)
        st = sl_metrics_log_write(&l->log, l->run->metrics, err);
    return st ? st : sl_events_open(&l->events, l->run->events, &l->log, err);
}

sl_status sl_loop_enter(sl_loop *loop, sl_run *run, sl_error *err)
{
    sl_loop *l = loop;
    sl_status st = SL_OK;

    l->run = run;
    if (sl_processes_leads(l->o.processes))
        st = restore(l, err);
    st = sl_together(l->o.processes, st, NULL, err);
    if (!st)
        st = sl_together_share(l->o.processes, &l->state, &l->scored, err);
    if (!st)
        st = sl_plan_reload(l->plan, err);
    if (st || !l->o.processes)
        return st;
    st = sl_collective_open(&l->collective, l->o.device, l->o.processes, (float)l->share, err);
    if (!st)
        sl_plan_sum_over(l->plan, l->collective);
    return st;
}

void sl_loop_destroy(sl_loop *loop)
{
    if (!loop)
        return;
    sl_events_close(loop->events);
    sl_metrics_log_release(&loop->log);
    sl_optimizer_destroy(loop->optimizer);
    sl_feeder_destroy(loop->feeder);
    sl_plan_destroy(loop->plan);
    sl_collective_close(loop->collective);
    free(loop->tallies);
    free(loop);
}
