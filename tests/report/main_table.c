/* The main table from run folders made by hand, so that each mean is known. */
#include "data/fixture.h"

#include "report/main_table.h"
#include "report/table.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *targets;
    double lr;
    int split_seed;
    const char *test_sha256; /* of the data it was scored on */
    double before, selected; /* c10h val and c10 val loss */
} made_run;

static const char *make_run(const char *dir, const char *name, const made_run *r)
{
    const char *folder = fixture_path(dir, "%s", name);
    const char *row = "{\"epoch\": %d, \"c10h_val_loss\": %.3f, \"c10h_val_acc\": 0.75, "
                      "\"c10h_val_c10_loss\": %.3f, \"c10h_val_c10_acc\": 0.8}";
    char before[300], selected[300], text[2000];
    snprintf(before, sizeof before, row, 0, r->before, r->before);
    snprintf(selected, sizeof selected, row, 5, r->selected, r->selected);
    int n =
        snprintf(text, sizeof text,
                 "{\"stage\": \"finetune\", \"settings\": {\"targets\": \"%s\", \"lr\": %g, "
                 "\"epochs\": 9, \"batch_size\": 128, \"weight_decay\": 0.0001, \"augment\": "
                 "\"none\", \"split_seed\": %d, \"seed\": 0}, \"model\": {\"name\": \"m\", "
                 "\"checkpoint_sha256\": \"ab\"}, \"data\": {\"test\": \"%s\", \"note\": \"\"}, "
                 "\"rule\": \"the lowest\", \"before\": %s, \"selected\": %s}",
                 r->targets, r->lr, r->split_seed, r->test_sha256, before, selected);
    fixture_make_dir(folder);
    fixture_write(fixture_path(folder, "result.json"), text, (size_t)n);
    return folder;
}

static const made_run runs[] = {
    { "human", 0.001, 1, "x", 0.60, 0.40 }, { "hard", 0.001, 0, "x", 0.80, 0.70 },
    { "human", 0.001, 0, "x", 0.80, 0.60 }, { "human", 0.0001, 0, "x", 0.80, 0.45 },
    { "hard", 0.001, 1, "x", 0.60, 0.50 },
};
enum { N_RUNS = sizeof runs / sizeof runs[0] };

static sl_main_table *open_table(const char *dir, const char *paths[N_RUNS])
{
    sl_main_table *table;
    sl_error err;
    for (int i = 0; i < N_RUNS; i++)
        paths[i] = make_run(dir, (const char[]){ 'r', (char)('0' + i), 0 }, &runs[i]);
    expect_ok(sl_main_table_create(&table, paths, N_RUNS, &err), &err);
    return table;
}

static void text_has_means_and_deviations(void **state)
{
    const char *paths[N_RUNS];
    sl_main_table *table = open_table(*state, paths);
    char *text;
    size_t size;
    sl_error err;
    FILE *out = open_memstream(&text, &size);
    expect_ok(sl_main_table_write(table, SL_TABLE_TEXT, out, &err), &err);
    fclose(out);
    /* clang-format off */
    static const char expected[] =
        "m                                   runs                    c10h val                     c10 val\n"
        "------------------------------------------------------------------------------------------------\n"
        "before                                 2  0.7000±0.1414 (75.0±0.0 %)  0.7000±0.1414 (80.0±0.0 %)\n"
        "control, lr 0.001, 9 epochs            2  0.6000±0.1414 (75.0±0.0 %)  0.6000±0.1414 (80.0±0.0 %)\n"
        "control, lowest: lr 0.001, split 1     1             0.5000 (75.0 %)             0.5000 (80.0 %)\n"
        "human, lr 0.001, 9 epochs              2  0.5000±0.1414 (75.0±0.0 %)  0.5000±0.1414 (80.0±0.0 %)\n"
        "human, lr 0.0001, 9 epochs             1             0.4500 (75.0 %)             0.4500 (80.0 %)\n"
        "human, lowest: lr 0.001, split 1       1             0.4000 (75.0 %)             0.4000 (80.0 %)\n";
    /* clang-format on */
    if (strncmp(text, expected, sizeof expected - 1) != 0)
        fail_msg("got\n%s\nexpected\n%s", text, expected);
    assert_non_null(strstr(text, "control: of each run the lowest"));
    free(text);
    sl_main_table_destroy(table);
}

static double number_at(const json_t *rows, size_t row, const char *statistic)
{
    const json_t *column =
        json_object_get(json_object_get(json_array_get(rows, row), "columns"), "c10h val");
    const json_t *value = json_object_get(json_object_get(column, "cross_entropy"), statistic);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static void json_has_the_same_numbers_in_full(void **state)
{
    const char *paths[N_RUNS];
    sl_main_table *table = open_table(*state, paths);
    json_t *json;
    sl_error err;
    expect_ok(sl_main_table_json(table, &json, &err), &err);
    const json_t *rows =
        json_object_get(json_array_get(json_object_get(json, "models"), 0), "rows");
    assert_int_equal(json_array_size(rows), 6);
    assert_true(fabs(number_at(rows, 0, "mean") - 0.7) < 1e-15);
    assert_true(fabs(number_at(rows, 0, "sd") - sqrt(0.02)) < 1e-15);
    assert_true(fabs(number_at(rows, 3, "mean") - 0.5) < 1e-15);
    assert_true(number_at(rows, 5, "mean") == 0.4);
    json_decref(json);
    sl_main_table_destroy(table);
}

static void what_does_not_belong_together_is_refused(void **state)
{
    const char *dir = *state;
    sl_main_table *table;
    sl_error err;
    const made_run other_data = { "hard", 0.001, 0, "y", 0.8, 0.7 };
    const char *a = make_run(dir, "a", &runs[0]);
    const char *same[] = { a, make_run(dir, "b", &runs[0]) };
    expect_error(sl_main_table_create(&table, same, 2, &err), SL_EINVAL, &err, "same settings");
    const char *mixed[] = { a, make_run(dir, "c", &other_data) };
    expect_error(sl_main_table_create(&table, mixed, 2, &err), SL_EMISMATCH, &err,
                 "different data");
    const char *empty = fixture_path(dir, "empty");
    fixture_make_dir(empty);
    const char *unfinished[] = { a, empty };
    expect_error(sl_main_table_create(&table, unfinished, 2, &err), SL_ENOTFOUND, &err,
                 "finished run");
    assert_null(table);
}

static void damaged_results_are_refused(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "", "JSON" },
        { "{}", "'stage' is missing" },
        { "{\"stage\": \"train\"}", "'softlabel train'" },
        { "{\"stage\": \"finetune\", \"settings\": 3}", "'targets'" },
        { "{\"stage\": \"finetune\", \"settings\": {\"targets\": \"human\", \"epochs\": -1}}",
          "'epochs'" },
    };
    const char *folder = *state;
    sl_tuning_run run;
    sl_error err;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture_write(fixture_path(folder, "result.json"), cases[i].text, strlen(cases[i].text));
        sl_status st = sl_tuning_run_read(&run, folder, &err);
        assert_int_not_equal(st, SL_OK);
        expect_error(st, st, &err, cases[i].part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(text_has_means_and_deviations, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(json_has_the_same_numbers_in_full, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(what_does_not_belong_together_is_refused, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(damaged_results_are_refused, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
