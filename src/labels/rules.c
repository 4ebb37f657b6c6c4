#include "labels/rules.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RULES_BYTES ((size_t)16 << 20)

const char *sl_exclusion_name(sl_exclusion why)
{
    static const char *const names[SL_EXCLUSION_COUNT] = {
        "kept", "listed", "duplicate", "incomplete", "checks", "accuracy", "too fast", "too slow",
    };
    return names[why];
}

sl_labels_rules sl_labels_rules_default(void)
{
    return (sl_labels_rules){ .min_check_accuracy = 0.75,
                              .min_reaction_ms = -INFINITY,
                              .max_reaction_ms = INFINITY,
                              .max_fast_share = 1,
                              .max_slow_share = 1,
                              .max_trials = INT64_MAX,
                              .exclude_duplicates = true };
}

void sl_labels_rules_release(sl_labels_rules *rules)
{
    for (size_t i = 0; i < rules->n_exclude; i++)
        free(rules->exclude[i]);
    free(rules->exclude);
    rules->exclude = NULL;
    rules->n_exclude = 0;
}

/* A number from min to max, where it is given. */
static sl_status take_number(const json_t *json, const char *key, double min, double max,
                             double *out, sl_error *err)
{
    double value;
    if (!json_object_get(json, key))
        return SL_OK;
    sl_status st = sl_json_get_number(json, key, &value, err);
    if (!st && !(value >= min && value <= max))
        st = sl_error_set(err, SL_EFORMAT, "member '%s' is %g, expected %g to %g", key, value, min,
                          max);
    if (!st)
        *out = value;
    return st;
}

static sl_status take_trials(const json_t *json, const char *key, int64_t *out, sl_error *err)
{
    return json_object_get(json, key) ? sl_json_get_int(json, key, 0, INT64_MAX, out, err) : SL_OK;
}

/* Ids may be written as numbers or as strings. */
static sl_status take_list(sl_labels_rules *out, const json_t *json, sl_error *err)
{
    const json_t *list = json_object_get(json, "exclude");
    if (!list)
        return SL_OK;
    if (!json_is_array(list))
        return sl_error_set(err, SL_EFORMAT, "member 'exclude' isn't a list of annotator ids");
    sl_status st = sl_alloc(&out->exclude, json_array_size(list), sizeof(char *), err);
    for (size_t i = 0; i < json_array_size(list) && !st; i++) {
        const json_t *item = json_array_get(list, i);
        char number[24];
        const char *id = json_string_value(item);
        if (json_is_integer(item)) {
            snprintf(number, sizeof number, "%lld", (long long)json_integer_value(item));
            id = number;
        }
        if (!id)
            return sl_error_set(err, SL_EFORMAT, "item %zu of 'exclude' isn't an annotator id", i);
        st = sl_alloc(&out->exclude[i], strlen(id) + 1, 1, err);
        if (st)
            break;
        memcpy(out->exclude[i], id, strlen(id));
        out->n_exclude++;
    }
    return st;
}

static sl_status check_names(const json_t *json, sl_error *err)
{
    static const char *const names[] = {
        "min_check_accuracy", "min_accuracy",   "min_reaction_ms", "max_reaction_ms",
        "max_fast_share",     "max_slow_share", "min_trials",      "max_trials",
        "exclude_duplicates", "exclude",
    };
    const size_t n = sizeof names / sizeof *names;
    for (void *at = json_object_iter((json_t *)json); at;
         at = json_object_iter_next((json_t *)json, at)) {
        size_t i = 0;
        while (i < n && strcmp(names[i], json_object_iter_key(at)) != 0)
            i++;
        if (i == n)
            return sl_error_set(err, SL_EFORMAT, "there is no rule '%s'", json_object_iter_key(at));
    }
    return SL_OK;
}

sl_status sl_labels_rules_parse(sl_labels_rules *out, const json_t *json, sl_error *err)
{
    const double largest = 1e15;
    *out = sl_labels_rules_default();
    sl_status st = check_names(json, err);
    if (!st)
        st = take_number(json, "min_check_accuracy", 0, 1, &out->min_check_accuracy, err);
    if (!st)
        st = take_number(json, "min_accuracy", 0, 1, &out->min_accuracy, err);
    if (!st)
        st = take_number(json, "min_reaction_ms", 0, largest, &out->min_reaction_ms, err);
    if (!st)
        st = take_number(json, "max_reaction_ms", 0, largest, &out->max_reaction_ms, err);
    if (!st)
        st = take_number(json, "max_fast_share", 0, 1, &out->max_fast_share, err);
    if (!st)
        st = take_number(json, "max_slow_share", 0, 1, &out->max_slow_share, err);
    if (!st)
        st = take_trials(json, "min_trials", &out->min_trials, err);
    if (!st)
        st = take_trials(json, "max_trials", &out->max_trials, err);
    if (!st && json_object_get(json, "exclude_duplicates"))
        st = sl_json_get_bool(json, "exclude_duplicates", &out->exclude_duplicates, err);
    if (!st)
        st = take_list(out, json, err);
    if (st)
        sl_labels_rules_release(out);
    return st;
}

sl_status sl_labels_rules_read(sl_labels_rules *out, const char *path, sl_error *err)
{
    json_t *json;
    *out = sl_labels_rules_default();
    sl_status st = sl_json_read(&json, path, MAX_RULES_BYTES, err);
    if (st)
        return st;
    st = sl_labels_rules_parse(out, json, err);
    json_decref(json);
    return st ? sl_error_at(err, st, "%s", path) : SL_OK;
}

json_t *sl_labels_rules_json(const sl_labels_rules *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_exclude; i++)
        json_array_append_new(list, json_string(r->exclude[i]));
    json_t *json = json_pack("{s:f, s:f, s:f, s:f, s:I, s:b, s:o}", "min_check_accuracy",
                             r->min_check_accuracy, "min_accuracy", r->min_accuracy,
                             "max_fast_share", r->max_fast_share, "max_slow_share",
                             r->max_slow_share, "min_trials", (json_int_t)r->min_trials,
                             "exclude_duplicates", (int)r->exclude_duplicates, "exclude", list);
    /* What has no bound isn't written: JSON has no infinity. */
    if (json && isfinite(r->min_reaction_ms))
        json_object_set_new(json, "min_reaction_ms", json_real(r->min_reaction_ms));
    if (json && isfinite(r->max_reaction_ms))
        json_object_set_new(json, "max_reaction_ms", json_real(r->max_reaction_ms));
    if (json && r->max_trials < INT64_MAX)
        json_object_set_new(json, "max_trials", json_integer(r->max_trials));
    return json;
}

sl_status sl_labels_rules_hash(const sl_labels_rules *rules, char sha256[65], sl_error *err)
{
    json_t *json = sl_labels_rules_json(rules);
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    sl_status st = text ? sl_sha256(text, strlen(text), sha256, err)
                        : sl_error_set(err, SL_ENOMEM, "not enough memory for the rules");
    free(text);
    json_decref(json);
    return st;
}

/* Whether part of n is less than a share of it; of nothing, no share is too small. */
static bool below(uint64_t part, uint64_t n, double share)
{
    return n > 0 && (double)part < share * (double)n;
}

static bool above(uint64_t part, uint64_t n, double share)
{
    return (double)part > share * (double)n;
}

sl_exclusion sl_labels_judge(const sl_labels_rules *r, const sl_labels_person *p)
{
    for (size_t i = 0; i < r->n_exclude; i++)
        if (strcmp(r->exclude[i], p->id) == 0)
            return SL_EXCLUDED_LISTED;
    if ((p->duplicate && r->exclude_duplicates) || p->n_trials > (uint64_t)r->max_trials)
        return SL_EXCLUDED_DUPLICATE;
    if (p->n_trials < (uint64_t)r->min_trials)
        return SL_EXCLUDED_INCOMPLETE;
    if (below(p->n_checks_right, p->n_checks, r->min_check_accuracy))
        return SL_EXCLUDED_CHECKS;
    if (below(p->n_right, p->n_known, r->min_accuracy))
        return SL_EXCLUDED_ACCURACY;
    if (above(p->n_fast, p->n_judged, r->max_fast_share))
        return SL_EXCLUDED_FAST;
    if (above(p->n_slow, p->n_judged, r->max_slow_share))
        return SL_EXCLUDED_SLOW;
    return SL_KEPT;
}
