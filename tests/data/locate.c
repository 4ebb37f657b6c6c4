/* Where data is looked for, in which order, and what a folder's `unpack` may and may not do. */
#include "fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder with human labels only, which makes it a data folder. */
static void make_labels(const char *dir)
{
    fixture_make_dir(dir);
    fixture_write(fixture_path(dir, "cifar10h-counts.npy"), "", 0);
}

/* The current folder becomes *state/work, so that ./data and ../shared/data are the test's. */
static int setup(void **state)
{
    if (fixture_setup(state))
        return -1;
    const char *work = fixture_path(*state, "work");
    fixture_make_dir(work);
    unsetenv("SOFTLABEL_DATA");
    return chdir(work);
}

static int teardown(void **state)
{
    unsetenv("SOFTLABEL_DATA");
    return chdir("/") || fixture_teardown(state);
}

static void expect_folder(const char *dir, const char *folder)
{
    sl_error err;
    sl_data *data;
    expect_ok(sl_data_open(&data, dir, NULL, &err), &err);
    assert_string_equal(sl_data_folder(data), folder);
    assert_true(sl_data_has_human(data));
    assert_string_equal(sl_data_kind(data), "cifar10");
    for (int set = 0; set < SL_SET_COUNT; set++)
        assert_false(sl_data_has(data, (sl_set_id)set));
    sl_data_close(data);
}

static void test_order(void **state)
{
    sl_error err;
    sl_data *data;
    expect_error(sl_data_open(&data, NULL, NULL, &err), SL_ENOTFOUND, &err, "softlabel data fetch");
    fixture_make_dir(fixture_path(*state, "shared"));
    make_labels("../shared/data");
    expect_folder(NULL, "../shared/data");
    fixture_make_dir("data"); /* empty: passed over */
    expect_folder(NULL, "../shared/data");
    fixture_make_dir("data/cifar10h");
    fixture_write("data/cifar10h/cifar10h-probs.npy", "", 0);
    expect_folder(NULL, "data");
    make_labels("env");
    setenv("SOFTLABEL_DATA", "env", 1);
    expect_folder(NULL, "env");
    make_labels("named");
    expect_folder("named", "named");
}

static void test_named_folders_are_not_passed_over(void **state)
{
    (void)state;
    sl_error err;
    sl_data *data;
    make_labels("data");
    expect_error(sl_data_open(&data, "none", NULL, &err), SL_ENOTFOUND, &err,
                 "no data folder 'none'");
    fixture_make_dir("empty");
    expect_error(sl_data_open(&data, "empty", NULL, &err), SL_ENOTFOUND, &err,
                 "'empty' has no file of a data set");
    setenv("SOFTLABEL_DATA", "none", 1);
    expect_error(sl_data_open(&data, NULL, NULL, &err), SL_ENOTFOUND, &err,
                 "$SOFTLABEL_DATA: there is no data folder 'none'");
    assert_null(data);
}

static void test_reads_both_layouts(void **state)
{
    (void)state;
    static const char *const folders[] = { "flat", "usual/cifar-10-batches-bin" };
    static const char *const roots[] = { "flat", "usual" };
    fixture_make_dir("usual");
    for (int layout = 0; layout < 2; layout++) {
        sl_error err;
        sl_data *data;
        sl_dataset *set;
        fixture_make_dir(folders[layout]);
        fixture_write_cifar(fixture_path(folders[layout], "test_batch.bin"), 0, 10000, 0);
        for (int b = 1; b <= 5; b++) { /* of these only the sizes will matter */
            const char *path = fixture_path(folders[layout], "data_batch_%d.bin", b);
            fixture_write(path, "", 0);
            assert_int_equal(truncate(path, b == 4 ? 30730000 - 3073 : 30730000), 0);
        }
        expect_ok(sl_data_open(&data, roots[layout], NULL, &err), &err);
        assert_true(sl_data_has(data, SL_SET_TRAIN) && sl_data_has(data, SL_SET_TEST));
        assert_string_equal(sl_data_note(data), "");
        expect_ok(sl_data_read(data, SL_SET_TEST, &set, &err), &err);
        assert_string_equal(set->name, "cifar10-test");
        assert_int_equal(set->n, 10000);
        sl_dataset_destroy(set);
        expect_error(sl_data_read(data, SL_SET_TRAIN, &set, &err), SL_EFORMAT, &err,
                     "data_batch_4.bin: size is 30726927 bytes, expected 30730000");
        assert_null(set);
        expect_error(sl_data_read(data, SL_SET_V6, &set, &err), SL_ENOTFOUND, &err,
                     "set 'v6' aren't in");
        sl_targets *human;
        expect_error(sl_data_read_human(data, &human, &err), SL_ENOTFOUND, &err, "human labels");
        sl_data_close(data);
    }
}

/* ---- unpack ---- */

static void write_script(const char *body)
{
    char text[1024];
    const int n = snprintf(text, sizeof text, "#!/bin/sh\nset -e\n%s\n", body);
    fixture_write("packed/unpack", text, (size_t)n);
    assert_int_equal(chmod("packed/unpack", 0755), 0);
}

#define WRITE_ALL                                                                             \
    "mkdir -p $1; for f in data_batch_1 data_batch_2 data_batch_3 data_batch_4 data_batch_5 " \
    "test_batch; do echo $f > $1/$f.bin; done; echo >> runs; "

static void test_unpacks_once(void **state)
{
    (void)state;
    make_labels("packed");
    write_script(WRITE_ALL "echo this goes to stderr");
    for (int time = 0; time < 2; time++) {
        sl_error err;
        sl_data *data;
        expect_ok(sl_data_open(&data, "packed", "build/images", &err), &err);
        assert_true(sl_data_has(data, SL_SET_TRAIN) && sl_data_has(data, SL_SET_TEST));
        assert_string_equal(sl_data_folder(data), "packed");
        sl_data_close(data);
    }
    struct stat s;
    assert_int_equal(stat("runs", &s), 0);
    assert_int_equal(s.st_size, 1);
    assert_true(fixture_exists("build/images/SHA256SUMS"));
    assert_false(fixture_exists("build/images.part"));
}

static void test_interrupted_unpack_is_not_taken_for_whole(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        sl_status code;
        const char *message;
    } cases[] = {
        { "mkdir -p $1; echo > $1/test_batch.bin; exit 3", SL_EIO, "failed with exit code 3" },
        { WRITE_ALL "kill -9 $$", SL_EINTERRUPTED, "ended by signal 9" },
        { "mkdir -p $1; echo > $1/test_batch.bin", SL_ENOTFOUND, "data_batch_1.bin" },
    };
    make_labels("packed");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_error err;
        sl_data *data;
        system("rm -rf build");
        write_script(cases[i].script);
        expect_error(sl_data_open(&data, "packed", "build/images", &err), cases[i].code, &err,
                     cases[i].message);
        assert_null(data);
        assert_int_equal(fixture_count_files("build"), 0);
    }
    sl_error err;
    sl_data *data;
    write_script(WRITE_ALL);
    expect_ok(sl_data_open(&data, "packed", "build/images", &err), &err);
    sl_data_close(data);
}

static void test_no_unpack_without_a_place(void **state)
{
    (void)state;
    sl_error err;
    sl_data *data;
    make_labels("packed");
    write_script("exit 1");
    expect_ok(sl_data_open(&data, "packed", NULL, &err), &err);
    assert_false(sl_data_has(data, SL_SET_TEST));
    sl_data_close(data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order),
        TEST(test_named_folders_are_not_passed_over),
        TEST(test_reads_both_layouts),
        TEST(test_unpacks_once),
        TEST(test_interrupted_unpack_is_not_taken_for_whole),
        TEST(test_no_unpack_without_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
