/* The rules: practice is repeated until it's passed, checks decide who counts, places come back,
 * nobody takes part twice. */
#include "study/experiment.h"
#include "fixture.h"
#include "study/study.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *folder;
    sl_study *study;
    sl_store *store;
    sl_experiment *x;
    int64_t now_ms;
} lab;

static lab open_lab(const char *changes)
{
    lab l = { .folder = fixture_folder(), .now_ms = 1000000 };
    sl_error err;
    fixture_study(l.folder, changes);
    l.study = fixture_open(l.folder);
    assert_int_equal(
        sl_store_open(&l.store, l.study->database, l.study->images.sha256, false, &err), SL_OK);
    assert_int_equal(sl_experiment_create(&l.x, &l.study->config, &l.study->images, l.store, &err),
                     SL_OK);
    assert_int_equal(sl_store_begin(l.store, &err), SL_OK);
    return l;
}

static void close_lab(lab *l)
{
    sl_error err;
    assert_int_equal(sl_store_commit(l->store, &err), SL_OK);
    sl_experiment_destroy(l->x);
    sl_store_close(l->store);
    sl_study_close(l->study);
    fixture_remove(l->folder);
}

static sl_verdict join(lab *l, const char *worker, const char *session, sl_participant *p)
{
    unsigned char w[SL_MAC_BYTES] = { 0 }, s[SL_MAC_BYTES] = { 0 };
    sl_verdict verdict;
    sl_error err;
    snprintf((char *)w, sizeof w, "%s", worker ? worker : "");
    snprintf((char *)s, sizeof s, "%s", session ? session : "");
    assert_int_equal(sl_experiment_join(l->x, worker ? w : NULL, worker ? s : NULL, l->now_ms, p,
                                        &verdict, &err),
                     SL_OK);
    return verdict;
}

static sl_trial planned(lab *l, const sl_participant *p, int n)
{
    sl_trial t;
    bool found;
    sl_error err;
    assert_int_equal(sl_store_trial(l->store, p->id, n, &t, &found, &err), SL_OK);
    assert_true(found);
    return t;
}

static sl_verdict answer(lab *l, sl_participant *p, int n, int choice, int *truth)
{
    const sl_trial t = { .n = n, .choice = choice, .rt_ms = 500, .elapsed_ms = 1000 };
    sl_verdict verdict;
    sl_error err;
    l->now_ms += 1000;
    assert_int_equal(sl_experiment_answer(l->x, p, &t, l->now_ms, truth, &verdict, &err), SL_OK);
    return verdict;
}

/* Answers the next trial, rightly or not; returns what is told of the truth. */
static int go(lab *l, sl_participant *p, bool rightly)
{
    const sl_trial t = planned(l, p, p->next);
    int truth;
    assert_int_equal(answer(l, p, t.n, rightly ? t.truth : (t.truth + 1) % 10, &truth),
                     SL_VERDICT_OK);
    return truth;
}

static void pass_practice(lab *l, sl_participant *p)
{
    while (p->state == SL_STATE_PRACTICE)
        go(l, p, true);
}

static void expect_failed(lab *l, const sl_participant *p, int right, int total)
{
    int is_right, of;
    sl_error err;
    assert_int_equal(sl_experiment_failed_block(l->x, p, &is_right, &of, &err), SL_OK);
    assert_int_equal(is_right, right);
    assert_int_equal(of, total);
}

static void test_failed_block_is_repeated(void **state)
{
    (void)state;
    lab l = open_lab("{\"practice\":{\"blocks\":2}}");
    sl_participant p;
    assert_int_equal(join(&l, NULL, NULL, &p), SL_VERDICT_OK);
    assert_int_equal(p.planned, 10);
    expect_failed(&l, &p, 0, 0);
    for (int i = 0; i < 10; i++)                   /* 7 of 10: one short of 75 % */
        assert_in_range(go(&l, &p, i >= 3), 0, 9); /* for the feedback */
    assert_int_equal(p.state, SL_STATE_PRACTICE);
    assert_int_equal(p.block, 0);
    assert_int_equal(p.attempt, 1);
    assert_int_equal(p.planned, 20);
    expect_failed(&l, &p, 7, 10);  /* however often it is asked for */
    for (int i = 0; i < 10; i++) { /* 8 of 10 */
        assert_int_equal(p.block, 0);
        expect_failed(&l, &p, 7, 10);
        go(&l, &p, i >= 2);
    }
    assert_int_equal(p.block, 1);
    expect_failed(&l, &p, 0, 0);
    for (int i = 0; i < 10; i++)
        go(&l, &p, true);
    assert_int_equal(p.state, SL_STATE_TASK);
    close_lab(&l);
}

static void test_practice_has_an_end(void **state)
{
    (void)state;
    lab l = open_lab(NULL);
    sl_participant p;
    int truth;
    assert_int_equal(join(&l, NULL, NULL, &p), SL_VERDICT_OK);
    while (p.state == SL_STATE_PRACTICE)
        go(&l, &p, false);
    assert_int_equal(p.state, SL_STATE_EXCLUDED);
    assert_int_equal(p.planned, 30); /* three attempts */
    assert_int_equal(answer(&l, &p, p.next, 0, &truth), SL_VERDICT_OVER);
    close_lab(&l);
}

static void test_practice_images_are_other_and_balanced(void **state)
{
    (void)state;
    lab l = open_lab("{\"practice\":{\"blocks\":3,\"images_per_block\":20},"
                     "\"practice_images\":{\"count\":60}}");
    sl_participant p;
    int of_class[10] = { 0 }, seen[60] = { 0 };
    assert_int_equal(join(&l, NULL, NULL, &p), SL_VERDICT_OK);
    for (int n = 0; p.state == SL_STATE_PRACTICE; n++) {
        const sl_trial t = planned(&l, &p, n);
        assert_int_equal(t.kind, SL_TRIAL_PRACTICE);
        of_class[t.truth]++;
        assert_int_equal(seen[t.image]++, 0);
        go(&l, &p, true);
        if (n % 20 == 19)
            for (int k = 0; k < 10; k++)
                assert_int_equal(of_class[k], 2 * (n / 20 + 1)); /* 6 a class in all */
    }
    close_lab(&l);
}

static void test_task_is_the_papers(void **state)
{
    (void)state;
    lab l = open_lab("{\"images\":{\"count\":400},\"task\":{\"images_per_participant\":200},"
                     "\"attention\":{\"every\":20},\"attention_images\":{\"count\":50}}");
    sl_participant p;
    int of_class[10] = { 0 }, checks = 0, images = 0;
    assert_int_equal(join(&l, NULL, NULL, &p), SL_VERDICT_OK);
    pass_practice(&l, &p);
    assert_int_equal(p.planned - p.first, 210);
    for (int n = p.first; n < p.planned; n++) {
        const sl_trial t = planned(&l, &p, n);
        if (t.kind == SL_TRIAL_CHECK) {
            checks++;
        } else {
            of_class[t.truth]++;
            images++;
        }
        if (images % 20 == 0 && images > 0 && t.kind == SL_TRIAL_IMAGE)
            assert_in_range(checks, images / 20 - 1, images / 20); /* one in each twenty */
    }
    assert_int_equal(checks, 10);
    for (int k = 0; k < 10; k++)
        assert_int_equal(of_class[k], 20);
    close_lab(&l);
}

/* A check that is among the images to be judged isn't shown to who judges that image. */
static void test_checks_are_no_images_of_theirs(void **state)
{
    (void)state;
    lab l = open_lab("{\"attention\":{\"every\":2}}");
    /* Make the pools overlap as CIFAR's do: the same names stand for the same images. */
    sl_pool *images = &l.study->images.pool[SL_POOL_IMAGES];
    sl_pool *checks = &l.study->images.pool[SL_POOL_ATTENTION];
    for (size_t i = 0; i < checks->n; i++)
        checks->items[i].name = images->items[i].name;
    for (int person = 0; person < 5; person++) {
        sl_participant p;
        bool judged[60] = { false };
        assert_int_equal(join(&l, NULL, NULL, &p), SL_VERDICT_OK);
        pass_practice(&l, &p);
        for (int n = p.first; n < p.planned; n++) {
            const sl_trial t = planned(&l, &p, n);
            if (t.kind == SL_TRIAL_IMAGE)
                judged[t.image] = true;
        }
        for (int n = p.first; n < p.planned; n++) {
            const sl_trial t = planned(&l, &p, n);
            if (t.kind == SL_TRIAL_CHECK)
                assert_false(judged[t.image]);
        }
    }
    close_lab(&l);
}

static void test_answers_in_order_and_once(void **state)
{
    (void)state;
    lab l = open_lab(NULL);
    sl_participant p;
    int truth;
    assert_int_equal(join(&l, NULL, NULL, &p), SL_VERDICT_OK);
    assert_int_equal(answer(&l, &p, 1, 0, &truth), SL_VERDICT_ORDER);
    assert_int_equal(answer(&l, &p, 0, 3, &truth), SL_VERDICT_OK);
    assert_int_equal(answer(&l, &p, 0, 3, &truth), SL_VERDICT_REPEATED);
    assert_in_range(truth, 0, 9);
    assert_int_equal(answer(&l, &p, 0, 4, &truth), SL_VERDICT_CONFLICT);
    assert_int_equal(planned(&l, &p, 0).choice, 3);
    assert_int_equal(p.next, 1);
    close_lab(&l);
}

static void count(lab *l, uint32_t counts[60])
{
    sl_error err;
    memset(counts, 0, 60 * sizeof *counts);
    assert_int_equal(sl_store_count_places(l->store, counts, 60, &err), SL_OK);
}

static uint32_t total(lab *l)
{
    uint32_t counts[60], sum = 0;
    count(l, counts);
    for (int i = 0; i < 60; i++)
        sum += counts[i];
    return sum;
}

static void test_checks_decide_who_counts(void **state)
{
    (void)state;
    lab l = open_lab(NULL);
    for (int wrong = 0; wrong <= 2; wrong++) { /* of four checks; three must be right */
        sl_participant p;
        int checks = 0;
        assert_int_equal(join(&l, NULL, NULL, &p), SL_VERDICT_OK);
        pass_practice(&l, &p);
        while (p.state == SL_STATE_TASK) {
            const bool check = planned(&l, &p, p.next).kind == SL_TRIAL_CHECK;
            go(&l, &p, !check || checks++ >= wrong);
        }
        assert_int_equal(p.state, wrong <= 1 ? SL_STATE_PASSED : SL_STATE_FAILED);
        assert_int_equal(p.ended_ms, l.now_ms);
    }
    assert_int_equal(total(&l), 2 * 20); /* the third's places are free again */
    close_lab(&l);
}

static void test_places_of_who_left(void **state)
{
    (void)state;
    lab l = open_lab("{\"idle_minutes\":10}");
    sl_participant p, back;
    sl_verdict verdict;
    sl_error err;
    assert_int_equal(join(&l, NULL, NULL, &p), SL_VERDICT_OK);
    pass_practice(&l, &p);
    go(&l, &p, true);
    assert_int_equal(total(&l), 20);
    assert_int_equal(sl_experiment_sweep(l.x, l.now_ms + 9 * 60000, &err), SL_OK);
    assert_int_equal(total(&l), 20);
    assert_int_equal(sl_experiment_sweep(l.x, l.now_ms + 11 * 60000, &err), SL_OK);
    assert_int_equal(total(&l), 0);

    /* Back after all: at the same trial, with its places. */
    l.now_ms += 20 * 60000;
    assert_int_equal(sl_experiment_find(l.x, p.id, l.now_ms, &back, &verdict, &err), SL_OK);
    assert_int_equal(verdict, SL_VERDICT_OK);
    assert_int_equal(back.next, p.next);
    assert_int_equal(back.state, SL_STATE_TASK);
    assert_int_equal(total(&l), 20);
    close_lab(&l);
}

/* The target is reached by people who pass, though others leave and fail on the way. */
static void test_study_fills_up(void **state)
{
    (void)state;
    lab l = open_lab("{\"idle_minutes\":10}");
    sl_participant p;
    uint32_t counts[60];
    int people = 0;
    while (join(&l, NULL, NULL, &p) == SL_VERDICT_OK) {
        sl_error err;
        const int kind = people++ % 4;
        assert_true(people < 60);
        pass_practice(&l, &p);
        for (int n = 0; p.state == SL_STATE_TASK && (kind != 1 || n < 7); n++)
            go(&l, &p, kind != 2);
        if (kind == 1) {
            l.now_ms += 11 * 60000;
            assert_int_equal(sl_experiment_sweep(l.x, l.now_ms, &err), SL_OK);
        }
    }
    count(&l, counts);
    for (int i = 0; i < 60; i++)
        assert_in_range(counts[i], 4, 5);
    close_lab(&l);
}

static void test_nobody_twice(void **state)
{
    (void)state;
    lab l = open_lab(NULL);
    sl_participant first, again;
    assert_int_equal(join(&l, "worker-1", "assignment-1", &first), SL_VERDICT_OK);
    go(&l, &first, true);
    /* Returned and accepted again: the same person goes on. */
    assert_int_equal(join(&l, "worker-1", "assignment-2", &again), SL_VERDICT_OK);
    assert_int_equal(again.id, first.id);
    assert_int_equal(again.next, 1);
    first = again;
    pass_practice(&l, &first);
    while (first.state == SL_STATE_TASK)
        go(&l, &first, true);
    /* Reloading the last page shows it again; another assignment isn't paid again. */
    assert_int_equal(join(&l, "worker-1", "assignment-2", &again), SL_VERDICT_OK);
    assert_int_equal(again.state, SL_STATE_PASSED);
    assert_int_equal(join(&l, "worker-1", "assignment-3", &again), SL_VERDICT_ALREADY);
    assert_int_equal(join(&l, "worker-2", "assignment-3", &again), SL_VERDICT_OK);
    assert_int_not_equal(again.id, first.id);
    close_lab(&l);
}

static void test_rings_differ_and_stay(void **state)
{
    (void)state;
    lab l = open_lab(NULL);
    uint32_t a[10], b[10], c[10];
    int seen[10] = { 0 };
    sl_experiment_ring(&l.study->config, 1, a);
    sl_experiment_ring(&l.study->config, 1, b);
    sl_experiment_ring(&l.study->config, 2, c);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
    for (int i = 0; i < 10; i++)
        assert_int_equal(seen[a[i]]++, 0);
    close_lab(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_block_is_repeated),
        cmocka_unit_test(test_practice_has_an_end),
        cmocka_unit_test(test_practice_images_are_other_and_balanced),
        cmocka_unit_test(test_task_is_the_papers),
        cmocka_unit_test(test_checks_are_no_images_of_theirs),
        cmocka_unit_test(test_answers_in_order_and_once),
        cmocka_unit_test(test_checks_decide_who_counts),
        cmocka_unit_test(test_places_of_who_left),
        cmocka_unit_test(test_study_fills_up),
        cmocka_unit_test(test_nobody_twice),
        cmocka_unit_test(test_rings_differ_and_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
