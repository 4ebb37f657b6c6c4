/* The synthetic set: that its truth is true, that it reads as CIFAR does, whole or not at all. */
#include <softlabel/synth.h>

#include "base/json.h"
#include "base/npy.h"
#include "data/synth.h"
#include "fixture.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const sl_synth_options small = { .seed = 3, .n_train = 203, .n_test = 300, .judgments = 51 };

static const char *make(void **state, const char *name, const sl_synth_options *options)
{
    sl_error err;
    const char *dir = fixture_path(*state, "%s", name);
    expect_ok(sl_synth_write(dir, options, NULL, NULL, &err), &err);
    return dir;
}

static sl_data *open_folder(const char *dir)
{
    sl_error err;
    sl_data *data;
    expect_ok(sl_data_open(&data, dir, NULL, &err), &err);
    assert_string_equal(sl_data_kind(data), "synth");
    return data;
}

static void test_reads_like_cifar(void **state)
{
    sl_error err;
    sl_data *data = open_folder(make(state, "set", &small));
    sl_dataset *train, *test;
    sl_targets *human, *truth;
    expect_ok(sl_data_read(data, SL_SET_TRAIN, &train, &err), &err);
    expect_ok(sl_data_read(data, SL_SET_TEST, &test, &err), &err);
    expect_ok(sl_data_read_human(data, &human, &err), &err);
    expect_ok(sl_targets_read(&truth, "truth",
                              fixture_path(sl_data_folder(data), "cifar10h/truth-probs.npy"), 300,
                              10, &err),
              &err);
    assert_int_equal(train->n, 203);
    assert_int_equal(test->n, 300);
    assert_int_equal(human->n, 300);
    assert_string_equal(train->name, "synth-train");
    assert_string_equal(test->class_names[3], "trefoil");
    assert_string_not_equal(train->sha256, test->sha256);
    sl_targets_destroy(truth);
    sl_targets_destroy(human);
    sl_dataset_destroy(test);
    sl_dataset_destroy(train);
    sl_data_close(data);
}

static void test_seed_decides(void **state)
{
    static const char *const names[] = { "one", "two", "three" };
    char hash[3][65];
    for (int i = 0; i < 3; i++) {
        sl_error err;
        sl_dataset *set;
        sl_synth_options options = small;
        options.seed += i == 2;
        sl_data *data = open_folder(make(state, names[i], &options));
        expect_ok(sl_data_read(data, SL_SET_TRAIN, &set, &err), &err);
        memcpy(hash[i], set->sha256, sizeof hash[i]);
        sl_dataset_destroy(set);
        sl_data_close(data);
    }
    assert_string_equal(hash[0], hash[1]);
    assert_string_not_equal(hash[0], hash[2]);
}

/* Bayes' rule holds in the large: among images whose p(c|x) is about q, a share q is of class c. */
static void test_posterior_is_calibrated(void **state)
{
    (void)state;
    enum { IMAGES = 40000, BINS = 10 };
    double expected[BINS] = { 0 }, variance[BINS] = { 0 }, got[BINS] = { 0 };
    for (uint32_t i = 0; i < IMAGES; i++) {
        int label;
        double z[SL_SYNTH_FEATURES], p[10];
        sl_random r = sl_random_stream(17, SL_RANDOM_TEST, 0, i);
        sl_synth_draw(&r, &label, z);
        sl_synth_posterior(z, p);
        for (int c = 0; c < 10; c++) {
            const int bin = p[c] < 1 ? (int)(p[c] * BINS) : BINS - 1;
            expected[bin] += p[c];
            variance[bin] += p[c] * (1 - p[c]);
            got[bin] += c == label;
        }
    }
    for (int b = 0; b < BINS; b++) /* 5 sd: none of ten bins fails by chance */
        if (!(fabs(got[b] - expected[b]) <= 5 * sqrt(variance[b]) + 1))
            fail_msg("bin %d: %g labels, expected %g (sd %g)", b, got[b], expected[b],
                     sqrt(variance[b]));
}

/* The judgments against the truth they were drawn from: X^2 summed over images and classes whose
 * expectation is not tiny has mean 1 - p a term. */
static void test_judgments_follow_the_truth(void **state)
{
    sl_error err;
    sl_synth_options options = small;
    options.n_test = 2000;
    const char *dir = make(state, "set", &options);
    sl_npy counts, truth, probs;
    json_t *manifest;
    expect_ok(sl_npy_read(&counts, fixture_path(dir, "cifar10h/cifar10h-counts.npy"), &err), &err);
    expect_ok(sl_npy_read(&truth, fixture_path(dir, "cifar10h/truth-probs.npy"), &err), &err);
    expect_ok(sl_npy_read(&probs, fixture_path(dir, "cifar10h/cifar10h-probs.npy"), &err), &err);
    expect_ok(sl_json_read(&manifest, fixture_path(dir, "synth.json"), 4096, &err), &err);
    assert_int_equal(counts.type, SL_NPY_I64);
    assert_int_equal(truth.type, SL_NPY_F64);
    assert_int_equal(probs.type, SL_NPY_F64);
    const int64_t *n = counts.data;
    const double *p = truth.data, *q = probs.data;
    double chi2 = 0, freedom = 0, entropy = 0, total = 0;
    for (size_t i = 0; i < options.n_test; i++) {
        int64_t sum = 0;
        for (size_t k = i * 10; k < i * 10 + 10; k++)
            sum += n[k];
        assert_in_range(sum, 48, 54);
        total += (double)sum;
        for (size_t k = i * 10; k < i * 10 + 10; k++) {
            const double mean = p[k] * (double)sum;
            assert_true(q[k] == (double)n[k] / (double)sum);
            entropy -= p[k] > 0 ? p[k] * log(p[k]) : 0;
            if (mean > 1) {
                chi2 += ((double)n[k] - mean) * ((double)n[k] - mean) / mean;
                freedom += 1 - p[k];
            }
        }
    }
    assert_true(fabs(total / (double)options.n_test - 51) < 0.3);
    assert_true(freedom > 500);
    if (!(fabs(chi2 - freedom) <= 6 * sqrt(2 * freedom)))
        fail_msg("chi^2 is %g, expected about %g", chi2, freedom);
    double stated;
    expect_ok(sl_json_get_number(manifest, "bayes_cross_entropy", &stated, &err), &err);
    assert_true(fabs(stated - entropy / (double)options.n_test) < 1e-12);
    assert_in_range(stated * 1000, 120, 220);
    json_decref(manifest);
    sl_npy_release(&counts);
    sl_npy_release(&truth);
    sl_npy_release(&probs);
}

/* A classifier that needs no training can tell the classes: the image shows them. Here: one
 * feature, stripes against none, by how much neighbouring pixels of the centre differ. */
static void test_images_show_their_class(void **state)
{
    (void)state;
    double roughness[2] = { 0 };
    int n[2] = { 0 };
    for (uint32_t i = 0; i < 400; i++) {
        int label;
        double z[SL_SYNTH_FEATURES];
        uint8_t pixels[3072];
        sl_random r = sl_random_stream(5, SL_RANDOM_TEST, 1, i);
        sl_synth_draw(&r, &label, z);
        sl_synth_render(&r, z, pixels);
        if (label != 0 && label != 5) /* disc, striped disc */
            continue;
        double sum = 0;
        for (int c = 0; c < 3; c++)
            for (int y = 12; y < 20; y++)
                for (int x = 12; x < 20; x++) {
                    const uint8_t *at = pixels + c * 1024 + y * 32 + x;
                    sum += abs(at[0] - at[1]) + abs(at[0] - at[32]);
                }
        roughness[label == 5] += sum;
        n[label == 5]++;
    }
    assert_true(n[0] > 20 && n[1] > 20);
    assert_true(roughness[1] / n[1] > 2 * roughness[0] / n[0]);
}

static bool stop_at_200(void *user, const sl_progress *progress)
{
    (void)user;
    return progress->done >= 200;
}

static void test_whole_or_not_at_all(void **state)
{
    sl_error err;
    const char *dir = fixture_path(*state, "set");
    expect_error(sl_synth_write(dir, &small, stop_at_200, NULL, &err), SL_EINTERRUPTED, &err,
                 "interrupted");
    assert_int_equal(fixture_count_files(*state), 0);
    fixture_make_dir(fixture_path(*state, "set.part")); /* as a killed run leaves it */
    fixture_write(fixture_path(*state, "set.part/rest"), "x", 1);
    make(state, "set", &small);
    assert_int_equal(fixture_count_files(*state), 1);
    assert_int_equal(fixture_count_files(dir), 3);
    expect_error(sl_synth_write(dir, &small, NULL, NULL, &err), SL_EIO, &err, "is there already");
    fixture_make_dir(fixture_path(*state, "empty"));
    make(state, "empty", &small);
}

static void test_damage_is_found(void **state)
{
    sl_error err;
    sl_dataset *set;
    sl_targets *human;
    const char *dir = make(state, "set", &small);
    fixture_write_cifar(fixture_path(dir, "cifar-10-batches-bin/test_batch.bin"), 0, 299, 0);
    sl_data *data = open_folder(dir);
    expect_error(sl_data_read(data, SL_SET_TEST, &set, &err), SL_EFORMAT, &err, "(300 images)");
    const size_t shape[] = { 299, 10 };
    double *rows = calloc(2990, sizeof *rows);
    expect_ok(sl_npy_write(fixture_path(dir, "cifar10h/cifar10h-counts.npy"), SL_NPY_F64, 2, shape,
                           rows, &err),
              &err);
    free(rows);
    expect_error(sl_data_read_human(data, &human, &err), SL_EMISMATCH, &err, "(299, 10)");
    sl_data_close(data);
    fixture_write(fixture_path(dir, "synth.json"), "{\"format\": \"softlabel-synth-9\"}", 31);
    expect_error(sl_data_open(&data, dir, NULL, &err), SL_EUNSUPPORTED, &err, "synth.json: format");
}

static void test_options(void **state)
{
    static const sl_synth_options bad[] = {
        { .n_train = 4, .n_test = 1, .judgments = 1 },
        { .n_train = 5, .n_test = 0, .judgments = 1 },
        { .n_train = 5, .n_test = 1, .judgments = 0 },
        { .n_train = 5, .n_test = 1, .judgments = 1001 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sl_error err;
        expect_error(sl_synth_write(fixture_path(*state, "x"), &bad[i], NULL, NULL, &err),
                     SL_EINVAL, &err, "expected");
        assert_int_equal(fixture_count_files(*state), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_reads_like_cifar),        TEST(test_seed_decides),
        TEST(test_posterior_is_calibrated), TEST(test_judgments_follow_the_truth),
        TEST(test_images_show_their_class), TEST(test_whole_or_not_at_all),
        TEST(test_damage_is_found),         TEST(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
