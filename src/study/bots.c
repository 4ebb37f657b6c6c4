/* Many bots at once over one libcurl multi handle. */
#include "base/file.h"
#include "study/bot.h"
#include "study/image_file.h"
#include "study/study.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAUSE_SECONDS 0.25 /* before the same is asked again */
#define REQUEST_MS 30000L

/* A bot and its connection. */
typedef struct {
    sl_bot bot;
    CURL *easy;
    struct curl_slist *headers;
    char url[200], body[sizeof((sl_bot_request *)0)->body];
    unsigned char *heard;
    size_t n_heard, capacity;
    double asked, waiting_since; /* seconds; 0: not waiting */
    double due;                  /* when to ask next, if idle */
    bool running, idle;
} seat;

typedef struct {
    const sl_study_bots_options *o;
    sl_study *study;
    sl_study_bots_result *result;
    sl_answer_key key;
    CURLM *multi;
    seat *seats;
    int started, over;
    double *latency_ms; /* of acknowledged trials */
    size_t n_latency, latency_capacity;
    FILE *ledger;
    sl_error *err;
    sl_status st;
} crowd;

static double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- one request ---- */

static size_t hear(char *bytes, size_t size, size_t n, void *user)
{
    seat *s = user;
    if (s->n_heard + size * n > SL_IMAGE_MAX_BYTES ||
        sl_grow(&s->heard, &s->capacity, s->n_heard + size * n, 1, NULL))
        return 0;
    memcpy(s->heard + s->n_heard, bytes, size * n);
    s->n_heard += size * n;
    return size * n;
}

static sl_status set_headers(seat *s, bool post, sl_error *err)
{
    char line[SL_TOKEN_SIZE + 32];
    curl_slist_free_all(s->headers);
    s->headers = NULL;
    snprintf(line, sizeof line, "Authorization: Bearer %s", s->bot.token);
    struct curl_slist *list = s->bot.token[0] ? curl_slist_append(NULL, line) : NULL;
    if (post) {
        struct curl_slist *longer = curl_slist_append(list, "Content-Type: application/json");
        if (longer)
            list = longer;
    }
    s->headers = list;
    return list || !(post || s->bot.token[0])
               ? SL_OK
               : sl_error_set(err, SL_ENOMEM, "out of memory for a request");
}

static void ask(crowd *c, seat *s)
{
    sl_bot_request request;
    sl_bot_ask(&s->bot, &request);
    snprintf(s->url, sizeof s->url, "%s%s", c->o->url, request.path);
    memcpy(s->body, request.body, sizeof request.body);
    s->n_heard = 0;
    s->idle = false;
    if (!s->easy && !(s->easy = curl_easy_init()))
        c->st = sl_error_set(c->err, SL_ENOMEM, "out of memory for a connection");
    if (!c->st)
        c->st = set_headers(s, request.post, c->err);
    if (c->st)
        return;
    curl_easy_reset(s->easy);
    curl_easy_setopt(s->easy, CURLOPT_URL, s->url);
    curl_easy_setopt(s->easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(s->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(s->easy, CURLOPT_TIMEOUT_MS, REQUEST_MS);
    curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, hear);
    curl_easy_setopt(s->easy, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(s->easy, CURLOPT_PRIVATE, s);
    curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, s->headers);
    if (request.post)
        curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, s->body);
    s->asked = now_seconds();
    c->result->requests++;
    if (curl_multi_add_handle(c->multi, s->easy))
        c->st = sl_error_set(c->err, SL_EIO, "libcurl can't start a request");
}

/* ---- seats ---- */

static void take_seat(crowd *c, seat *s)
{
    s->running = false;
    if (c->started == c->o->n)
        return;
    sl_bot_init(&s->bot, c->o, &c->study->config, &c->key, c->started++);
    s->running = true;
    s->waiting_since = 0;
    ask(c, s);
}

static void count_end(crowd *c, const sl_bot *bot)
{
    const struct {
        const char *how;
        int *count;
    } ends[] = {
        { "finished", &c->result->finished },
        { "dropped", &c->result->dropped },
        { "excluded", &c->result->excluded },
        { "turned away", &c->result->turned_away },
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        *ends[i].count += strcmp(ends[i].how, bot->end) == 0;
    c->result->spammers += bot->spammer && strcmp(bot->end, "finished") == 0;
}

static void note_trial(crowd *c, const seat *s, double ms)
{
    c->result->trials++;
    c->result->repeats += s->bot.repeated;
    if (c->ledger)
        fprintf(c->ledger, "%" PRId64 ",%d,%d\n", s->bot.participant, s->bot.next - 1,
                s->bot.choice);
    c->st = sl_grow(&c->latency_ms, &c->latency_capacity, c->n_latency + 1, sizeof(double), c->err);
    if (!c->st)
        c->latency_ms[c->n_latency++] = ms;
}

static void leave_seat(crowd *c, seat *s, bool broke)
{
    if (broke) {
        c->result->failed++;
        sl_log(SL_LOG_WARNING, "bot of participant %" PRId64 ": %s", s->bot.participant,
               s->bot.complaint);
    }
    count_end(c, &s->bot);
    c->over++;
    take_seat(c, s);
}

static void later(seat *s, double seconds)
{
    s->idle = true;
    s->due = now_seconds() + seconds;
}

/* A request is over: status 0 if no answer came. */
static void go_on(crowd *c, seat *s, long status)
{
    const sl_bot_step was = s->bot.step;
    const double now = now_seconds();
    const sl_bot_outcome outcome = sl_bot_hear(&s->bot, status, s->heard, s->n_heard);
    if (outcome == SL_BOT_WAITS) {
        c->result->retries++;
        if (s->waiting_since == 0)
            s->waiting_since = now;
        if (now - s->waiting_since > c->o->retry_seconds) {
            snprintf(s->bot.complaint, sizeof s->bot.complaint, "the server stays away");
            leave_seat(c, s, true);
        } else {
            later(s, PAUSE_SECONDS);
        }
        return;
    }
    s->waiting_since = 0;
    c->result->joined += was == SL_BOT_JOIN && outcome == SL_BOT_GOES_ON;
    if (s->bot.acknowledged)
        note_trial(c, s, (now - s->asked) * 1000);
    if (outcome != SL_BOT_GOES_ON)
        leave_seat(c, s, outcome == SL_BOT_BREAKS);
    else if (s->bot.step == SL_BOT_TRIAL && c->o->think_ms > 0)
        later(s, -log(1 - sl_random_unit(&s->bot.random)) * c->o->think_ms / 1000);
    else
        ask(c, s);
}

static void collect(crowd *c)
{
    CURLMsg *message;
    int left;
    while (!c->st && (message = curl_multi_info_read(c->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        const CURLcode code = message->data.result;
        seat *s = NULL;
        long status = 0;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&s);
        if (code == CURLE_OK)
            curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        curl_multi_remove_handle(c->multi, easy);
        go_on(c, s, status);
    }
}

/* Asks whatever is due; returns for how many ms there's nothing else to do. */
static int ask_due(crowd *c)
{
    const double now = now_seconds();
    double soonest = 0.2;
    for (int i = 0; i < c->o->at_once && !c->st; i++) {
        seat *s = &c->seats[i];
        if (!s->running || !s->idle)
            continue;
        if (s->due <= now)
            ask(c, s);
        else
            soonest = fmin(soonest, s->due - now);
    }
    return (int)(soonest * 1000) + 1;
}

static void run(crowd *c, sl_progress_fn *progress, void *user)
{
    for (int i = 0; i < c->o->at_once; i++)
        take_seat(c, &c->seats[i]);
    while (!c->st && c->over < c->o->n) {
        int running;
        const int wait_ms = ask_due(c);
        if (curl_multi_perform(c->multi, &running))
            c->st = sl_error_set(c->err, SL_EIO, "libcurl can't go on");
        collect(c);
        const sl_progress p = { "bots", "participants", "", (unsigned long long)c->over,
                                (unsigned long long)c->o->n };
        if (progress && progress(user, &p))
            c->st = sl_error_set(c->err, SL_EINTERRUPTED, "stopped");
        if (!c->st && c->over < c->o->n)
            curl_multi_poll(c->multi, NULL, 0, wait_ms, NULL);
    }
}

/* ---- everything ---- */

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void summarize(crowd *c, double seconds)
{
    sl_study_bots_result *r = c->result;
    r->seconds = seconds;
    r->trials_per_second = seconds > 0 ? (double)r->trials / seconds : 0;
    if (c->n_latency == 0)
        return;
    qsort(c->latency_ms, c->n_latency, sizeof(double), by_size);
    r->p50_ms = c->latency_ms[c->n_latency / 2];
    r->p99_ms = c->latency_ms[c->n_latency * 99 / 100];
    r->max_ms = c->latency_ms[c->n_latency - 1];
}

/* Bots make a load that nobody else's server should get. */
static sl_status check_loopback(const char *url, sl_error *err)
{
    CURLU *parts = curl_url();
    char *host = NULL, *path = NULL;
    struct in_addr v4;
    bool fine = parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_PATH, &path, 0) == CURLUE_OK &&
                strncmp(url, "http://", 7) == 0 && strcmp(path, "/") == 0 &&
                url[strlen(url) - 1] != '/' && strlen(url) < 120;
    fine = fine && (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
                    (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127));
    curl_free(host);
    curl_free(path);
    curl_url_cleanup(parts);
    return fine ? SL_OK
                : sl_error_set(err, SL_EINVAL,
                               "'%s' isn't an address of this machine such as "
                               "'http://127.0.0.1:8080'",
                               url);
}

static sl_status open_ledger(crowd *c, sl_error *err)
{
    if (!c->o->ledger)
        return SL_OK;
    c->ledger = fopen(c->o->ledger, "w");
    if (!c->ledger)
        return sl_io_error(err, c->o->ledger, "written", errno);
    fputs("participant,n,choice\n", c->ledger);
    return SL_OK;
}

static sl_status close_all(crowd *c, sl_status st, sl_error *err)
{
    for (int i = 0; c->seats && i < c->o->at_once; i++) {
        if (c->seats[i].easy)
            curl_multi_remove_handle(c->multi, c->seats[i].easy);
        curl_easy_cleanup(c->seats[i].easy);
        curl_slist_free_all(c->seats[i].headers);
        free(c->seats[i].heard);
    }
    curl_multi_cleanup(c->multi);
    if (c->ledger && fclose(c->ledger) && !st)
        st = sl_io_error(err, c->o->ledger, "written", errno);
    sl_answer_key_release(&c->key);
    free(c->latency_ms);
    free(c->seats);
    return st;
}

sl_study_bots_options sl_study_bots_options_default(void)
{
    return (sl_study_bots_options){ .url = "http://127.0.0.1:8080",
                                    .n = 20,
                                    .at_once = 20,
                                    .skill = 0.95,
                                    .skill_sd = 0.03,
                                    .retry_seconds = 60 };
}

sl_status sl_study_bots(sl_study *study, const sl_study_bots_options *options,
                        sl_study_bots_result *result, sl_progress_fn *progress, void *user,
                        sl_error *err)
{
    crowd c = { .o = options, .study = study, .result = result, .err = err };
    *result = (sl_study_bots_result){ 0 };
    if (options->n < 1 || options->at_once < 1)
        return sl_error_set(err, SL_EINVAL, "at least one bot is needed");
    sl_status st = check_loopback(options->url, err);
    if (st)
        return st;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) || !(c.multi = curl_multi_init()))
        return sl_error_set(err, SL_ENOMEM, "libcurl can't start");
    curl_multi_setopt(c.multi, CURLMOPT_MAXCONNECTS, (long)options->at_once);
    st = sl_alloc(&c.seats, (size_t)options->at_once, sizeof *c.seats, err);
    if (!st)
        st = sl_answer_key_create(&c.key, &study->images, err);
    if (!st)
        st = open_ledger(&c, err);
    if (!st) {
        const double start = now_seconds();
        run(&c, progress, user);
        summarize(&c, now_seconds() - start);
        st = c.st;
    }
    st = close_all(&c, st, err);
    curl_global_cleanup();
    return st;
}
