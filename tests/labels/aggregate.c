/* Counting raw trials: what is broken, who is excluded, adding, replaying. */
#include "../base/support.h"
#include "base/memory.h"
#include <softlabel/labels.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define HEADER                                                              \
    "trial_index,annotator_id,extra,is_attn_check,true_label,chosen_label," \
    "cifar10_test_set_idx,reaction_time,time_elapsed\n"

static const sl_labels_rules *rules(void)
{
    static sl_labels_rules r;
    r = sl_labels_rules_default();
    return &r;
}

static sl_status count(sl_labels **out, const char *path, const char *add, sl_error *err)
{
    const sl_labels_source source = {
        .raw = &path, .n_raw = 1, .n_images = 3, .n_classes = 2, .rules = rules()
    };
    return sl_labels_count(out, &source, add, err);
}

static void broken_rows_are_named(void **state)
{
    static const struct {
        const char *why, *row, *holds;
    } cases[] = {
        { "fields", "0,a,,0,1,1,2,5\n", "line 2: 8 fields where the header has 9" },
        { "class", "0,a,,0,1,2,2,5,5\n", "line 2: chosen_label '2' isn't" },
        { "image", "0,a,,0,1,1,3,5,5\n", "cifar10_test_set_idx '3' isn't" },
        { "no image", "0,a,,0,1,1,-99999,5,5\n", "cifar10_test_set_idx '-99999' isn't" },
        { "check", "0,a,,1,1,1,2,5,5\n", "isn't -99999" },
        { "number", "0,a,,0,1,1,2,fast,5\n", "reaction_time 'fast' isn't" },
        { "nan", "0,a,,0,1,1,2,nan,5\n", "reaction_time 'nan' isn't" },
        { "nobody", "0,,,0,1,1,2,5,5\n", "annotator_id is empty" },
        { "quote", "0,\"a,,0,1,1,2,5,5\n", "line 2: a quote isn't closed" },
        { "index", "65536,a,,0,1,1,2,5,5\n", "trial_index '65536' isn't" },
        { "truth", "0,a,,0,1,1,2,5,5\n0,b,,0,0,1,2,5,5\n",
          "line 3: image 2 has true label 0 here, 1 before" },
    };
    const char *path = scratch_path(*state, "raw.csv");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[400];
        sl_labels *labels;
        sl_error err;
        const int n = snprintf(text, sizeof text, "%s%s", HEADER, cases[i].row);
        scratch_write(path, text, (size_t)n);
        check_fails(count(&labels, path, NULL, &err), SL_EFORMAT, cases[i].holds, &err);
        assert_null(labels);
    }
}

/* Files that aren't the raw table at all, or not whole. */
static void broken_files_are_named(void **state)
{
    static const struct {
        const char *text, *holds;
    } cases[] = {
        { "", "raw.csv: line 1: no header row" },
        { "a,b,c\n1,2,3\n", "line 1: column 'annotator_id' is missing" },
        { "trial_index,annotator_id,is_attn_check,true_label,chosen_label,reaction_time,"
          "time_elapsed\n",
          "line 1: column 'cifar10_test_set_idx' is missing" },
        { "trial_index," HEADER, "line 1: column 'trial_index' is there twice" },
    };
    const char *path = scratch_path(*state, "raw.csv");
    sl_labels *labels;
    sl_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scratch_write(path, cases[i].text, strlen(cases[i].text));
        check_fails(count(&labels, path, NULL, &err), SL_EFORMAT, cases[i].holds, &err);
    }
    static const char nul[] = HEADER "0,a,\0,0,1,1,2,5,5\n";
    scratch_write(path, nul, sizeof nul - 1);
    check_fails(count(&labels, path, NULL, &err), SL_EFORMAT, "line 2: a NUL byte", &err);

    const size_t n = sizeof HEADER - 1 + (10 << 20); /* a row of 10 MB */
    char *huge = malloc(n);
    assert_non_null(huge);
    memset(huge, 'x', n);
    memcpy(huge, HEADER, sizeof HEADER - 1);
    scratch_write(path, huge, n);
    free(huge);
    check_fails(count(&labels, path, NULL, &err), SL_EFORMAT, "line 2: a row of more than", &err);
    check_fails(count(&labels, scratch_path(*state, "none.csv"), NULL, &err), SL_ENOTFOUND,
                "none.csv: can't be opened", &err);
}

/* The released columns in full, with the released file's own name for the image, as a spreadsheet
 * writes them; a reaction time that a clock set back made negative. */
static const char released[] =
    "\xef\xbb\xbf"
    "annotator_id,trial_index,is_attn_check,true_category,chosen_category,true_label,chosen_label,"
    "correct_guess,cifar10_test_test_idx,image_filename,subcategory,reaction_time,time_elapsed\r\n"
    "0,0,0,\"cat\",dog,0,1,0,2,\"a, b.png\",,-12.5,100\r\n"
    "0,1,1,dog,dog,1,1,1,-99999,,,5,200";

static void the_released_form_is_read(void **state)
{
    static const struct {
        const char *from, *to, *holds;
    } cases[] = {
        { "0,1,0,2", "0,1,1,2", "line 2: correct_guess is 1, but true_label is 0" },
        { "dog,dog,1,1,1", "cat,dog,1,1,1", "line 3: true_category 'cat' of class 1, which was" },
        { "dog,dog,1,1,1", "dog,dog,1,0,0", "line 3: chosen_category 'dog' of class 0, which was" },
    };
    static const int64_t expected[] = { 0, 0, 0, 0, 0, 1 };
    const char *path = scratch_path(*state, "raw.csv");
    sl_labels *labels;
    sl_error err;
    scratch_write(path, released, sizeof released - 1);
    check_ok(count(&labels, path, NULL, &err), &err);
    assert_memory_equal(labels->counts, expected, sizeof expected);
    assert_int_equal(labels->truth[0], -1);
    assert_int_equal(labels->truth[2], 0);
    sl_labels_destroy(labels);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[sizeof released];
        memcpy(text, released, sizeof released);
        memcpy(strstr(text, cases[i].from), cases[i].to, strlen(cases[i].to));
        scratch_write(path, text, sizeof released - 1);
        check_fails(count(&labels, path, NULL, &err), SL_EFORMAT, cases[i].holds, &err);
    }
}

/* What is packed, or comes through standard input, counts and hashes as the plain file does. */
static void packing_changes_nothing(void **state)
{
    char plain[300], packed[300];
    sl_labels *labels;
    sl_error err;
    snprintf(plain, sizeof plain, "%s/raw.csv", (char *)*state);
    snprintf(packed, sizeof packed, "%s/raw.csv.gz", (char *)*state);
    scratch_write(plain, released, sizeof released - 1);
    gzFile gz = gzopen(packed, "wb");
    assert_int_equal(gzwrite(gz, released, sizeof released - 1), sizeof released - 1);
    gzclose(gz);
    char sha256[65];
    check_ok(count(&labels, plain, NULL, &err), &err);
    memcpy(sha256, labels->files[0].sha256, sizeof sha256);
    sl_labels_destroy(labels);
    check_ok(count(&labels, packed, NULL, &err), &err);
    assert_string_equal(labels->files[0].sha256, sha256);
    sl_labels_destroy(labels);

    FILE *stream = fopen(packed, "rb");
    const char *const input = "-";
    sl_labels_source source = { .raw = &input, .n_raw = 1, .n_images = 3, .n_classes = 2 };
    source.rules = rules();
    source.stream = stream;
    check_ok(sl_labels_count(&labels, &source, NULL, &err), &err);
    fclose(stream);
    assert_string_equal(labels->files[0].sha256, sha256);
    assert_int_equal(labels->files[0].rows, 2);
    sl_labels_destroy(labels);

    const char *const both[] = { plain, packed };
    source.raw = both;
    source.n_raw = 2;
    check_fails(sl_labels_count(&labels, &source, NULL, &err), SL_EINVAL, "are the same data",
                &err);
    assert_int_equal(truncate(packed, 60), 0);
    check_fails(count(&labels, packed, NULL, &err), SL_EFORMAT, "the gzip data is cut off", &err);
}

/* a is kept; b fails the check; c repeats a trial. */
static const char day_1[] = HEADER "0,a,,0,1,1,2,5,5\r\n"
                                   "1,a,\"x,y\",1,0,0,-99999,5,10\r\n"
                                   "0,b,,0,0,0,0,5,5\r\n"
                                   "1,b,,1,0,1,-99999,5,10\r\n"
                                   "0,c,,0,0,0,0,5,5\r\n"
                                   "0,c,,0,0,0,1,5,5";
static const char day_2[] = HEADER "0,d,,0,-1,0,2,5.5,5\n";
static const char changed[] = HEADER "0,d,,0,-1,1,2,5.5,5\n";

static void people_are_excluded_and_taken_back(void **state)
{
    const char *path = scratch_path(*state, "1.csv");
    static const int64_t expected[] = { 0, 0, 0, 0, 0, 1 };
    sl_labels *labels;
    sl_error err;
    scratch_write(path, day_1, sizeof day_1 - 1);
    check_ok(count(&labels, path, NULL, &err), &err);
    assert_memory_equal(labels->counts, expected, sizeof expected);
    assert_int_equal(labels->n_people, 3);
    assert_int_equal(labels->people[0].why, SL_KEPT);
    assert_int_equal(labels->people[1].why, SL_EXCLUDED_CHECKS);
    assert_int_equal(labels->people[2].why, SL_EXCLUDED_DUPLICATE);
    assert_int_equal(labels->n_judgments, 1);
    sl_labels_destroy(labels);
}

static void check_same_file(const char *folder_1, const char *folder_2, const char *name)
{
    char path[2][600], text[2][4096];
    size_t n[2];
    const char *const folders[] = { folder_1, folder_2 };
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/%s", folders[i], name);
        FILE *file = fopen(path[i], "rb");
        assert_non_null(file);
        n[i] = fread(text[i], 1, sizeof text[i], file);
        fclose(file);
    }
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(text[0], text[1], n[0]);
    remove(path[0]);
    remove(path[1]);
}

static void adding_a_day_gives_what_recounting_gives(void **state)
{
    char paths[2][300], added[300], counted[300];
    sl_labels *labels;
    sl_error err;
    snprintf(paths[0], sizeof paths[0], "%s/1.csv", (char *)*state);
    snprintf(paths[1], sizeof paths[1], "%s/2.csv", (char *)*state);
    snprintf(added, sizeof added, "%s/added", (char *)*state);
    snprintf(counted, sizeof counted, "%s/counted", (char *)*state);
    scratch_write(paths[0], day_1, sizeof day_1 - 1);
    scratch_write(paths[1], day_2, sizeof day_2 - 1);

    check_ok(count(&labels, paths[0], NULL, &err), &err);
    check_ok(sl_labels_write(labels, added, &err), &err);
    sl_labels_destroy(labels);
    check_fails(count(&labels, paths[0], added, &err), SL_EMISMATCH, "annotator 'a'", &err);
    check_ok(count(&labels, paths[1], added, &err), &err);
    check_ok(sl_labels_write(labels, added, &err), &err);
    sl_labels_destroy(labels);

    const char *const both[] = { paths[0], paths[1] };
    const sl_labels_source source = {
        .raw = both, .n_raw = 2, .n_images = 3, .n_classes = 2, .rules = rules()
    };
    check_ok(sl_labels_count(&labels, &source, NULL, &err), &err);
    check_ok(sl_labels_write(labels, counted, &err), &err);
    sl_labels_destroy(labels);
    check_ok(sl_labels_replay(added, NULL, 0, &err), &err);

    scratch_write(paths[1], changed, sizeof changed - 1);
    check_fails(sl_labels_replay(counted, both, 2, &err), SL_EMISMATCH, "SHA-256", &err);
    static const char *const names[] = { "counts.npy", "probs.npy", "truth.npy", "people.csv",
                                         "labels.json" };
    for (int i = 0; i < 5; i++)
        check_same_file(added, counted, names[i]);
    remove(added);
    remove(counted);
}

/* Count, write, read, go through the judgments again: everything that takes memory. */
static sl_status do_everything(const char *raw, const char *folder, sl_error *err)
{
    sl_labels *labels = NULL, *again = NULL;
    sl_judgments *judgments = NULL;
    sl_labels_description d = { 0 };
    sl_ceiling ceiling;
    sl_ceiling_options o = { .splits = 1, .resamples = 1, .prior = 0.1 };
    double p[6];
    int steps;
    sl_status st = count(&labels, raw, NULL, err);
    if (!st)
        st = sl_labels_write(labels, folder, err);
    if (!st)
        st = sl_labels_read(&again, folder, err);
    if (!st)
        st = sl_labels_describe(&d, again, err);
    if (!st)
        st = sl_labels_reread(&judgments, folder, NULL, 0, err);
    if (!st)
        st = sl_dawid_skene(p, NULL, NULL, judgments, 10, &steps, err);
    if (!st)
        st = sl_labels_weigh(p, NULL, judgments, err);
    if (!st)
        st = sl_ceiling_estimate(&ceiling, judgments, &o, err);
    sl_judgments_destroy(judgments);
    sl_labels_description_release(&d);
    sl_labels_destroy(again);
    sl_labels_destroy(labels);
    return st;
}

static void short_memory_is_said_at_any_allocation(void **state)
{
    static const char rows[] = HEADER "0,a,,0,1,1,2,5,5\n0,b,,0,1,1,2,5,5\n1,a,,0,0,0,0,5,9\n"
                                      "1,b,,0,0,1,0,5,9\n0,c,,0,0,0,0,5,5\n0,c,,0,0,0,1,5,5\n";
    char raw[300], folder[300];
    sl_error err;
    sl_status st;
    snprintf(raw, sizeof raw, "%s/raw.csv", (char *)*state);
    snprintf(folder, sizeof folder, "%s/labels", (char *)*state);
    scratch_write(raw, rows, sizeof rows - 1);
    check_ok(do_everything(raw, folder, &err), &err);
    unsigned long n = 0;
    do {
        sl_alloc_fail_at(++n);
        st = do_everything(raw, folder, &err);
        sl_alloc_fail_at(0);
        assert_true(st == SL_OK || st == SL_ENOMEM);
    } while (st && n < 10000);
    assert_true(n > 20 && n < 10000);
    static const char *const names[] = { "counts.npy", "probs.npy", "truth.npy", "people.csv",
                                         "labels.json" };
    for (size_t i = 0; i < 5; i++)
        remove(scratch_path(folder, names[i]));
    assert_int_equal(scratch_count(folder), 0); /* no temporary files */
    remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(broken_rows_are_named, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(broken_files_are_named, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(the_released_form_is_read, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(packing_changes_nothing, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(short_memory_is_said_at_any_allocation, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(people_are_excluded_and_taken_back, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(adding_a_day_gives_what_recounting_gives, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
