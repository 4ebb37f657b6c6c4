/* Distributions from counts, probabilities and labels: what is read, and what is refused. */
#include "base/npy.h"
#include "fixture.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 3, K = 4 };

static const char *write_rows(const char *dir, sl_npy_type type, const void *rows)
{
    sl_error err;
    const char *path = fixture_path(dir, "rows.npy");
    const size_t shape[] = { N, K };
    expect_ok(sl_npy_write(path, type, 2, shape, rows, &err), &err);
    return path;
}

static void test_counts(void **state)
{
    sl_error err;
    sl_targets *t;
    const int64_t counts[N][K] = { { 1, 2, 0, 0 }, { 0, 0, 0, 51 }, { 10, 11, 12, 14 } };
    const char *path = write_rows(*state, SL_NPY_I64, counts);
    expect_ok(sl_targets_read(&t, "human", path, N, K, &err), &err);
    assert_int_equal(t->n, N);
    assert_int_equal(t->classes, K);
    assert_string_equal(t->name, "human");
    for (int i = 0; i < N; i++) {
        int64_t sum = 0;
        for (int k = 0; k < K; k++)
            sum += counts[i][k];
        for (int k = 0; k < K; k++) {
            const double p = (double)counts[i][k] / (double)sum;
            assert_true(t->p64[i * K + k] == p);
            assert_true(t->p[i * K + k] == (float)p);
        }
    }
    sl_targets_destroy(t);
}

static void test_probabilities_are_kept(void **state)
{
    sl_error err;
    sl_targets *t, *same;
    const double rows[N][K] = { { 0.25, 0.25, 0.5, 0 },
                                { 1, 0, 0, 0 },
                                { 0.33333, 0.33333, 0.33333, 0 } };
    const char *path = write_rows(*state, SL_NPY_F64, rows);
    expect_ok(sl_targets_read(&t, "p", path, N, K, &err), &err);
    assert_memory_equal(t->p64, rows, sizeof rows);
    expect_ok(sl_targets_from_rows(&same, "p", &rows[0][0], N, K, &err), &err);
    assert_string_equal(t->sha256, same->sha256);
    sl_targets_destroy(same);
    sl_targets_destroy(t);
}

static void test_bad_rows(void **state)
{
    static const struct {
        double row[K];
        const char *message;
    } cases[] = {
        { { 0.5, NAN, 0.5, 0 }, "row 1 has nan for class 1" },
        { { 0.5, 0.5, 0, INFINITY }, "row 1 has inf for class 3" },
        { { 1.5, -0.5, 0, 0 }, "row 1 has -0.5 for class 1" },
        { { 0, 0, 0, 0 }, "row 1 sums to 0" },
        { { 0.5, 0.25, 0, 0 }, "row 1 sums to 0.75, expected 1" },
        { { 0.5, 0.5, 2e-4, 0 }, "row 1 sums to 1.0002, expected 1" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_error err;
        sl_targets *t;
        double rows[N][K] = { { 1 }, { 0 }, { 7 } }; /* row 2 is bad too: the first is named */
        memcpy(rows[1], cases[i].row, sizeof rows[1]);
        const char *path = write_rows(*state, SL_NPY_F64, rows);
        expect_error(sl_targets_read(&t, "p", path, N, K, &err), SL_EFORMAT, &err,
                     cases[i].message);
        assert_null(t);
        expect_error(sl_targets_from_rows(&t, "p", &rows[0][0], N, K, &err), SL_EFORMAT, &err,
                     cases[i].message);
    }
}

static void test_bad_counts(void **state)
{
    sl_error err;
    sl_targets *t;
    int32_t counts[N][K] = { { 1, 0, 0, 0 }, { 0, 0, 0, 0 }, { 1, 0, 0, 0 } };
    const char *path = write_rows(*state, SL_NPY_I32, counts);
    expect_error(sl_targets_read(&t, "p", path, N, K, &err), SL_EFORMAT, &err,
                 "rows.npy: row 1 sums to 0");
    counts[1][2] = 4;
    counts[1][3] = -3;
    path = write_rows(*state, SL_NPY_I32, counts);
    expect_error(sl_targets_read(&t, "p", path, N, K, &err), SL_EFORMAT, &err,
                 "row 1 has -3 for class 3");
}

static void test_wrong_arrays(void **state)
{
    sl_error err;
    sl_targets *t;
    const double rows[N][K] = { { 1 }, { 1 }, { 1 } };
    const char *path = write_rows(*state, SL_NPY_F64, rows);
    expect_error(sl_targets_read(&t, "p", path, N + 1, K, &err), SL_EMISMATCH, &err,
                 "has the shape (3, 4), but the data set needs (4, 4)");
    expect_error(sl_targets_read(&t, "p", path, N, K + 1, &err), SL_EMISMATCH, &err, "(3, 5)");
    const size_t flat[] = { N * K };
    expect_ok(sl_npy_write(path, SL_NPY_F64, 1, flat, rows, &err), &err);
    expect_error(sl_targets_read(&t, "p", path, N, K, &err), SL_EMISMATCH, &err, "1 dimensions");
    const bool truths[N][K] = { { true } };
    path = write_rows(*state, SL_NPY_BOOL, truths);
    expect_error(sl_targets_read(&t, "p", path, N, K, &err), SL_EFORMAT, &err, "rows.npy");
}

static void test_wrong_bytes(void **state)
{
    sl_error err;
    sl_targets *t;
    const double rows[N][K] = { { 1 }, { 1 }, { 1 } };
    const char *path = write_rows(*state, SL_NPY_F64, rows);
    unsigned char bytes[1024];
    FILE *file = fopen(path, "rb");
    const size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    fixture_write(path, bytes, n - 1);
    expect_error(sl_targets_read(&t, "p", path, N, K, &err), SL_EFORMAT, &err, "rows.npy");
    fixture_write(path, bytes, n + 1);
    expect_error(sl_targets_read(&t, "p", path, N, K, &err), SL_EFORMAT, &err, "rows.npy");
    unsigned char *order = memmem(bytes, n, "False", 5); /* fortran_order */
    assert_non_null(order);
    memcpy(order, "True ", 5);
    fixture_write(path, bytes, n);
    expect_error(sl_targets_read(&t, "p", path, N, K, &err), SL_EUNSUPPORTED, &err, "Fortran");
}

static void test_from_labels(void **state)
{
    sl_error err;
    sl_targets *t;
    sl_dataset *set = fixture_dataset(*state, 12);
    expect_ok(sl_targets_from_labels(&t, set, &err), &err);
    assert_string_equal(t->name, "hard");
    for (size_t i = 0; i < 12; i++)
        for (size_t k = 0; k < 10; k++) {
            const double p = k == fixture_label(i);
            assert_true(t->p64[i * 10 + k] == p && (double)t->p[i * 10 + k] == p);
        }
    sl_targets_destroy(t);
    sl_dataset_destroy(set);
}

static void test_smoothing(void **state)
{
    (void)state;
    sl_error err;
    sl_targets *hard, *smooth, *same;
    const double rows[N][K] = { { 1, 0, 0, 0 }, { 0, 0, 0, 1 }, { 0, 0.5, 0.5, 0 } };
    expect_ok(sl_targets_from_rows(&hard, "hard", &rows[0][0], N, K, &err), &err);
    expect_ok(sl_targets_smooth(&smooth, hard, 0.2, &err), &err);
    assert_string_equal(smooth->name, "smoothed");
    for (int i = 0; i < N * K; i++) {
        const double want = 0.8 * hard->p64[i] + 0.2 / K;
        assert_true(fabs(smooth->p64[i] - want) <= 1e-15);
        assert_true(smooth->p[i] == (float)smooth->p64[i]);
    }
    expect_ok(sl_targets_smooth(&same, hard, 0, &err), &err);
    assert_string_equal(same->sha256, hard->sha256);
    sl_targets_destroy(same);
    sl_targets_destroy(smooth);
    static const double bad[] = { -0.1, 1, NAN };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        expect_error(sl_targets_smooth(&same, hard, bad[i], &err), SL_EINVAL, &err, "smoothing");
        assert_null(same);
    }
    sl_targets_destroy(hard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counts, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_probabilities_are_kept, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_bad_rows, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_bad_counts, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_wrong_arrays, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_wrong_bytes, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_from_labels, fixture_setup, fixture_teardown),
        cmocka_unit_test(test_smoothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
