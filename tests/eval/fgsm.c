#include "eval/fgsm.h"
#include "base/support.h"

static void pixels_move_by_eps_against_no_bound_but_the_pixels_own(void **state)
{
    (void)state;
    const float x[] = { 0.5f, 0.5f, 0.5f, 0.01f, 0.99f, 0, 1 };
    const float gradient[] = { 1e-30f, -3, 0, -1, 1, 1, -1 };
    const float want[] = { 0.53f, 0.47f, 0.5f, 0, 1, 0.03f, 0.97f };
    float out[7];
    sl_fgsm_step(x, gradient, 7, 0.03, out);
    for (int i = 0; i < 7; i++)
        assert_float_equal(out[i], want[i], 1e-7f);
}

static void no_step_changes_nothing(void **state)
{
    (void)state;
    float x[] = { 0.1f, 0.7f, 0, 1 };
    const float before[] = { 0.1f, 0.7f, 0, 1 }, gradient[] = { 1, -1, -1, 1 };
    sl_fgsm_step(x, gradient, 4, 0, x); /* in place */
    assert_memory_equal(x, before, sizeof x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_move_by_eps_against_no_bound_but_the_pixels_own),
        cmocka_unit_test(no_step_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
