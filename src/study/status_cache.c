#include "study/status_cache.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVERY_SECONDS 2   /* while somebody looks */
#define LOOKED_SECONDS 10 /* who asked so lately still looks */

struct sl_status_cache {
    sl_study *study;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    char *text;
    time_t asked;
    bool stopping;
};

/* With the lock held, except while counting. */
static void refresh(sl_status_cache *c)
{
    char *text = NULL;
    sl_error err;
    pthread_mutex_unlock(&c->lock);
    if (sl_study_status(c->study, &text, &err))
        sl_log(SL_LOG_DEBUG, "status: %s", err.message);
    pthread_mutex_lock(&c->lock);
    if (!text)
        return;
    free(c->text);
    c->text = text;
}

static void *keep_fresh(void *argument)
{
    sl_status_cache *c = argument;
    pthread_mutex_lock(&c->lock);
    while (!c->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        if (!c->text || until.tv_sec - c->asked < LOOKED_SECONDS)
            refresh(c);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += EVERY_SECONDS;
        if (!c->stopping)
            pthread_cond_timedwait(&c->wake, &c->lock, &until);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

sl_status sl_status_cache_start(sl_status_cache **out, sl_study *study, sl_error *err)
{
    sl_status_cache *c;
    *out = NULL;
    sl_status st = sl_alloc(&c, 1, sizeof *c, err);
    if (st)
        return st;
    c->study = study;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, NULL);
    if (pthread_create(&c->thread, NULL, keep_fresh, c)) {
        free(c);
        return sl_error_set(err, SL_ENOMEM, "a thread can't be started");
    }
    *out = c;
    return SL_OK;
}

void sl_status_cache_stop(sl_status_cache *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    free(c->text);
    free(c);
}

char *sl_status_cache_get(sl_status_cache *c)
{
    pthread_mutex_lock(&c->lock);
    const time_t now = time(NULL);
    if (now - c->asked >= LOOKED_SECONDS)
        pthread_cond_signal(&c->wake); /* it slept */
    c->asked = now;
    char *copy = c->text ? strdup(c->text) : NULL;
    pthread_mutex_unlock(&c->lock);
    return copy;
}
