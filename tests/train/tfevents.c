/* TensorBoard's record format, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "train/tfevents.h"
#include <stdlib.h>
#include <string.h>

static void crc32c_has_the_published_values(void **state)
{
    (void)state;
    unsigned char bytes[32];

    /* RFC 3720, B.4 */
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(sl_crc32c(0, bytes, sizeof bytes), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(sl_crc32c(0, bytes, sizeof bytes), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(sl_crc32c(0, bytes, sizeof bytes), 0x46dd794e);
    assert_int_equal(sl_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(sl_crc32c(sl_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}

/* What fn writes must be exactly these n bytes. */
static void expect_bytes(FILE *file, char **written, const size_t *size, const void *expected,
                         size_t n)
{
    assert_int_equal(fclose(file), 0);
    assert_int_equal(*size, n);
    assert_memory_equal(*written, expected, n);
    free(*written);
}

/* As TensorFlow begins every event file; the wall time, 8 bytes from the 13th on, is 0 here. */
static void a_file_starts_like_tensorflows(void **state)
{
    (void)state;
    static const char expected[] = "\x18\0\0\0\0\0\0\0\xa3\x7f\x4b\x22"
                                   "\x09\0\0\0\0\0\0\0\0\x1a\x0d"
                                   "brain.Event:2\xee\xdf\x28\xa3";
    char *written;
    size_t size;
    FILE *file = open_memstream(&written, &size);

    assert_int_equal(sl_tfevents_start(file, 0, NULL), SL_OK);
    expect_bytes(file, &written, &size, expected, sizeof expected - 1);
}

/* Wall time 1.5, step 300 (two varint bytes), loss = 0.25; the checksums are of an independent
 * implementation. */
static void a_scalar_is_a_record(void **state)
{
    (void)state;
    static const char expected[] = "\x1b\0\0\0\0\0\0\0\x1a\x0d\x9e\x13"
                                   "\x09\0\0\0\0\0\0\xf8\x3f\x10\xac\x02\x2a\x0d\x0a\x0b\x0a\x04"
                                   "loss\x15\0\0\x80\x3e\x99\x08\xde\xed";
    const sl_tf_scalar scalar = { "loss", 0.25 };
    char *written;
    size_t size;
    FILE *file = open_memstream(&written, &size);

    assert_int_equal(sl_tfevents_add(file, 1.5, 300, &scalar, 1, NULL), SL_OK);
    expect_bytes(file, &written, &size, expected, sizeof expected - 1);
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    sl_error err;
    FILE *file = fopen("/dev/full", "wb");

    if (!file)
        skip(); /* no such device here */
    setbuf(file, NULL);
    assert_int_equal(sl_tfevents_start(file, 0, &err), SL_EIO);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_has_the_published_values),
        cmocka_unit_test(a_file_starts_like_tensorflows),
        cmocka_unit_test(a_scalar_is_a_record),
        cmocka_unit_test(a_full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
