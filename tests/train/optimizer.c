/* Optimizers against the reference's five steps on six weights (conformance data, protocol.json),
 * and independence of the number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "eval/fill.h"
#include "nn/optimizer.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N = 6, STEPS = 5 };

static const double sgd_after[STEPS][N] = {
    { 0.9638156370013953, -0.9677889445716142, 0.9938487508481741, -0.2918007132792473,
      0.3659937341684103, -0.680184720492959 },
    { 1.1356361733936082, -0.9182313346651362, 1.0380664808355804, -0.24642953689899527,
      0.4166666591046682, -0.6593337903846095 },
    { 1.0578036919037674, -0.858327602914316, 1.1728184462259448, -0.23993553994131706,
      0.5760609855651693, -0.504397106625423 },
    { 1.0522809539900833, -0.8769469093780852, 1.132693154941229, -0.3673739671266422,
      0.8240110558340338, -0.3569902487499954 },
    { 0.9130828905023317, -0.8407798909758618, 1.1349648674018964, -0.4597813670920942,
      1.1531060660488361, -0.3573856217555034 },
};
static const double adam_after[STEPS][N] = {
    { 0.7906915043747335, -0.8326786850574149, 0.8913680408696959, -0.3877351190453743,
      0.38630639615812484, -0.8257979060440835 },
    { 0.8000484192275931, -0.8334643799964855, 0.8978232941762022, -0.38102123869115345,
      0.3901475837856151, -0.8214592161889519 },
    { 0.8010769185031051, -0.8318062072985574, 0.9057419295063763, -0.37805162258096686,
      0.39719067253643614, -0.8150315693152326 },
    { 0.8014074452123555, -0.8316539604191246, 0.9071652297874299, -0.3812641458790449,
      0.40537467082064815, -0.8082678124818794 },
    { 0.7991318138587666, -0.8306142434762925, 0.9078677951922041, -0.3852680034068812,
      0.41418393224718797, -0.8055865722340361 },
};

static void fill(float *out, const char *name)
{
    for (size_t k = 0; k < N; k++)
        out[k] = (float)sl_fill_signed(sl_fill_named("", "", name), k);
}

static sl_optimizer *open_optimizer(sl_optimizer_options options, size_t n)
{
    sl_optimizer *o;

    assert_int_equal(sl_optimizer_create(&o, &options, n, NULL), SL_OK);
    return o;
}

static void follow(sl_optimizer_options options, double lr, const double after[STEPS][N])
{
    sl_optimizer *o = open_optimizer(options, N);
    float w[N], g[N];
    char name[32];

    fill(w, "opt.weight");
    for (int t = 0; t < STEPS; t++) {
        snprintf(name, sizeof name, "opt.grad.%d", t);
        fill(g, name);
        sl_optimizer_step(o, w, g, lr, 1);
        for (int k = 0; k < N; k++) {
            /* a few roundings a step of numbers around 1 */
            double off = fabs((double)w[k] - after[t][k]);

            if (!(off <= 8 * FLT_EPSILON))
                fail_msg("step %d, weight %d: %.9g, expected %.9g", t, k, (double)w[k],
                         after[t][k]);
        }
    }
    assert_int_equal(o->steps, STEPS);
    sl_optimizer_destroy(o);
}

static void sgd_follows_the_reference(void **state)
{
    (void)state;
    follow(sl_optimizer_sgd(0.9, true, 0.0005), 0.1, sgd_after);
}

static void adam_follows_the_reference(void **state)
{
    (void)state;
    follow(sl_optimizer_adam(0.0001), 0.01, adam_after);
}

static void plain_sgd_is_one_multiply_add(void **state)
{
    (void)state;
    sl_optimizer *o = open_optimizer(sl_optimizer_sgd(0, false, 0), 3);
    float w[] = { 1, -2, 0.5f };
    const float g[] = { 4, 0, -8 };

    sl_optimizer_step(o, w, g, 0.25, 1);
    sl_optimizer_step(o, w, g, 0.25, 1);
    assert_true(w[0] == -1 && w[1] == -2 && w[2] == 4.5f);
    sl_optimizer_destroy(o);
}

/* Over several chunks with a remainder, three steps: every bit the same. */
static void threads_change_no_bit(void **state)
{
    (void)state;
    enum { MANY = 3 * 4096 + 1234 };
    static float w[3][MANY], g[MANY];
    const sl_optimizer_options kinds[] = { sl_optimizer_sgd(0.9, true, 0.0005),
                                           sl_optimizer_adam(0.0001) };

    for (size_t kind = 0; kind < 2; kind++) {
        for (int threads = 1; threads <= 3; threads++) {
            sl_optimizer *o = open_optimizer(kinds[kind], MANY);
            float *mine = w[threads - 1];

            for (size_t k = 0; k < MANY; k++) {
                mine[k] = (float)sl_fill_signed(sl_fill_named("", "", "w"), k);
                g[k] = (float)sl_fill_signed(sl_fill_named("", "", "g"), k);
            }
            for (int t = 0; t < 3; t++)
                sl_optimizer_step(o, mine, g, 0.05, threads);
            sl_optimizer_destroy(o);
            assert_memory_equal(mine, w[0], sizeof w[0]);
        }
    }
}

/* What the parameters' layout promises: padding is zero and stays zero. */
static void zeros_without_gradient_stay_zero(void **state)
{
    (void)state;
    sl_optimizer *o = open_optimizer(sl_optimizer_adam(0.0001), N);
    float w[N] = { 0 };
    const float g[N] = { 0 };

    sl_optimizer_step(o, w, g, 0.1, 1);
    for (int k = 0; k < N; k++)
        assert_true(w[k] == 0);
    sl_optimizer_destroy(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sgd_follows_the_reference),
        cmocka_unit_test(adam_follows_the_reference),
        cmocka_unit_test(plain_sgd_is_one_multiply_add),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(zeros_without_gradient_stay_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
