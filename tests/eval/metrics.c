#include "eval/metrics.h"
#include "base/support.h"
#include <float.h>
#include <math.h>

static void check_near(double got, double want, double bound)
{
    if (!(fabs(got - want) <= bound)) {
        print_error("%.17g, expected %.17g\n", got, want);
        fail();
    }
}

static void the_first_of_equal_values_is_the_largest(void **state)
{
    (void)state;
    assert_int_equal(sl_argmax((double[]){ 1, 3, 3, 2 }, 4), 1);
    assert_int_equal(sl_argmax((double[]){ -INFINITY, -INFINITY }, 2), 0);
    assert_int_equal(sl_argmax((double[]){ 1, 2, NAN }, 3), -1);
    assert_int_equal(sl_argmax((double[]){ NAN, 2, 1 }, 3), -1);
}

static void cross_entropy_by_hand(void **state)
{
    (void)state;
    const double even[] = { 0.5, 0.5 }, first[] = { 1, 0 };
    check_near(sl_cross_entropy_logits((double[]){ 0, 0 }, even, 2), log(2), 1e-15);
    check_near(sl_cross_entropy_logits((double[]){ 0, log(3) }, first, 2), log(4), 1e-15);
    check_near(sl_cross_entropy_probs((double[]){ 0.25, 0.75 }, first, 2), log(4), 1e-15);
    check_near(sl_cross_entropy_probs((double[]){ 0.25, 0.75 }, even, 2),
               -0.5 * (log(0.25) + log(0.75)), 1e-15);
    check_near(sl_entropy(even, 2), log(2), 1e-15);
    check_near(sl_entropy(first, 2), 0, 0);
}

/* Neither overflow nor underflow, whatever the scale; and a shift of all logits changes nothing. */
static void logits_may_be_of_any_size(void **state)
{
    (void)state;
    const double p[] = { 0.3, 0.7 };
    check_near(sl_cross_entropy_logits((double[]){ 1e4, 0 }, p, 2), 7e3, 1e-9);
    check_near(sl_cross_entropy_logits((double[]){ -1e4, 0 }, p, 2), 3e3, 1e-9);
    check_near(sl_cross_entropy_logits((double[]){ 1e300, 1e300 }, p, 2), log(2), 1e-12);
    check_near(sl_cross_entropy_logits((double[]){ 1001.5, 1000 }, p, 2),
               sl_cross_entropy_logits((double[]){ 1.5, 0 }, p, 2), 1e-12);
}

static void nothing_that_is_not_a_number_hides(void **state)
{
    (void)state;
    const double p[] = { 1, 0 };
    assert_true(isnan(sl_cross_entropy_logits((double[]){ NAN, 0 }, p, 2)));
    assert_true(isnan(sl_cross_entropy_logits((double[]){ 0, NAN }, p, 2)));
    assert_true(isinf(sl_cross_entropy_probs((double[]){ 0, 1 }, p, 2)));
    /* a class that nobody chose may have no probability */
    check_near(sl_cross_entropy_probs((double[]){ 1, 0 }, p, 2), 0, 0);

    sl_score score = { 0 };
    assert_true(isnan(sl_score_accuracy(&score)) && isnan(sl_score_cross_entropy(&score)));
    sl_score_add(&score, (float[]){ NAN, NAN }, p, 2); /* its first maximum would be right */
    assert_int_equal(score.hits, 0);
    assert_true(isnan(sl_score_cross_entropy(&score)));
}

static void scores_are_means_over_images(void **state)
{
    (void)state;
    sl_score score = { 0 };
    sl_score_add(&score, (float[]){ 2, 1, 0 }, (double[]){ 0.5, 0.3, 0.2 }, 3); /* hit */
    sl_score_add(&score, (float[]){ 0, 1, 0 }, (double[]){ 0.4, 0.4, 0.2 }, 3); /* tie: first */
    sl_score_add(&score, (float[]){ 1, 0, 0 }, (double[]){ 0.4, 0.4, 0.2 }, 3); /* hit */
    sl_score_add(&score, (float[]){ 0, 0, 9 }, (double[]){ 0, 0, 1 }, 3);       /* hit */
    assert_int_equal(score.n, 4);
    check_near(sl_score_accuracy(&score), 0.75, 0);
    double z1 = log(exp(2) + exp(1) + 1), z2 = log(2 + exp(1)), z3 = log(exp(1) + 2),
           z4 = log(2 + exp(9));
    double want = z1 - 1.3 + z2 - 0.4 + z3 - 0.4 + z4 - 9;
    check_near(sl_score_cross_entropy(&score), want / 4, 1e-14);
}

/* The cross-entropy of a distribution against itself is its entropy, and no prediction does better.
 */
static void entropy_is_the_least_cross_entropy(void **state)
{
    (void)state;
    const double p[] = { 0.7, 0.2, 0.1 };
    const double logits[] = { log(0.7), log(0.2), log(0.1) };
    check_near(sl_cross_entropy_logits(logits, p, 3), sl_entropy(p, 3), 1e-15);
    for (int k = 0; k < 3; k++) {
        double moved[] = { logits[0], logits[1], logits[2] };
        moved[k] += 0.01;
        assert_true(sl_cross_entropy_logits(moved, p, 3) > sl_entropy(p, 3));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_of_equal_values_is_the_largest),
        cmocka_unit_test(cross_entropy_by_hand),
        cmocka_unit_test(logits_may_be_of_any_size),
        cmocka_unit_test(nothing_that_is_not_a_number_hides),
        cmocka_unit_test(scores_are_means_over_images),
        cmocka_unit_test(entropy_is_the_least_cross_entropy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
