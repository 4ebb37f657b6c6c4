/* study check tells every mistake, and a new study has none. */
#include "fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    char lines[40][700];
    size_t n;
} told;

static void keep(void *user, const char *line)
{
    told *t = user;
    if (t->n < 40)
        snprintf(t->lines[t->n++], sizeof t->lines[0], "%s", line);
}

static sl_status check(const char *folder, told *t, sl_error *err)
{
    const sl_study_data data = { 0 };
    size_t n = 0;
    t->n = 0;
    sl_status st = sl_study_check(folder, &data, keep, t, &n, err);
    assert_int_equal(n, t->n);
    return st;
}

static void make_folder(const char *folder, const char *name)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void write_file(const char *folder, const char *name, const char *bytes, size_t n)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void test_new_study_is_in_order(void **state)
{
    (void)state;
    static const char *const recruitments[] = { "open", "mturk", "prolific" };
    for (size_t i = 0; i < 3; i++) {
        char *folder = fixture_folder();
        const sl_study_new_options options = { .synthetic = true, .recruitment = recruitments[i] };
        const sl_study_data data = { 0 };
        const char *what;
        told t;
        sl_error err;
        assert_int_equal(sl_study_new(folder, &options, &data, &what, &err), SL_OK);
        if (i < 2) {
            assert_int_equal(check(folder, &t, &err), SL_OK);
        } else { /* only Prolific knows its completion code */
            assert_int_equal(check(folder, &t, &err), SL_EFORMAT);
            assert_int_equal(t.n, 1);
            assert_non_null(strstr(t.lines[0], "'YOURCODE'"));
        }
        assert_int_equal(sl_study_new(folder, &options, &data, &what, &err), SL_EINVAL);
        fixture_remove(folder);
    }
}

static void test_every_mistake_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *why, *change, *told;
    } cases[] = {
        { "a typing mistake", "{\"titel\":\"x\"}", "member 'titel' is unknown" },
        { "another format", "{\"format\":\"softlabel-study-9\"}", "'softlabel-study-9'" },
        { "out of range", "{\"task\":{\"target_judgments\":0}}", "member 'target_judgments' is 0" },
        { "wrong type", "{\"task\":{\"smooth\":\"no\"}}", "member 'smooth' isn't" },
        { "a share above 1", "{\"practice\":{\"pass\":75}}", "member 'pass' is 75" },
        { "no source", "{\"images\":{\"source\":\"flickr\"}}", "'flickr', expected 'synthetic'" },
        { "a member of another source",
          "{\"images\":{\"source\":\"folder\",\"folder\":\"one\",\"count\":1}}",
          "images: member 'count' is unknown" },
        { "too few images", "{\"images\":{\"count\":10}}", "has 10 images, but a participant" },
        { "too few checks", "{\"attention_images\":{\"count\":2}}", "has 2 images" },
        { "one class", "{\"classes\":[\"a\"]}", "classes: expected a list of 2 to 16 names" },
        { "twice", "{\"classes\":[\"a\",\"a\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\"]}",
          "'a' is there twice" },
        { "no paragraphs", "{\"wording\":{\"consent\":\"yes\"}}", "isn't a list of paragraphs" },
        { "a button without a word", "{\"wording\":{\"consent_button\":\"\"}}",
          "member 'consent_button' is empty" },
        { "no kind", "{\"recruitment\":{\"kind\":\"\"}}", "member 'kind' is empty" },
        { "no folder", "{\"images\":{\"source\":\"folder\",\"folder\":\"\"}}",
          "member 'folder' is empty" },
        { "no address", "{\"recruitment\":{\"kind\":\"prolific\",\"completion_url\":\"x\"}}",
          "isn't a web address" },
        { "a path", "{\"recruitment\":{\"kind\":\"mturk\",\"submit_to\":[\"https://a.b/c\"]}}",
          "nothing behind the host" },
        { "injection", "{\"recruitment\":{\"kind\":\"mturk\",\"submit_to\":[\"https://a; *\"]}}",
          "nothing behind the host" },
        { "a folder", "{\"images\":{\"source\":\"folder\",\"folder\":\"gone\"}}",
          "there is no such folder" },
        { "practising what is judged",
          "{\"images\":{\"source\":\"folder\",\"folder\":\"one\"},"
          "\"practice_images\":{\"source\":\"folder\",\"folder\":\"./one\"}}",
          "practice_images: 1 of them are to be judged too" },
        { "half a file", "{\"images\":{\"source\":\"folder\",\"folder\":\"bad\"}}",
          "bad/a.gif: is cut short" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = fixture_folder();
        told t;
        sl_error err;
        bool found = false;
        fixture_study(folder, cases[i].change);
        make_folder(folder, "one");
        write_file(folder, "one/a.gif", FIXTURE_GIF, sizeof FIXTURE_GIF - 1);
        make_folder(folder, "bad");
        write_file(folder, "bad/a.gif", FIXTURE_GIF, sizeof FIXTURE_GIF - 2);
        assert_int_equal(check(folder, &t, &err), SL_EFORMAT);
        for (size_t k = 0; k < t.n; k++)
            found = found || strstr(t.lines[k], cases[i].told);
        if (!found)
            fail_msg("%s: told '%s' instead of '%s'", cases[i].why, t.n ? t.lines[0] : "nothing",
                     cases[i].told);
        fixture_remove(folder);
    }
}

static void test_mistakes_are_told_at_once(void **state)
{
    (void)state;
    char *folder = fixture_folder();
    told t;
    sl_error err;
    fixture_study(folder, "{\"seed\":-1,\"title\":7,\"task\":{\"pause_every\":-3},"
                          "\"attention\":{\"pass\":2},\"extra\":{},\"# comment\":\"ignored\"}");
    assert_int_equal(check(folder, &t, &err), SL_EFORMAT);
    assert_int_equal(t.n, 5);
    fixture_remove(folder);

    /* What is wrong with the images isn't kept back until the rest is right. */
    folder = fixture_folder();
    make_folder(folder, "empty");
    fixture_study(folder, "{\"title\":7,\"images\":{\"count\":10},\"practice_images\":null,"
                          "\"attention_images\":{\"source\":\"folder\",\"folder\":\"empty\"}}");
    assert_int_equal(check(folder, &t, &err), SL_EFORMAT);
    assert_int_equal(t.n, 4);
    fixture_remove(folder);
}

static void test_not_json(void **state)
{
    (void)state;
    char *folder = fixture_folder();
    told t;
    sl_error err;
    assert_int_equal(check(folder, &t, &err), SL_ENOTFOUND);
    write_file(folder, "study.json", "{\"title\": ", 10);
    assert_int_equal(check(folder, &t, &err), SL_EFORMAT);
    assert_non_null(strstr(err.place, "line 1"));
    fixture_remove(folder);
}

/* ---- the schema for editors says what study check says ---- */

/* The lines about study.json with changes, all in one. */
static void check_changed(const char *folder, const json_t *study, told *t)
{
    char path[400];
    sl_error err;
    snprintf(path, sizeof path, "%s/study.json", folder);
    assert_int_equal(sl_json_write(path, study, &err), SL_OK);
    (void)check(folder, t, &err);
}

static bool is_told(const told *t, const char *part)
{
    for (size_t i = 0; i < t->n; i++)
        if (strstr(t->lines[i], part))
            return true;
    return false;
}

/* Puts value (taken) at section.key, or at key where section is NULL; NULL takes the member out. */
static json_t *changed(const json_t *study, const char *section, const char *key, json_t *value)
{
    json_t *copy = json_deep_copy(study);
    json_t *object = section ? json_object_get(copy, section) : copy;
    if (value)
        json_object_set_new(object, key, value);
    else
        json_object_del(object, key);
    return copy;
}

static void expect(const char *folder, json_t *study, const char *part, bool wanted)
{
    told t;
    check_changed(folder, study, &t);
    if (is_told(&t, part) != wanted)
        fail_msg("'%s' is%s told", part, wanted ? "n't" : "");
    json_decref(study);
}

static void check_member(const char *folder, const json_t *study, const char *section,
                         const char *key, const json_t *rule)
{
    static const char *const limits[] = { "minimum", "maximum" };
    char part[120];
    snprintf(part, sizeof part, "member '%s' is ", key);
    for (int i = 0; i < 2; i++) {
        const json_t *limit = json_object_get(rule, limits[i]);
        if (!limit)
            continue;
        const double at = json_number_value(limit), beyond = at + (i ? 1 : -1);
        const bool whole = json_is_integer(limit) &&
                           strcmp(json_string_value(json_object_get(rule, "type")), "integer") == 0;
        json_t *far = whole ? json_integer((json_int_t)beyond) : json_real(beyond);
        expect(folder, changed(study, section, key, json_incref((json_t *)(uintptr_t)limit)), part,
               false);
        expect(folder, changed(study, section, key, far), part, true);
    }
}

static void check_section(const char *folder, const json_t *study, const char *section,
                          json_t *rules)
{
    const json_t *object = section ? json_object_get(study, section) : study;
    json_t *properties = json_object_get(rules, "properties"), *rule, *item;
    const char *key;
    char part[120];
    size_t i, n = 0;
    json_array_foreach(json_object_get(rules, "required"), i, item)
    {
        told t;
        json_t *without = changed(study, section, json_string_value(item), NULL);
        assert_non_null(json_object_get(properties, json_string_value(item)));
        check_changed(folder, without, &t);
        json_decref(without);
        if (t.n == 0)
            fail_msg("'%s' may be missing", json_string_value(item));
    }
    json_object_foreach(properties, key, rule)
    {
        n += json_object_get(object, key) != NULL;
        if (!section && json_object_get(rule, "properties"))
            check_section(folder, study, key, rule);
        check_member(folder, study, section, key, rule);
    }
    assert_int_equal(n, json_object_size(object)); /* every member is in the schema */
    snprintf(part, sizeof part, "'nobody_knows' is unknown");
    expect(folder, changed(study, section, "nobody_knows", json_null()), part, true);
    expect(folder, changed(study, section, "# nobody_knows", json_null()), part, false);
}

static void test_schema(void **state)
{
    (void)state;
    char *folder = fixture_folder(), path[400];
    json_t *schema = NULL, *study = NULL;
    sl_error err;
    fixture_study(folder, NULL);
    snprintf(path, sizeof path, "%s/study.schema.json", folder);
    assert_int_equal(sl_json_read(&schema, path, 1 << 20, &err), SL_OK);
    snprintf(path, sizeof path, "%s/study.json", folder);
    assert_int_equal(sl_json_read(&study, path, 1 << 20, &err), SL_OK);
    assert_string_equal(json_string_value(json_object_get(study, "$schema")), "study.schema.json");
    check_section(folder, study, NULL, schema);
    json_decref(study);
    json_decref(schema);
    fixture_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_study_is_in_order),
        cmocka_unit_test(test_every_mistake_is_told),
        cmocka_unit_test(test_mistakes_are_told_at_once),
        cmocka_unit_test(test_not_json),
        cmocka_unit_test(test_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
