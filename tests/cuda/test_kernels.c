/* The cuda backend's operations and its kernels' bodies on the host (emulated.h). */
#include "cuda/against_ref.h"
#include "cuda/check_batches.h"
#include "cuda/emulated.h"
#include "nn/cuda/cuda.h"
#include "nn/guarded_device.h"
#include "nn/random_problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static int open_emulated(void **state)
{
    sl_device *emulated = NULL;
    sl_error err;
    (void)state;
    return emulated_device_open(&emulated, &err) ? -1 : open_devices(emulated);
}

/* What the reference can, this backend can. */
static void every_kind_is_there(void **state)
{
    (void)state;
    for (int kind = 0; kind < SL_OP_COUNT; kind++) {
        if (!sl_cuda_ops[kind] || !sl_cuda_ops[kind]->run)
            fail_msg("operation %d has no function", kind);
    }
}

/* The very checks that a GPU has to pass, on a device whose memory the host can't touch. */
static void the_checks_of_batches_hold_elsewhere(void **state)
{
    sl_device *guarded = NULL;
    sl_error err;
    (void)state;
    assert_int_equal(guarded_device_open(&guarded, 1, &err), SL_OK);
    check_batches(guarded);
    check_tally(guarded);
    sl_device_close(guarded);
}

/* More images than a block has threads. */
static void the_tally_is_the_hosts(void **state)
{
    enum { N = 300, CLASSES = 10 };
    float *numbers = floats(N * (1 + 2 * CLASSES));
    sl_tally want = { 0.5, 3 }, got = want;
    sl_tally_step step = { numbers, numbers + N, numbers + N * (1 + CLASSES), N, CLASSES, &want };
    sl_device *emulated = NULL;
    sl_error err;
    (void)state;
    for (size_t i = 0; i < N * (1 + 2 * CLASSES); i++)
        numbers[i] = (float)(i * i % 101) / 101;
    assert_int_equal(emulated_device_open(&emulated, &err), SL_OK);
    const sl_cuda_device *dev = (const sl_cuda_device *)(const void *)emulated;
    sl_tally_add(&step);
    step.tally = &got;
    assert_int_equal(dev->functions->kernels->tally(NULL, &step, 1), 0);
    assert_true(got.loss == want.loss);
    assert_true(want.hits > 3 && want.hits < N);
    assert_int_equal(got.hits, want.hits);
    sl_device_close(emulated);
    test_free(numbers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_there),
        cmocka_unit_test(check_listed_cases),
        cmocka_unit_test(check_random_cases),
        cmocka_unit_test(check_whole_networks),
        cmocka_unit_test(the_checks_of_batches_hold_elsewhere),
        cmocka_unit_test(the_tally_is_the_hosts),
    };
    return cmocka_run_group_tests(tests, open_emulated, close_devices);
}
