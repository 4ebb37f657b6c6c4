#include "study/api.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define JSON_TYPE "application/json"
#define DAY_MS 86400000.0

/* Makes json, whose reference it takes, the answer. */
static sl_status answer(sl_request *r, int status, json_t *json, sl_error *err)
{
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(json);
    if (!text)
        return sl_error_set(err, SL_ENOMEM, "out of memory for an answer");
    free(r->reply);
    r->reply = (unsigned char *)text;
    r->reply_size = strlen(text);
    r->status = status;
    r->type = JSON_TYPE;
    return SL_OK;
}

sl_status sl_api_refuse(sl_request *r, int status, const char *code, const char *message,
                        sl_error *err)
{
    return answer(r, status, json_pack("{s:s, s:s}", "error", message, "code", code), err);
}

static sl_status refuse(sl_request *r, sl_verdict verdict, const sl_participant *p, sl_error *err)
{
    static const struct {
        int status;
        const char *code, *message;
    } refusals[] = {
        [SL_VERDICT_CONFLICT] = { 409, "conflict", "this trial has another answer already" },
        [SL_VERDICT_ORDER] = { 409, "order", "another trial comes first" },
        [SL_VERDICT_OVER] = { 409, "over", "there are no trials left to be answered" },
        [SL_VERDICT_FULL] = { 409, "full", "the study needs nobody at the moment" },
        [SL_VERDICT_ALREADY] = { 409, "already", "this person took part before" },
        [SL_VERDICT_UNKNOWN] = { 404, "unknown", "there is no such participant or trial" },
    };
    json_t *json =
        json_pack("{s:s, s:s}", "error", refusals[verdict].message, "code", refusals[verdict].code);
    if (json && p && verdict == SL_VERDICT_ORDER)
        json_object_set_new(json, "next", json_integer(p->next));
    return answer(r, refusals[verdict].status, json, err);
}

/* The body as a JSON object, or a refusal and *out NULL. */
static sl_status read_body(sl_request *r, json_t **out, sl_error *err)
{
    *out = json_loadb(r->body, r->body_size, JSON_REJECT_DUPLICATES, NULL);
    if (*out && json_is_object(*out))
        return SL_OK;
    json_decref(*out);
    *out = NULL;
    return sl_api_refuse(r, 400, "malformed", "expected a JSON object", err);
}

/* ---- where a participant stands ---- */

static const char *phase_of(const sl_participant *p)
{
    switch (p->state) {
    case SL_STATE_PRACTICE:
        return "practice";
    case SL_STATE_TASK:
        return "task";
    case SL_STATE_PASSED:
    case SL_STATE_FAILED: /* who fails the checks is thanked and paid like everybody */
        return "done";
    case SL_STATE_EXCLUDED:
    case SL_STATE_LEFT:
    case SL_STATES:
        break;
    }
    return "excluded";
}

static json_t *ring_of(const sl_api *api, int64_t participant)
{
    uint32_t order[SL_STUDY_MAX_CLASSES];
    json_t *ring = json_array();
    sl_experiment_ring(api->config, participant, order);
    for (int k = 0; k < api->config->n_classes; k++)
        json_array_append_new(ring, json_integer(order[k]));
    return ring;
}

/* The way on for who is through. */
static sl_status add_ending(const sl_api *api, const sl_participant *p, json_t *state,
                            sl_error *err)
{
    char code[SL_CODE_SIZE];
    sl_status st = sl_code_make(api->secret, p->id, code, err);
    if (st)
        return st;
    json_object_set_new(state, "code", json_string(code));
    if (api->config->completion_url)
        json_object_set_new(state, "completion_url", json_string(api->config->completion_url));
    return SL_OK;
}

static json_t *state_of(const sl_api *api, const sl_participant *p, int64_t now_ms, sl_error *err)
{
    int right, total;
    if (sl_experiment_failed_block(api->experiment, p, &right, &total, err))
        return NULL;
    json_t *state =
        json_pack("{s:I, s:s, s:o, s:i, s:i, s:i, s:i, s:i, s:I}", "participant", (json_int_t)p->id,
                  "phase", phase_of(p), "ring", ring_of(api, p->id), "next", p->next, "first",
                  p->first, "planned", p->planned, "block", p->block, "attempt", p->attempt,
                  "elapsed_ms", (json_int_t)(now_ms > p->joined_ms ? now_ms - p->joined_ms : 0));
    if (state && total > 0)
        json_object_set_new(state, "failed",
                            json_pack("{s:i, s:i}", "right", right, "total", total));
    if (state && strcmp(phase_of(p), "done") == 0 && add_ending(api, p, state, err)) {
        json_decref(state);
        return NULL;
    }
    return state;
}

static sl_status join(const sl_api *api, sl_request *r, sl_error *err)
{
    json_t *body = NULL;
    sl_identity who;
    sl_participant p;
    sl_verdict verdict;
    sl_error why;
    char token[SL_TOKEN_SIZE];
    sl_status st = read_body(r, &body, err);
    if (st || !body)
        return st;
    bool consent = json_is_true(json_object_get(body, "consent"));
    st = sl_identify(api->config, api->secret, json_object_get(body, "query"), &who, &why);
    json_decref(body);
    if (!consent)
        return sl_api_refuse(r, 400, "consent", "nobody takes part without consent", err);
    if (st == SL_EINVAL)
        return sl_api_refuse(r, 400, "recruitment", why.message, err);
    if (!st)
        st = sl_experiment_join(api->experiment, who.known ? who.worker : NULL,
                                who.known ? who.session : NULL, r->now_ms, &p, &verdict, err);
    if (st)
        return st;
    if (verdict != SL_VERDICT_OK)
        return refuse(r, verdict, NULL, err);
    st = sl_token_make(api->secret, p.id, token, err);
    if (st)
        return st;
    json_t *state = state_of(api, &p, r->now_ms, err);
    if (state)
        json_object_set_new(state, "token", json_string(token));
    return answer(r, 200, state, err);
}

/* ---- trials ---- */

/* A finite number from 0 to max. */
static bool get_time(const json_t *body, const char *key, double max, double *out)
{
    const json_t *value = json_object_get(body, key);
    *out = json_number_value(value);
    return json_is_number(value) && *out >= 0 && *out <= max;
}

static bool read_trial(const sl_api *api, const json_t *body, sl_trial *t)
{
    const json_t *n = json_object_get(body, "n"), *choice = json_object_get(body, "choice");
    if (!json_is_integer(n) || !json_is_integer(choice))
        return false;
    const json_int_t number = json_integer_value(n), k = json_integer_value(choice);
    if (number < 0 || number > INT32_MAX || k < 0 || k >= api->config->n_classes)
        return false;
    *t = (sl_trial){ .n = (int)number, .choice = (int)k };
    return get_time(body, "rt_ms", 30 * DAY_MS, &t->rt_ms) &&
           get_time(body, "elapsed_ms", 365 * DAY_MS, &t->elapsed_ms);
}

static sl_status take_trial(const sl_api *api, sl_request *r, sl_participant *p, sl_error *err)
{
    json_t *body = NULL;
    sl_trial t;
    int truth;
    sl_verdict verdict;
    sl_status st = read_body(r, &body, err);
    if (st || !body)
        return st;
    bool fine = read_trial(api, body, &t);
    json_decref(body);
    if (!fine)
        return sl_api_refuse(r, 400, "malformed",
                             "expected a trial: n, choice, rt_ms and elapsed_ms", err);
    st = sl_experiment_answer(api->experiment, p, &t, r->now_ms, &truth, &verdict, err);
    if (st)
        return st;
    if (verdict != SL_VERDICT_OK && verdict != SL_VERDICT_REPEATED)
        return refuse(r, verdict, p, err);
    json_t *json = json_pack("{s:i, s:i, s:s, s:b}", "stored", t.n, "next", p->next, "phase",
                             phase_of(p), "repeated", verdict == SL_VERDICT_REPEATED);
    if (json && truth >= 0)
        json_object_set_new(json, "truth", json_integer(truth));
    return answer(r, 200, json, err);
}

/* Named by the trial, so that nobody can ask for images that aren't theirs, or see a class in an
 * address. A file that is gone is an answer, not a status: others' trials are in the same
 * transaction. */
static sl_status show_image(const sl_api *api, sl_request *r, const sl_participant *p,
                            sl_error *err)
{
    sl_trial t;
    bool found;
    sl_status st = sl_store_trial(api->store, p->id, r->number, &t, &found, err);
    if (st)
        return st;
    if (!found)
        return refuse(r, SL_VERDICT_UNKNOWN, NULL, err);
    sl_error why;
    char text[sizeof why.message + sizeof why.place];
    r->status = 200;
    st = sl_images_read(api->images, sl_trial_pool(t.kind), (size_t)t.image, &r->reply,
                        &r->reply_size, &r->type, &why);
    if (!st)
        return SL_OK;
    sl_log(SL_LOG_WARNING, "an image can't be shown: %s", sl_error_text(&why, text, sizeof text));
    return sl_api_refuse(r, 404, "image", "the image can't be shown at the moment", err);
}

/* ---- all calls ---- */

sl_status sl_api_answer(const sl_api *api, sl_request *r, sl_error *err)
{
    sl_participant p;
    sl_verdict verdict;
    int64_t id;
    if (r->call == SL_CALL_JOIN)
        return join(api, r, err);
    if (!sl_token_read(api->secret, r->token, &id))
        return sl_api_refuse(r, 401, "token", "this token isn't one of the study's", err);
    sl_status st = sl_experiment_find(api->experiment, id, r->now_ms, &p, &verdict, err);
    if (st)
        return st;
    if (verdict != SL_VERDICT_OK)
        return refuse(r, verdict, NULL, err);
    switch (r->call) {
    case SL_CALL_TRIAL:
        return take_trial(api, r, &p, err);
    case SL_CALL_IMAGE:
        return show_image(api, r, &p, err);
    case SL_CALL_STATE:
    case SL_CALL_JOIN:
        break;
    }
    return answer(r, 200, state_of(api, &p, r->now_ms, err), err);
}

sl_status sl_api_describe(const sl_study_config *config, char **out, sl_error *err)
{
    json_t *classes = json_array();
    for (int k = 0; k < config->n_classes; k++)
        json_array_append_new(classes, json_string(config->classes[k]));
    json_t *json = json_pack(
        "{s:s, s:s, s:o, s:O, s:s, s:s, s:b, s:i, s:i, s:i, s:i, s:i, s:f}", "title", config->title,
        "language", config->language, "classes", classes, "wording", config->wording, "payment",
        json_string_value(json_object_get(json_object_get(config->json, "payment"), "text")),
        "recruitment", sl_recruitment_names[config->recruitment], "smooth", (int)config->smooth,
        "images", config->images_per_participant, "trials", sl_study_task_trials(config),
        "pause_every", config->pause_every, "practice_blocks", config->practice_blocks,
        "practice_images", config->practice_images, "practice_pass", config->practice_pass);
    if (json && config->submit_to)
        json_object_set(json, "submit_to", (json_t *)config->submit_to);
    *out = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return *out ? SL_OK : sl_error_set(err, SL_ENOMEM, "out of memory for the study's description");
}
