/* The cuda backend's operations and its kernels' bodies on the host (emulated.h). */
#include "cuda/against_ref.h"
#include "cuda/emulated.h"
#include "nn/cuda/cuda.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_there),
        cmocka_unit_test(check_listed_cases),
        cmocka_unit_test(check_random_cases),
        cmocka_unit_test(check_whole_networks),
    };
    return cmocka_run_group_tests(tests, open_emulated, close_devices);
}
