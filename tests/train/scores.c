/* The scores of a model whose answer is known: all weights 0, so that it says its last bias of
 * every image. */
#include "data/fixture.h"

#include "eval/scores.h"
#include "models/model.h"
#include "nn/guarded_device.h"
#include <math.h>
#include <softlabel/synth.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 10, N_TRAIN = 40, N_TEST = 60, SPLIT_SEED = 3 };

typedef struct {
    void *folder;
    sl_data *data;
    sl_device *device;
    sl_model *model;
    double log_probs[CLASSES]; /* what it says */
} shared_model;

static int group_setup(void **state)
{
    static shared_model shared;
    shared_model *s = &shared;
    sl_synth_options o = sl_synth_options_default();
    sl_error err;
    if (fixture_setup(&s->folder))
        return -1;
    o.n_train = N_TRAIN;
    o.n_test = N_TEST;
    const char *dir = fixture_path(s->folder, "data");
    expect_ok(sl_synth_write(dir, &o, NULL, NULL, &err), &err);
    expect_ok(sl_data_open(&s->data, dir, NULL, &err), &err);
    expect_ok(sl_device_open(&s->device, "cpu", 1, &err), &err);
    expect_ok(sl_model_create(&s->model, "resnet_basic_8", CLASSES, &err), &err);
    const sl_tensor *bias = sl_graph_find_tensor(sl_model_graph(s->model), "fc.bias");
    assert_non_null(bias);
    float *b = sl_params_tensor(sl_model_params(s->model), bias);
    double sum = 0;
    for (int k = 0; k < CLASSES; k++) {
        b[k] = 0.25f * (float)(k * k % 7);
        sum += exp((double)b[k]);
    }
    for (int k = 0; k < CLASSES; k++)
        s->log_probs[k] = (double)b[k] - log(sum);
    *state = s;
    return 0;
}

static int group_teardown(void **state)
{
    shared_model *s = *state;
    void *folder = s->folder;
    sl_model_destroy(s->model);
    sl_device_close(s->device);
    sl_data_close(s->data);
    return fixture_teardown(&folder);
}

/* indices NULL: images 0..n-1. */
static void expect_score(const shared_model *s, const sl_score *score, const sl_targets *targets,
                         const int64_t *indices, size_t n)
{
    double loss = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < CLASSES; k++)
            loss -=
                targets->p64[(indices ? (size_t)indices[i] : i) * CLASSES + k] * s->log_probs[k];
    double off = fabs(sl_score_cross_entropy(score) - loss / (double)n);
    assert_int_equal(score->n, n);
    if (!(off <= 1e-6)) /* the logits are float32 */
        fail_msg("cross-entropy %.9g, expected %.9g", sl_score_cross_entropy(score),
                 loss / (double)n);
}

static void every_set_is_scored(void **state)
{
    const shared_model *s = *state;
    sl_score_sets sets;
    sl_evaluator *evaluator;
    sl_score scores[SL_SCORE_COUNT];
    sl_error err;
    expect_ok(sl_score_sets_read(&sets, s->data, SL_SETS_ALL, SPLIT_SEED, &err), &err);
    expect_ok(
        sl_evaluator_create(&evaluator, s->model, s->device, 7, SL_DTYPE_F32, NULL, NULL, &err),
        &err);
    expect_ok(sl_score_model(evaluator, &sets, SL_SETS_ALL, scores, &err), &err);
    const sl_targets *hard = sets.hard[SL_SET_TEST], *human = sets.human;
    const sl_split *split = &sets.split;
    assert_int_equal(split->n_train, 54); /* nine tenths */
    expect_score(s, &scores[SL_SCORE_C10], hard, NULL, N_TEST);
    expect_score(s, &scores[SL_SCORE_C10H], human, NULL, N_TEST);
    expect_score(s, &scores[SL_SCORE_C10H_TRAIN], human, split->train, 54);
    expect_score(s, &scores[SL_SCORE_C10H_VAL], human, split->val, 6);
    expect_score(s, &scores[SL_SCORE_C10H_TRAIN_C10], hard, split->train, 54);
    expect_score(s, &scores[SL_SCORE_C10H_VAL_C10], hard, split->val, 6);
    expect_score(s, &scores[SL_SCORE_C10_50K], sets.hard[SL_SET_TRAIN], NULL, N_TRAIN);
    assert_int_equal(scores[SL_SCORE_V4].n + scores[SL_SCORE_V6].n, 0);
    expect_ok(sl_score_model(evaluator, &sets, SL_SET_BIT(SL_SET_TRAIN), scores, &err), &err);
    assert_int_equal(scores[SL_SCORE_C10_50K].n, N_TRAIN);
    assert_int_equal(scores[SL_SCORE_C10].n, 0);
    sl_evaluator_destroy(evaluator);
    sl_score_sets_release(&sets);
}

/* Where the device keeps the images and makes the batches, answers are the same to the bit; weights
 * are another model's, whose answers depend on the image. */
static void a_device_that_keeps_images_answers_alike(void **state)
{
    const shared_model *s = *state;
    float logits[2][N_TEST * CLASSES];
    sl_device *guarded;
    sl_model *model;
    sl_dataset *set;
    sl_error err;
    expect_ok(guarded_device_open(&guarded, 1, &err), &err);
    expect_ok(sl_data_read(s->data, SL_SET_TEST, &set, &err), &err);
    expect_ok(sl_model_create(&model, "resnet_basic_8", CLASSES, &err), &err);
    sl_params_init(sl_model_params(model), SL_INIT_FAN_OUT, 1);
    for (int way = 0; way < 2; way++) {
        sl_evaluator *evaluator;
        expect_ok(sl_evaluator_create(&evaluator, model, way ? guarded : s->device, 16,
                                      SL_DTYPE_F32, NULL, NULL, &err),
                  &err);
        expect_ok(sl_evaluator_logits(evaluator, set, logits[way], &err), &err);
        sl_evaluator_destroy(evaluator);
    }
    assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
    assert_memory_not_equal(logits[0], logits[0] + CLASSES, CLASSES * sizeof(float));
    assert_int_equal(guarded_device_counts(guarded).allocations, 0);
    sl_dataset_destroy(set);
    sl_model_destroy(model);
    sl_device_close(guarded);
}

static void new_weights_count_after_reload(void **state)
{
    const shared_model *s = *state;
    float *bias = sl_params_tensor(sl_model_params(s->model),
                                   sl_graph_find_tensor(sl_model_graph(s->model), "fc.bias"));
    float logits[N_TEST * CLASSES], was = bias[3];
    sl_evaluator *evaluator;
    sl_dataset *set;
    sl_error err;
    expect_ok(sl_data_read(s->data, SL_SET_TEST, &set, &err), &err);
    expect_ok(
        sl_evaluator_create(&evaluator, s->model, s->device, 64, SL_DTYPE_F32, NULL, NULL, &err),
        &err);
    bias[3] = 5;
    expect_ok(sl_evaluator_reload(evaluator, &err), &err);
    expect_ok(sl_evaluator_logits(evaluator, set, logits, &err), &err);
    for (size_t i = 0; i < N_TEST; i++)
        assert_true(logits[i * CLASSES + 3] == 5);
    bias[3] = was;
    sl_evaluator_destroy(evaluator);
    sl_dataset_destroy(set);
}

static void answers_that_are_no_numbers_are_an_error(void **state)
{
    const shared_model *s = *state;
    float *bias = sl_params_tensor(sl_model_params(s->model),
                                   sl_graph_find_tensor(sl_model_graph(s->model), "fc.bias"));
    float was = bias[3];
    sl_evaluator *evaluator;
    sl_score_sets sets;
    sl_score scores[SL_SCORE_COUNT];
    sl_error err;
    bias[3] = NAN;
    expect_ok(sl_score_sets_read(&sets, s->data, 0, SPLIT_SEED, &err), &err);
    expect_ok(
        sl_evaluator_create(&evaluator, s->model, s->device, 64, SL_DTYPE_F32, NULL, NULL, &err),
        &err);
    expect_error(sl_score_model(evaluator, &sets, SL_SETS_ALL, scores, &err), SL_EDIVERGED, &err,
                 "finite");
    bias[3] = was;
    sl_evaluator_destroy(evaluator);
    sl_score_sets_release(&sets);
}

static void a_model_of_other_classes_is_refused(void **state)
{
    const shared_model *s = *state;
    sl_model *model;
    sl_evaluator *evaluator;
    sl_score_sets sets;
    sl_score scores[SL_SCORE_COUNT];
    sl_error err;
    expect_ok(sl_model_create(&model, "resnet_basic_8", 7, &err), &err);
    expect_ok(sl_score_sets_read(&sets, s->data, 0, SPLIT_SEED, &err), &err);
    expect_ok(sl_evaluator_create(&evaluator, model, s->device, 64, SL_DTYPE_F32, NULL, NULL, &err),
              &err);
    expect_error(sl_score_model(evaluator, &sets, SL_SETS_ALL, scores, &err), SL_EMISMATCH, &err,
                 "10 classes");
    sl_evaluator_destroy(evaluator);
    sl_score_sets_release(&sets);
    sl_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_set_is_scored),
        cmocka_unit_test(a_device_that_keeps_images_answers_alike),
        cmocka_unit_test(new_weights_count_after_reload),
        cmocka_unit_test(answers_that_are_no_numbers_are_an_error),
        cmocka_unit_test(a_model_of_other_classes_is_refused),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
