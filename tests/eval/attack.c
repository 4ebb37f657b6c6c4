/* Attacks stay in their ball, do what their names say, and without a ball do nothing. */
#include "eval/attack.h"

#include "base/support.h"
#include "eval/metrics.h"
#include "eval/model_eval.h"
#include "eval/predictions.h"
#include "models/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 7, CLASSES = 10, PIXELS = 3 * 32 * 32, ROW = N * CLASSES };

typedef struct {
    sl_device *device;
    sl_model *model;
    uint8_t *pixels, labels[N];
    const char *names[CLASSES];
    sl_dataset set;
    sl_targets *hard;
} scene;

static int set_up(void **state)
{
    static scene s;
    sl_error err;
    s = (scene){ 0 };
    s.pixels = malloc((size_t)N * PIXELS);
    assert_non_null(s.pixels);
    for (size_t i = 0; i < (size_t)N * PIXELS; i++)
        s.pixels[i] = (uint8_t)(i * 2654435761U >> 13);
    for (int i = 0; i < N; i++)
        s.labels[i] = (uint8_t)(i % CLASSES);
    for (int k = 0; k < CLASSES; k++)
        s.names[k] = "class";
    s.set = (sl_dataset){ .name = "made",
                          .n = N,
                          .channels = 3,
                          .height = 32,
                          .width = 32,
                          .classes = CLASSES,
                          .class_names = s.names,
                          .pixels = s.pixels,
                          .labels = s.labels };
    check_ok(sl_targets_from_labels(&s.hard, &s.set, &err), &err);
    check_ok(sl_device_open(&s.device, "cpu", 2, &err), &err);
    check_ok(sl_model_create(&s.model, "resnet_basic_8", CLASSES, &err), &err);
    sl_model_init(s.model, 3);
    *state = &s;
    return 0;
}

static int tear_down(void **state)
{
    scene *s = *state;
    sl_targets_destroy(s->hard);
    sl_model_destroy(s->model);
    sl_device_close(s->device);
    free(s->pixels);
    return 0;
}

static void attack(const scene *s, int batch, const sl_attack_options *o, const double *epsilons,
                   size_t n, float *logits)
{
    sl_attacker *attacker;
    sl_error err;
    check_ok(sl_attacker_create(&attacker, s->model, s->device, batch, NULL, NULL, &err), &err);
    check_ok(sl_attacker_run(attacker, &s->set, s->hard, o, epsilons, n, logits, &err), &err);
    sl_attacker_destroy(attacker);
}

static double loss_of(const scene *s, const float *logits, int i)
{
    sl_score score = { 0 };
    sl_score_add(&score, logits + (size_t)i * CLASSES, s->hard->p64 + (size_t)i * CLASSES, CLASSES);
    return sl_score_cross_entropy(&score);
}

static void epsilon_0_changes_nothing(void **state)
{
    const scene *s = *state;
    const double epsilons[] = { 0, 0 };
    float logits[2 * ROW], plain[ROW];
    sl_evaluator *evaluator;
    sl_error err;
    check_ok(
        sl_evaluator_create(&evaluator, s->model, s->device, 3, SL_DTYPE_F32, NULL, NULL, &err),
        &err);
    check_ok(sl_evaluator_logits(evaluator, &s->set, plain, &err), &err);
    sl_evaluator_destroy(evaluator);
    for (int method = SL_ATTACK_FGSM; method <= SL_ATTACK_PGD; method++) {
        sl_attack_options o = sl_attack_options_default();
        o.method = (sl_attack_method)method;
        attack(s, 3, &o, epsilons, 2, logits);
        assert_memory_equal(logits, logits + ROW, sizeof plain);
        for (int i = 0; i < ROW; i++) /* of the order of the logits' rounding */
            assert_float_equal(logits[i], plain[i], 1e-4f);
    }
    /* A radius that no float32 pixel can use: the steps are made, and nothing moves. */
    sl_attack_options o = { .method = SL_ATTACK_PGD, .steps = 3, .restarts = 1 };
    const double tiny[] = { 0, 1e-30 };
    attack(s, 3, &o, tiny, 2, logits);
    assert_memory_equal(logits, logits + ROW, sizeof plain);
}

static void one_step_of_pgd_is_fgsm(void **state)
{
    const scene *s = *state;
    const double epsilons[] = { 0.02, 0.1 };
    float fgsm[2 * ROW], pgd[2 * ROW];
    sl_attack_options o = sl_attack_options_default();
    attack(s, 4, &o, epsilons, 2, fgsm);
    for (int e = 0; e < 2; e++) {
        o = (sl_attack_options){ SL_ATTACK_PGD, 1, epsilons[e], 1, 0 };
        attack(s, 4, &o, &epsilons[e], 1, pgd + e * ROW);
    }
    for (int i = 0; i < 2 * ROW; i++)
        assert_float_equal(fgsm[i], pgd[i], 1e-4f); /* x + eps is rounded once more */
}

/* Of one batch or of many, of the whole set's last images or not: each image on its own. */
static void batches_make_no_difference(void **state)
{
    const scene *s = *state;
    const double epsilon = 0.05;
    float one[ROW], other[ROW];
    sl_attack_options o = { .method = SL_ATTACK_PGD, .steps = 2, .restarts = 2, .seed = 5 };
    attack(s, 7, &o, &epsilon, 1, one);
    attack(s, 2, &o, &epsilon, 1, other);
    for (int i = 0; i < ROW; i++)
        assert_float_equal(one[i], other[i], 1e-3f);
}

static void losses_rise_and_restarts_never_lower_them(void **state)
{
    const scene *s = *state;
    const double epsilons[] = { 0, 8.0 / 255 };
    float fgsm[2 * ROW], once[2 * ROW], often[2 * ROW];
    sl_attack_options o = sl_attack_options_default();
    attack(s, N, &o, epsilons, 2, fgsm);
    o.method = SL_ATTACK_PGD;
    attack(s, N, &o, epsilons, 2, once);
    o.restarts = 3;
    attack(s, N, &o, epsilons, 2, often);
    for (int i = 0; i < N; i++) {
        const double before = loss_of(s, fgsm, i);
        assert_true(loss_of(s, fgsm + ROW, i) > before);
        assert_true(loss_of(s, once + ROW, i) > before);
        assert_true(loss_of(s, often + ROW, i) >= loss_of(s, once + ROW, i));
    }
}

static bool stop(void *user, const sl_progress *progress)
{
    (void)progress;
    return ++*(int *)user == 3;
}

static void it_can_be_stopped_and_says_what_does_not_fit(void **state)
{
    scene *s = *state;
    const double epsilon = 0.1;
    float logits[ROW];
    int calls = 0;
    sl_attacker *attacker;
    sl_error err;
    sl_attack_options o = { .method = SL_ATTACK_PGD, .steps = 5, .restarts = 1 };
    check_ok(sl_attacker_create(&attacker, s->model, s->device, N, stop, &calls, &err), &err);
    check_fails(sl_attacker_run(attacker, &s->set, s->hard, &o, &epsilon, 1, logits, &err),
                SL_EINTERRUPTED, "stopped while attacking 'resnet_basic_8'", &err);
    assert_int_equal(calls, 3); /* within the first batch */
    s->set.n = N - 1;
    check_fails(sl_attacker_run(attacker, &s->set, s->hard, &o, &epsilon, 1, logits, &err),
                SL_EMISMATCH, "'made' has 6 images, but the hard targets are of 7", &err);
    s->set.n = N;
    s->set.classes = 9;
    check_fails(sl_attacker_run(attacker, &s->set, s->hard, &o, &epsilon, 1, logits, &err),
                SL_EMISMATCH, "in 9 classes", &err);
    s->set.classes = CLASSES;
    sl_attacker_destroy(attacker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(epsilon_0_changes_nothing),
        cmocka_unit_test(one_step_of_pgd_is_fgsm),
        cmocka_unit_test(batches_make_no_difference),
        cmocka_unit_test(losses_rise_and_restarts_never_lower_them),
        cmocka_unit_test(it_can_be_stopped_and_says_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
