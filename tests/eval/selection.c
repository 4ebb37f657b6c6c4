#include "eval/selection.h"
#include "base/npy.h"
#include "base/support.h"
#include <string.h>

/* Hashes of the validation indices: the published protocol's, for split seeds 0 to 2. */
static void splits_are_the_papers(void **state)
{
    static const char *const sha256[] = {
        "0390e9fb358eb4e97f23fe1152d8cddf6acfa3ebd727a26c4d4c56b2a98f5d8a",
        "85f426d9ac43bab5906da20c42750daaece86dcc1b5c1314f36e9e67913b6f21",
        "b7c585f2ee8725eb509946c241291d09962f99fe05497494a741eac5101b0a68",
    };
    (void)state;
    for (uint32_t seed = 0; seed < 3; seed++) {
        sl_error err;
        sl_selection val, train;
        bool seen[10000] = { 0 };
        check_ok(sl_selection_split(&val, 10000, seed, SL_PART_VALIDATION, &err), &err);
        check_ok(sl_selection_split(&train, 10000, seed, SL_PART_TRAINING, &err), &err);
        assert_string_equal(val.sha256, sha256[seed]);
        assert_int_equal(val.n, 1000);
        assert_int_equal(train.n, 9000);
        for (size_t i = 0; i < 10000; i++) {
            const int64_t image = i < 1000 ? val.indices[i] : train.indices[i - 1000];
            assert_false(seen[image]);
            seen[image] = true;
        }
        sl_selection_release(&val);
        sl_selection_release(&train);
    }
}

static void lists_are_read(void **state)
{
    static const char text[] = "4\r\n0\n\n9\n";
    sl_error err;
    sl_selection from_text, from_npy;
    const char *path = scratch_path(*state, "index");
    scratch_write(path, text, strlen(text));
    check_ok(sl_selection_read(&from_text, 10, path, &err), &err);
    assert_string_equal(from_text.what, "images listed in index");
    check_ok(sl_npy_write(path, SL_NPY_I32, 1, (size_t[]){ 3 }, (int32_t[]){ 9, 4, 0 }, &err),
             &err);
    check_ok(sl_selection_read(&from_npy, 10, path, &err), &err);
    assert_int_equal(from_text.n, 3);
    assert_int_equal(from_text.indices[1], 0);
    assert_int_equal(from_npy.n, 3);
    assert_int_equal(from_npy.indices[0], 9);
    assert_string_equal(from_text.sha256, from_npy.sha256); /* whatever their order */
    sl_selection_release(&from_text);
    sl_selection_release(&from_npy);
}

static void bad_lists_are_named(void **state)
{
    static const struct {
        const char *text, *holds;
        sl_status code;
    } cases[] = {
        { "1\n10\n", "index: index 10, expected 0 to 9", SL_EFORMAT },
        { "-1\n", "index: index -1, expected 0 to 9", SL_EFORMAT },
        { "3\n1\n3\n", "index: index 3 is there twice", SL_EFORMAT },
        { "1\nx\n", "index: line 2: expected one whole number", SL_EFORMAT },
        { "1,2\n", "index: line 1: expected one whole number", SL_EFORMAT },
        { "", "index: no image is selected", SL_EINVAL },
    };
    sl_error err;
    sl_selection s;
    const char *path = scratch_path(*state, "index");
    check_fails(sl_selection_read(&s, 10, path, &err), SL_ENOTFOUND, "index", &err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scratch_write(path, cases[i].text, strlen(cases[i].text));
        check_fails(sl_selection_read(&s, 10, path, &err), cases[i].code, cases[i].holds, &err);
        assert_null(s.indices);
    }
    check_ok(sl_npy_write(path, SL_NPY_F32, 1, (size_t[]){ 1 }, (float[]){ 1 }, &err), &err);
    check_fails(sl_selection_read(&s, 10, path, &err), SL_EFORMAT,
                "index: isn't a list of whole numbers", &err);
    check_ok(sl_npy_write(path, SL_NPY_I64, 1, (size_t[]){ 1 }, (int64_t[]){ INT64_MIN }, &err),
             &err);
    check_fails(sl_selection_read(&s, 10, path, &err), SL_EFORMAT, "expected 0 to 9", &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_are_the_papers),
        cmocka_unit_test_setup_teardown(lists_are_read, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(bad_lists_are_named, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
