#include "eval/scores.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

const char *sl_score_name(sl_score_id id)
{
    static const char *const names[SL_SCORE_COUNT] = {
        [SL_SCORE_C10H_TRAIN] = "c10h_train",
        [SL_SCORE_C10H_VAL] = "c10h_val",
        [SL_SCORE_C10H_TRAIN_C10] = "c10h_train_c10",
        [SL_SCORE_C10H_VAL_C10] = "c10h_val_c10",
        [SL_SCORE_V4] = "v4",
        [SL_SCORE_V6] = "v6",
        [SL_SCORE_C10_50K] = "c10_50k",
        [SL_SCORE_C10H] = "c10h",
        [SL_SCORE_C10] = "c10",
    };

    return names[id];
}

sl_status sl_score_sets_read(sl_score_sets *out, sl_data *data, unsigned wanted,
                             uint32_t split_seed, sl_error *err)
{
    sl_score_sets s = { 0 };
    sl_status st = SL_OK;
    size_t n;

    for (int id = 0; id < SL_SET_COUNT && !st; id++) {
        bool optional = id != SL_SET_TEST;

        if (optional && !(wanted & SL_SET_BIT(id) && sl_data_has(data, (sl_set_id)id)))
            continue;
        st = sl_data_read(data, (sl_set_id)id, &s.sets[id], err);
        if (!st)
            st = sl_targets_from_labels(&s.hard[id], s.sets[id], err);
    }
    if (!st && sl_data_has_human(data))
        st = sl_data_read_human(data, &s.human, err);
    if (!st) {
        n = s.sets[SL_SET_TEST]->n;
        st = sl_split_create(&s.split, n, n - n / 10, split_seed, err);
    }
    if (st) {
        sl_score_sets_release(&s);
        return st;
    }
    *out = s;
    return SL_OK;
}

void sl_score_sets_release(sl_score_sets *sets)
{
    for (int id = 0; id < SL_SET_COUNT; id++) {
        sl_targets_destroy(sets->hard[id]);
        sl_dataset_destroy(sets->sets[id]);
    }
    sl_targets_destroy(sets->human);
    sl_split_release(&sets->split);
    *sets = (sl_score_sets){ 0 };
}

/* indices NULL: images 0..n-1. */
static void add_images(sl_score *score, const float *logits, const sl_targets *targets,
                       const int64_t *indices, size_t n)
{
    size_t classes = (size_t)targets->classes;

    for (size_t i = 0; i < n; i++) {
        size_t at = (indices ? (size_t)indices[i] : i) * classes;

        sl_score_add(score, logits + at, targets->p64 + at, targets->classes);
    }
}

/* The test set's one pass serves six scores. */
static void score_test(const sl_score_sets *sets, const float *logits,
                       sl_score scores[SL_SCORE_COUNT])
{
    const sl_targets *hard = sets->hard[SL_SET_TEST];
    const sl_split *split = &sets->split;

    add_images(&scores[SL_SCORE_C10], logits, hard, NULL, hard->n);
    add_images(&scores[SL_SCORE_C10H_TRAIN_C10], logits, hard, split->train, split->n_train);
    add_images(&scores[SL_SCORE_C10H_VAL_C10], logits, hard, split->val, split->n_val);
    if (!sets->human)
        return;
    add_images(&scores[SL_SCORE_C10H], logits, sets->human, NULL, hard->n);
    add_images(&scores[SL_SCORE_C10H_TRAIN], logits, sets->human, split->train, split->n_train);
    add_images(&scores[SL_SCORE_C10H_VAL], logits, sets->human, split->val, split->n_val);
}

static sl_status score_set(sl_evaluator *evaluator, const sl_score_sets *sets, sl_set_id id,
                           sl_score scores[SL_SCORE_COUNT], sl_error *err)
{
    static const sl_score_id whole[SL_SET_COUNT] = {
        [SL_SET_TRAIN] = SL_SCORE_C10_50K,
        [SL_SET_V4] = SL_SCORE_V4,
        [SL_SET_V6] = SL_SCORE_V6,
    };
    const sl_dataset *set = sets->sets[id];
    float *logits;
    sl_status st = sl_alloc(&logits, set->n, (size_t)set->classes * sizeof(float), err);

    if (st)
        return st;
    st = sl_evaluator_logits(evaluator, set, logits, err);
    if (!st && id == SL_SET_TEST)
        score_test(sets, logits, scores);
    else if (!st)
        add_images(&scores[whole[id]], logits, sets->hard[id], NULL, set->n);
    free(logits);
    return st;
}

sl_status sl_score_model(sl_evaluator *evaluator, const sl_score_sets *sets, unsigned wanted,
                         sl_score scores[SL_SCORE_COUNT], sl_error *err)
{
    sl_status st = SL_OK;

    for (int i = 0; i < SL_SCORE_COUNT; i++)
        scores[i] = (sl_score){ 0 };
    for (int id = 0; id < SL_SET_COUNT && !st; id++)
        if (sets->sets[id] && wanted & SL_SET_BIT(id))
            st = score_set(evaluator, sets, (sl_set_id)id, scores, err);
    for (int i = 0; i < SL_SCORE_COUNT && !st; i++)
        if (scores[i].n && !isfinite(scores[i].loss_sum))
            st = sl_error_set(err, SL_EDIVERGED,
                              "the model's answers aren't finite numbers (set '%s')",
                              sl_score_name((sl_score_id)i));
    return st;
}
