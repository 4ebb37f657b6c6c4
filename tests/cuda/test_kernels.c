/* The cuda backend's operations and its kernels' bodies on the host (emulated.h). */
#include "cuda/against_ref.h"
#include "cuda/check_batches.h"
#include "cuda/emulated.h"
#include "nn/cuda/cuda.h"
#include "nn/guarded_device.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_there),
        cmocka_unit_test(check_listed_cases),
        cmocka_unit_test(check_random_cases),
        cmocka_unit_test(check_whole_networks),
        cmocka_unit_test(the_checks_of_batches_hold_elsewhere),
    };
    return cmocka_run_group_tests(tests, open_emulated, close_devices);
}
