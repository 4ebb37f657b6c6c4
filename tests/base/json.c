#include "base/json.h"
#include "support.h"
#include <float.h>
#include <math.h>
#include <string.h>

static json_t *read_text(const char *folder, const char *text, sl_status *st, sl_error *err)
{
    const char *path = scratch_path(folder, "c.json");
    json_t *json;
    scratch_write(path, text, strlen(text));
    *st = sl_json_read(&json, path, 200, err);
    return json;
}

static void bad_files_are_named_with_their_line(void **state)
{
    static const struct {
        const char *text, *holds;
    } cases[] = {
        { "{\n \"a\": 1,\n \"b\": oops\n}", "c.json: line 3: not valid JSON" },
        { "{\"a\": 1, \"a\": 2}", "duplicate" },
        { "[1, 2]", "object in braces" },
        { "", "line 1" },
        { "{} x", "line 1" },
        { "{\"a\": NaN}", "not valid JSON" },
        { "{\"a\": 1e999}", "not valid JSON" },
        { "{\"a\": \"\xff\"}", "not valid JSON" },
        { "{\"a\":", "not valid JSON" },
    };
    sl_error err;
    sl_status st;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(read_text(*state, cases[i].text, &st, &err));
        check_fails(st, SL_EFORMAT, cases[i].holds, &err);
    }
    char deep[190];
    memset(deep, '[', sizeof deep);
    deep[sizeof deep - 1] = '\0';
    assert_null(read_text(*state, deep, &st, &err));
    json_t *json;
    check_fails(sl_json_read(&json, scratch_path(*state, "c.json"), 100, &err), SL_EFORMAT,
                "longer than", &err);
    check_fails(sl_json_read(&json, "/none.json", 100, &err), SL_ENOTFOUND, "/none.json", &err);
}

static void members_are_checked(void **state)
{
    sl_error err;
    sl_status st;
    const char *text;
    int64_t i = 7;
    double x;
    bool b;
    json_t *member,
        *json = read_text(
            *state, "{\"s\": \"ship\", \"i\": -3, \"x\": 0.5, \"b\": true, \"a\": [[1, 2], [3.5]]}",
            &st, &err);
    check_ok(st, &err);
    check_ok(sl_json_get_string(json, "s", &text, &err), &err);
    assert_string_equal(text, "ship");
    check_ok(sl_json_get_int(json, "i", -3, -3, &i, &err), &err);
    assert_int_equal(i, -3);
    check_ok(sl_json_get_number(json, "x", &x, &err), &err);
    assert_true(x == 0.5);
    check_ok(sl_json_get_number(json, "i", &x, &err), &err);
    assert_true(x == -3);
    check_ok(sl_json_get_bool(json, "b", &b, &err), &err);
    assert_true(b);

    check_fails(sl_json_get(json, "none", &member, &err), SL_EFORMAT, "'none' is missing", &err);
    check_fails(sl_json_get(NULL, "none", &member, &err), SL_EFORMAT, "object", &err);
    check_fails(sl_json_get_string(json, "i", &text, &err), SL_EFORMAT, "'i' isn't a string", &err);
    check_fails(sl_json_get_int(json, "i", -2, 9, &i, &err), SL_EFORMAT,
                "'i' is -3, expected -2 to 9", &err);
    check_fails(sl_json_get_int(json, "x", 0, 9, &i, &err), SL_EFORMAT, "whole number", &err);
    check_fails(sl_json_get_number(json, "s", &x, &err), SL_EFORMAT, "isn't a number", &err);
    check_fails(sl_json_get_bool(json, "i", &b, &err), SL_EFORMAT, "true or false", &err);

    double flat[3];
    check_ok(sl_json_get(json, "a", &member, &err), &err);
    check_ok(sl_json_numbers(member, 3, flat, &err), &err);
    assert_true(flat[0] == 1 && flat[1] == 2 && flat[2] == 3.5);
    check_fails(sl_json_numbers(member, 2, flat, &err), SL_EFORMAT, "3 numbers where 2", &err);
    check_fails(sl_json_numbers(json, 3, flat, &err), SL_EFORMAT, "array", &err);
    json_array_append_new(member, json_string("4"));
    check_fails(sl_json_numbers(member, 4, flat, &err), SL_EFORMAT, "array of 4 numbers", &err);
    json_decref(json);
}

static void numbers_survive_writing(void **state)
{
    static const double numbers[] = { 0.1, 1.0 / 3, DBL_MAX, DBL_MIN, -1e-300, 3 };
    enum { N = sizeof numbers / sizeof *numbers };
    sl_error err;
    const char *path = scratch_path(*state, "out.json");
    json_t *json = json_object(), *array = json_array(), *back;
    json_object_set_new(json, "z first", array);
    json_object_set_new(json, "a", json_integer(INT64_MIN));
    for (int i = 0; i < N; i++)
        json_array_append_new(array, json_real(numbers[i]));
    check_ok(sl_json_write(path, json, &err), &err);
    check_ok(sl_json_read(&back, path, 1000, &err), &err);
    assert_true(json_equal(json, back));
    assert_string_equal(json_object_iter_key(json_object_iter(back)), "z first");
    check_fails(sl_json_write("/none/x.json", json, &err), SL_ENOTFOUND, "/none/x.json", &err);
    json_decref(back);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_files_are_named_with_their_line),
        cmocka_unit_test(members_are_checked),
        cmocka_unit_test(numbers_survive_writing),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
