#include "study/experiment.h"
#include "study/streams.h"
#include <stdlib.h>

#define ROUNDING 1e-9 /* of shares such as 0.75 * 20 */
#define SEEN_MS 10000 /* how exactly it's known when somebody was last there */

struct sl_experiment {
    const sl_study_config *config;
    const sl_images *images;
    sl_store *store;
    sl_assign *assign;
};

sl_status sl_experiment_create(sl_experiment **out, const sl_study_config *config,
                               const sl_images *images, sl_store *store, sl_error *err)
{
    sl_experiment *x;
    *out = NULL;
    sl_status st = sl_alloc(&x, 1, sizeof *x, err);
    if (st)
        return st;
    *x = (sl_experiment){ config, images, store, NULL };
    st = sl_assign_create(&x->assign, &images->pool[SL_POOL_IMAGES], config->n_classes, err);
    if (!st)
        st = sl_experiment_reload(x, err);
    if (st) {
        sl_experiment_destroy(x);
        return st;
    }
    *out = x;
    return SL_OK;
}

void sl_experiment_destroy(sl_experiment *x)
{
    if (!x)
        return;
    sl_assign_destroy(x->assign);
    free(x);
}

sl_status sl_experiment_reload(sl_experiment *x, sl_error *err)
{
    const size_t n = x->images->pool[SL_POOL_IMAGES].n;
    uint32_t *counts = sl_assign_counts(x->assign);
    for (size_t i = 0; i < n; i++)
        counts[i] = 0;
    return sl_store_count_places(x->store, counts, n, err);
}

sl_pool_id sl_trial_pool(sl_trial_kind kind)
{
    switch (kind) {
    case SL_TRIAL_PRACTICE:
        return SL_POOL_PRACTICE;
    case SL_TRIAL_CHECK:
        return SL_POOL_ATTENTION;
    case SL_TRIAL_IMAGE:
        break;
    }
    return SL_POOL_IMAGES;
}

void sl_experiment_ring(const sl_study_config *config, int64_t participant, uint32_t *order)
{
    sl_random r = sl_study_stream(config->seed, SL_STREAM_RING, (uint32_t)participant, 0);
    for (uint32_t k = 0; k < (uint32_t)config->n_classes; k++)
        order[k] = k;
    sl_random_shuffle(&r, order, (size_t)config->n_classes);
}

/* ---- planning ---- */

static sl_status plan(sl_experiment *x, sl_participant *p, sl_trial_kind kind, uint32_t image,
                      sl_error *err)
{
    const sl_pool *pool = &x->images->pool[sl_trial_pool(kind)];
    const sl_trial t = {
        .n = p->planned, .kind = kind, .image = image, .truth = pool->items[image].truth
    };
    p->planned++;
    return sl_store_plan(x->store, p->id, &t, err);
}

/* The practice images go round the classes, through each class in an order of the participant's
 * own: every block is balanced, and a repeated one shows other images while there are any. */
static sl_status practice_image(sl_experiment *x, const sl_participant *p, uint32_t trial,
                                uint32_t *out, sl_error *err)
{
    const sl_pool *pool = &x->images->pool[SL_POOL_PRACTICE];
    const uint32_t K = (uint32_t)x->config->n_classes, k = trial % K;
    uint32_t *members = NULL, n = 0;
    sl_status st = sl_alloc(&members, pool->n, sizeof *members, err);
    if (st)
        return st;
    for (uint32_t i = 0; i < pool->n; i++)
        if (pool->items[i].truth == (int)k)
            members[n++] = i;
    sl_random r = sl_study_stream(x->config->seed, SL_STREAM_PRACTICE, (uint32_t)p->id, k);
    sl_random_shuffle(&r, members, n);
    if (n > 0)
        *out = members[trial / K % n];
    else
        st = sl_error_set(err, SL_EINVAL, "no practice image of class '%s'", x->config->classes[k]);
    free(members);
    return st;
}

static sl_status plan_practice(sl_experiment *x, sl_participant *p, sl_error *err)
{
    const size_t n = (size_t)x->config->practice_images;
    uint32_t *images = NULL;
    sl_status st = sl_alloc(&images, n, sizeof *images, err);
    for (size_t i = 0; !st && i < n; i++)
        st = practice_image(x, p, (uint32_t)p->planned + (uint32_t)i, &images[i], err);
    if (!st) {
        sl_random r = sl_study_stream(x->config->seed, SL_STREAM_PRACTICE, (uint32_t)p->id,
                                      1000 + (uint32_t)p->planned);
        sl_random_shuffle(&r, images, n);
    }
    p->first = p->planned;
    for (size_t i = 0; !st && i < n; i++)
        st = plan(x, p, SL_TRIAL_PRACTICE, images[i], err);
    free(images);
    return st;
}

/* Attention checks for a participant: different ones, none of them among its images. */
static sl_status choose_checks(sl_experiment *x, const uint32_t *images, size_t n, sl_random *r,
                               uint32_t *checks, size_t n_checks, sl_error *err)
{
    const size_t n_pool = x->images->pool[SL_POOL_ATTENTION].n;
    uint32_t *order = NULL;
    size_t found = 0;
    sl_status st = sl_alloc(&order, n_pool, sizeof *order, err);
    if (st)
        return st;
    for (uint32_t i = 0; i < n_pool; i++)
        order[i] = i;
    sl_random_shuffle(r, order, n_pool);
    for (size_t i = 0; i < n_pool && found < n_checks; i++) {
        /* Those that are left must do if there aren't enough others. */
        bool needed = n_pool - i <= n_checks - found, seen = false;
        for (size_t j = 0; j < n && !needed && !seen; j++)
            seen =
                sl_images_same(x->images, SL_POOL_ATTENTION, order[i], SL_POOL_IMAGES, images[j]);
        if (!seen)
            checks[found++] = order[i];
    }
    free(order);
    return SL_OK;
}

/* Images in their random order, and in every group of attention_every of them one check at a
 * random place. */
static sl_status plan_task(sl_experiment *x, sl_participant *p, sl_error *err)
{
    const size_t n = (size_t)x->config->images_per_participant;
    const size_t n_checks = (size_t)sl_study_checks(x->config);
    const size_t group = n_checks ? (size_t)x->config->attention_every : n + 1;
    uint32_t *images = NULL, *checks = NULL, at = 0;
    sl_random r = sl_study_stream(x->config->seed, SL_STREAM_TASK, (uint32_t)p->id, 0);
    sl_status st = sl_alloc(&images, n, sizeof *images, err);
    if (!st)
        st = sl_alloc(&checks, n_checks, sizeof *checks, err);
    if (!st)
        st = sl_assign_pick(x->assign, n, &r, images, err);
    if (!st)
        st = choose_checks(x, images, n, &r, checks, n_checks, err);
    p->first = p->planned;
    for (size_t i = 0; !st && i < n; i++) {
        if (i % group == 0)
            at = sl_random_below(&r, (uint32_t)group);
        st = plan(x, p, SL_TRIAL_IMAGE, images[i], err);
        if (!st && i % group == at && i / group < n_checks)
            st = plan(x, p, SL_TRIAL_CHECK, checks[i / group], err);
    }
    free(images);
    free(checks);
    return st;
}

/* What comes now: another practice block, or the task. */
static sl_status plan_next(sl_experiment *x, sl_participant *p, sl_error *err)
{
    p->state = p->block < x->config->practice_blocks ? SL_STATE_PRACTICE : SL_STATE_TASK;
    return p->state == SL_STATE_TASK ? plan_task(x, p, err) : plan_practice(x, p, err);
}

/* ---- places ---- */

static sl_status take_place(void *user, const sl_trial *t, sl_error *err)
{
    uint32_t *counts = user;
    (void)err;
    if (t->kind == SL_TRIAL_IMAGE)
        counts[t->image]++;
    return SL_OK;
}

static sl_status give_place_back(void *user, const sl_trial *t, sl_error *err)
{
    uint32_t *counts = user;
    (void)err;
    if (t->kind == SL_TRIAL_IMAGE && counts[t->image] > 0)
        counts[t->image]--;
    return SL_OK;
}

static sl_status move_places(sl_experiment *x, const sl_participant *p, sl_trial_fn *move,
                             sl_error *err)
{
    return sl_store_each_trial(x->store, p->id, move, sl_assign_counts(x->assign), err);
}

static sl_status mark_left(void *user, const sl_participant *p, sl_error *err)
{
    sl_experiment *x = user;
    sl_participant left = *p;
    sl_status st = p->state == SL_STATE_TASK ? move_places(x, p, give_place_back, err) : SL_OK;
    left.state = SL_STATE_LEFT;
    return st ? st : sl_store_update(x->store, &left, err);
}

sl_status sl_experiment_sweep(sl_experiment *x, int64_t now_ms, sl_error *err)
{
    const int64_t before = now_ms - (int64_t)(x->config->idle_minutes * 60000);
    return sl_store_each_silent(x->store, before, mark_left, x, err);
}

/* ---- participants ---- */

static bool finished(const sl_participant *p)
{
    return p->state == SL_STATE_PASSED || p->state == SL_STATE_FAILED ||
           p->state == SL_STATE_EXCLUDED;
}

/* Notes that the participant is there, now and then, so that looking at an image isn't a write; one
 * who had left takes its places again. */
static sl_status welcome(sl_experiment *x, sl_participant *p, int64_t now_ms, sl_error *err)
{
    sl_status st = SL_OK;
    if (finished(p) || (p->state != SL_STATE_LEFT && now_ms - p->last_ms < SEEN_MS))
        return SL_OK;
    if (p->state == SL_STATE_LEFT) {
        p->state = p->block < x->config->practice_blocks ? SL_STATE_PRACTICE : SL_STATE_TASK;
        if (p->state == SL_STATE_TASK)
            st = move_places(x, p, take_place, err);
    }
    p->last_ms = now_ms;
    return st ? st : sl_store_update(x->store, p, err);
}

static sl_status add(sl_experiment *x, const unsigned char *worker, const unsigned char *session,
                     int64_t now_ms, sl_participant *p, sl_verdict *verdict, sl_error *err)
{
    if (sl_assign_full(x->assign, x->config->target)) {
        *verdict = SL_VERDICT_FULL;
        return SL_OK;
    }
    *p = (sl_participant){ .joined_ms = now_ms, .last_ms = now_ms };
    sl_status st = sl_store_add(x->store, worker, session, p, err);
    if (!st)
        st = plan_next(x, p, err);
    return st ? st : sl_store_update(x->store, p, err);
}

sl_status sl_experiment_join(sl_experiment *x, const unsigned char *worker,
                             const unsigned char *session, int64_t now_ms, sl_participant *p,
                             sl_verdict *verdict, sl_error *err)
{
    bool found = false, same_session = false;
    sl_status st = SL_OK;
    *verdict = SL_VERDICT_OK;
    if (worker)
        st = sl_store_find_worker(x->store, worker, session, p, &found, &same_session, err);
    if (st || !found)
        return st ? st : add(x, worker, session, now_ms, p, verdict, err);
    if (finished(p) && !same_session) {
        *verdict = SL_VERDICT_ALREADY;
        return SL_OK;
    }
    if (!same_session)
        st = sl_store_set_session(x->store, p->id, session, err);
    return st ? st : welcome(x, p, now_ms, err);
}

sl_status sl_experiment_find(sl_experiment *x, int64_t id, int64_t now_ms, sl_participant *p,
                             sl_verdict *verdict, sl_error *err)
{
    bool found;
    sl_status st = sl_store_find(x->store, id, p, &found, err);
    *verdict = found ? SL_VERDICT_OK : SL_VERDICT_UNKNOWN;
    return st || !found ? st : welcome(x, p, now_ms, err);
}

/* ---- answers ---- */

static bool enough(int right, int total, double share)
{
    return right >= share * total - ROUNDING;
}

static sl_status end_practice(sl_experiment *x, sl_participant *p, int64_t now_ms, sl_error *err)
{
    int right, total;
    sl_status st = sl_store_score(x->store, p->id, p->first, p->planned, SL_TRIAL_PRACTICE, &right,
                                  &total, err);
    if (st)
        return st;
    if (enough(right, total, x->config->practice_pass)) {
        p->block++;
        p->attempt = 0;
    } else if (++p->attempt >= x->config->practice_attempts) {
        p->state = SL_STATE_EXCLUDED;
        p->ended_ms = now_ms;
        return SL_OK;
    }
    return plan_next(x, p, err);
}

static sl_status end_task(sl_experiment *x, sl_participant *p, int64_t now_ms, sl_error *err)
{
    int right, total;
    sl_status st =
        sl_store_score(x->store, p->id, p->first, p->planned, SL_TRIAL_CHECK, &right, &total, err);
    if (st)
        return st;
    p->ended_ms = now_ms;
    p->state = enough(right, total, x->config->attention_pass) ? SL_STATE_PASSED : SL_STATE_FAILED;
    return p->state == SL_STATE_FAILED ? move_places(x, p, give_place_back, err) : SL_OK;
}

/* What was stored before can be sent again, when its acknowledgement was lost. */
static sl_status answer_again(sl_experiment *x, const sl_participant *p, const sl_trial *t,
                              int *truth, sl_verdict *verdict, sl_error *err)
{
    sl_trial stored;
    bool found;
    sl_status st = sl_store_trial(x->store, p->id, t->n, &stored, &found, err);
    if (st)
        return st;
    if (!found)
        *verdict = SL_VERDICT_UNKNOWN;
    else
        *verdict = stored.choice == t->choice ? SL_VERDICT_REPEATED : SL_VERDICT_CONFLICT;
    if (*verdict == SL_VERDICT_REPEATED && stored.kind == SL_TRIAL_PRACTICE)
        *truth = stored.truth;
    return SL_OK;
}

sl_status sl_experiment_answer(sl_experiment *x, sl_participant *p, const sl_trial *t,
                               int64_t now_ms, int *truth, sl_verdict *verdict, sl_error *err)
{
    sl_trial planned;
    bool found;
    *truth = -1;
    *verdict = SL_VERDICT_OK;
    if (t->n < p->next)
        return answer_again(x, p, t, truth, verdict, err);
    if (finished(p) || t->n > p->next) {
        *verdict = finished(p) ? SL_VERDICT_OVER : SL_VERDICT_ORDER;
        return SL_OK;
    }
    sl_status st = sl_store_trial(x->store, p->id, t->n, &planned, &found, err);
    if (st || !found) {
        *verdict = SL_VERDICT_UNKNOWN;
        return st;
    }
    st = sl_store_answer(x->store, p->id, t, err);
    if (st)
        return st;
    if (planned.kind == SL_TRIAL_PRACTICE)
        *truth = planned.truth;
    p->next++;
    p->last_ms = now_ms;
    if (p->next == p->planned)
        st = p->state == SL_STATE_PRACTICE ? end_practice(x, p, now_ms, err)
                                           : end_task(x, p, now_ms, err);
    return st ? st : sl_store_update(x->store, p, err);
}

sl_status sl_experiment_failed_block(sl_experiment *x, const sl_participant *p, int *right,
                                     int *total, sl_error *err)
{
    *right = *total = 0;
    if (p->state != SL_STATE_PRACTICE || p->attempt == 0)
        return SL_OK;
    return sl_store_score(x->store, p->id, p->first - x->config->practice_images, p->first,
                          SL_TRIAL_PRACTICE, right, total, err);
}
