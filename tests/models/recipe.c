#include "models/recipe.h"
#include "base/support.h"
#include "models/family.h"
#include <math.h>

static void check_near(double got, double want)
{
    if (!(fabs(got - want) <= 1e-12)) {
        print_error("%.17g, expected %.17g\n", got, want);
        fail();
    }
}

/* Every row of the paper's table: rates at the first and last epoch of each constant piece, or of
 * the cosine at its start, middle and end. */
static void the_paper_s_table(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        int epochs, batch_size, cutout;
        double weight_decay;
        struct {
            int epoch;
            double lr;
        } rates[8];
    } rows[] = {
        { "vgg_15_BN_64",
          160,
          128,
          0,
          1e-4,
          { { 0, .1 }, { 79, .1 }, { 80, .01 }, { 119, .01 }, { 120, .001 }, { 159, .001 } } },
        { "resnet_basic_110",
          160,
          128,
          0,
          1e-4,
          { { 0, .1 }, { 79, .1 }, { 80, .01 }, { 119, .01 }, { 120, .001 }, { 159, .001 } } },
        { "resnet_preact_bottleneck_164",
          160,
          128,
          0,
          1e-4,
          { { 0, .1 }, { 79, .1 }, { 80, .01 }, { 119, .01 }, { 120, .001 }, { 159, .001 } } },
        { "wrn_28_10",
          200,
          128,
          0,
          5e-4,
          { { 0, .1 },
            { 59, .1 },
            { 60, .02 },
            { 119, .02 },
            { 120, .004 },
            { 159, .004 },
            { 160, .0008 },
            { 199, .0008 } } },
        { "wrn_28_10_cutout16",
          200,
          128,
          16,
          5e-4,
          { { 0, .1 },
            { 59, .1 },
            { 60, .02 },
            { 119, .02 },
            { 120, .004 },
            { 159, .004 },
            { 160, .0008 },
            { 199, .0008 } } },
        { "densenet_BC_100_12",
          300,
          64,
          0,
          1e-4,
          { { 0, .1 }, { 149, .1 }, { 150, .01 }, { 224, .01 }, { 225, .001 }, { 299, .001 } } },
        { "pyramidnet_basic_110_270",
          300,
          128,
          0,
          1e-4,
          { { 0, .1 }, { 149, .1 }, { 150, .01 }, { 224, .01 }, { 225, .001 }, { 299, .001 } } },
        { "shake_shake_26_2x64d_SSI_cutout16",
          1800,
          128,
          16,
          1e-4,
          { { 0, .2 }, { 900, .1 }, { 1800, 0 } } },
    };
    enum { STEPS = 390 }; /* of an epoch */
    sl_error err;
    sl_recipe r;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_ok(sl_recipe_find(&r, "paper", rows[i].model, &err), &err);
        assert_int_equal(r.schedule.epochs, rows[i].epochs);
        assert_int_equal(r.batch_size, rows[i].batch_size);
        assert_int_equal(r.cutout, rows[i].cutout);
        assert_true(r.optimizer.nesterov && r.optimizer.momentum == 0.9);
        assert_true(r.optimizer.weight_decay == rows[i].weight_decay);
        for (int k = 0; k < 8 && (k == 0 || rows[i].rates[k].epoch > 0); k++)
            check_near(
                sl_schedule_lr_at(&r.schedule, (uint64_t)rows[i].rates[k].epoch * STEPS, STEPS),
                rows[i].rates[k].lr);
    }
    check_near(sl_schedule_lr_at(&r.schedule, 1, STEPS), /* the cosine's is per step */
               0.1 * (1 + cos(M_PI / (1800.0 * STEPS))));
}

static void a_line_says_all_of_it(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
    } cases[] = {
        { "vgg_15_BN_64",
          "160 epochs, batch 128, lr 0.1, multistep:80,120:0.1, weight decay 0.0001" },
        { "pyramidnet_basic_110_270",
          "300 epochs, batch 128, lr 0.1, multistep:150,225:0.1, weight decay 0.0001" },
        { "shake_shake_26_2x64d_SSI_cutout16",
          "1800 epochs, batch 128, lr 0.2, cosine, weight decay 0.0001, cutout 16" },
    };
    sl_error err;
    sl_recipe r;
    char text[200];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_ok(sl_recipe_find(&r, "paper", cases[i].name, &err), &err);
        assert_string_equal(sl_recipe_text(&r, text, sizeof text), cases[i].text);
    }
}

/* The paper has two pairs of batch size and rate for shake-shake, and one for the others. */
static void the_rate_follows_the_batch_where_the_paper_s_does(void **state)
{
    (void)state;
    sl_error err;
    sl_recipe r;
    check_ok(sl_recipe_find(&r, "paper", "shake_shake_26_2x64d_SSI", &err), &err);
    check_near(r.schedule.lr, 0.2);
    sl_recipe_set_batch_size(&r, 64);
    check_near(r.schedule.lr, 0.1);
    assert_int_equal(r.batch_size, 64);
    check_ok(sl_recipe_find(&r, "paper", "wrn_28_10", &err), &err);
    sl_recipe_set_batch_size(&r, 64);
    check_near(r.schedule.lr, 0.1);
}

static void cutout_is_in_the_name(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int cutout;
    } cases[] = {
        { "wrn_28_10", 0 },
        { "wrn_28_10_cutout16", 16 },
        { "shake_shake_26_2x64d_SSI_cutout16", 16 },
        { "resnet_basic_20_cutout8+base_channels=4", 8 },
    };
    sl_error err;
    sl_recipe r;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_ok(sl_recipe_find(&r, "paper", cases[i].name, &err), &err);
        assert_int_equal(r.cutout, cases[i].cutout);
        check_ok(sl_recipe_find(&r, "fast", cases[i].name, &err), &err);
        assert_int_equal(r.cutout, cases[i].cutout);
    }
}

static void the_fast_one_is_for_every_model_and_ends_at_zero(void **state)
{
    (void)state;
    sl_error err;
    sl_recipe r;
    for (size_t f = 0; sl_families()[f]; f++)
        for (size_t i = 0; sl_families()[f]->known[i]; i++) {
            check_ok(sl_recipe_find(&r, "fast", sl_families()[f]->known[i], &err), &err);
            assert_true(r.schedule.epochs <= 20);
            uint64_t steps = (uint64_t)r.schedule.epochs * 100;
            assert_true(sl_schedule_lr_at(&r.schedule, steps, 100) < 1e-9);
            assert_true(sl_schedule_lr_at(&r.schedule, 300, 100) == r.schedule.lr);
        }
}

static void another_length_keeps_the_shape(void **state)
{
    (void)state;
    sl_error err;
    sl_recipe r;
    check_ok(sl_recipe_find(&r, "paper", "wrn_16_2", &err), &err);
    sl_recipe_set_epochs(&r, 50);
    assert_int_equal(r.schedule.epochs, 50);
    assert_int_equal(r.schedule.n_milestones, 3);
    assert_int_equal(r.schedule.milestones[0], 15);
    assert_int_equal(r.schedule.milestones[2], 40);

    check_ok(sl_recipe_find(&r, "fast", "wrn_16_2", &err), &err);
    double warmup = r.schedule.warmup / r.schedule.epochs;
    sl_recipe_set_epochs(&r, 100);
    check_near(r.schedule.warmup, 100 * warmup);
}

/* However few epochs, the text form of the schedule reads back: a resumed run depends on it. */
static void any_length_can_be_written_down(void **state)
{
    (void)state;
    static const char *const recipes[] = { "paper", "fast" };
    sl_error err;
    for (int i = 0; i < 2; i++)
        for (int epochs = 1; epochs <= 200; epochs++) {
            char text[100];
            sl_recipe r;
            sl_schedule back;
            check_ok(sl_recipe_find(&r, recipes[i], "wrn_16_2", &err), &err);
            sl_recipe_set_epochs(&r, epochs);
            sl_schedule_text(&r.schedule, text, sizeof text);
            check_ok(sl_schedule_parse(&back, text, r.schedule.lr, epochs, &err), &err);
            for (uint64_t step = 0; step <= (uint64_t)epochs * 3; step++)
                check_near(sl_schedule_lr_at(&back, step, 3),
                           sl_schedule_lr_at(&r.schedule, step, 3));
        }
}

static void unknown_ones_are_refused(void **state)
{
    (void)state;
    sl_error err;
    sl_recipe r;
    check_fails(sl_recipe_find(&r, "slow", "wrn_16_2", &err), SL_EINVAL, "paper, fast", &err);
    check_fails(sl_recipe_find(&r, "fast", "nonsense", &err), SL_EINVAL, "unknown model", &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_paper_s_table),
        cmocka_unit_test(a_line_says_all_of_it),
        cmocka_unit_test(the_rate_follows_the_batch_where_the_paper_s_does),
        cmocka_unit_test(cutout_is_in_the_name),
        cmocka_unit_test(the_fast_one_is_for_every_model_and_ends_at_zero),
        cmocka_unit_test(another_length_keeps_the_shape),
        cmocka_unit_test(any_length_can_be_written_down),
        cmocka_unit_test(unknown_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
