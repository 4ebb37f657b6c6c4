/* Agreement and estimators against values worked out by hand or published. */
#include "../base/support.h"
#include <math.h>
#include <softlabel/labels.h>
#include <string.h>

static void agreement_is_as_by_hand(void **state)
{
    (void)state;
    /* Pairs that agree: 1, 1/3, 1; shares 5/9, 4/9; by chance 41/81; by images (1+1/3+1)/3 = 7/9.
     * Alpha: observed (2*1/2 + 1*2/2)/9 = 2/9; by chance 2*5*4/(9*8) = 5/9. */
    static const int64_t counts[] = { 3, 0, 2, 1, 0, 3, 1, 0 };
    assert_true(fabs(sl_fleiss_kappa(counts, 4, 2) - (7.0 / 9 - 41.0 / 81) / (40.0 / 81)) < 1e-12);
    assert_true(fabs(sl_krippendorff_alpha(counts, 4, 2) - 0.6) < 1e-12);
    assert_true(fabs(sl_disagreement(counts, 4, 2) - 2.0 / 9) < 1e-12);
}

static void smoothing_adds_the_prior(void **state)
{
    (void)state;
    static const int64_t counts[] = { 3, 1, 0, 0 };
    double p[4];
    sl_labels_smooth(p, counts, 2, 2, 0.5);
    assert_true(fabs(p[0] - 0.7) < 1e-12 && fabs(p[1] - 0.3) < 1e-12);
    assert_true(fabs(p[2] - 0.5) < 1e-12);
}

/* Dawid and Skene 1979, table 1: 45 patients; the first anaesthetist's three answers, then those of
 * the other four. */
static const char *const patients[45] = {
    "1111111", "3334334", "1122122", "2223121", "2223222", "2223322", "1222111", "3333433",
    "2222223", "2322223", "4444444", "2223343", "1111111", "2223212", "1211111", "1112111",
    "1111111", "1111111", "2222221", "2221322", "2222222", "2222221", "2223222", "2212222",
    "1111111", "1111111", "2322222", "1111111", "1111111", "1121121", "1111111", "3333233",
    "1111111", "2222222", "2223232", "4334343", "2212232", "2323233", "3333432", "1111111",
    "1111111", "1212111", "2322222", "1211111", "2222222",
};

static void dawid_skene_gives_the_published_estimates(void **state)
{
    (void)state;
    sl_judgment items[45 * 7];
    size_t first[46];
    double p[45 * 4], confusion[5 * 16], marginal[4];
    int steps;
    sl_error err;
    for (uint32_t i = 0; i < 45; i++) {
        first[i] = 7 * (size_t)i;
        for (uint32_t t = 0; t < 7; t++)
            items[7 * i + t] =
                (sl_judgment){ t < 3 ? 0 : t - 2, i, (uint8_t)(patients[i][t] - '1') };
    }
    first[45] = 315;
    const sl_judgments j = {
        .n = 315, .n_images = 45, .n_people = 5, .n_classes = 4, .items = items, .first = first
    };
    check_ok(sl_dawid_skene(p, confusion, marginal, &j, 1000, &steps, &err), &err);
    static const double published[] = { 0.40, 0.42, 0.11, 0.07 };
    for (int c = 0; c < 4; c++)
        assert_true(fabs(marginal[c] - published[c]) <= 0.006);
    assert_true(steps < 1000);
}

static void who_disagrees_with_everybody_weighs_less(void **state)
{
    (void)state;
    static const sl_judgment items[] = { { 0, 0, 0 }, { 1, 0, 0 }, { 2, 0, 1 },
                                         { 0, 1, 1 }, { 1, 1, 1 }, { 2, 1, 0 } };
    static const size_t first[] = { 0, 3, 6 };
    const sl_judgments j = {
        .n = 6, .n_images = 2, .n_people = 3, .n_classes = 2, .items = items, .first = first
    };
    double p[4], w[3];
    sl_error err;
    check_ok(sl_labels_weigh(p, w, &j, &err), &err);
    assert_true(w[2] < 1e-3 * w[0] && fabs(w[0] - w[1]) < 1e-12);
    assert_true(p[0] > 0.999 && p[3] > 0.999);
}

static void people_who_all_agree_have_a_known_ceiling(void **state)
{
    (void)state;
    /* Four people, all say 0 to image 0 and 1 to image 1: halves of two; smoothed 2.5 / 3. */
    sl_judgment items[8];
    static const size_t first[] = { 0, 4, 8 };
    for (uint32_t t = 0; t < 8; t++)
        items[t] = (sl_judgment){ t % 4, t / 4, (uint8_t)(t / 4) };
    const sl_judgments j = {
        .n = 8, .n_images = 2, .n_people = 4, .n_classes = 2, .items = items, .first = first
    };
    sl_ceiling_options o = sl_ceiling_options_default();
    sl_ceiling c;
    sl_error err;
    o.prior = 0.5;
    check_ok(sl_ceiling_estimate(&c, &j, &o, &err), &err);
    assert_true(fabs(c.entropy_images.value + log(2.5 / 3)) < 1e-12);
    assert_true(c.accuracy_images.value == 1 && c.accuracy_people.low == 1);
    assert_true(fabs(c.correlation - 1) < 1e-12 && c.n_images == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agreement_is_as_by_hand),
        cmocka_unit_test(smoothing_adds_the_prior),
        cmocka_unit_test(dawid_skene_gives_the_published_estimates),
        cmocka_unit_test(who_disagrees_with_everybody_weighs_less),
        cmocka_unit_test(people_who_all_agree_have_a_known_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
