/* What processes exchange. Started by mpirun; skipped where one process is alone. */
#include "base/processes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { SKIPPED = 77, MANY = 100001 };

static sl_processes *together;
static int rank, size;

static void must(sl_status st, const sl_error *err)
{
    if (st)
        fail_msg("process %d: %s", rank, err->message);
}

static void test_alone(void **state)
{
    float values[] = { 3, -4 };
    int all = 0, own = 7;
    sl_error err;
    (void)state;
    assert_int_equal(sl_processes_rank(NULL), 0);
    assert_int_equal(sl_processes_size(NULL), 1);
    assert_int_equal(sl_processes_sharing(NULL), 1);
    assert_true(sl_processes_leads(NULL));
    assert_false(sl_processes_failed_together(NULL));
    must(sl_processes_agree(NULL, SL_OK, NULL, &err), &err);
    assert_int_equal(sl_processes_agree(NULL, SL_EIO, NULL, &err), SL_EIO);
    must(sl_processes_sum(NULL, values, 2, 0.5f, &err), &err);
    assert_true(values[0] == 1.5f && values[1] == -2);
    must(sl_processes_gather(NULL, &own, sizeof own, &all, &err), &err);
    assert_int_equal(all, 7);
    must(sl_processes_broadcast(NULL, &own, sizeof own, &err), &err);
    sl_processes_close(NULL);
}

static void test_exchange(void **state)
{
    static float values[MANY];
    int own = 10 * rank, all[64], from_first = rank + 5;
    sl_error err;
    (void)state;
    assert_in_range(rank, 0, size - 1);
    assert_in_range(sl_processes_local_rank(together), 0, size - 1);
    assert_in_range(sl_processes_sharing(together), 1, size);
    must(sl_processes_gather(together, &own, sizeof own, all, &err), &err);
    for (int i = 0; i < size; i++)
        assert_int_equal(all[i], 10 * i);
    must(sl_processes_broadcast(together, &from_first, sizeof from_first, &err), &err);
    assert_int_equal(from_first, 5);
    /* Small whole numbers: no rounding. */
    for (size_t i = 0; i < MANY; i++)
        values[i] = (float)(i % 1000);
    must(sl_processes_sum(together, values, MANY, (float)(1 << rank), &err), &err);
    for (size_t i = 0; i < MANY; i++)
        assert_true(values[i] == (float)(i % 1000) * (float)((1 << size) - 1));
}

static void test_wishes(void **state)
{
    sl_error err;
    (void)state;
    for (int who = 0; who < size; who++) {
        unsigned wishes = rank == who ? 2 : rank == 0 ? 4 : 0;
        must(sl_processes_agree(together, SL_OK, &wishes, &err), &err);
        assert_int_equal(wishes, who == 0 ? 2 : 6);
    }
}

/* The last test: nobody goes on after a failure. */
static void test_one_fails_for_all(void **state)
{
    char place[64];
    (void)state;
    assert_false(sl_processes_failed_together(together));
    for (int who = 0; who < size; who++) {
        sl_error err = { 0 };
        sl_status st = SL_OK;
        if (rank >= who)
            st = sl_error_set(&err, SL_EIO + (unsigned)rank, "rank %d", rank);
        st = sl_processes_agree(together, st, NULL, &err);
        assert_int_equal(st, SL_EIO + (unsigned)who);
        assert_int_equal(err.code, st);
        snprintf(place, sizeof place, "rank %d", who);
        assert_string_equal(err.message, place);
        snprintf(place, sizeof place, "process %d of %d", who + 1, size);
        assert_string_equal(err.place, who ? place : "");
        assert_true(sl_processes_failed_together(together));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_exchange),
        cmocka_unit_test(test_wishes),
        cmocka_unit_test(test_one_fails_for_all),
    };
    sl_error err;
    if (sl_processes_launched(NULL) == 1) {
        printf("skipped: needs mpirun, and a build with MPI\n");
        return SKIPPED;
    }
    must(sl_processes_open(&together, &err), &err);
    rank = sl_processes_rank(together);
    size = sl_processes_size(together);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sl_processes_close(together);
    return failed;
}
