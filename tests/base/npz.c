#include "base/file.h"
#include "base/npy.h"
#include "support.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

enum { N = 5000 };
static float values[N];

/* An npz with the array values as name, packed by this method, at path. */
static void make(const char *folder, const char *path, int method, const char *name)
{
    sl_error err;
    unsigned char *npy;
    size_t n;
    const char *single = scratch_path(folder, "single.npy");
    for (int i = 0; i < N; i++)
        values[i] = (float)i;
    check_ok(sl_npy_write(single, SL_NPY_F32, 1, (size_t[]){ N }, values, &err), &err);
    check_ok(sl_file_read(single, 1 << 20, &npy, &n, &err), &err);
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    assert_non_null(zip);
    zip_int64_t index = zip_file_add(zip, name, zip_source_buffer(zip, npy, n, 0), 0);
    assert_true(index >= 0);
    assert_int_equal(zip_set_file_compression(zip, (zip_uint64_t)index, method, 0), 0);
    assert_int_equal(zip_close(zip), 0);
    free(npy);
}

static void stored_and_deflated_arrays_are_read(void **state)
{
    static const int methods[] = { ZIP_CM_STORE, ZIP_CM_DEFLATE };
    const char *path = scratch_path(*state, "a.npz");
    for (int m = 0; m < 2; m++) {
        sl_error err;
        sl_npz *npz;
        sl_npy a;
        make(*state, path, methods[m], "probs.npy");
        check_ok(sl_npz_open(&npz, path, &err), &err);
        assert_true(sl_npz_has(npz, "probs"));
        assert_false(sl_npz_has(npz, "probs.npy"));
        for (int again = 0; again < 2; again++) {
            check_ok(sl_npz_read(npz, "probs", &a, &err), &err);
            assert_int_equal(a.type, SL_NPY_F32);
            assert_int_equal(a.count, N);
            assert_memory_equal(a.data, values, sizeof values);
            sl_npy_release(&a);
        }
        check_fails(sl_npz_read(npz, "logits", &a, &err), SL_ENOTFOUND,
                    "a.npz: there is no array 'logits'", &err);
        sl_npz_close(npz);
    }
    sl_npz_close(NULL);
}

static void what_is_no_archive_is_refused(void **state)
{
    sl_error err;
    sl_npz *npz;
    unsigned char *bytes;
    size_t n;
    const char *path = scratch_path(*state, "a.npz"), *cut = scratch_path(*state, "cut.npz");
    make(*state, path, ZIP_CM_DEFLATE, "probs.npy");
    check_ok(sl_file_read(path, 1 << 20, &bytes, &n, &err), &err);
    scratch_write(cut, bytes, n - 30);
    free(bytes);
    check_fails(sl_npz_open(&npz, cut, &err), SL_EFORMAT, "cut.npz: not a whole zip", &err);
    assert_null(npz);
    scratch_write(cut, "", 0);
    check_fails(sl_npz_open(&npz, cut, &err), SL_EFORMAT, "not a whole zip", &err);
    check_fails(sl_npz_open(&npz, "/none.npz", &err), SL_ENOTFOUND, "/none.npz", &err);
}

static void put_u32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> 8 * i);
}

/* Byte n of the local header, or, if central, of the central directory's. */
static unsigned char *in_header(unsigned char *zip, size_t size, bool central, size_t n)
{
    if (!central)
        return zip + n;
    unsigned char *p = memmem(zip, size, "PK\1\2", 4);
    assert_non_null(p);
    return p + n;
}

/* Reads the array of a damaged copy of the archive: each damage sets one 32-bit field of the
 * central directory (APPNOTE 4.3.12) or flips one packed byte. */
static void lies_in_the_directory_are_found(void **state)
{
    enum { CRC = 16, PACKED_SIZE = 20, UNPACKED_SIZE = 24, FLAGS_AND_METHOD = 8 };
    static const struct {
        const char *why;
        size_t field;
        uint32_t value, packed; /* packed size, 0: as it is */
        sl_status code;
        const char *holds;
    } cases[] = {
        { "2 GB from a few kB", UNPACKED_SIZE, 0x7fffffff, 0, SL_EFORMAT, "says it unpacks" },
        { "2 GB from as many", UNPACKED_SIZE, 0x7b000006, 0x7b000006, SL_EFORMAT, "says it" },
        { "over the limit", UNPACKED_SIZE, 0xfffffff0, 0, SL_EFORMAT, "more than the" },
        { "longer than it is", UNPACKED_SIZE, 4 * N + 129, 0, SL_EFORMAT, "probs.npy: " },
        { "shorter than it is", UNPACKED_SIZE, 4 * N + 127, 0, SL_EFORMAT, "probs.npy: " },
        { "empty", UNPACKED_SIZE, 0, 0, SL_EFORMAT, "probs.npy: " },
        { "checksum", CRC, 12345, 0, SL_EFORMAT, "CRC" },
        { "encrypted", FLAGS_AND_METHOD, 8u << 16 | 1, 0, SL_EUNSUPPORTED, "encrypted" },
        { "bzip2", FLAGS_AND_METHOD, 12u << 16, 0, SL_EUNSUPPORTED, "method 12" },
    };
    const char *path = scratch_path(*state, "a.npz"), *lie = scratch_path(*state, "lie.npz");
    sl_error err;
    unsigned char *bytes;
    size_t n;
    make(*state, path, ZIP_CM_DEFLATE, "probs.npy");
    for (size_t i = 0; i <= sizeof cases / sizeof *cases; i++) {
        bool flip = i == sizeof cases / sizeof *cases;
        sl_npz *npz;
        sl_npy a;
        check_ok(sl_file_read(path, 1 << 20, &bytes, &n, &err), &err);
        if (flip)
            *in_header(bytes, n, false, 1000) ^= 0x10;
        else
            put_u32(in_header(bytes, n, true, cases[i].field), cases[i].value);
        if (!flip && cases[i].packed)
            put_u32(in_header(bytes, n, true, PACKED_SIZE), cases[i].packed);
        if (!flip && cases[i].field == FLAGS_AND_METHOD) /* libzip compares these on opening */
            put_u32(in_header(bytes, n, false, FLAGS_AND_METHOD - 2), cases[i].value);
        scratch_write(lie, bytes, n);
        free(bytes);
        print_message("%s\n", flip ? "a flipped bit" : cases[i].why);
        check_ok(sl_npz_open(&npz, lie, &err), &err);
        check_fails(sl_npz_read(npz, "probs", &a, &err), flip ? SL_EFORMAT : cases[i].code,
                    flip ? "damaged" : cases[i].holds, &err);
        assert_null(a.data);
        sl_npz_close(npz);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_and_deflated_arrays_are_read),
        cmocka_unit_test(what_is_no_archive_is_refused),
        cmocka_unit_test(lies_in_the_directory_are_found),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
