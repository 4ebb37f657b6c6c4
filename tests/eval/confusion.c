/* Confusions made by hand, so that each cell and correlation is known. */
#include "eval/confusion.h"

#include "base/support.h"

#include <math.h>
#include <string.h>

enum { K = 4, PER_CLASS = 12, N = K * PER_CLASS };

/* Of class t's images, people's shares of the class at distance d; answers in the same numbers. */
typedef struct {
    double p[N * K];
    float logits[N * K];
    uint8_t labels[N];
    sl_targets human;
    sl_predictions predictions;
} made;

/* reversed: the model confuses most what people confuse least. */
static void make(made *m, bool reversed)
{
    static const double shares[K] = { 0.4, 0.3, 0.2, 0.1 }; /* by distance from t, cyclic */
    sl_error err;
    memset(m, 0, sizeof *m);
    for (int i = 0; i < N; i++) {
        const int t = i / PER_CLASS, of_class = i % PER_CLASS;
        /* 6 right, 3 one class on, 2 two on, 1 three on; people likewise */
        const int rank = of_class < 6 ? 0 : of_class < 9 ? 1 : of_class < 11 ? 2 : 3;
        const int distance = reversed && rank > 0 ? K - rank : rank;
        m->labels[i] = (uint8_t)t;
        for (int d = 0; d < K; d++)
            m->p[i * K + (t + d) % K] = shares[d];
        m->logits[i * K + (t + distance) % K] = 5;
    }
    m->human = (sl_targets){ .name = "human", .n = N, .classes = K, .p64 = m->p };
    check_ok(sl_predictions_from_logits(&m->predictions, "m", m->logits, N, K, &err), &err);
}

static void cells_and_correlations_are_known(void **state)
{
    (void)state;
    static made m;
    const sl_confusion_options o = { 200, 999, 1, NULL, NULL };
    sl_confusion c;
    sl_error err;
    make(&m, false);
    check_ok(sl_confusion_create(&c, &m.predictions, &m.human, m.labels, &o, &err), &err);
    assert_int_equal(c.n, N);
    assert_int_equal(c.n_wrong, N / 2);
    for (int t = 0; t < K; t++) {
        assert_float_equal(c.model[t * K + t], 0.5, 1e-12);
        assert_float_equal(c.model[t * K + (t + 1) % K], 0.25, 1e-12);
        assert_float_equal(c.human[t * K + (t + 3) % K], 0.1, 1e-12);
    }
    assert_float_equal(c.correlation.value, 1, 1e-12); /* same order */
    assert_true(c.correlation.low <= 1 && c.correlation.low > 0);
    /* Only the 4 rotations of 24 relabelings keep the cyclic pattern. */
    assert_float_equal(c.p_value, 4.0 / 24, 0.04);
    assert_float_equal(c.human_share.value, (3 * 0.3 + 2 * 0.2 + 0.1) / 6, 1e-12);
    assert_float_equal(c.chance_share.value, 0.6 / 3, 1e-12);
    assert_true(c.human_share.low < c.human_share.value &&
                c.human_share.high > c.human_share.value);
    sl_confusion_release(&c);
    sl_predictions_release(&m.predictions);

    make(&m, true);
    check_ok(sl_confusion_create(&c, &m.predictions, &m.human, m.labels, &o, &err), &err);
    assert_float_equal(c.correlation.value, -1, 1e-12);
    assert_float_equal(c.human_share.value, (3 * 0.1 + 2 * 0.2 + 0.3) / 6, 1e-12);
    sl_confusion_release(&c);
    sl_predictions_release(&m.predictions);
}

static void a_model_without_mistakes_has_no_confusion(void **state)
{
    (void)state;
    static made m;
    const sl_confusion_options o = { 20, 99, 1, NULL, NULL };
    sl_confusion c;
    sl_error err;
    make(&m, false);
    sl_predictions_release(&m.predictions);
    memset(m.logits, 0, sizeof m.logits);
    for (int i = 0; i < N; i++)
        m.logits[i * K + m.labels[i]] = 1;
    check_ok(sl_predictions_from_logits(&m.predictions, "m", m.logits, N, K, &err), &err);
    check_ok(sl_confusion_create(&c, &m.predictions, &m.human, m.labels, &o, &err), &err);
    assert_int_equal(c.n_wrong, 0);
    assert_true(isnan(c.correlation.value) && isnan(c.p_value) && isnan(c.human_share.value));
    sl_confusion_release(&c);
    m.human.n = N - 1;
    check_fails(sl_confusion_create(&c, &m.predictions, &m.human, m.labels, &o, &err), SL_EMISMATCH,
                "'m' is of 48 images of 4 classes, the human labels of 47 of 4", &err);
    sl_predictions_release(&m.predictions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_and_correlations_are_known),
        cmocka_unit_test(a_model_without_mistakes_has_no_confusion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
