#include "study/worker.h"
#include "base/memory.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 256      /* requests in a transaction */
#define SWEEP_MS 10000 /* how often places of who left are looked for */
#define CALM_MS 10000  /* without a failure, after which storing is said to work again */

struct sl_worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more;
    sl_job *first, **last; /* those that wait */
    bool stopping;

    sl_job_done_fn *done;
    sl_store *store;
    sl_api api;
    int64_t swept_ms;
    bool stale;   /* the experiment's counts, after a rollback */
    bool failing; /* transactions failed lately, and that has been logged */
    int64_t failed_ms;
};

static int64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Takes up to BATCH jobs; waits for one. NULL: the worker is to end. */
static sl_job *take_batch(sl_worker *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->first && !w->stopping)
        pthread_cond_wait(&w->more, &w->lock);
    sl_job *batch = w->first, *job = batch;
    for (int i = 1; job && job->next && i < BATCH; i++)
        job = job->next;
    if (job) {
        w->first = job->next;
        if (!w->first)
            w->last = &w->first;
        job->next = NULL;
    }
    pthread_mutex_unlock(&w->lock);
    return batch;
}

static sl_status answer_all(sl_worker *w, sl_job *batch, sl_error *err)
{
    const int64_t now = wall_ms();
    sl_status st = sl_store_begin(w->store, err);
    if (!st && w->stale) {
        st = sl_experiment_reload(w->api.experiment, err);
        w->stale = st != SL_OK;
    }
    if (!st && now - w->swept_ms > SWEEP_MS) {
        st = sl_experiment_sweep(w->api.experiment, now, err);
        w->swept_ms = now;
    }
    for (sl_job *job = batch; job && !st; job = job->next) {
        job->request.now_ms = now;
        st = sl_api_answer(&w->api, &job->request, err);
    }
    return st ? st : sl_store_commit(w->store, err);
}

static void refuse(sl_job *job)
{
    if (sl_api_refuse(&job->request, 503, "storage",
                      "answers can't be stored at the moment; they will be sent again", NULL))
        job->request.status = 503; /* no memory even for that: an empty answer */
}

/* Nothing of the batch happened: everybody is asked to try again. */
static void refuse_all(sl_worker *w, sl_job *batch, const sl_error *why)
{
    char text[sizeof why->message + sizeof why->place];
    sl_store_rollback(w->store);
    w->stale = true;
    if (!w->failing)
        sl_log(SL_LOG_WARNING, "answers can't be stored: %s",
               sl_error_text(why, text, sizeof text));
    for (sl_job *job = batch; job; job = job->next)
        refuse(job);
}

static void *work(void *argument)
{
    sl_worker *w = argument;
    sl_job *batch;
    while ((batch = take_batch(w))) {
        sl_error err;
        if (answer_all(w, batch, &err)) {
            refuse_all(w, batch, &err);
            w->failing = true;
            w->failed_ms = wall_ms();
        } else if (w->failing && wall_ms() - w->failed_ms > CALM_MS) {
            sl_log(SL_LOG_INFO, "answers are stored again");
            w->failing = false;
        }
        for (sl_job *job = batch, *next; job; job = next) {
            next = job->next;
            w->done(job);
        }
    }
    return NULL;
}

sl_status sl_worker_start(sl_worker **out, sl_study *study, sl_job_done_fn *done, sl_error *err)
{
    sl_worker *w;
    *out = NULL;
    sl_status st = sl_alloc(&w, 1, sizeof *w, err);
    if (st)
        return st;
    w->last = &w->first;
    w->done = done;
    w->api =
        (sl_api){ .config = &study->config, .images = &study->images, .secret = &study->secret };
    st = sl_store_open(&w->store, study->database, study->images.sha256, false, err);
    w->api.store = w->store;
    if (!st)
        st =
            sl_experiment_create(&w->api.experiment, &study->config, &study->images, w->store, err);
    if (st) {
        sl_store_close(w->store);
        free(w);
        return st;
    }
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    if (pthread_create(&w->thread, NULL, work, w)) {
        sl_experiment_destroy(w->api.experiment);
        sl_store_close(w->store);
        free(w);
        return sl_error_set(err, SL_ENOMEM, "a thread can't be started");
    }
    *out = w;
    return SL_OK;
}

void sl_worker_push(sl_worker *w, sl_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&w->lock);
    const bool stopping = w->stopping;
    if (!stopping) {
        *w->last = job;
        w->last = &job->next;
        pthread_cond_signal(&w->more);
    }
    pthread_mutex_unlock(&w->lock);
    if (stopping) {
        refuse(job);
        w->done(job);
    }
}

void sl_worker_end(sl_worker *w)
{
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
}

void sl_worker_destroy(sl_worker *w)
{
    if (!w)
        return;
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->lock);
    sl_experiment_destroy(w->api.experiment);
    sl_store_close(w->store);
    free(w);
}
