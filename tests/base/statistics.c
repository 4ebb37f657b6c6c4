#include "base/statistics.h"
#include "base/support.h"
#include <math.h>

static void sums_pass_over_what_is_no_number(void **state)
{
    (void)state;
    const double values[] = { 1, NAN, 2, 6 };
    sl_summary s = sl_summarise(values, 4);
    assert_int_equal(s.n, 3);
    assert_float_equal(s.mean, 3, 1e-15);
    assert_float_equal(s.sd, sqrt(7), 1e-15);
    s = sl_summarise(values, 1);
    assert_true(s.mean == 1 && isnan(s.sd));
    s = sl_summarise(values + 1, 1);
    assert_true(s.n == 0 && isnan(s.mean));
}

/* np.percentile(range(11), [2.5, 97.5]) */
static void intervals_are_numpys_percentiles(void **state)
{
    (void)state;
    double resampled[] = { 3, 0, 1, 2, 10, 9, 8, 7, 6, 5, 4 };
    sl_measured m = sl_percentile_interval(5, resampled, 11);
    assert_float_equal(m.low, 0.25, 1e-15);
    assert_float_equal(m.high, 9.75, 1e-15);
    resampled[3] = NAN;
    m = sl_percentile_interval(5, resampled, 11);
    assert_true(m.value == 5 && isnan(m.low) && isnan(m.high));
    m = sl_percentile_interval(5, resampled, 0);
    assert_true(isnan(m.low));
}

/* scipy.stats.pearsonr and spearmanr of the same */
static void correlations_are_known(void **state)
{
    (void)state;
    const double a[] = { 1, 2, 2, 4, 10 }, b[] = { 2, 1, 3, 3, 50 };
    double ranks_a[5], ranks_b[5];
    size_t order[5];
    assert_float_equal(sl_correlation(a, b, 5), 0.9588755187, 1e-9);
    sl_rank(a, 5, ranks_a, order);
    sl_rank(b, 5, ranks_b, order);
    const double wanted[] = { 1, 2.5, 2.5, 4, 5 };
    for (int i = 0; i < 5; i++)
        assert_float_equal(ranks_a[i], wanted[i], 0);
    assert_float_equal(sl_correlation(ranks_a, ranks_b, 5), 0.7631578947, 1e-9);
    const double same[] = { 1, 1, 1, 1, 1 };
    assert_true(isnan(sl_correlation(a, same, 5)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_pass_over_what_is_no_number),
        cmocka_unit_test(intervals_are_numpys_percentiles),
        cmocka_unit_test(correlations_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
