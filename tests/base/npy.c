#include "base/npy.h"
#include "base/file.h"
#include "support.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What numpy.save writes for np.array([[1, 2, 3]], dtype='<i2'). */
static const unsigned char by_numpy[] =
    "\x93NUMPY\x01\x00\x76\x00{'descr': '<i2', 'fortran_order': False, 'shape': (1, 3), }"
    "                                                          \n\x01\x00\x02\x00\x03";
enum { BY_NUMPY = sizeof by_numpy }; /* the string's NUL is the last byte of 3 */

/* An npy file of this version and header, then zeros. Returns its length. */
static size_t make(unsigned char out[1024], int major, const char *header, size_t n_data)
{
    size_t n = strlen(header), at = major == 1 ? 10 : 12;
    memset(out, 0, 1024);
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (unsigned char)major;
    out[8] = (unsigned char)n;
    memcpy(out + at, header, n);
    return at + n + n_data;
}

static void writing_gives_numpys_bytes(void **state)
{
    sl_error err;
    unsigned char *bytes;
    size_t n;
    const int16_t values[] = { 1, 2, 3 };
    const char *path = scratch_path(*state, "a.npy");
    check_ok(sl_npy_write(path, SL_NPY_I16, 2, (size_t[]){ 1, 3 }, values, &err), &err);
    check_ok(sl_file_read(path, 1000, &bytes, &n, &err), &err);
    assert_int_equal(n, BY_NUMPY);
    assert_memory_equal(bytes, by_numpy, BY_NUMPY);
    free(bytes);
}

static void every_type_and_rank_comes_back(void **state)
{
    sl_error err;
    const char *path = scratch_path(*state, "a.npy");
    static unsigned char data[8 * 6];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i % 2);
    static const size_t shapes[][SL_NPY_MAX_DIMS] = {
        { 1 }, { 6 }, { 2, 3 }, { 1, 1, 6, 1, 1, 1, 1, 1 }
    };
    static const int ranks[] = { 0, 1, 2, 8 };
    for (int type = SL_NPY_U8; type <= SL_NPY_BOOL; type++) {
        for (int s = 0; s < 4; s++) {
            sl_npy a;
            size_t n = s == 0 ? 1 : 6;
            check_ok(sl_npy_write(path, (sl_npy_type)type, ranks[s], shapes[s], data, &err), &err);
            check_ok(sl_npy_read(&a, path, &err), &err);
            assert_int_equal(a.type, type);
            assert_int_equal(a.n_dims, ranks[s]);
            assert_int_equal(a.count, n);
            for (int d = 0; d < a.n_dims; d++)
                assert_int_equal(a.shape[d], shapes[s][d]);
            assert_memory_equal(a.data, data, n * sl_npy_item_size(a.type));
            sl_npy_release(&a);
        }
    }
    sl_npy empty;
    check_ok(sl_npy_write(path, SL_NPY_F64, 2, (size_t[]){ 0, 10 }, NULL, &err), &err);
    check_ok(sl_npy_read(&empty, path, &err), &err);
    assert_int_equal(empty.count, 0);
    sl_npy_release(&empty);
    check_fails(sl_npy_write(path, SL_NPY_F64, 2, (size_t[]){ SIZE_MAX, 2 }, data, &err), SL_EINVAL,
                "overflows", &err);
}

static void conversion_to_double_keeps_signs(void **state)
{
    (void)state;
    sl_error err;
    double *v;
    struct {
        sl_npy_type type;
        const void *data;
        double expected[2];
    } cases[] = {
        { SL_NPY_U8, (uint8_t[]){ 0, 255 }, { 0, 255 } },
        { SL_NPY_I8, (int8_t[]){ -128, 127 }, { -128, 127 } },
        { SL_NPY_U16, (uint16_t[]){ 1, 65535 }, { 1, 65535 } },
        { SL_NPY_I16, (int16_t[]){ -1, 32767 }, { -1, 32767 } },
        { SL_NPY_U32, (uint32_t[]){ 1, UINT32_MAX }, { 1, 4294967295.0 } },
        { SL_NPY_I32, (int32_t[]){ INT32_MIN, 5 }, { -2147483648.0, 5 } },
        { SL_NPY_U64, (uint64_t[]){ 1, (uint64_t)1 << 63 }, { 1, 0x1p63 } },
        { SL_NPY_I64, (int64_t[]){ INT64_MIN, 5 }, { -0x1p63, 5 } },
        { SL_NPY_F32, (float[]){ -0.5f, INFINITY }, { -0.5, INFINITY } },
        { SL_NPY_F64, (double[]){ 0.1, -1e300 }, { 0.1, -1e300 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_npy a = { .type = cases[i].type, .n_dims = 1, .shape = { 2 }, .count = 2 };
        a.data = (void *)(uintptr_t)cases[i].data;
        check_ok(sl_npy_to_f64(&a, &v, &err), &err);
        assert_memory_equal(v, cases[i].expected, sizeof cases[i].expected);
        free(v);
    }
    sl_npy bools = { .type = SL_NPY_BOOL, .count = 1, .data = (bool[]){ true } };
    check_fails(sl_npy_to_f64(&bools, &v, &err), SL_EFORMAT, "bool", &err);
}

static void unusual_but_right_headers_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *why, *header;
        int major;
        size_t n_data, count;
    } cases[] = {
        { "version 2.0", "{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }\n", 2, 12, 3 },
        { "version 3.0", "{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }\n", 3, 12, 3 },
        { "order of keys", "{'shape': (2, 2), 'fortran_order': False, 'descr': '<f8'}", 1, 32, 4 },
        { "double quotes, no spaces", "{\"descr\":\"|u1\",\"fortran_order\":False,\"shape\":(2,)}",
          1, 2, 2 },
        { "Python 2's integers", "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L)}", 1,
          24, 6 },
        { "native order", "{'descr': '=i8', 'fortran_order': False, 'shape': (1,)}", 1, 8, 1 },
        { "one byte has no order", "{'descr': '>u1', 'fortran_order': False, 'shape': (1,)}", 1, 1,
          1 },
        { "a scalar", "{'descr': '<f8', 'fortran_order': False, 'shape': ()}", 1, 8, 1 },
        { "zero hides a huge dimension",
          "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 99999999999)}", 1, 0, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_error err;
        sl_npy a;
        unsigned char bytes[1024];
        size_t n = make(bytes, cases[i].major, cases[i].header, cases[i].n_data);
        print_message("%s\n", cases[i].why);
        check_ok(sl_npy_parse(&a, bytes, n, &err), &err);
        assert_int_equal(a.count, cases[i].count);
        sl_npy_release(&a);
    }
}

#define D8 "'descr': '<f8', "
#define C_ORDER "'fortran_order': False, "

static void wrong_headers_say_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t n_data;
        sl_status code;
        const char *holds;
    } cases[] = {
        { "{" D8 "'fortran_order': True, 'shape': (2, 2)}", 32, SL_EUNSUPPORTED, "Fortran order" },
        { "{'descr': '>f8', " C_ORDER "'shape': (2,)}", 16, SL_EUNSUPPORTED, "big-endian" },
        { "{'descr': '|O', " C_ORDER "'shape': (2,)}", 16, SL_EUNSUPPORTED, "objects" },
        { "{'descr': 'O', " C_ORDER "'shape': (2,)}", 16, SL_EUNSUPPORTED, "objects" },
        { "{'descr': '<c16', " C_ORDER "'shape': (1,)}", 16, SL_EUNSUPPORTED, "'<c16'" },
        { "{'descr': '<f2', " C_ORDER "'shape': (1,)}", 2, SL_EUNSUPPORTED, "'<f2'" },
        { "{'descr': '<U5', " C_ORDER "'shape': (1,)}", 20, SL_EUNSUPPORTED, "'<U5'" },
        { "{'descr': [('a', '<f8')], " C_ORDER "'shape': (1,)}", 8, SL_EUNSUPPORTED, "records" },
        { "{'descr': '', " C_ORDER "'shape': (1,)}", 8, SL_EFORMAT, "byte order" },
        { "{'descr': 'f8', " C_ORDER "'shape': (1,)}", 8, SL_EFORMAT, "byte order" },
        { "{" D8 C_ORDER "'shape': (1,1,1,1,1,1,1,1,1)}", 8, SL_EUNSUPPORTED, "8 dimensions" },
        { "{" D8 C_ORDER "'shape': (3,)}", 23, SL_EFORMAT, "too few for shape (3,) of float64" },
        { "{" D8 C_ORDER "'shape': (3,)}", 25, SL_EFORMAT, "too many for shape (3,) of float64" },
        { "{" D8 C_ORDER "'shape': (4611686018427387904, 2)}", 8, SL_EFORMAT, "too few" },
        { "{" D8 C_ORDER "'shape': (4611686018427387904, 4)}", 0, SL_EFORMAT, "more than any" },
        { "{" D8 C_ORDER "'shape': (99999999999999999999,)}", 0, SL_EFORMAT, "header" },
        { "{" D8 C_ORDER "'shape': (-1,)}", 0, SL_EFORMAT, "header" },
        { "{" D8 C_ORDER "'shape': (1)}", 8, SL_EFORMAT, "header" },
        { "{" D8 C_ORDER "'shape': (,)}", 8, SL_EFORMAT, "header" },
        { "{" D8 C_ORDER "'shape': (1 1)}", 8, SL_EFORMAT, "header" },
        { "{" D8 C_ORDER "'shape': (1,", 8, SL_EFORMAT, "header" },
        { "{" D8 C_ORDER "}", 8, SL_EFORMAT, "header" },
        { "{" D8 D8 C_ORDER "'shape': (1,)}", 8, SL_EFORMAT, "header" },
        { "{" D8 C_ORDER "'shape': (1,), 'x': 1}", 8, SL_EFORMAT, "header" },
        { "{" D8 "'fortran_order': 0, 'shape': (1,)}", 8, SL_EFORMAT, "header" },
        { "{" D8 C_ORDER "'shape': (1,)} x", 8, SL_EFORMAT, "header" },
        { "", 8, SL_EFORMAT, "header" },
        { "{'a key longer than any key may be': 1}", 8, SL_EFORMAT, "header" },
        { "{'descr", 8, SL_EFORMAT, "header" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_error err;
        sl_npy a;
        unsigned char bytes[1024];
        size_t n = make(bytes, 1, cases[i].header, cases[i].n_data);
        print_message("%s\n", cases[i].header);
        check_fails(sl_npy_parse(&a, bytes, n, &err), cases[i].code, cases[i].holds, &err);
        assert_null(a.data);
    }
}

static void wrong_magic_versions_and_values_are_refused(void **state)
{
    (void)state;
    sl_error err;
    sl_npy a;
    unsigned char bytes[1024];
    memcpy(bytes, by_numpy, BY_NUMPY);
    bytes[0] = 0x92;
    check_fails(sl_npy_parse(&a, bytes, BY_NUMPY, &err), SL_EFORMAT, "doesn't begin", &err);
    memcpy(bytes, by_numpy, BY_NUMPY);
    bytes[6] = 4;
    check_fails(sl_npy_parse(&a, bytes, BY_NUMPY, &err), SL_EUNSUPPORTED, "version 4.0", &err);
    bytes[6] = 2;
    bytes[10] = bytes[11] = 0xff; /* four length bytes: a header of 4 GB */
    check_fails(sl_npy_parse(&a, bytes, BY_NUMPY, &err), SL_EFORMAT, "cut off", &err);
    size_t n = make(bytes, 1, "{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}", 2);
    bytes[n - 1] = 2;
    check_fails(sl_npy_parse(&a, bytes, n, &err), SL_EFORMAT, "element 1 of a bool array is 2",
                &err);
}

static void every_truncation_is_refused(void **state)
{
    sl_error err;
    sl_npy a;
    for (size_t n = 0; n < BY_NUMPY; n++) {
        unsigned char *exact = malloc(n ? n : 1); /* so that asan sees a byte too far */
        memcpy(exact, by_numpy, n);
        check_fails(sl_npy_parse(&a, exact, n, &err), SL_EFORMAT, NULL, &err);
        free(exact);
    }
    const char *path = scratch_path(*state, "cut.npy");
    scratch_write(path, by_numpy, BY_NUMPY - 1);
    check_fails(sl_npy_read(&a, path, &err), SL_EFORMAT, "cut.npy: 5 bytes of data, too few", &err);
    check_fails(sl_npy_read(&a, "/dev/zero", &err), SL_EINVAL, "not a regular file", &err);
    check_fails(sl_npy_read(&a, "/none.npy", &err), SL_ENOTFOUND, "/none.npy", &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing_gives_numpys_bytes),
        cmocka_unit_test(every_type_and_rank_comes_back),
        cmocka_unit_test(conversion_to_double_keeps_signs),
        cmocka_unit_test(unusual_but_right_headers_are_read),
        cmocka_unit_test(wrong_headers_say_what_is_wrong),
        cmocka_unit_test(wrong_magic_versions_and_values_are_refused),
        cmocka_unit_test(every_truncation_is_refused),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
