/* State to all, and parameters that have come apart. Started by mpirun; skipped where one process
 * is alone. */
#include "train/together.h"

#include "nn/random_problem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { SKIPPED = 77 };

static sl_processes *together;
static int rank, size;

static void fill(float *to, size_t n, float with)
{
    for (size_t i = 0; i < n; i++)
        to[i] = with + (float)(i % 64);
}

static void expect_filled(const float *got, size_t n, float with)
{
    for (size_t i = 0; i < n; i++)
        assert_true(got[i] == with + (float)(i % 64));
}

/* What rank 0 has read from a file, the others have, too; of the tallies each its own. */
static void test_share(void **state)
{
    random_problem p = random_problem_create(1, 2, 1, 0);
    const sl_optimizer_options adam = sl_optimizer_adam(0);
    sl_tally tallies[8] = { { 0 } };
    sl_train_state s = { .params = p.params, .tallies = tallies, .processes = size };
    bool flag = rank == 0;
    sl_error err;
    (void)state;
    must(sl_optimizer_create(&s.optimizer, &adam, p.values, &err), &err);
    fill(p.params->values, p.values, (float)rank);
    fill(p.params->buffers, p.buffers, (float)rank);
    if (rank == 0) {
        s.epoch = 3;
        s.batch = 14;
        s.sums = (sl_epoch_sums){ { 0.5, 9 }, 77 };
        s.optimizer->steps = 1000;
        fill(s.optimizer->state[0], p.values, 5);
        fill(s.optimizer->state[1], p.values, 6);
        for (int i = 0; i < size; i++)
            tallies[i] = (sl_tally){ 0.5 + i, (uint64_t)i + 9 };
    }
    must(sl_together_share(together, &s, &flag, &err), &err);
    assert_true(flag);
    assert_int_equal(s.epoch, 3);
    assert_int_equal(s.batch, 14);
    assert_int_equal(s.sums.seen, 77);
    assert_int_equal(s.optimizer->steps, 1000);
    assert_true(s.sums.tally.loss == 0.5 + rank);
    assert_int_equal(s.sums.tally.hits, rank + 9);
    expect_filled(p.params->values, p.values, 0);
    expect_filled(p.params->buffers, p.buffers, 0);
    expect_filled(s.optimizer->state[0], p.values, 5);
    expect_filled(s.optimizer->state[1], p.values, 6);
    sl_optimizer_destroy(s.optimizer);
    random_problem_release(&p);
}

/* The last test: nobody goes on after a failure. */
static void test_alike(void **state)
{
    random_problem p = random_problem_create(2, 2, 1, 0);
    sl_error err;
    (void)state;
    must(sl_together_alike(together, p.params, &err), &err);
    if (rank == 1)
        p.params->values[17] += 1e-6f;
    assert_int_equal(sl_together_alike(together, p.params, &err), SL_EDEVICE);
    assert_non_null(strstr(err.message, "processes 1 and 2 of"));
    assert_true(sl_processes_failed_together(together));
    random_problem_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_alike),
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
