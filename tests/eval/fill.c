#include "eval/fill.h"
#include "base/support.h"
#include <math.h>

/* Values published with the rule. */
static void known_values(void **state)
{
    (void)state;
    const double input[] = { 0.09781831502914429, 0.6523603796958923, 0.20362424850463867,
                             0.2744446396827698 };
    const double weight[] = { 0.33814066648483276, 0.45683664083480835, 0.15788859128952026 };
    for (size_t k = 0; k < 4; k++)
        assert_true(sl_fill_unit(sl_fill_named("", "", "input"), k) == input[k]);
    for (size_t k = 0; k < 3; k++) {
        assert_true(sl_fill_unit(sl_fill_named("b:", "", "fc.weight"), k) == weight[k]);
        assert_true(sl_fill_signed(sl_fill_named("b", ":", "fc.weight"), k) == 2 * weight[k] - 1);
    }
}

static void targets_are_distributions(void **state)
{
    (void)state;
    enum { ROWS = 5, CLASSES = 7 };
    float target[ROWS * CLASSES];
    sl_fill_target(target, ROWS, CLASSES, "x");
    for (int i = 0; i < ROWS; i++) {
        double sum = 0;
        for (int k = 0; k < CLASSES; k++) {
            assert_true(target[i * CLASSES + k] >= 0);
            sum += (double)target[i * CLASSES + k];
        }
        assert_true(fabs(sum - 1) <= 1e-6);
    }
}

static void a_probe_sees_elements_change_places(void **state)
{
    (void)state;
    const float a[] = { 1, 2, 3, 4 }, b[] = { 2, 1, 3, 4 }, none[] = { 0, 0, 0, 0 };
    double p = sl_fill_probe("", "w", a, 4);
    const sl_fill fill = sl_fill_named("", "probe:", "w");
    double want = 0;
    for (size_t k = 0; k < 4; k++)
        want += (double)a[k] * sl_fill_signed(fill, k);
    assert_true(p == want);
    assert_true(fabs(p - sl_fill_probe("", "w", b, 4)) > 1e-3);
    assert_true(fabs(p - sl_fill_probe("", "v", a, 4)) > 1e-3);
    assert_true(sl_fill_probe("", "w", none, 4) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(targets_are_distributions),
        cmocka_unit_test(a_probe_sees_elements_change_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
