/* Learning-rate schedules: the reference's numbers (conformance data, protocol.json), ends and
 * turning points, and their text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nn/schedule.h"
#include <float.h>
#include <math.h>
#include <string.h>

static sl_schedule parsed(const char *text, double lr, int epochs)
{
    sl_schedule s;
    sl_error err;

    if (sl_schedule_parse(&s, text, lr, epochs, &err))
        fail_msg("'%s': %s", text, err.message);
    return s;
}

static void expect_lr(const sl_schedule *s, uint64_t step, uint64_t per_epoch, double expected)
{
    double got = sl_schedule_lr_at(s, step, per_epoch);

    if (!(fabs(got - expected) <= 4 * DBL_EPSILON * s->lr))
        fail_msg("step %llu: %.17g, expected %.17g", (unsigned long long)step, got, expected);
}

static void multistep_follows_the_reference(void **state)
{
    (void)state;
    static const struct {
        uint64_t epoch;
        double lr;
    } cases[] = {
        { 0, 0.1 },
        { 59, 0.1 },
        { 60, 0.020000000000000004 },
        { 119, 0.020000000000000004 },
        { 120, 0.004 },
        { 159, 0.004 },
        { 160, 0.0008 },
        { 199, 0.0008 },
    };
    sl_schedule s = parsed("multistep:60,120,160:0.2", 0.1, 200);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_lr(&s, cases[i].epoch * 390, 390, cases[i].lr);
        expect_lr(&s, cases[i].epoch * 390 + 389, 390, cases[i].lr);
    }
}

static void cosine_follows_the_reference(void **state)
{
    (void)state;
    static const struct {
        uint64_t step;
        double lr;
    } cases[] = {
        { 0, 0.2 },   { 1, 0.19999950652018583 },    { 250, 0.17071067811865476 },
        { 500, 0.1 }, { 750, 0.029289321881345254 }, { 999, 4.934798141786878e-07 },
        { 1000, 0 },
    };
    sl_schedule s = parsed("cosine", 0.2, 10);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_lr(&s, cases[i].step, 100, cases[i].lr);
}

static void one_cycle_rises_and_falls(void **state)
{
    (void)state;
    sl_schedule line = parsed("onecycle:2:linear", 0.5, 10);
    sl_schedule wave = parsed("onecycle:2:cosine", 0.5, 10);

    expect_lr(&line, 0, 100, 0.5 / 25);
    expect_lr(&line, 100, 100, 0.5 * (1 + 1.0 / 25) / 2);
    expect_lr(&line, 200, 100, 0.5);
    expect_lr(&line, 600, 100, 0.25);
    expect_lr(&line, 999, 100, 0.5 / 800);
    expect_lr(&line, 1000, 100, 0);
    expect_lr(&wave, 200, 100, 0.5);
    expect_lr(&wave, 600, 100, 0.25);
    expect_lr(&wave, 1000, 100, 0);
}

static void constant_is_constant(void **state)
{
    (void)state;
    sl_schedule s = parsed("constant", 0.001, 3);

    expect_lr(&s, 0, 70, 0.001);
    expect_lr(&s, 209, 70, 0.001);
}

static void text_comes_back(void **state)
{
    (void)state;
    static const char *const texts[] = { "constant", "cosine", "multistep:80,120:0.1",
                                         "onecycle:5:cosine", "onecycle:2.5:linear" };
    char buffer[160];

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        sl_schedule s = parsed(texts[i], 0.1, 160);

        assert_string_equal(sl_schedule_text(&s, buffer, sizeof buffer), texts[i]);
    }
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "Constant",
        "constant:1",
        "cosine:",
        "multistep",
        "multistep:80,120",     /* no factor */
        "multistep:120,80:0.1", /* falling */
        "multistep:80,80:0.1",  /* twice */
        "multistep:80.5:0.1",   /* no whole epoch */
        "multistep:-1:0.1",
        "multistep:80:0",
        "multistep:80:nan",
        "multistep:1,2,3,4,5,6,7,8,9:0.1", /* too many */
        "multistep:80:0.1x",
        "onecycle",
        "onecycle:5",
        "onecycle:5:square",
        "onecycle:200:cosine", /* longer than the run */
        "onecycle:inf:cosine",
    };
    sl_schedule s;
    sl_error err;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (sl_schedule_parse(&s, texts[i], 0.1, 160, &err) != SL_EINVAL)
            fail_msg("'%s' was taken", texts[i]);
    assert_int_equal(sl_schedule_parse(&s, "constant", NAN, 160, &err), SL_EINVAL);
    assert_int_equal(sl_schedule_parse(&s, "constant", -1, 160, &err), SL_EINVAL);
    assert_int_equal(sl_schedule_parse(&s, "constant", 0.1, 0, &err), SL_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multistep_follows_the_reference),
        cmocka_unit_test(cosine_follows_the_reference),
        cmocka_unit_test(one_cycle_rises_and_falls),
        cmocka_unit_test(constant_is_constant),
        cmocka_unit_test(text_comes_back),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
