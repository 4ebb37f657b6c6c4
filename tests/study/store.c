/* What was committed is there, what was rolled back isn't, and a file isn't taken for another's. */
#include "study/store.h"
#include "fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    char *folder, path[300];
    sl_store *store;
    sl_participant p;
} shelf;

static void reopen(shelf *s, bool read_only)
{
    sl_error err;
    sl_store_close(s->store);
    assert_int_equal(sl_store_open(&s->store, s->path, "abc", read_only, &err), SL_OK);
}

static shelf open_shelf(void)
{
    shelf s = { .folder = fixture_folder(), .p = { .joined_ms = 5, .planned = 2 } };
    sl_error err;
    snprintf(s.path, sizeof s.path, "%s/study.db", s.folder);
    assert_int_equal(sl_store_open(&s.store, s.path, "abc", true, &err), SL_ENOTFOUND);
    reopen(&s, false);
    assert_int_equal(sl_store_begin(s.store, &err), SL_OK);
    assert_int_equal(sl_store_add(s.store, NULL, NULL, &s.p, &err), SL_OK);
    const sl_trial t = { .kind = SL_TRIAL_IMAGE, .image = 7, .truth = 2, .choice = -1 };
    assert_int_equal(sl_store_plan(s.store, s.p.id, &t, &err), SL_OK);
    assert_int_equal(sl_store_commit(s.store, &err), SL_OK);
    return s;
}

static void close_shelf(shelf *s)
{
    sl_store_close(s->store);
    fixture_remove(s->folder);
}

static void test_committed_is_there(void **state)
{
    (void)state;
    shelf s = open_shelf();
    const sl_trial answer = { .choice = 3, .rt_ms = 0.1, .elapsed_ms = 1e9 };
    sl_participant p;
    sl_trial t;
    bool found;
    sl_error err;
    assert_int_equal(sl_store_begin(s.store, &err), SL_OK);
    assert_int_equal(sl_store_answer(s.store, s.p.id, &answer, &err), SL_OK);
    assert_int_equal(sl_store_answer(s.store, s.p.id, &answer, &err), SL_EMISMATCH);
    assert_int_equal(sl_store_commit(s.store, &err), SL_OK);
    reopen(&s, true);
    assert_int_equal(sl_store_find(s.store, s.p.id, &p, &found, &err), SL_OK);
    assert_true(found);
    assert_int_equal(p.joined_ms, 5);
    assert_int_equal(p.planned, 2);
    assert_int_equal(sl_store_trial(s.store, s.p.id, 0, &t, &found, &err), SL_OK);
    assert_true(found && t.choice == 3 && t.image == 7 && t.truth == 2);
    assert_true(t.rt_ms == 0.1 && t.elapsed_ms == 1e9);
    assert_int_equal(sl_store_trial(s.store, s.p.id, 1, &t, &found, &err), SL_OK);
    assert_false(found);
    close_shelf(&s);
}

static void test_rolled_back_is_not(void **state)
{
    (void)state;
    shelf s = open_shelf();
    const sl_trial answer = { .choice = 3 };
    sl_participant other = { 0 };
    sl_trial t;
    bool found;
    sl_error err;
    assert_int_equal(sl_store_begin(s.store, &err), SL_OK);
    assert_int_equal(sl_store_answer(s.store, s.p.id, &answer, &err), SL_OK);
    assert_int_equal(sl_store_add(s.store, NULL, NULL, &other, &err), SL_OK);
    sl_store_rollback(s.store);
    sl_store_rollback(s.store); /* once more is fine */
    assert_int_equal(sl_store_trial(s.store, s.p.id, 0, &t, &found, &err), SL_OK);
    assert_int_equal(t.choice, -1);
    assert_int_equal(sl_store_find(s.store, other.id, &other, &found, &err), SL_OK);
    assert_false(found);
    close_shelf(&s);
}

static void test_worker_once(void **state)
{
    (void)state;
    shelf s = open_shelf();
    const unsigned char worker[SL_MAC_BYTES] = { 1 }, first[SL_MAC_BYTES] = { 2 },
                        second[SL_MAC_BYTES] = { 3 };
    sl_participant p = { 0 };
    bool found, same;
    sl_error err;
    assert_int_equal(sl_store_begin(s.store, &err), SL_OK);
    assert_int_equal(sl_store_add(s.store, worker, first, &p, &err), SL_OK);
    assert_int_equal(sl_store_add(s.store, worker, second, &p, &err), SL_EIO);
    sl_store_rollback(s.store);
    assert_int_equal(sl_store_begin(s.store, &err), SL_OK);
    assert_int_equal(sl_store_add(s.store, worker, first, &p, &err), SL_OK);
    assert_int_equal(sl_store_commit(s.store, &err), SL_OK);
    assert_int_equal(sl_store_find_worker(s.store, worker, first, &p, &found, &same, &err), SL_OK);
    assert_true(found && same);
    assert_int_equal(sl_store_find_worker(s.store, worker, second, &p, &found, &same, &err), SL_OK);
    assert_true(found && !same);
    assert_int_equal(sl_store_find_worker(s.store, first, first, &p, &found, &same, &err), SL_OK);
    assert_false(found);
    close_shelf(&s);
}

static void test_other_files_are_refused(void **state)
{
    (void)state;
    shelf s = open_shelf();
    sl_store *other = NULL;
    sl_error err;
    assert_int_equal(sl_store_open(&other, s.path, "another hash", false, &err), SL_EMISMATCH);
    assert_null(other);
    sl_store_close(s.store);
    s.store = NULL;
    FILE *file = fopen(s.path, "r+b"); /* a damaged head */
    assert_non_null(file);
    fputs("not a database at all", file);
    fclose(file);
    assert_int_equal(sl_store_open(&other, s.path, "abc", false, &err), SL_EFORMAT);
    assert_null(other);
    close_shelf(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_committed_is_there),
        cmocka_unit_test(test_rolled_back_is_not),
        cmocka_unit_test(test_worker_once),
        cmocka_unit_test(test_other_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
