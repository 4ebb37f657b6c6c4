/* Prediction files of every form that holds the same answers give the same log probabilities; what
 * is wrong with one is named. */
#include "eval/predictions.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/npy.h"
#include "base/support.h"
#include "eval/bootstrap.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

enum { N = 3, K = 4 };
static const double logits[N * K] = { 0, 1, 2, 3, -1, 0.5, 0, 9, 4, 4, 4, 4 };
static const int64_t hard[N] = { 3, 1, 0 };
static const char *const names[K] = { "cat", "dog", "fish", "newt" };

static double log_p(size_t i, int k)
{
    double sum = 0;
    for (int j = 0; j < K; j++)
        sum += exp(logits[i * K + (size_t)j]);
    return logits[i * K + (size_t)k] - log(sum);
}

static double probability(size_t i, int k)
{
    return exp(log_p(i, k));
}

static void write_npy(const char *path, sl_npy_type type, bool probabilities)
{
    sl_error err;
    double wide[N * K];
    float narrow[N * K];
    for (size_t i = 0; i < N * K; i++) {
        wide[i] = probabilities ? probability(i / K, (int)(i % K)) : logits[i];
        narrow[i] = (float)wide[i];
    }
    check_ok(sl_npy_write(path, type, 2, (size_t[]){ N, K },
                          type == SL_NPY_F32 ? (void *)narrow : (void *)wide, &err),
             &err);
}

static void add_to_zip(zip_t *zip, const char *path, const char *name)
{
    sl_error err;
    unsigned char *bytes;
    size_t n;
    check_ok(sl_file_read(path, 1 << 20, &bytes, &n, &err), &err);
    assert_true(zip_file_add(zip, name, zip_source_buffer(zip, bytes, n, 1), 0) >= 0);
}

/* An npz with these arrays of the folder; a NULL isn't in it. */
static void write_npz(const char *folder, const char *path, const char *z, const char *p,
                      const char *labels)
{
    const struct {
        const char *file, *name;
    } arrays[] = { { z, "logits.npy" }, { p, "probs.npy" }, { labels, "labels.npy" } };
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    assert_non_null(zip);
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        char file[4200]; /* scratch_path would overwrite path */
        snprintf(file, sizeof file, "%s/%s", folder, arrays[i].file ? arrays[i].file : "");
        if (arrays[i].file)
            add_to_zip(zip, file, arrays[i].name);
    }
    assert_int_equal(zip_close(zip), 0);
}

static void check_answers(const char *path, const char *kind, bool labels, double bound)
{
    sl_error err;
    sl_predictions p;
    print_message("%s\n", path);
    check_ok(sl_predictions_read(&p, path, names, K, &err), &err);
    assert_int_equal(p.n, N);
    assert_int_equal(p.classes, K);
    assert_string_equal(p.kind, kind);
    assert_string_equal(p.name, "a.b");
    for (size_t i = 0; i < N * K; i++)
        assert_true(fabs(p.log_p[i] - log_p(i / K, (int)(i % K))) <= bound);
    assert_int_equal(p.labels != NULL, labels);
    for (size_t i = 0; i < N && labels; i++)
        assert_int_equal(p.labels[i], hard[i]);
    sl_predictions_release(&p);
}

static void every_form_gives_the_same(void **state)
{
    sl_error err;
    /* a float's relative error is that of its logarithm; logits of 9 are rounded at 9 eps */
    const double narrow = 16 * (double)FLT_EPSILON, wide = 16 * DBL_EPSILON;
    const char *const folder = *state;
    write_npy(scratch_path(folder, "z64.npy"), SL_NPY_F64, false);
    write_npy(scratch_path(folder, "p32.npy"), SL_NPY_F32, true);
    check_ok(
        sl_npy_write(scratch_path(folder, "y.npy"), SL_NPY_I64, 1, (size_t[]){ N }, hard, &err),
        &err);

    const char *npy = scratch_path(folder, "a.b.npy"), *npz = scratch_path(folder, "a.b.npz");
    write_npy(npy, SL_NPY_F32, false);
    check_answers(npy, "logits", false, narrow);
    write_npy(npy, SL_NPY_F64, true);
    check_answers(npy, "probs", false, wide);
    write_npz(folder, npz, "z64.npy", "p32.npy", "y.npy");
    check_answers(npz, "logits", true, wide);
    write_npz(folder, npz, NULL, "p32.npy", "y.npy");
    check_answers(npz, "probs", true, narrow);
    write_npz(folder, npz, "z64.npy", NULL, NULL);
    check_answers(npz, "logits", false, wide);

    const char *csv = scratch_path(folder, "a.b.csv");
    static const char by_name[] = "newt,image,dog,label,cat,fish\n"
                                  "9,1,0.5,1,-1,0\n3,0,1,3,0,2\n4,2,4,0,4,4\n";
    scratch_write(csv, by_name, strlen(by_name));
    check_answers(csv, "logits", true, wide);
    static const char by_number[] = "0,1,2,3\r\n0,1,2,3\r\n-1,0.5,0,9\r\n4,4,4,4";
    scratch_write(csv, by_number, strlen(by_number));
    check_answers(csv, "logits", false, wide);
}

static void probability_zero_is_minus_infinity(void **state)
{
    sl_error err;
    sl_predictions p;
    const char *path = scratch_path(*state, "p.csv");
    static const char text[] = "0,1\n1,0\n0.5,0.4995\n";
    scratch_write(path, text, strlen(text));
    check_ok(sl_predictions_read(&p, path, NULL, 0, &err), &err);
    assert_string_equal(p.kind, "probs");
    assert_true(p.log_p[0] == 0 && isinf(p.log_p[1]));
    assert_true(fabs(exp(p.log_p[2]) - 0.5 / 0.9995) <= 1e-15); /* divided by the sum */
    sl_predictions_release(&p);
}

static void bad_csv_is_named(void **state)
{
    static const struct {
        const char *text, *holds;
    } cases[] = {
        { "", "p.csv: line 1: an empty file" },
        { "cat\n1\n", "line 1: 1 columns of classes" },
        { "cat,dog,cow\n", "line 1: column 'cow' is neither a class" },
        { "0,1,2,7\n", "line 1: column '7' is neither a class" },
        { "cat,dog,cat\n", "line 1: column 'cat' is there twice" },
        { "0,dog,1\n", "line 1: column '1' is there twice" },
        { "0,1\n1,2\n3\n", "line 3: 1 fields, but the header has 2" },
        { "0,1\n1,x\n", "line 2: field 2 is 'x', expected a number" },
        { "0,1\n1,nan\n", "line 2: field 2 is 'nan', expected a number" },
        { "0,1,label\n1,2,2\n", "line 2: field 3 is '2', expected the number of a class" },
        { "0,1,image\n1,2,0\n1,2,0\n", "p.csv: image 0 is there twice" },
        { "0,1,image\n1,2,1\n", "p.csv: image 1 of too few rows" },
        { "0,1\n", "p.csv: 0 images of 2 classes" },
        { "0,1\n\"1,2\n", "line 2: a quote isn't closed" },
    };
    const char *path = scratch_path(*state, "p.csv");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_error err;
        sl_predictions p;
        scratch_write(path, cases[i].text, strlen(cases[i].text));
        check_fails(sl_predictions_read(&p, path, names, K, &err), SL_EFORMAT, cases[i].holds,
                    &err);
        assert_null(p.log_p);
    }
}

static void bad_arrays_are_named(void **state)
{
    sl_error err;
    sl_predictions p;
    const char *const folder = *state;
    const char *npy = scratch_path(folder, "a.npy"), *npz = scratch_path(folder, "a.npz");
    check_fails(sl_predictions_read(&p, npy, names, K, &err), SL_ENOTFOUND, "a.npy", &err);

    double values[N * K] = { 0.5, NAN };
    check_ok(sl_npy_write(npy, SL_NPY_F64, 2, (size_t[]){ N, K }, values, &err), &err);
    check_fails(sl_predictions_read(&p, npy, names, K, &err), SL_EFORMAT,
                "a.npy: row 0 has nan for class 1", &err);
    check_ok(sl_npy_write(npy, SL_NPY_F64, 1, (size_t[]){ N * K }, values, &err), &err);
    check_fails(sl_predictions_read(&p, npy, names, K, &err), SL_EFORMAT, "has 1 dimensions", &err);
    check_ok(sl_npy_write(npy, SL_NPY_I64, 2, (size_t[]){ 1, N }, hard, &err), &err);
    check_fails(sl_predictions_read(&p, npy, names, K, &err), SL_EFORMAT, "is of type int64", &err);

    /* what an npz calls probabilities must be some */
    write_npy(scratch_path(folder, "z.npy"), SL_NPY_F32, false);
    write_npz(folder, npz, NULL, "z.npy", NULL);
    check_fails(sl_predictions_read(&p, npz, names, K, &err), SL_EFORMAT,
                "a.npz: probs.npy: row 0 isn't a distribution", &err);
    const int64_t beyond[N] = { 0, 4, 0 };
    check_ok(
        sl_npy_write(scratch_path(folder, "y.npy"), SL_NPY_I64, 1, (size_t[]){ N }, beyond, &err),
        &err);
    write_npz(folder, npz, "z.npy", NULL, "y.npy");
    check_fails(sl_predictions_read(&p, npz, names, K, &err), SL_EFORMAT,
                "a.npz: labels.npy: row 1 has the label 4", &err);
    write_npz(folder, npz, NULL, NULL, "y.npy");
    check_fails(sl_predictions_read(&p, npz, names, K, &err), SL_EFORMAT,
                "a.npz: has neither an array 'logits' nor 'probs'", &err);
}

static sl_status read_all(const char *npz, const char *csv, const char *index, sl_error *err)
{
    sl_predictions a = { 0 }, b = { 0 };
    sl_selection some = { 0 };
    sl_targets *human = NULL;
    sl_assessment assessment = { 0 };
    sl_measured measured[SL_MEASURE_COUNT], less[SL_MEASURE_COUNT];
    const sl_bootstrap_options options = { .resamples = 2 };
    static const double people[N * K] = { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0 };
    sl_status st = sl_predictions_read(&a, npz, names, K, err);
    if (!st)
        st = sl_predictions_read(&b, csv, names, K, err);
    if (!st)
        st = sl_selection_read(&some, N, index, err);
    if (!st)
        st = sl_targets_from_rows(&human, "human", people, N, K, err);
    if (!st)
        st = sl_assess(&assessment, &a, human, a.labels, &some, 3, err);
    if (!st)
        st = sl_bootstrap(&assessment, 1, &options, measured, less, err);
    sl_assessment_release(&assessment);
    sl_targets_destroy(human);
    sl_selection_release(&some);
    sl_predictions_release(&a);
    sl_predictions_release(&b);
    return st;
}

static void short_memory_is_said_at_any_allocation(void **state)
{
    sl_error err;
    sl_status st;
    const char *const folder = *state;
    static const char text[] = "0,1,2,3,label\n1,2,3,4,0\n\"5\",6,7,8,1\n", list[] = "2\n0\n";
    write_npy(scratch_path(folder, "z.npy"), SL_NPY_F32, false);
    check_ok(
        sl_npy_write(scratch_path(folder, "y.npy"), SL_NPY_I64, 1, (size_t[]){ N }, hard, &err),
        &err);
    const char *npz = scratch_path(folder, "a.npz"), *csv = scratch_path(folder, "a.csv");
    const char *index = scratch_path(folder, "index");
    write_npz(folder, npz, "z.npy", NULL, "y.npy");
    scratch_write(csv, text, strlen(text));
    scratch_write(index, list, strlen(list));
    check_ok(read_all(npz, csv, index, &err), &err);
    unsigned long n = 0;
    do {
        sl_alloc_fail_at(++n);
        st = read_all(npz, csv, index, &err);
        sl_alloc_fail_at(0);
        assert_true(st == SL_OK || st == SL_ENOMEM);
    } while (st && n < 10000);
    assert_true(n > 20 && n < 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_form_gives_the_same, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(probability_zero_is_minus_infinity, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(short_memory_is_said_at_any_allocation, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(bad_csv_is_named, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(bad_arrays_are_named, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
