#include "base/memory.h"
#include "study/study.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOUR_MS 3600000
#define SHOWN_PEOPLE 100
#define SHOWN_IMAGES 20
#define AMBIGUOUS_MIN 5 /* judgments, below which disagreement says little */

static const char *const state_names[SL_STATES] = {
    "practice", "task", "passed", "failed", "excluded", "left",
};

typedef struct {
    const sl_study *study;
    sl_store *store;
    int64_t now_ms;
    size_t n_images, K;
    uint32_t *counts; /* (n_images, K): judgments that count */
    size_t of_state[SL_STATES], passed_lately;
    json_t *people; /* newest first */
    double accuracy_sum, accuracy_min, accuracy_max;
    double *minutes; /* (finished): how long each took */
    size_t scored, finished, capacity;
} tally;

/* ---- one participant ---- */

typedef struct {
    tally *tally;
    bool counts; /* toward the images */
    int answered, judged, known, right, checks, checks_right;
} person;

static sl_status add_trial(void *user, const sl_trial *t, sl_error *err)
{
    person *p = user;
    if (t->choice < 0 || t->kind == SL_TRIAL_PRACTICE)
        return SL_OK;
    p->answered++;
    if (t->kind == SL_TRIAL_CHECK) {
        p->checks++;
        p->checks_right += t->choice == t->truth;
        return SL_OK;
    }
    p->judged++;
    p->known += t->truth >= 0;
    p->right += t->choice == t->truth;
    if (!p->counts)
        return SL_OK;
    if (t->image < 0 || (uint64_t)t->image >= p->tally->n_images ||
        (size_t)t->choice >= p->tally->K)
        return sl_error_set(err, SL_EFORMAT, "the study's database has a trial of no image");
    p->tally->counts[(size_t)t->image * p->tally->K + (size_t)t->choice]++;
    return SL_OK;
}

static void show_person(tally *c, const sl_participant *p, const person *who, double minutes)
{
    json_t *row = json_pack("{s:I, s:s, s:i, s:i, s:i, s:i, s:f}", "participant", (json_int_t)p->id,
                            "state", state_names[p->state], "answered", who->answered, "of",
                            sl_study_task_trials(&c->study->config), "checks", who->checks,
                            "checks_right", who->checks_right, "minutes", minutes);
    if (who->known > 0)
        json_object_set_new(row, "accuracy", json_real((double)who->right / who->known));
    json_array_insert_new(c->people, 0, row);
    if (json_array_size(c->people) > SHOWN_PEOPLE)
        json_array_remove(c->people, SHOWN_PEOPLE);
}

static sl_status add_participant(void *user, const sl_participant *p, sl_error *err)
{
    tally *c = user;
    if (p->state < 0 || p->state >= SL_STATES)
        return sl_error_set(err, SL_EFORMAT, "the study's database has a participant of no state");
    person who = { .tally = c, .counts = p->state == SL_STATE_PASSED };
    sl_status st = sl_store_each_trial(c->store, p->id, add_trial, &who, err);
    if (st)
        return st;
    const double minutes = (double)((p->ended_ms ? p->ended_ms : p->last_ms) - p->joined_ms) / 6e4;
    c->of_state[p->state]++;
    if (p->state == SL_STATE_PASSED || p->state == SL_STATE_FAILED) {
        st = sl_grow(&c->minutes, &c->capacity, c->finished + 1, sizeof *c->minutes, err);
        if (st)
            return st;
        c->minutes[c->finished++] = minutes;
        c->passed_lately += who.counts && p->ended_ms > c->now_ms - HOUR_MS;
    }
    if (who.counts && who.known > 0) {
        const double accuracy = (double)who.right / who.known;
        c->accuracy_sum += accuracy;
        c->accuracy_min = c->scored ? fmin(c->accuracy_min, accuracy) : accuracy;
        c->accuracy_max = c->scored ? fmax(c->accuracy_max, accuracy) : accuracy;
        c->scored++;
    }
    show_person(c, p, &who, minutes);
    return SL_OK;
}

/* ---- images ---- */

static uint32_t judgments_of(const tally *c, size_t image)
{
    uint32_t sum = 0;
    for (size_t k = 0; k < c->K; k++)
        sum += c->counts[image * c->K + k];
    return sum;
}

static double entropy_of(const tally *c, size_t image, uint32_t n)
{
    double bits = 0;
    for (size_t k = 0; k < c->K; k++) {
        const double p = (double)c->counts[image * c->K + k] / n;
        bits -= p > 0 ? p * log2(p) : 0;
    }
    return bits;
}

static json_t *show_image(const tally *c, size_t image, uint32_t n)
{
    json_t *choices = json_object();
    for (size_t k = 0; k < c->K; k++)
        if (c->counts[image * c->K + k])
            json_object_set_new(choices, c->study->config.classes[k],
                                json_integer(c->counts[image * c->K + k]));
    return json_pack("{s:s, s:I, s:i, s:f, s:o}", "image",
                     c->study->images.pool[SL_POOL_IMAGES].items[image].name, "number",
                     (json_int_t)image, "judgments", (int)n, "bits", entropy_of(c, image, n),
                     "choices", choices);
}

/* The images that people disagree about most. */
static json_t *ambiguous_images(const tally *c)
{
    struct {
        size_t image;
        double bits;
    } top[SHOWN_IMAGES];
    size_t n_top = 0;
    for (size_t i = 0; i < c->n_images; i++) {
        const uint32_t n = judgments_of(c, i);
        if (n < AMBIGUOUS_MIN)
            continue;
        const double bits = entropy_of(c, i, n);
        size_t at = n_top < SHOWN_IMAGES ? n_top++ : SHOWN_IMAGES;
        while (at > 0 && top[at - 1].bits < bits) {
            if (at < SHOWN_IMAGES)
                top[at] = top[at - 1];
            at--;
        }
        if (at < SHOWN_IMAGES) {
            top[at].image = i;
            top[at].bits = bits;
        }
    }
    json_t *list = json_array();
    for (size_t i = 0; i < n_top; i++)
        json_array_append_new(list, show_image(c, top[i].image, judgments_of(c, top[i].image)));
    return list;
}

static json_t *count_judgments(const tally *c, double *missing, sl_error *err)
{
    enum { HISTOGRAM = 1000 }; /* more judgments than that are counted as so many */
    const uint32_t target = (uint32_t)c->study->config.target;
    uint32_t *images = NULL, least = UINT32_MAX, most = 0;
    uint64_t total = 0;
    size_t reached = 0;
    if (sl_alloc(&images, HISTOGRAM + 1, sizeof *images, err))
        return NULL;
    for (size_t i = 0; i < c->n_images; i++) {
        const uint32_t n = judgments_of(c, i);
        total += n;
        least = n < least ? n : least;
        most = n > most ? n : most;
        reached += n >= target;
        *missing += n < target ? target - n : 0;
        images[n < HISTOGRAM ? n : HISTOGRAM]++;
    }
    json_t *histogram = json_array();
    for (int n = 0; n <= HISTOGRAM; n++)
        if (images[n])
            json_array_append_new(histogram, json_pack("[i, I]", n, (json_int_t)images[n]));
    free(images);
    return json_pack("{s:i, s:I, s:I, s:I, s:I, s:f, s:I, s:o}", "target", (int)target, "images",
                     (json_int_t)c->n_images, "usable", (json_int_t)total, "least",
                     (json_int_t)(c->n_images ? least : 0), "most", (json_int_t)most, "mean",
                     c->n_images ? (double)total / (double)c->n_images : 0.0, "at_target",
                     (json_int_t)reached, "histogram", histogram);
}

/* Judgments still to be had, at the last hour's rate, and what they cost. */
static json_t *estimate(const tally *c, double missing)
{
    const sl_study_config *config = &c->study->config;
    const double each = config->images_per_participant;
    const double an_hour = (double)c->passed_lately * each;
    const size_t passed = c->of_state[SL_STATE_PASSED];
    const double paid = config->payment * (double)c->finished;
    const double pass_rate = passed ? (double)passed / (double)c->finished : 1;
    json_t *e = json_pack("{s:f, s:f, s:f, s:f, s:s}", "judgments_missing", missing,
                          "judgments_an_hour", an_hour, "paid", paid, "cost",
                          paid + ceil(missing / each) / pass_rate * config->payment, "currency",
                          config->currency);
    if (an_hour > 0)
        json_object_set_new(e, "hours_left", json_real(missing / an_hour));
    return e;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What payment goes by: somebody who left the page open over night doesn't count for many. */
static double median_minutes(tally *c)
{
    const size_t n = c->finished;
    qsort(c->minutes, n, sizeof *c->minutes, by_size);
    return (c->minutes[(n - 1) / 2] + c->minutes[n / 2]) / 2;
}

static sl_status describe(tally *c, json_t **out, sl_error *err)
{
    double missing = 0;
    json_t *states = json_object();
    for (int s = 0; s < SL_STATES; s++)
        json_object_set_new(states, state_names[s], json_integer((json_int_t)c->of_state[s]));
    json_t *judgments = count_judgments(c, &missing, err);
    *out =
        json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:O}", "title", c->study->config.title, "time_ms",
                  (json_int_t)c->now_ms, "participants", states, "judgments", judgments, "estimate",
                  estimate(c, missing), "ambiguous", ambiguous_images(c), "people", c->people);
    if (!*out)
        return sl_error_set(err, SL_ENOMEM, "out of memory for the status");
    if (c->finished)
        json_object_set_new(*out, "median_minutes", json_real(median_minutes(c)));
    if (c->scored)
        json_object_set_new(*out, "accuracy",
                            json_pack("{s:f, s:f, s:f}", "mean",
                                      c->accuracy_sum / (double)c->scored, "least", c->accuracy_min,
                                      "most", c->accuracy_max));
    return SL_OK;
}

static sl_status count_all(sl_study *study, sl_store *store, int64_t now_ms, json_t **out,
                           sl_error *err)
{
    tally c = { .study = study, .store = store, .now_ms = now_ms };
    size_t n = 0;
    c.n_images = study->images.pool[SL_POOL_IMAGES].n;
    c.K = (size_t)study->config.n_classes;
    *out = NULL;
    if (!sl_size_mul(c.n_images, c.K, &n))
        return sl_error_set(err, SL_ENOMEM, "too many images");
    sl_status st = sl_alloc(&c.counts, n, sizeof *c.counts, err);
    c.people = json_array();
    if (!st && store)
        st = sl_store_each_participant(store, add_participant, &c, err);
    if (!st)
        st = describe(&c, out, err);
    json_decref(c.people);
    free(c.minutes);
    free(c.counts);
    return st;
}

sl_status sl_study_status(sl_study *study, char **text, sl_error *err)
{
    sl_store *store = NULL;
    json_t *json = NULL;
    *text = NULL;
    sl_status st = sl_store_open(&store, study->database, study->images.sha256, true, err);
    if (st == SL_ENOTFOUND)
        st = SL_OK; /* nobody took part yet */
    if (!st)
        st = count_all(study, store, (int64_t)time(NULL) * 1000, &json, err);
    if (!st && !(*text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17))))
        st = sl_error_set(err, SL_ENOMEM, "out of memory for the status");
    json_decref(json);
    sl_store_close(store);
    return st;
}
