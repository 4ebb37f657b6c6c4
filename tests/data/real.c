/* The real sets, where they are: $SOFTLABEL_DATA or ../shared/data beside the source. */
#include "base/npy.h"
#include "fixture.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static sl_data *data;

static int open_data(void **state)
{
    (void)state;
    sl_error err;
    const char *dir = getenv("SOFTLABEL_DATA");
    if (!dir || !*dir)
        dir = SOURCE_DIR "/../shared/data";
    if (access(dir, F_OK) != 0) {
        data = NULL;
        return 0;
    }
    return sl_data_open(&data, dir, BINARY_DIR "/data", &err) != SL_OK;
}

static int close_data(void **state)
{
    (void)state;
    sl_data_close(data);
    return 0;
}

static void need(int there, const char *what)
{
    if (!there) {
        print_message("skipped: no %s\n", what);
        skip();
    }
}

static void test_images(void **state)
{
    (void)state;
    need(data && sl_data_has(data, SL_SET_TRAIN) && sl_data_has(data, SL_SET_TEST), "CIFAR-10");
    for (int id = SL_SET_TRAIN; id <= SL_SET_TEST; id++) {
        sl_error err;
        sl_dataset *set;
        size_t of_class[10] = { 0 };
        double sum[3] = { 0 };
        expect_ok(sl_data_read(data, (sl_set_id)id, &set, &err), &err);
        assert_int_equal(set->n, id == SL_SET_TRAIN ? 50000 : 10000);
        for (size_t i = 0; i < set->n; i++)
            of_class[set->labels[i]]++;
        for (int k = 0; k < 10; k++) /* both sets are balanced */
            assert_int_equal(of_class[k], set->n / 10);
        for (size_t i = 0; i < set->n; i++)
            for (size_t c = 0; c < 3; c++)
                for (size_t p = 0; p < 1024; p++)
                    sum[c] += set->pixels[(i * 3 + c) * 1024 + p];
        static const double mean[3] = { 0.4914, 0.4822, 0.4465 };
        for (int c = 0; c < 3; c++) /* the paper's normaliser is that of these pixels */
            assert_true(fabs(sum[c] / (double)(set->n * 1024 * 255) - mean[c]) < 0.01);
        sl_dataset_destroy(set);
    }
}

static void test_human_labels(void **state)
{
    (void)state;
    need(data && sl_data_has_human(data) && sl_data_has(data, SL_SET_TEST), "human labels");
    sl_error err;
    sl_dataset *set;
    sl_targets *human;
    expect_ok(sl_data_read(data, SL_SET_TEST, &set, &err), &err);
    expect_ok(sl_data_read_human(data, &human, &err), &err);
    size_t agree = 0;
    double mass = 0;
    for (size_t i = 0; i < set->n; i++) {
        const double *p = human->p64 + i * 10;
        size_t top = 0;
        for (size_t k = 1; k < 10; k++)
            top = p[k] > p[top] ? k : top;
        agree += top == set->labels[i];
        mass += p[set->labels[i]];
    }
    /* The paper: people choose the label in 95 % of trials. A wrong order would give 10 %. */
    assert_in_range(agree, 9900, 9950);
    assert_true(fabs(mass / 10000 - 0.95) < 0.005);
    sl_targets_destroy(human);
    sl_dataset_destroy(set);
}

static const char *human_file(const char *name)
{
    return fixture_path(sl_data_folder(data), "cifar10h/%s", name);
}

static void test_counts_agree_with_probabilities(void **state)
{
    (void)state;
    need(data && access(human_file("cifar10h-counts.npy"), F_OK) == 0 &&
             access(human_file("cifar10h-probs.npy"), F_OK) == 0,
         "counts and probs of CIFAR-10H");
    sl_error err;
    sl_targets *counts, *probs;
    expect_ok(sl_targets_read(&counts, "c", human_file("cifar10h-counts.npy"), 10000, 10, &err),
              &err);
    expect_ok(sl_targets_read(&probs, "p", human_file("cifar10h-probs.npy"), 10000, 10, &err),
              &err);
    for (size_t i = 0; i < 100000; i++)
        assert_true(fabs(counts->p64[i] - probs->p64[i]) <= 1e-15);
    sl_targets_destroy(counts);
    sl_targets_destroy(probs);
}

static void test_authors_validation_images(void **state)
{
    (void)state;
    need(data && access(human_file("val_idx_seed_0.npy"), F_OK) == 0, "val_idx_seed_0.npy");
    sl_error err;
    sl_npy authors;
    sl_split split;
    expect_ok(sl_npy_read(&authors, human_file("val_idx_seed_0.npy"), &err), &err);
    expect_ok(sl_split_create(&split, 10000, 9000, 0, &err), &err);
    assert_int_equal(authors.count, split.n_val);
    assert_int_equal(authors.type, SL_NPY_I64);
    assert_memory_equal(authors.data, split.val, split.n_val * sizeof *split.val);
    sl_split_release(&split);
    sl_npy_release(&authors);
}

static void test_cifar101(void **state)
{
    (void)state;
    need(data && sl_data_has(data, SL_SET_V4) && sl_data_has(data, SL_SET_V6), "CIFAR-10.1");
    for (int id = SL_SET_V4; id <= SL_SET_V6; id++) {
        sl_error err;
        sl_dataset *set;
        expect_ok(sl_data_read(data, (sl_set_id)id, &set, &err), &err);
        sl_dataset_destroy(set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_images),
        cmocka_unit_test(test_human_labels),
        cmocka_unit_test(test_counts_agree_with_probabilities),
        cmocka_unit_test(test_authors_validation_images),
        cmocka_unit_test(test_cifar101),
    };
    return cmocka_run_group_tests(tests, open_data, close_data);
}
