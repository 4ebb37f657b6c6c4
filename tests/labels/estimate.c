/* Agreement and estimators against values worked out by hand or published. */
#include "../base/support.h"
#include "base/random.h"
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
    /* the first anaesthetist's error rates, as published to two digits */
    static const double first_rates[3][4] = { { 0.89, 0.11, 0, 0 },
                                              { 0.07, 0.88, 0.05, 0 },
                                              { 0, 0.34, 0.66, 0 } };
    for (int t = 0; t < 3; t++)
        for (int c = 0; c < 4; c++)
            assert_true(fabs(confusion[t * 4 + c] - first_rates[t][c]) <= 0.006);
}

/* Counts drawn under a prior are most probable under about that prior: with 4000 images of 20
 * judgments its logarithm has a standard error of about 0.03. */
static void the_fitted_prior_is_the_one_drawn_from(void **state)
{
    (void)state;
    enum { IMAGES = 4000, CLASSES = 4, JUDGMENTS = 20 };
    static int64_t counts[IMAGES * CLASSES];
    sl_random r = sl_random_stream(5, SL_RANDOM_TEST, 0, 0);
    for (size_t i = 0; i < IMAGES; i++) {
        double p[CLASSES], sum = 0;
        for (int c = 0; c < CLASSES; c++)
            sum += p[c] = sl_random_gamma(&r, 0.3);
        for (int t = 0; t < JUDGMENTS; t++) {
            double u = sl_random_unit(&r) * sum;
            size_t c = 0;
            while (c + 1 < CLASSES && (u -= p[c]) >= 0)
                c++;
            counts[i * CLASSES + c]++;
        }
    }
    const double prior = sl_labels_fit_prior(counts, IMAGES, CLASSES);
    assert_true(fabs(log(prior / 0.3)) < 0.12);
}

/* Everybody unsure between two classes: disagreement is 1/2, and proportions of m judgments miss by
 * sqrt(1 / 2m), as formula and halves say alike. */
static void precision_is_as_the_formula_says(void **state)
{
    (void)state;
    enum { IMAGES = 3000 };
    static int64_t counts[IMAGES * 2];
    sl_random r = sl_random_stream(6, SL_RANDOM_TEST, 0, 0);
    for (size_t i = 0; i < IMAGES; i++)
        for (int t = 0; t < 40; t++)
            counts[2 * i + sl_random_below(&r, 2)]++;
    sl_judgments *j;
    sl_precision rows[] = { { .m = 1 }, { .m = 20 }, { .m = 21 } };
    sl_error err;
    const double d = sl_disagreement(counts, IMAGES, 2);
    check_ok(sl_judgments_from_counts(&j, counts, IMAGES, 2, NULL, &err), &err);
    assert_int_equal(j->n, 40 * IMAGES);
    assert_int_equal(j->n_people, j->n);
    check_ok(sl_precision_measure(rows, 3, d, j, 10, 1, &err), &err);
    assert_true(fabs(d - 0.5) < 0.01); /* its standard error is 0.0003 */
    assert_true(fabs(rows[0].expected - sqrt(0.5)) < 0.01);
    assert_true(fabs(rows[1].expected - sqrt(0.5 / 20)) < 0.002);
    /* the mean of IMAGES squares whose relative sd is about 1.4: 2.6 %, half of it for the root */
    assert_true(fabs(rows[0].measured / rows[0].expected - 1) < 0.05);
    assert_true(fabs(rows[1].measured / rows[1].expected - 1) < 0.05);
    assert_true(rows[2].n_images == 0 && isnan(rows[2].measured));
    sl_judgments_destroy(j);
}

static void labels_are_described(void **state)
{
    (void)state;
    /* four images, the third not judged, the last of unknown class */
    static const int64_t counts[] = { 3, 1, 2, 2, 0, 0, 0, 5 };
    static const int16_t truth[] = { 0, 1, 1, -1 };
    static const sl_labels_person people[] = {
        { .n_known = 4, .n_right = 3, .elapsed_ms = 60000 },
        { .n_known = 2, .n_right = 1, .elapsed_ms = 180000 },
        { .n_known = 9, .n_right = 0, .elapsed_ms = 1, .why = SL_EXCLUDED_CHECKS },
    };
    const sl_labels labels = { .n_images = 4,
                               .n_classes = 2,
                               .counts = counts,
                               .truth = truth,
                               .people = people,
                               .n_people = 3 };
    sl_labels_description d;
    sl_error err;
    check_ok(sl_labels_describe(&d, &labels, &err), &err);
    assert_int_equal(d.n_judgments, 13);
    assert_int_equal(d.n_judged, 3);
    assert_int_equal(d.by_verdict[SL_KEPT], 2);
    assert_int_equal(d.by_verdict[SL_EXCLUDED_CHECKS], 1);
    assert_true(d.person_accuracy.n == 2 && d.person_accuracy.mean == 0.625);
    assert_true(d.minutes.mean == 2 && d.minutes.min == 1 && d.minutes.max == 3);
    assert_true(d.per_image.min == 0 && d.per_image.max == 5 && d.per_image.mean == 13.0 / 4);
    assert_true(d.image_accuracy.n == 2 && d.image_accuracy.mean == 0.625);
    static const int64_t confusion[] = { 3, 1, 2, 2 };
    assert_memory_equal(d.confusion, confusion, sizeof confusion);
    assert_true(fabs(d.entropy.max - log(2)) < 1e-15 && d.entropy.min == 0);
    assert_true(isnan(d.entropies[2]));
    assert_int_equal(d.ambiguous[0], 1);
    assert_int_equal(d.ambiguous[1], 0);
    assert_int_equal(d.ambiguous[2], 3);
    sl_labels_description_release(&d);
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
        cmocka_unit_test(the_fitted_prior_is_the_one_drawn_from),
        cmocka_unit_test(precision_is_as_the_formula_says),
        cmocka_unit_test(labels_are_described),
        cmocka_unit_test(who_disagrees_with_everybody_weighs_less),
        cmocka_unit_test(people_who_all_agree_have_a_known_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
