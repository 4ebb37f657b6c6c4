/* The cuda backend on a GPU; skipped where there is none. */
#include "cuda/against_ref.h"
#include "cuda/check_batches.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { SKIPPED = 77 }; /* CTest's, as tests/CMakeLists.txt has it */

static sl_device *gpu;

static int open_gpu(void **state)
{
    (void)state;
    return open_devices(gpu);
}

static void batches_are_the_hosts(void **state)
{
    (void)state;
    check_batches(gpu);
}

static void the_tally_is_the_hosts(void **state)
{
    (void)state;
    check_tally(gpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_listed_cases),     cmocka_unit_test(check_random_cases),
        cmocka_unit_test(check_whole_networks),   cmocka_unit_test(batches_are_the_hosts),
        cmocka_unit_test(the_tally_is_the_hosts),
    };
    char text[700];
    sl_error err;
    if (sl_device_open(&gpu, "cuda", 1, &err)) {
        printf("skipped: %s\n", sl_error_text(&err, text, sizeof text));
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, open_gpu, close_devices);
}
