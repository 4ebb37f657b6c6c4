#include "report/attack_result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ATTACK_BYTES = 1 << 28 };

typedef struct {
    const char *method, *targets, *texts[SL_ATTACK_MAX_ROWS];
    double epsilons[SL_ATTACK_MAX_ROWS];
    size_t n_rows;
} attack;

/* {"value", "low", "high"}; null is NaN. */
static sl_status read_measured(const json_t *row, const char *key, sl_measured *out, sl_error *err)
{
    json_t *measured;
    sl_status st = sl_json_get(row, key, &measured, err);
    const struct {
        const char *key;
        double *to;
    } parts[] = { { "value", &out->value }, { "low", &out->low }, { "high", &out->high } };

    for (size_t i = 0; i < sizeof parts / sizeof *parts && !st; i++) {
        if (json_is_null(json_object_get(measured, parts[i].key)))
            *parts[i].to = NAN;
        else
            st = sl_json_get_number(measured, parts[i].key, parts[i].to, err);
    }
    return st;
}

static sl_status read_confusion(const json_t *row, sl_attack_confusion *out, sl_error *err)
{
    json_t *c, *model, *human;
    sl_status st = sl_json_get(row, "confusion", &c, err);

    if (!st)
        st = sl_json_get_int(c, "wrong", 0, INT64_MAX, &out->wrong, err);
    if (!st)
        st = read_measured(c, "spearman", &out->correlation, err);
    if (!st)
        st = read_measured(c, "human_share", &out->human_share, err);
    if (!st)
        st = read_measured(c, "chance_share", &out->chance_share, err);
    if (!st)
        st = sl_json_get(c, "model", &model, err);
    if (!st)
        st = sl_json_get(c, "human", &human, err);
    if (st)
        return st;
    out->p_value = NAN;
    if (!json_is_null(json_object_get(c, "p_value")))
        st = sl_json_get_number(c, "p_value", &out->p_value, err);
    out->model = model;
    out->human = human;
    return st;
}

sl_status sl_attack_matrix_read(const json_t *matrix, int k, double *shares, sl_error *err)
{
    for (int t = 0; t < k; t++) {
        const json_t *row = json_array_get(matrix, (size_t)t);

        if (json_array_size(matrix) != (size_t)k || json_array_size(row) != (size_t)k)
            return sl_error_set(err, SL_EFORMAT, "a confusion isn't a matrix of %d classes", k);
        for (int c = 0; c < k; c++) {
            const json_t *cell = json_array_get(row, (size_t)c);

            shares[t * k + c] = json_is_number(cell) ? json_number_value(cell) : NAN;
        }
    }
    return SL_OK;
}

static sl_status read_rows(const json_t *rows, attack *a, sl_attack_result *r, sl_error *err)
{
    sl_measured loss, accuracy;
    sl_status st = SL_OK;

    a->n_rows = json_array_size(rows);
    if (a->n_rows < 1 || a->n_rows > SL_ATTACK_MAX_ROWS)
        return sl_error_set(err, SL_EFORMAT, "'rows' isn't a list of 1 to %d", SL_ATTACK_MAX_ROWS);
    for (size_t i = 0; i < a->n_rows && !st; i++) {
        const json_t *row = json_array_get(rows, i);

        st = sl_json_get_string(row, "epsilon_text", &a->texts[i], err);
        if (!st)
            st = sl_json_get_number(row, "epsilon", &a->epsilons[i], err);
        if (!st)
            st = read_measured(row, "c10_crossentropy", &loss, err);
        if (!st)
            st = read_measured(row, "accuracy", &accuracy, err);
        if (!st)
            st = read_confusion(row, &r->confusions[i], err);
        if (st)
            break;
        r->loss[i] = loss.value;
        r->accuracy[i] = accuracy.value;
    }
    return st;
}

static sl_status read_result(const json_t *model, attack *a, sl_attack_result *r, sl_error *err)
{
    json_t *part;
    sl_status st = sl_json_get_string(model, "model", &r->model, err);

    if (!st)
        st = sl_json_get_string(model, "sha256", &r->sha256, err);
    if (!st)
        st = sl_json_get(model, "classes", &part, err);
    r->classes = st ? NULL : part;
    if (!st)
        st = sl_json_get(model, "data", &part, err);
    if (!st)
        st = sl_json_get_string(part, "test", &r->test, err);
    if (!st)
        st = sl_json_get(model, "attack", &part, err);
    if (!st)
        st = sl_json_get_string(part, "method", &a->method, err);
    if (!st)
        st = sl_json_get_string(part, "targets", &a->targets, err);
    if (!st)
        st = sl_json_get(model, "rows", &part, err);
    return st ? st : read_rows(part, a, r, err);
}

static bool same_attack(const sl_attack_set *set, const attack *a)
{
    bool same = strcmp(set->method, a->method) == 0 && strcmp(set->targets, a->targets) == 0 &&
                set->n_rows == a->n_rows;

    for (size_t i = 0; i < a->n_rows && same; i++)
        same = set->epsilons[i] >= a->epsilons[i] && set->epsilons[i] <= a->epsilons[i];
    return same;
}

static sl_status add_result(sl_attack_set *set, const json_t *model, sl_error *err)
{
    attack a;
    sl_attack_result r = { 0 };
    sl_status st = read_result(model, &a, &r, err);

    if (st)
        return st;
    if (set->n == 0) {
        set->method = a.method;
        set->targets = a.targets;
        set->n_rows = a.n_rows;
        memcpy(set->epsilons, a.epsilons, sizeof a.epsilons);
        memcpy(set->epsilon_texts, a.texts, sizeof a.texts);
    } else if (!same_attack(set, &a)) {
        return sl_error_set(err, SL_EMISMATCH, "'%s' and '%s' were attacked in different ways",
                            set->results[0].model, r.model);
    } else if (strcmp(set->results[0].test, r.test) != 0) {
        return sl_error_set(err, SL_EMISMATCH, "'%s' and '%s' were attacked on different images",
                            set->results[0].model, r.model);
    }
    st = sl_grow(&set->results, &set->capacity, set->n + 1, sizeof *set->results, err);
    if (!st)
        set->results[set->n++] = r;
    return st;
}

sl_status sl_attack_set_add(sl_attack_set *set, const char *path, sl_error *err)
{
    json_t *file, *models = NULL, *model;
    const char *format = NULL;
    size_t i;
    sl_status st = sl_json_read(&file, path, MAX_ATTACK_BYTES, err);

    if (st)
        return st;
    if (!set->files)
        set->files = json_array();
    if (!set->files || json_array_append_new(set->files, file))
        return sl_error_set(err, SL_ENOMEM, "not enough memory for '%s'", path);
    st = sl_json_get_string(file, "format", &format, err);
    if (!st && strcmp(format, "softlabel-attack-1") != 0)
        st = sl_error_set(err, SL_EFORMAT, "'format' is '%s', expected 'softlabel-attack-1'",
                          format);
    if (!st)
        st = sl_json_get(file, "models", &models, err);
    if (!st)
        json_array_foreach(models, i, model)
        {
            st = add_result(set, model, err);
            if (st)
                break;
        }
    return st ? sl_error_at(err, st, "%s", path) : SL_OK;
}

const sl_attack_result *sl_attack_set_find(const sl_attack_set *set, const char *sha256)
{
    for (size_t i = 0; i < set->n; i++)
        if (strcmp(set->results[i].sha256, sha256) == 0)
            return &set->results[i];
    return NULL;
}

void sl_attack_set_release(sl_attack_set *set)
{
    free(set->results);
    json_decref(set->files);
    *set = (sl_attack_set){ 0 };
}
