#include "base/text.h"
#include "support.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void whole_numbers_are_read_to_their_limits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool i64_ok, u64_ok;
        int64_t i64;
        uint64_t u64;
    } cases[] = {
        { "0", true, true, 0, 0 },
        { "007", true, true, 7, 7 },
        { "-99999", true, false, -99999, 0 },
        { "9223372036854775807", true, true, INT64_MAX, INT64_MAX },
        { "9223372036854775808", false, true, 0, (uint64_t)1 << 63 },
        { "-9223372036854775808", true, false, INT64_MIN, 0 },
        { "-9223372036854775809", false, false, 0, 0 },
        { "18446744073709551615", false, true, 0, UINT64_MAX },
        { "18446744073709551616", false, false, 0, 0 },
        { "99999999999999999999999", false, false, 0, 0 },
        { "", false, false, 0, 0 },
        { "-", false, false, 0, 0 },
        { "--1", false, false, 0, 0 },
        { "+1", false, false, 0, 0 },
        { " 1", false, false, 0, 0 },
        { "1 ", false, false, 0, 0 },
        { "1.0", false, false, 0, 0 },
        { "0x10", false, false, 0, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t a = 0;
        uint64_t b = 0;
        size_t n = strlen(cases[i].text);
        bool ok = sl_parse_i64(cases[i].text, n, &a) == cases[i].i64_ok && a == cases[i].i64 &&
                  sl_parse_u64(cases[i].text, n, &b) == cases[i].u64_ok && b == cases[i].u64;
        if (!ok)
            fail_msg("'%s' gave %" PRId64 " and %" PRIu64, cases[i].text, a, b);
    }
    int64_t value;
    assert_true(sl_parse_i64("123456", 3, &value) && value == 123); /* the length counts */
}

static void decimals_are_strtods_to_the_bit(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "0",
        "-0",
        "1.5",
        "-1.5e-3",
        ".5",
        "5.",
        "1e22",
        "1e23",
        "1e-22",
        "1e-23",
        "1E+05",
        "0.1",
        "123456",
        "9007199254740993",
        "4.9e-324",
        "1e-400",
        "2.2250738585072011e-308",
        "1.7976931348623157e308",
        "0.3000000000000000444",
        "18446744073709551616",
        "179769313486231570000000e285",
        "0.000000000000000000000000000000123e30",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double got = NAN, expected = strtod(cases[i], NULL);
        if (!sl_parse_f64(cases[i], strlen(cases[i]), false, &got) || !(got == expected) ||
            signbit(got) != signbit(expected))
            fail_msg("'%s' gave %.17g, expected %.17g", cases[i], got, expected);
    }
    srand(1);
    for (int i = 0; i < 20000; i++) {
        char text[64];
        double x = ldexp((double)rand() / RAND_MAX - 0.5, rand() % 200 - 100), got;
        int n = snprintf(text, sizeof text, "%.*g", 1 + i % 17, x);
        double expected = strtod(text, NULL);
        if (!sl_parse_f64(text, (size_t)n, false, &got) || !(got == expected))
            fail_msg("'%s' gave %.17g", text, got);
    }
}

static void what_is_no_decimal_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",      "-",   ".",    "-.",  "e5",       "1e",  "1e+",
        "1.2.3", "1,5", "1 ",   " 1",  "+1",       "0x1", "1e5x",
        "1e999", "--1", "1-",   "one", "nanx",     "in",  "1e99999999999",
        "nan",   "inf", "-inf", "NaN", "Infinity",
    };
    double got = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (sl_parse_f64(cases[i], strlen(cases[i]), false, &got))
            fail_msg("'%s' gave %g", cases[i], got);
    assert_true(sl_parse_f64("NaN", 3, true, &got) && isnan(got));
    assert_true(sl_parse_f64("-Infinity", 9, true, &got) && isinf(got) && got < 0);
    assert_true(sl_parse_f64("inf", 3, true, &got) && isinf(got) && got > 0);
    assert_false(sl_parse_f64("1e999", 5, true, &got));
    char digits[1000];
    memset(digits, '9', sizeof digits);
    assert_false(sl_parse_f64(digits, sizeof digits, true, &got));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_are_read_to_their_limits),
        cmocka_unit_test(decimals_are_strtods_to_the_bit),
        cmocka_unit_test(what_is_no_decimal_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
