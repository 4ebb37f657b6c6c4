/* The peak of a device through its convolutions, on small ones: of the host and of a device with
 * memory of its own. */
#include "nn/conv_peak.h"

#include "nn/guarded_device.h"
#include "nn/random_problem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const sl_peak_conv small = { .n = 2, .c = 32, .side = 8, .kernel = 3 };

static void it_is_more_than_nothing(void **state)
{
    sl_device *devices[2] = { NULL };
    sl_error err;
    (void)state;
    must(sl_device_open(&devices[0], "cpu", 1, &err), &err);
    must(guarded_device_open(&devices[1], 1, &err), &err);
    for (int i = 0; i < 2; i++) {
        double flops = 0;
        must(sl_conv_peak_measure(&flops, devices[i], SL_DTYPE_F32, &small, 0.02, &err), &err);
        assert_true(flops > 1e3 && flops < 1e13);
    }
    assert_int_equal(guarded_device_counts(devices[1]).allocations, 0);
    sl_device_close(devices[0]);
    sl_device_close(devices[1]);
}

static void its_text_names_the_shape(void **state)
{
    char text[64];
    (void)state;
    assert_string_equal(sl_peak_conv_text(&small, text, sizeof text),
                        "conv 3x3, 32 to 32 channels");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_more_than_nothing),
        cmocka_unit_test(its_text_names_the_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
