/* Tempered logits against values worked out by hand, and fits that must find what was planted. */
#include "eval/tempering.h"
#include "../base/support.h"
#include "base/random.h"
#include <math.h>

enum { N = 60, K = 3 };

static void close_to(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%.17g, expected %.17g within %g", got, want, tolerance);
}

/* Distances 0, ln 2, ln 4: at T = 1 shares 4:2:1, at T = 1/2 their squares. */
static void a_softmax_over_distances_is_as_by_hand(void **state)
{
    (void)state;
    const double z[] = { 0, -log(2), -log(4) };
    const sl_tempered row = { .classes = K, .z = z };
    double q[K];
    sl_temper(q, &row, 0, (sl_tempering){ 1, 0 });
    close_to(q[0], 4.0 / 7, 1e-15);
    close_to(q[1], 2.0 / 7, 1e-15);
    close_to(q[2], 1.0 / 7, 1e-15);
    sl_temper(q, &row, 0, (sl_tempering){ 0.5, 0 });
    close_to(q[0], 16.0 / 21, 1e-15);
    close_to(q[1], 4.0 / 21, 1e-15);
    sl_temper(q, &row, 0, (sl_tempering){ 1e-3, 0 }); /* nothing overflows */
    close_to(q[0], 1, 1e-15);
}

/* Shares 4:2:1 by the logits, 1:2:1 for label 1: 4:4:1; at weight 2, 4:8:1. */
static void the_label_weighs_in(void **state)
{
    (void)state;
    const double z[] = { 0, -log(2), -log(4) };
    const double by_label[] = { 9, 9, 9, log(0.25), log(0.5), log(0.25), 9, 9, 9 };
    static const int16_t labels[] = { 1 };
    const sl_tempered row = { K, z, by_label, labels };
    double q[K];
    sl_temper(q, &row, 0, (sl_tempering){ 1, 1 });
    close_to(q[0], 4.0 / 9, 1e-15);
    close_to(q[1], 4.0 / 9, 1e-15);
    sl_temper(q, &row, 0, (sl_tempering){ 1, 2 });
    close_to(q[1], 8.0 / 13, 1e-15);
}

typedef struct {
    double z[N * K], by_label[K * K], p[N * K];
    int16_t labels[N];
    int64_t images[N];
    sl_tempered of;
} planted;

/* People answer by the model's logits at another temperature and by the label. */
static void plant(planted *s, sl_tempering t)
{
    sl_random r = sl_random_stream(5, SL_RANDOM_BOOTSTRAP, 0, 0);
    for (int i = 0; i < N * K; i++)
        s->z[i] = 6 * sl_random_unit(&r) - 3;
    for (int i = 0; i < K * K; i++)
        s->by_label[i] = i / K == i % K ? log(0.8) : log(0.1);
    for (int i = 0; i < N; i++) {
        s->labels[i] = (int16_t)(i % K);
        s->images[i] = N - 1 - i;
    }
    s->of = (sl_tempered){ K, s->z, s->by_label, s->labels };
    for (size_t i = 0; i < N; i++)
        sl_temper(s->p + i * K, &s->of, i, t);
}

/* Cross-entropy is least where q = p. Its curvature leaves the minimum's place uncertain by about
 * the root of the rounding of the sums. */
static void a_planted_tempering_is_found(void **state)
{
    (void)state;
    static const sl_tempering cases[] = { { 2.5, 0 }, { 0.4, 0 }, { 1.7, 0.6 }, { 0.8, 1.5 } };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        planted s;
        plant(&s, cases[c]);
        sl_tempering known = { (double)NAN, cases[c].label_weight };
        sl_tempering t = sl_tempering_fit(known, &s.of, s.p, s.images, N);
        close_to(t.temperature, cases[c].temperature, 1e-5);
        assert_true(t.label_weight == cases[c].label_weight);
        known = (sl_tempering){ (double)NAN, (double)NAN };
        t = sl_tempering_fit(known, &s.of, s.p, s.images, N);
        close_to(t.temperature, cases[c].temperature, 1e-3);
        close_to(t.label_weight, cases[c].label_weight, 1e-3);
        known = (sl_tempering){ cases[c].temperature, (double)NAN };
        t = sl_tempering_fit(known, &s.of, s.p, s.images, N);
        assert_true(t.temperature == cases[c].temperature);
        close_to(t.label_weight, cases[c].label_weight, 1e-3);
    }
}

/* Only the images that are named count. */
static void other_images_dont_count(void **state)
{
    (void)state;
    planted s, other;
    plant(&s, (sl_tempering){ 1.5, 0 });
    plant(&other, (sl_tempering){ 30, 0 });
    for (int i = 0; i < N * K / 2; i++)
        s.p[i] = other.p[i];
    const sl_tempering known = { (double)NAN, 0 }; /* images: the last half first */
    close_to(sl_tempering_fit(known, &s.of, s.p, s.images, N / 2).temperature, 1.5, 1e-5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_softmax_over_distances_is_as_by_hand),
        cmocka_unit_test(the_label_weighs_in),
        cmocka_unit_test(a_planted_tempering_is_found),
        cmocka_unit_test(other_images_dont_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
