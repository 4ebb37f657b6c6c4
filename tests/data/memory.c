/* Out of memory, at each allocation in turn: an error, nothing leaked (asan looks), nothing left.
 */
#include "base/memory.h"
#include "data/loader.h"
#include "fixture.h"
#include <softlabel/synth.h>
#include <stdlib.h>

/* Everything that the library does with a folder, once. */
static sl_status use_folder(const char *dir, sl_error *err)
{
    sl_data *data = NULL;
    sl_dataset *set = NULL;
    sl_targets *human = NULL, *hard = NULL;
    sl_loader *loader = NULL;
    sl_split split = { 0 };
    sl_file_report *reports = NULL;
    const sl_batch *batch;
    size_t n;
    const sl_loader_options options = { .batch_size = 2,
                                        .shuffle = true,
                                        .augmentation = sl_augmentation_paper(),
                                        .normalization = sl_normalization_cifar10,
                                        .threads = 2 };
    sl_status st = sl_data_open(&data, dir, NULL, err);
    if (!st)
        st = sl_data_check(data, &reports, &n, err);
    if (!st)
        st = sl_data_read(data, SL_SET_TEST, &set, err);
    if (!st)
        st = sl_data_read_human(data, &human, err);
    if (!st)
        st = sl_targets_from_labels(&hard, set, err);
    if (!st)
        st = sl_split_create(&split, set->n, set->n - 2, 0, err);
    if (!st)
        st = sl_loader_create(&loader, set, human, split.train, split.n_train, &options, err);
    if (!st)
        st = sl_loader_start(loader, 0, 0, err);
    if (!st)
        st = sl_loader_next(loader, &batch, err);
    sl_loader_destroy(loader);
    sl_split_release(&split);
    sl_targets_destroy(hard);
    sl_targets_destroy(human);
    sl_dataset_destroy(set);
    free(reports);
    sl_data_close(data);
    return st;
}

static sl_status make_folder(const char *dir, sl_error *err)
{
    const sl_synth_options options = { .n_train = 5, .n_test = 6, .judgments = 10 };
    return sl_synth_write(dir, &options, NULL, NULL, err);
}

static void fail_each_allocation(sl_status (*job)(const char *, sl_error *), const char *dir,
                                 const char *parent, size_t files_left)
{
    for (unsigned long n = 1;; n++) {
        sl_error err;
        assert_in_range(n, 1, 1000);
        sl_alloc_fail_at(n);
        sl_status st = job(dir, &err);
        sl_alloc_fail_at(0);
        if (!st) {
            assert_true(n > 10);
            return;
        }
        assert_int_equal(st, SL_ENOMEM);
        assert_int_equal(fixture_count_files(parent), files_left);
    }
}

static void test_out_of_memory(void **state)
{
    const char *dir = fixture_path(*state, "set");
    fail_each_allocation(make_folder, dir, *state, 0);
    fail_each_allocation(use_folder, dir, *state, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_out_of_memory, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
