#include "base/read_ahead.h"
#include "base/random.h"
#include "support.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { BLOCK = 128 * 1024, MOST = 9 * BLOCK + 1 };

/* At random, so that they don't pack. */
static unsigned char *numbers(size_t n)
{
    unsigned char *bytes = test_malloc(n);
    sl_random r = sl_random_stream(1, SL_RANDOM_TEST, 0, 0);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)sl_random_u32(&r);
    return bytes;
}

/* Reads it all in pieces of so many bytes. */
static size_t read_all(sl_read_ahead *ahead, unsigned char *out, size_t piece, sl_error *err)
{
    size_t n = 0, got;
    do {
        check_ok(sl_read_ahead_read(ahead, out + n, piece, &got, err), err);
        n += got;
    } while (got == piece);
    return n;
}

/* Files that end within a block, with one, and just behind it; pieces smaller and greater. */
static void all_is_read_and_hashed(void **state)
{
    const size_t sizes[] = { 0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 4 * BLOCK, MOST };
    const size_t pieces[] = { 1000, BLOCK, 3 * BLOCK + 7 };
    const char *path = scratch_path(*state, "a");
    unsigned char *bytes = numbers(MOST), *got = test_malloc(MOST + 4 * BLOCK);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes * 3; i++) {
        const size_t size = sizes[i / 3];
        char expected[65], hex[65];
        sl_input *input;
        sl_read_ahead *ahead;
        sl_hash *hash;
        sl_error err;
        scratch_write(path, bytes, size);
        check_ok(sl_input_open(&input, path, &err), &err);
        assert_int_equal(sl_input_file_bytes(input), size);
        check_ok(sl_hash_create(&hash, SL_HASH_SHA256, &err), &err);
        check_ok(sl_read_ahead_create(&ahead, input, hash, &err), &err);
        assert_int_equal(read_all(ahead, got, pieces[i % 3], &err), size);
        sl_read_ahead_destroy(ahead);
        assert_memory_equal(got, bytes, size);
        check_ok(sl_hash_finish(hash, hex, &err), &err);
        check_ok(sl_sha256(bytes, size, expected, &err), &err);
        assert_string_equal(hex, expected);
        sl_hash_destroy(hash);
        sl_input_close(input);
    }
    test_free(bytes);
    test_free(got);
}

/* What comes before the failure is read, then the failure, however often one asks. */
static void a_failure_comes_in_its_place(void **state)
{
    const char *path = scratch_path(*state, "a.gz");
    unsigned char *bytes = numbers(MOST), *got = test_malloc(MOST);
    sl_input *input;
    sl_read_ahead *ahead;
    sl_error err;
    size_t n;
    gzFile gz = gzopen(path, "wb1");
    assert_int_equal(gzwrite(gz, bytes, MOST), MOST);
    assert_int_equal(gzclose(gz), Z_OK);
    assert_int_equal(truncate(path, 6 * BLOCK), 0);
    check_ok(sl_input_open(&input, path, &err), &err);
    check_ok(sl_read_ahead_create(&ahead, input, NULL, &err), &err);
    check_ok(sl_read_ahead_read(ahead, got, 3 * BLOCK, &n, &err), &err);
    assert_int_equal(n, 3 * BLOCK);
    assert_memory_equal(got, bytes, n);
    for (int i = 0; i < 2; i++)
        check_fails(sl_read_ahead_read(ahead, got, MOST, &n, &err), SL_EFORMAT, "cut off", &err);
    sl_read_ahead_destroy(ahead);
    sl_input_close(input);
    test_free(bytes);
    test_free(got);
}

/* Whether nothing was taken or something, with the thread anywhere. */
static void reading_may_stop_anywhere(void **state)
{
    const char *path = scratch_path(*state, "a");
    unsigned char *bytes = numbers(MOST);
    scratch_write(path, bytes, MOST);
    for (size_t taken = 0; taken < 2 * BLOCK; taken += BLOCK / 3) {
        sl_input *input;
        sl_read_ahead *ahead;
        sl_error err;
        size_t n;
        check_ok(sl_input_open(&input, path, &err), &err);
        check_ok(sl_read_ahead_create(&ahead, input, NULL, &err), &err);
        check_ok(sl_read_ahead_read(ahead, bytes, taken, &n, &err), &err);
        assert_int_equal(n, taken);
        sl_read_ahead_destroy(ahead);
        sl_input_close(input);
    }
    test_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_is_read_and_hashed, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(a_failure_comes_in_its_place, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(reading_may_stop_anywhere, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
