#include "base/random.h"
#include "base/hash.h"
#include "support.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* Random123's kat_vectors, philox4x32 with 10 rounds. */
static void philox_gives_the_published_numbers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], expected[4];
    } cases[] = {
        { { 0 }, { 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
          { 0xffffffff, 0xffffffff },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t got[4];
        sl_philox4x32(cases[i].counter, cases[i].key, got);
        for (int k = 0; k < 4; k++)
            assert_int_equal(got[k], cases[i].expected[k]);
    }
}

/* Matsumoto's generator seeded with 5489: the first number and, as ISO C++ demands of mt19937, the
 * 10,000th. */
static void mt19937_gives_the_published_numbers(void **state)
{
    (void)state;
    sl_mt19937 mt;
    sl_mt19937_seed(&mt, 5489);
    assert_int_equal(sl_mt19937_u32(&mt), 3499211612u);
    for (int i = 2; i < 10000; i++)
        sl_mt19937_u32(&mt);
    assert_int_equal(sl_mt19937_u32(&mt), 4123659995u);
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* np.random.seed(s); np.random.shuffle(np.arange(10000)), and its last 1,000 sorted, as int64. */
static void shuffles_are_numpys(void **state)
{
    (void)state;
    enum { N = 10000, TRAIN = 9000 };
    static const struct {
        uint32_t seed;
        int64_t head[8];
        const char *permutation, *validation;
    } cases[] = {
        { 0,
          { 9394, 898, 2398, 5906, 2343, 8225, 5506, 6451 },
          "bb26ef9543114d03309aee94f5ac132138ffe1af7bbdf0598a7e9e98c3f6dff3",
          "0390e9fb358eb4e97f23fe1152d8cddf6acfa3ebd727a26c4d4c56b2a98f5d8a" },
        { 1,
          { 9953, 3850, 4962, 3886, 5437, 8517, 2041, 1989 },
          "5a88c04dc01f81466aded4cd107840559e24d9d3b5731e8fc95fefd962d8d9aa",
          "85f426d9ac43bab5906da20c42750daaece86dcc1b5c1314f36e9e67913b6f21" },
        { 2,
          { 7878, 3224, 1919, 4432, 4835, 4895, 7269, 1451 },
          "c36edf2c9a3444b2517af17a61075d290462882b147c7b1accef4494ef3058cb",
          "b7c585f2ee8725eb509946c241291d09962f99fe05497494a741eac5101b0a68" },
        { 999,
          { 9031, 3462, 3863, 1144, 2692, 9541, 2227, 210 },
          "edd36d5fb442f94729baf73e73fd0b110d22c2f26a5b87a8b2c09a11223580f0",
          "1e6dfd0965a91af2370d6d3b28ef828dc28deffd9baf377dae41f07ea1186e91" },
    };
    static int64_t items[N];
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        sl_error err;
        sl_mt19937 mt;
        char hex[65];
        for (int i = 0; i < N; i++)
            items[i] = i;
        sl_mt19937_seed(&mt, cases[c].seed);
        sl_mt19937_shuffle(&mt, items, N);
        for (int i = 0; i < 8; i++)
            assert_int_equal(items[i], cases[c].head[i]);
        check_ok(sl_sha256(items, sizeof items, hex, &err), &err);
        assert_string_equal(hex, cases[c].permutation);
        qsort(items + TRAIN, N - TRAIN, sizeof *items, ascending);
        check_ok(sl_sha256(items + TRAIN, (N - TRAIN) * sizeof *items, hex, &err), &err);
        assert_string_equal(hex, cases[c].validation);
    }
}

/* Pinned: what a seed means may never change. */
static void a_stream_depends_on_what_it_is_for_and_nothing_else(void **state)
{
    (void)state;
    sl_random a = sl_random_stream(7, SL_RANDOM_CROP, 3, 41);
    const uint32_t counter[4] = { 1, 3, 41, SL_RANDOM_CROP }, key[2] = { 7, 0 };
    uint32_t second_block[4];
    sl_philox4x32(counter, key, second_block);
    for (int i = 0; i < 4; i++)
        sl_random_u32(&a);
    for (int i = 0; i < 4; i++)
        assert_int_equal(sl_random_u32(&a), second_block[i]);

    sl_random others[] = {
        sl_random_stream(7, SL_RANDOM_CROP, 3, 41),
        sl_random_stream(7ull << 32, SL_RANDOM_CROP, 3, 41),
        sl_random_stream(7, SL_RANDOM_CUTOUT, 3, 41),
        sl_random_stream(7, SL_RANDOM_CROP, 41, 3),
    };
    uint64_t first[4];
    for (int i = 0; i < 4; i++) {
        first[i] = sl_random_u64(&others[i]);
        for (int k = 0; k < i; k++)
            assert_true(first[i] != first[k]);
    }
}

/* A mean of n values of this mean and variance, within 5 standard errors. */
static void expect_mean(double sum, double n, double mean, double variance, const char *what)
{
    double bound = 5 * sqrt(variance / n);
    if (!(fabs(sum / n - mean) <= bound))
        fail_msg("%s: mean %.9g, expected %.9g within %.3g", what, sum / n, mean, bound);
}

static void distributions_have_their_moments(void **state)
{
    (void)state;
    enum { N = 200000 };
    sl_random r = sl_random_stream(1, SL_RANDOM_TEST, 0, 0);
    double unit = 0, normal = 0, square = 0;
    for (int i = 0; i < N; i++) {
        double u = sl_random_unit(&r), z = sl_random_normal(&r);
        assert_true(u >= 0.0 && u < 1.0 && isfinite(z));
        unit += u;
        normal += z;
        square += z * z;
    }
    expect_mean(unit, N, 0.5, 1.0 / 12, "unit");
    expect_mean(normal, N, 0, 1, "normal");
    expect_mean(square, N, 1, 2, "normal squared");
    static const double shapes[] = { 0.05, 0.5, 1, 2.5, 40 };
    for (int s = 0; s < 5; s++) {
        double a = shapes[s], b = 0.7, gamma = 0, beta = 0;
        for (int i = 0; i < N; i++) {
            gamma += sl_random_gamma(&r, a);
            beta += sl_random_beta(&r, a, b);
        }
        expect_mean(gamma, N, a, a, "gamma");
        expect_mean(beta, N, a / (a + b), a * b / ((a + b) * (a + b) * (a + b + 1)), "beta");
    }
}

static void tiny_beta_shapes_give_the_corners_not_nan(void **state)
{
    (void)state;
    sl_random r = sl_random_stream(1, SL_RANDOM_TEST, 1, 0);
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        double x = sl_random_beta(&r, 1e-4, 1e-4);
        assert_true(x >= 0.0 && x <= 1.0);
        sum += x;
    }
    expect_mean(sum, 10000, 0.5, 0.25, "beta(1e-4, 1e-4)");
}

static void below_and_shuffle_favour_nothing(void **state)
{
    (void)state;
    enum { N = 120000, K = 6, FACES = 24 };
    sl_random r = sl_random_stream(2, SL_RANDOM_TEST, 0, 0);
    int seen[K] = { 0 }, orders[FACES] = { 0 };
    for (int i = 0; i < N; i++)
        seen[sl_random_below(&r, K)]++;
    for (int k = 0; k < K; k++)
        expect_mean(seen[k], N, 1.0 / K, 1.0 / K * (1 - 1.0 / K), "below");
    for (int i = 0; i < N; i++) {
        uint32_t x[4] = { 0, 1, 2, 3 };
        sl_random_shuffle(&r, x, 4);
        uint32_t rank = x[0] * 6 + (x[1] - (x[1] > x[0])) * 2 + (x[2] > x[3]);
        orders[rank]++;
    }
    for (int k = 0; k < FACES; k++)
        expect_mean(orders[k], N, 1.0 / FACES, 1.0 / FACES, "shuffle");
    /* 3 * 2^30 doesn't divide 2^32: without drawing again, every third result would come twice */
    int low = 0;
    for (int i = 0; i < N; i++)
        low += sl_random_below(&r, 3u << 30) % 3 == 0;
    expect_mean(low, N, 1.0 / 3, 2.0 / 9, "large below");
    assert_int_equal(sl_random_below(&r, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_numbers),
        cmocka_unit_test(mt19937_gives_the_published_numbers),
        cmocka_unit_test(shuffles_are_numpys),
        cmocka_unit_test(a_stream_depends_on_what_it_is_for_and_nothing_else),
        cmocka_unit_test(distributions_have_their_moments),
        cmocka_unit_test(tiny_beta_shapes_give_the_corners_not_nan),
        cmocka_unit_test(below_and_shuffle_favour_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
