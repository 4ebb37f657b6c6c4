/* Measures, calibration and intervals against values worked out by hand and known formulae. */
#include "eval/assessment.h"
#include "base/random.h"
#include "base/support.h"
#include "eval/bootstrap.h"
#include "eval/calibration.h"
#include "eval/human.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 4, K = 3 };

/* Four images: right and sure; wrong; right by the people's split; nobody disagrees. */
static double q[N * K] = { 0.9, 0.08, 0.02, 0.3, 0.6, 0.1, 0.2, 0.45, 0.35, 0.05, 0.05, 0.9 };
static const double p[N * K] = { 0.8, 0.2, 0, 0.5, 0, 0.5, 0.1, 0.3, 0.6, 0, 0, 1 };
static const int16_t y[N] = { 0, 0, 1, 2 };

static void check_near(double got, double want, double bound)
{
    if (!(fabs(got - want) <= bound)) {
        print_error("%.17g, expected %.17g\n", got, want);
        fail();
    }
}

static void assess(sl_assessment *out, const double *probabilities, const double *people,
                   const int16_t *labels, size_t n, int n_bins)
{
    sl_error err;
    sl_targets *human;
    sl_selection all;
    char name[] = "m";
    sl_predictions model = { .name = name, .n = n, .classes = K };
    model.log_p = calloc(n * K, sizeof *model.log_p);
    assert_non_null(model.log_p);
    for (size_t i = 0; i < n * K; i++)
        model.log_p[i] = log(probabilities[i]);
    check_ok(sl_targets_from_rows(&human, "human", people, n, K, &err), &err);
    check_ok(sl_selection_all(&all, n, &err), &err);
    check_ok(sl_assess(out, &model, human, labels, &all, n_bins, &err), &err);
    sl_selection_release(&all);
    sl_targets_destroy(human);
    free(model.log_p);
}

static void measures_by_hand(void **state)
{
    (void)state;
    sl_assessment a;
    double m[SL_MEASURE_COUNT];
    uint64_t n[SL_MEASURE_COUNT];
    const double tiny = 16 * DBL_EPSILON;
    assess(&a, q, p, y, N, 2);
    sl_assessment_measure(&a, NULL, m, n);

    const double cross = -(0.8 * log(0.9) + 0.2 * log(0.08) + 0.5 * log(0.3) + 0.5 * log(0.1) +
                           0.1 * log(0.2) + 0.3 * log(0.45) + 0.6 * log(0.35) + log(0.9)) /
                         4;
    const double entropy = -(0.8 * log(0.8) + 0.2 * log(0.2) + log(0.5) + 0.1 * log(0.1) +
                             0.3 * log(0.3) + 0.6 * log(0.6)) /
                           4;
    check_near(m[SL_MEASURE_CROSS_ENTROPY], cross, tiny);
    check_near(m[SL_MEASURE_KL], cross - entropy, tiny);
    check_near(m[SL_MEASURE_HARD_CROSS_ENTROPY], -(log(0.9) + log(0.3) + log(0.45) + log(0.9)) / 4,
               tiny);
    check_near(m[SL_MEASURE_ACCURACY], 0.75, 0);
    check_near(m[SL_MEASURE_MODAL_ACCURACY], 0.5, 0);
    check_near(m[SL_MEASURE_AGREEMENT], (0.8 + 0 + 0.3 + 1) / 4, tiny);
    /* seconds of the model: class 1 (0.2 is second), 0 (0.5 ties for first, so is second largest),
       2 (0.6 is the largest, not the second); the fourth image has no second choice */
    check_near(m[SL_MEASURE_SECOND_BEST], 2.0 / 3, tiny);
    assert_int_equal(n[SL_MEASURE_SECOND_BEST], 3);
    check_near(m[SL_MEASURE_BRIER],
               (0.01 + 0.0144 + 0.0004 + 0.04 + 0.36 + 0.16 + 0.01 + 0.0225 + 0.0625 + 0.0025 +
                0.0025 + 0.01) /
                   4,
               tiny);
    check_near(m[SL_MEASURE_HARD_BRIER],
               (0.01 + 0.0064 + 0.0004 + 0.49 + 0.36 + 0.01 + 0.04 + 0.3025 + 0.1225 + 0.0025 +
                0.0025 + 0.01) /
                   4,
               tiny);
    /* equal bins: 0.45 | 0.6, 0.9, 0.9; adaptive: 0.45, 0.6 | 0.9, 0.9 */
    check_near(m[SL_MEASURE_ECE_EQUAL], (0.55 + 3 * (0.8 - 2.0 / 3)) / 4, tiny);
    check_near(m[SL_MEASURE_ECE_ADAPTIVE], (2 * 0.025 + 2 * 0.1) / 4, tiny);
    sl_assessment_release(&a);
}

/* An image of weight two counts as two images. */
static void weights_are_copies(void **state)
{
    (void)state;
    sl_assessment weighted, copied;
    double twice_q[6 * K], twice_p[6 * K], got[SL_MEASURE_COUNT], want[SL_MEASURE_COUNT];
    int16_t twice_y[6];
    static const size_t source[6] = { 0, 0, 1, 2, 2, 2 };
    static const uint32_t weights[N] = { 2, 1, 3, 0 };
    for (size_t i = 0; i < 6; i++) {
        memcpy(twice_q + i * K, q + source[i] * K, K * sizeof *q);
        memcpy(twice_p + i * K, p + source[i] * K, K * sizeof *p);
        twice_y[i] = y[source[i]];
    }
    assess(&weighted, q, p, y, N, 2);
    assess(&copied, twice_q, twice_p, twice_y, 6, 2);
    sl_assessment_measure(&weighted, weights, got, NULL);
    sl_assessment_measure(&copied, NULL, want, NULL);
    for (int m = 0; m < SL_MEASURE_COUNT; m++)
        check_near(got[m], want[m], 16 * DBL_EPSILON);
    sl_assessment_release(&weighted);
    sl_assessment_release(&copied);
}

static void bins_hold_their_upper_end(void **state)
{
    (void)state;
    assert_int_equal(sl_calibration_bin_of(0, 10), 0);
    assert_int_equal(sl_calibration_bin_of(0.1, 10), 0);
    assert_int_equal(sl_calibration_bin_of(0.11, 10), 1);
    assert_int_equal(sl_calibration_bin_of(1, 10), 9);
    assert_int_equal(sl_calibration_bin_of(1.0000001, 10), 9);
}

/* Infinite where people chose what the model gave no probability; everything else stays finite. */
static void an_impossible_choice_is_infinitely_bad(void **state)
{
    (void)state;
    sl_assessment a;
    double m[SL_MEASURE_COUNT];
    const double sure[K] = { 1, 0, 0 }, people[K] = { 0.5, 0.5, 0 };
    assess(&a, sure, people, (int16_t[]){ 0 }, 1, 15);
    sl_assessment_measure(&a, NULL, m, NULL);
    assert_true(isinf(m[SL_MEASURE_CROSS_ENTROPY]) && isinf(m[SL_MEASURE_KL]));
    check_near(m[SL_MEASURE_HARD_CROSS_ENTROPY], 0, 0);
    check_near(m[SL_MEASURE_BRIER], 0.5, 0);
    sl_assessment_release(&a);
}

/* The interval of a mean is that of the normal approximation, mean +- 1.96 sd / sqrt(n), up to the
 * spread of a quantile of B resamples; a model less itself differs by nothing; a model that is
 * better by the same amount on every image is so without any doubt. */
static void intervals_follow_the_normal_law(void **state)
{
    (void)state;
    enum { IMAGES = 2000, RESAMPLES = 1000 };
    sl_error err;
    sl_assessment models[3];
    sl_measured measured[3 * SL_MEASURE_COUNT], less[3 * SL_MEASURE_COUNT];
    static double answers[3][IMAGES * K], people[IMAGES * K];
    static int16_t labels[IMAGES];
    sl_random r = sl_random_stream(1, SL_RANDOM_TEST, 0, 0);
    for (size_t i = 0; i < IMAGES; i++) {
        const double sure = 0.4 + 0.5 * sl_random_unit(&r);
        const size_t row = i * K;
        people[row] = 1;
        answers[0][row] = answers[1][row] = sure;
        answers[2][row] = sure * exp(0.05);
        for (size_t m = 0; m < 3; m++)
            answers[m][row + 1] = answers[m][row + 2] = (1 - answers[m][row]) / 2;
    }
    for (size_t m = 0; m < 3; m++)
        assess(&models[m], answers[m], people, labels, IMAGES, 15);
    const sl_bootstrap_options options = { .resamples = RESAMPLES, .seed = 3 };
    check_ok(sl_bootstrap(models, 3, &options, measured, less, &err), &err);

    double sum = 0, squares = 0;
    for (size_t i = 0; i < IMAGES; i++) {
        const double loss = -log(answers[0][i * K]);
        sum += loss;
        squares += loss * loss;
    }
    const double mean = sum / IMAGES, sd = sqrt(squares / IMAGES - mean * mean);
    const double half = 1.96 * sd / sqrt(IMAGES);
    const sl_measured *m = &measured[SL_MEASURE_CROSS_ENTROPY];
    check_near(m->value, mean, 1e-12);
    /* a 2.5 % quantile of 1000 has a standard error of 0.085 sd of the mean: four of them */
    check_near(m->low, mean - half, 0.34 * half / 1.96);
    check_near(m->high, mean + half, 0.34 * half / 1.96);
    const sl_measured *same = &less[SL_MEASURE_COUNT + SL_MEASURE_CROSS_ENTROPY];
    assert_true(same->value == 0 && same->low == 0 && same->high == 0);
    const sl_measured *better = &less[2 * SL_MEASURE_COUNT + SL_MEASURE_CROSS_ENTROPY];
    check_near(better->value, -0.05, 1e-12);
    check_near(better->low, -0.05, 1e-12);
    check_near(better->high, -0.05, 1e-12);
    for (size_t i = 0; i < 3; i++)
        sl_assessment_release(&models[i]);
}

static void what_does_not_belong_together_is_refused(void **state)
{
    (void)state;
    sl_error err;
    sl_targets *human;
    sl_selection all;
    sl_assessment a;
    char name[] = "m";
    double values[N * K] = { 0 };
    sl_predictions model = { .name = name, .n = N - 1, .classes = K, .log_p = values };
    check_ok(sl_targets_from_rows(&human, "human", p, N, K, &err), &err);
    check_ok(sl_selection_all(&all, N, &err), &err);
    check_fails(sl_assess(&a, &model, human, y, &all, 15, &err), SL_EMISMATCH, "is of 3 images",
                &err);
    model.n = N;
    model.classes = 2;
    check_fails(sl_assess(&a, &model, human, y, &all, 15, &err), SL_EMISMATCH, "has 2 classes",
                &err);
    sl_selection_release(&all);
    sl_targets_destroy(human);
}

static void people_are_summarised(void **state)
{
    (void)state;
    sl_error err;
    sl_selection some;
    sl_human human = { 0 };
    int64_t judgments[N] = { 5, 7, 9, 100 };
    int64_t indices[] = { 2, 0 };
    check_ok(sl_targets_from_rows(&human.targets, "human", p, N, K, &err), &err);
    human.judgments = judgments;
    some = (sl_selection){ .n = 2, .of = N, .indices = indices };
    sl_human_summary s = sl_human_summarise(&human, y, &some);
    check_near(s.accuracy, (0.8 + 0.3) / 2, 1e-15);
    check_near(s.modal_agreement, 0.5, 0);
    check_near(
        s.entropy,
        -(0.8 * log(0.8) + 0.2 * log(0.2) + 0.1 * log(0.1) + 0.3 * log(0.3) + 0.6 * log(0.6)) / 2,
        1e-15);
    assert_int_equal(s.judgments, 14);
    assert_int_equal(s.min_per_image, 5);
    assert_int_equal(s.max_per_image, 9);
    human.judgments = NULL;
    assert_int_equal(sl_human_summarise(&human, y, &some).judgments, -1);
    sl_human_release(&human);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measures_by_hand),
        cmocka_unit_test(weights_are_copies),
        cmocka_unit_test(bins_hold_their_upper_end),
        cmocka_unit_test(an_impossible_choice_is_infinitely_bad),
        cmocka_unit_test(intervals_follow_the_normal_law),
        cmocka_unit_test(what_does_not_belong_together_is_refused),
        cmocka_unit_test(people_are_summarised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
