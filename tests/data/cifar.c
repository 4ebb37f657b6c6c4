/* CIFAR's binary records and CIFAR-10.1's arrays: what is read, and what is refused. */
#include "base/npy.h"
#include "fixture.h"
#include <stdlib.h>
#include <string.h>

static sl_status read_one(const char *path, sl_dataset **out, sl_error *err)
{
    return sl_cifar_read(out, "set", &path, 1, err);
}

static void test_reads_files_in_order(void **state)
{
    sl_error err;
    sl_dataset *set;
    const char *paths[] = { fixture_path(*state, "a.bin"), fixture_path(*state, "b.bin") };
    fixture_write_cifar(paths[0], 0, 3, 0);
    fixture_write_cifar(paths[1], 3, 2, 0);
    expect_ok(sl_cifar_read(&set, "two files", paths, 2, &err), &err);
    assert_int_equal(set->n, 5);
    assert_int_equal(set->channels * 10000 + set->height * 100 + set->width, 33232);
    assert_int_equal(set->classes, 10);
    assert_string_equal(set->name, "two files");
    assert_string_equal(set->class_names[9], "truck");
    for (size_t i = 0; i < set->n; i++) {
        assert_int_equal(set->labels[i], fixture_label(i));
        for (size_t k = 0; k < 3072; k++)
            assert_int_equal(set->pixels[i * 3072 + k], fixture_pixel(i, k));
    }
    sl_dataset *same = fixture_dataset(*state, 5), *other = fixture_dataset(*state, 4);
    assert_string_equal(set->sha256, same->sha256);
    assert_string_not_equal(set->sha256, other->sha256);
    sl_dataset_destroy(other);
    sl_dataset_destroy(same);
    sl_dataset_destroy(set);
}

static void test_wrong_sizes(void **state)
{
    static const struct {
        const char *name;
        long extra;
        const char *message;
    } cases[] = {
        { "short.bin", -1,
          "short.bin: size is 9218 bytes, expected a multiple of 3073: record 2 "
          "is cut off after 3072 bytes" },
        { "long.bin", 1, "record 3 is cut off after 1 bytes" },
        { "empty.bin", -3 * 3073, "is empty" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_error err;
        sl_dataset *set;
        const char *path = fixture_path(*state, "%s", cases[i].name);
        fixture_write_cifar(path, 0, 3, cases[i].extra);
        expect_error(read_one(path, &set, &err), SL_EFORMAT, &err, cases[i].message);
        assert_null(set);
    }
}

static void test_label_over_nine(void **state)
{
    sl_error err;
    sl_dataset *set;
    const char *path = fixture_path(*state, "a.bin");
    uint8_t records[3 * 3073] = { 9 };
    records[2 * 3073] = 10;
    fixture_write(path, records, sizeof records);
    expect_error(read_one(path, &set, &err), SL_EFORMAT, &err,
                 "a.bin: label of record 2 is 10, expected 0..9");
}

static void test_missing_file(void **state)
{
    sl_error err;
    sl_dataset *set;
    expect_error(read_one(fixture_path(*state, "none.bin"), &set, &err), SL_ENOTFOUND, &err,
                 "none.bin");
}

/* ---- CIFAR-10.1 ---- */

enum { N = 4 };

static void write_images(const char *path, sl_npy_type type, size_t n, size_t side, size_t channels)
{
    const size_t shape[] = { n, side, side, channels };
    uint8_t *bytes = calloc(n * side * side * channels, 8);
    for (size_t i = 0; i < n * side * side * channels; i++)
        bytes[i] = (uint8_t)(i * 13 + i / 251);
    sl_error err;
    expect_ok(sl_npy_write(path, type, 4, shape, bytes, &err), &err);
    free(bytes);
}

static void write_labels(const char *path, size_t n, int64_t last)
{
    int64_t labels[16] = { 0 };
    const size_t shape[] = { n };
    for (size_t i = 0; i < n; i++)
        labels[i] = i + 1 == n ? last : (int64_t)i;
    sl_error err;
    expect_ok(sl_npy_write(path, SL_NPY_I64, 1, shape, labels, &err), &err);
}

static void test_cifar101(void **state)
{
    sl_error err;
    sl_dataset *set;
    const char *data = fixture_path(*state, "data.npy"), *labels = fixture_path(*state, "l.npy");
    write_images(data, SL_NPY_U8, N, 32, 3);
    write_labels(labels, N, 9);
    expect_ok(sl_cifar101_read(&set, "v", data, labels, &err), &err);
    assert_int_equal(set->n, N);
    assert_int_equal(set->labels[N - 1], 9);
    for (size_t i = 0; i < N; i++)
        for (size_t c = 0; c < 3; c++)
            for (size_t p = 0; p < 1024; p++) {
                const size_t from = (i * 1024 + p) * 3 + c;
                assert_int_equal(set->pixels[(i * 3 + c) * 1024 + p],
                                 (uint8_t)(from * 13 + from / 251));
            }
    sl_dataset_destroy(set);
}

static void test_cifar101_refuses(void **state)
{
    static const struct {
        sl_npy_type type;
        size_t n, side, channels, n_labels;
        int64_t last;
        const char *message;
    } cases[] = {
        { SL_NPY_F32, N, 32, 3, N, 1, "data.npy: images are float32, expected uint8" },
        { SL_NPY_U8, N, 31, 3, N, 1, "data.npy: images have another shape than (n, 32, 32, 3)" },
        { SL_NPY_U8, N, 32, 1, N, 1, "another shape" },
        { SL_NPY_U8, 0, 32, 3, 0, 1, "another shape" },
        { SL_NPY_U8, N, 32, 3, N + 1, 1, "labels.npy: has 5 labels, but there are 4 images" },
        { SL_NPY_U8, N, 32, 3, N, 10, "labels.npy: label of image 3 is 10, expected 0..9" },
        { SL_NPY_U8, N, 32, 3, N, -1, "label of image 3 is -1" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_error err;
        sl_dataset *set;
        const char *data = fixture_path(*state, "data.npy");
        const char *labels = fixture_path(*state, "labels.npy");
        write_images(data, cases[i].type, cases[i].n, cases[i].side, cases[i].channels);
        write_labels(labels, cases[i].n_labels, cases[i].last);
        expect_error(sl_cifar101_read(&set, "v", data, labels, &err), SL_EFORMAT, &err,
                     cases[i].message);
        assert_null(set);
    }
}

static void test_cifar101_float_labels(void **state)
{
    sl_error err;
    sl_dataset *set;
    const char *data = fixture_path(*state, "data.npy"), *labels = fixture_path(*state, "l.npy");
    const size_t shape[] = { N };
    const float values[N] = { 0 };
    write_images(data, SL_NPY_U8, N, 32, 3);
    expect_ok(sl_npy_write(labels, SL_NPY_F32, 1, shape, values, &err), &err);
    expect_error(sl_cifar101_read(&set, "v", data, labels, &err), SL_EFORMAT, &err,
                 "labels are float32");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads_files_in_order, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_wrong_sizes, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_label_over_nine, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_missing_file, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_cifar101, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_cifar101_refuses, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_cifar101_float_labels, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
