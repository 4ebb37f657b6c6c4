#include "study/bot.h"
#include "base/hash.h"
#include "study/streams.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the answer key ---- */

struct sl_key_entry {
    uint64_t hash;
    int truth;
    bool check; /* an attention check: everybody who looks knows it */
};

/* Checks first among equals: an image may be in two pools. */
static int by_hash(const void *a, const void *b)
{
    const struct sl_key_entry *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash > y->hash ? 1 : -1;
    return (int)y->check - (int)x->check;
}

sl_status sl_answer_key_create(sl_answer_key *key, const sl_images *images, sl_error *err)
{
    size_t total = 0;
    *key = (sl_answer_key){ 0 };
    for (int p = 0; p < SL_POOLS; p++)
        total += images->pool[p].n;
    sl_status st = sl_alloc(&key->entries, total, sizeof *key->entries, err);
    for (int p = 0; p < SL_POOLS; p++) {
        for (size_t i = 0; !st && i < images->pool[p].n; i++) {
            unsigned char *bytes;
            size_t size;
            const char *type;
            st = sl_images_read(images, (sl_pool_id)p, i, &bytes, &size, &type, err);
            if (st)
                break;
            key->entries[key->n++] =
                (struct sl_key_entry){ sl_fnv1a(SL_FNV1A_OFFSET, bytes, size),
                                       images->pool[p].items[i].truth, p == SL_POOL_ATTENTION };
            free(bytes);
        }
    }
    if (st)
        sl_answer_key_release(key);
    else
        qsort(key->entries, key->n, sizeof *key->entries, by_hash);
    return st;
}

void sl_answer_key_release(sl_answer_key *key)
{
    free(key->entries);
    *key = (sl_answer_key){ 0 };
}

static const struct sl_key_entry *look_up(const sl_answer_key *key, uint64_t hash)
{
    size_t low = 0, high = key->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (key->entries[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low < key->n && key->entries[low].hash == hash ? &key->entries[low] : NULL;
}

/* ---- behaviour ---- */

void sl_bot_init(sl_bot *bot, const sl_study_bots_options *o, const sl_study_config *config,
                 const sl_answer_key *key, int number)
{
    *bot = (sl_bot){ .key = key,
                     .recruitment = config->recruitment,
                     .seed = o->seed,
                     .number = number,
                     .n_classes = config->n_classes,
                     .step = SL_BOT_JOIN,
                     .end = "" };
    bot->random = sl_study_stream(o->seed, SL_STREAM_BOT, (uint32_t)number, 0);
    const double kind = sl_random_unit(&bot->random);
    bot->spammer = kind < o->spam;
    bot->leaves = !bot->spammer && kind < o->spam + o->drop_out;
    bot->leaves_at = sl_random_unit(&bot->random);
    bot->skill = o->skill + o->skill_sd * sl_random_normal(&bot->random);
    bot->skill = fmin(1, fmax(1.0 / config->n_classes, bot->skill));
}

static int any_class(sl_bot *bot)
{
    return (int)sl_random_below(&bot->random, (uint32_t)bot->n_classes);
}

/* Which label it presses for an image. */
static bool decide(sl_bot *bot, const unsigned char *bytes, size_t n)
{
    const struct sl_key_entry *shown = look_up(bot->key, sl_fnv1a(SL_FNV1A_OFFSET, bytes, n));
    if (!shown)
        return false;
    const bool knows = sl_random_unit(&bot->random) < (shown->check ? 1 : bot->skill);
    bot->choice = shown->truth;
    if ((bot->spammer && bot->in_task) || shown->truth < 0)
        bot->choice = any_class(bot);
    else if (!knows)
        while (bot->choice == shown->truth)
            bot->choice = any_class(bot);
    /* log-normal, about a second */
    bot->rt_ms = 400 + 600 * exp(0.5 * sl_random_normal(&bot->random));
    bot->elapsed_ms += bot->rt_ms;
    return true;
}

/* Consent, with what the platform would have put into the address. */
static void put_join(const sl_bot *bot, char *body, size_t size)
{
    static const char *const names[][3] = {
        [SL_RECRUIT_MTURK] = { "workerId", "assignmentId", "hitId" },
        [SL_RECRUIT_PROLIFIC] = { "PROLIFIC_PID", "SESSION_ID", "STUDY_ID" },
    };
    const char *const *name = names[bot->recruitment];
    if (bot->recruitment == SL_RECRUIT_OPEN)
        snprintf(body, size, "{\"consent\":true,\"query\":{}}");
    else
        snprintf(body, size,
                 "{\"consent\":true,\"query\":{\"%s\":\"bot-%" PRIu64 "-%d\",\"%s\":"
                 "\"visit-%" PRIu64 "-%d\",\"%s\":\"bots\"}}",
                 name[0], bot->seed, bot->number, name[1], bot->seed, bot->number, name[2]);
}

void sl_bot_ask(sl_bot *bot, sl_bot_request *request)
{
    *request = (sl_bot_request){ .post = bot->step == SL_BOT_JOIN || bot->step == SL_BOT_TRIAL };
    switch (bot->step) {
    case SL_BOT_JOIN:
        snprintf(request->path, sizeof request->path, "/api/join");
        put_join(bot, request->body, sizeof request->body);
        break;
    case SL_BOT_STATE:
        snprintf(request->path, sizeof request->path, "/api/state");
        break;
    case SL_BOT_IMAGE:
        snprintf(request->path, sizeof request->path, "/api/image/%d", bot->next);
        break;
    case SL_BOT_TRIAL:
        snprintf(request->path, sizeof request->path, "/api/trial");
        snprintf(request->body, sizeof request->body,
                 "{\"n\":%d,\"choice\":%d,\"rt_ms\":%.3f,\"elapsed_ms\":%.3f}", bot->next,
                 bot->choice, bot->rt_ms, bot->elapsed_ms);
        break;
    }
}

static sl_bot_outcome end(sl_bot *bot, const char *how)
{
    bot->end = how;
    return SL_BOT_ENDS;
}

static sl_bot_outcome complain(sl_bot *bot, const char *what, long status)
{
    snprintf(bot->complaint, sizeof bot->complaint, "%s (HTTP %ld)", what, status);
    return SL_BOT_BREAKS;
}

/* Where it stands, after joining and after each block. */
static sl_bot_outcome hear_state(sl_bot *bot, const json_t *state)
{
    const char *phase = json_string_value(json_object_get(state, "phase"));
    const char *token = json_string_value(json_object_get(state, "token"));
    if (!phase)
        return complain(bot, "a state without a phase", 200);
    if (token)
        snprintf(bot->token, sizeof bot->token, "%s", token);
    bot->participant = json_integer_value(json_object_get(state, "participant"));
    bot->next = (int)json_integer_value(json_object_get(state, "next"));
    bot->planned = (int)json_integer_value(json_object_get(state, "planned"));
    bot->first_task_trial = (int)json_integer_value(json_object_get(state, "first"));
    bot->in_task = strcmp(phase, "task") == 0;
    if (strcmp(phase, "done") == 0)
        return json_object_get(state, "code") ? end(bot, "finished")
                                              : complain(bot, "no code at the end", 200);
    if (strcmp(phase, "excluded") == 0)
        return end(bot, "excluded");
    bot->step = SL_BOT_IMAGE;
    return SL_BOT_GOES_ON;
}

static sl_bot_outcome hear_trial(sl_bot *bot, const json_t *answer)
{
    const json_int_t stored = json_integer_value(json_object_get(answer, "stored"));
    if (stored != bot->next)
        return complain(bot, "another trial was acknowledged", 200);
    bot->acknowledged = true;
    bot->repeated = json_is_true(json_object_get(answer, "repeated"));
    bot->next++;
    const double done = (double)(bot->next - bot->first_task_trial) /
                        (double)(bot->planned - bot->first_task_trial);
    if (bot->leaves && bot->in_task && done >= bot->leaves_at && bot->next < bot->planned)
        return end(bot, "dropped");
    bot->step = bot->next == bot->planned ? SL_BOT_STATE : SL_BOT_IMAGE;
    return SL_BOT_GOES_ON;
}

static sl_bot_outcome hear_json(sl_bot *bot, long status, const unsigned char *bytes, size_t n)
{
    json_t *json = json_loadb((const char *)bytes, n, 0, NULL);
    const char *code = json_string_value(json_object_get(json, "code"));
    sl_bot_outcome outcome;
    if (status == 200 && json)
        outcome = bot->step == SL_BOT_TRIAL ? hear_trial(bot, json) : hear_state(bot, json);
    else if (status == 409 && bot->step == SL_BOT_JOIN && code &&
             (strcmp(code, "full") == 0 || strcmp(code, "already") == 0))
        outcome = end(bot, "turned away");
    else
        outcome = complain(bot, code ? code : "an answer of no sense", status);
    json_decref(json);
    return outcome;
}

sl_bot_outcome sl_bot_hear(sl_bot *bot, long status, const unsigned char *bytes, size_t n)
{
    bot->acknowledged = bot->repeated = false;
    if (status == 0 || status == 429 || status == 503)
        return SL_BOT_WAITS;
    if (bot->step != SL_BOT_IMAGE)
        return hear_json(bot, status, bytes, n);
    if (status != 200)
        return complain(bot, "no image", status);
    if (!decide(bot, bytes, n))
        return complain(bot, "an image that isn't the study's", status);
    bot->step = SL_BOT_TRIAL;
    return SL_BOT_GOES_ON;
}
