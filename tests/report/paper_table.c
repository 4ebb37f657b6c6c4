/* The paper's tables from run folders made by hand: each pick and each cell is known. */
#include "planted.h"

#include "base/file.h"
#include "report/paper_table.h"
#include "report/pick.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const sl_paper_row *find(const sl_paper_table *t, sl_paper_part part, const char *section)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->rows[i].part == part && strcmp(t->rows[i].section, section) == 0)
            return &t->rows[i];
    fail_msg("no row '%s'", section);
    return NULL;
}

static void every_cell_is_known(void **state)
{
    const char *dir = *state;
    sl_run_set set;
    sl_paper_table t;
    sl_error err;
    planted_runs(dir, 0);
    expect_ok(sl_run_set_read(&set, &dir, 1, &err), &err);
    assert_int_equal(set.n, PLANTED_RUNS);
    expect_ok(sl_paper_table_create(&t, 1, &set, NULL, &err), &err);
    assert_int_equal(t.n_columns, 2);

    const sl_paper_row *row = find(&t, SL_PART_LOWEST, "Fine-tuned on CIFAR10H");
    assert_float_equal(row->cells[0].loss.mean, 0.10, 1e-12);
    assert_float_equal(row->cells[1].accuracy.mean, 0.90, 1e-12);
    assert_true(row->epoch == 1 && row->run->lr > 0.05 && row->run->split_seed == 0);
    row = find(&t, SL_PART_LOWEST, "Fine-tuned on CIFAR10");
    assert_float_equal(row->cells[0].loss.mean, 0.50, 1e-12);
    assert_int_equal(row->run->split_seed, 1);
    row = find(&t, SL_PART_LOWEST, "Pretrained on CIFAR10");
    assert_float_equal(row->cells[0].loss.mean, 0.9, 1e-12);

    /* The others choose (0.01, 2) for split 0: 0.30, not its own 0.10. For 1 and 2, (0.01, 2): mean
     * 0.275 and 0.25 against 0.35 of (0.1, 1). */
    row = find(&t, SL_PART_OTHER_SEEDS, "Fine-tuned on CIFAR10H");
    assert_int_equal(row->n, 3);
    assert_float_equal(row->cells[0].loss.mean, 0.25, 1e-12);
    assert_float_equal(row->cells[0].loss.sd, 0.05, 1e-12);
    row = find(&t, SL_PART_OTHER_SEEDS, "Fine-tuned on CIFAR10");
    assert_float_equal(row->cells[0].loss.mean, 0.55, 1e-12);

    row = find(&t, SL_PART_DIFFERENCES, "CIFAR10H-tuned − CIFAR10-tuned");
    assert_float_equal(row->cells[0].loss.mean, -0.30, 1e-12); /* -0.25, -0.30, -0.35 */
    assert_float_equal(row->cells[0].loss_interval.low, -0.35, 1e-9);
    assert_float_equal(row->cells[0].loss_interval.high, -0.25, 1e-9);
    sl_paper_table_release(&t);
    expect_error(sl_paper_table_create(&t, 2, &set, NULL, &err), SL_ENOTFOUND, &err,
                 "none of the runs is with mixup");
    sl_run_set_release(&set);
}

/* The same runs with mixup: the same numbers, in table 2. */
static void every_cell_with_mixup(void **state)
{
    const char *dir = *state;
    sl_run_set set;
    sl_paper_table t;
    sl_error err;
    planted_runs(dir, 1);
    expect_ok(sl_run_set_read(&set, &dir, 1, &err), &err);
    expect_error(sl_paper_table_create(&t, 1, &set, NULL, &err), SL_ENOTFOUND, &err,
                 "none of the runs is without mixup");
    expect_ok(sl_paper_table_create(&t, 2, &set, NULL, &err), &err);
    const sl_paper_row *row = find(&t, SL_PART_LOWEST, "Fine-tuned on CIFAR10H with mixup, α = 1");
    assert_float_equal(row->cells[0].loss.mean, 0.10, 1e-12);
    row = find(&t, SL_PART_OTHER_SEEDS, "Fine-tuned on CIFAR10 with mixup, α = 1");
    assert_float_equal(row->cells[0].loss.mean, 0.55, 1e-12);
    row = find(&t, SL_PART_DIFFERENCES, "CIFAR10H-tuned − CIFAR10-tuned (mixup, α = 1)");
    assert_float_equal(row->cells[0].loss.mean, -0.30, 1e-12);
    sl_paper_table_release(&t);
    sl_run_set_release(&set);
}

/* Run i has a cross-entropy of 0.5 + i/100 before and of 2 + i/10 after the attack. */
static void every_cell_under_attack(void **state)
{
    const char *dir = *state;
    sl_run_set set;
    sl_attack_set attacks = { 0 };
    sl_paper_table t;
    sl_error err;
    planted_runs(dir, 0);
    expect_ok(sl_attack_set_add(&attacks, planted_attack(dir), &err), &err);
    expect_ok(sl_run_set_read(&set, &dir, 1, &err), &err);
    expect_ok(sl_paper_table_create(&t, 3, &set, &attacks, &err), &err);
    assert_int_equal(t.n_columns, 2);
    assert_string_equal(t.titles[1], "after FGSM, ε 8/255");

    const sl_paper_row *row = find(&t, SL_PART_LOWEST, "Pretrained on CIFAR10");
    assert_float_equal(row->cells[0].loss.mean, 1.0, 1e-12);
    assert_float_equal(row->cells[1].loss.mean, 5.0, 1e-12);
    assert_float_equal(row->cells[1].accuracy.mean, 0.1, 1e-12);
    row = find(&t, SL_PART_LOWEST, "Fine-tuned on CIFAR10H"); /* run 0 */
    assert_float_equal(row->cells[0].loss.mean, 0.50, 1e-12);
    assert_float_equal(row->cells[1].loss.mean, 2.00, 1e-12);
    row = find(&t, SL_PART_LOWEST, "Fine-tuned on CIFAR10"); /* run 7 */
    assert_float_equal(row->cells[1].loss.mean, 2.70, 1e-12);
    row = find(&t, SL_PART_OTHER_SEEDS, "Fine-tuned on CIFAR10H"); /* runs 3, 4, 5 */
    assert_float_equal(row->cells[1].loss.mean, 2.40, 1e-12);
    assert_float_equal(row->cells[1].loss.sd, 0.10, 1e-12);
    assert_float_equal(row->cells[1].accuracy.mean, 0.26, 1e-12);
    row = find(&t, SL_PART_DIFFERENCES, "CIFAR10H-tuned − CIFAR10-tuned");
    assert_float_equal(row->cells[1].loss.mean, -0.30, 1e-12); /* each seed's */
    assert_float_equal(row->cells[1].loss_interval.high, -0.30, 1e-9);
    row = find(&t, SL_PART_DIFFERENCES, "CIFAR10H-tuned − pretrained");
    assert_float_equal(row->cells[1].loss.mean, -2.60, 1e-12);
    sl_paper_table_release(&t);
    sl_run_set_release(&set);
    sl_attack_set_release(&attacks);
}

/* An attack counts for the file that was attacked alone. */
static void models_that_were_not_attacked_are_left_out(void **state)
{
    const char *dir = *state;
    sl_run_set set;
    sl_attack_set attacks = { 0 };
    sl_paper_table t;
    sl_error err;
    planted_runs(dir, 1); /* other models than planted_attack's but for the pretrained one */
    expect_ok(sl_attack_set_add(&attacks, planted_attack(dir), &err), &err);
    expect_ok(sl_run_set_read(&set, &dir, 1, &err), &err);
    expect_ok(sl_paper_table_create(&t, 3, &set, &attacks, &err), &err);
    for (size_t i = 0; i < t.n; i++)
        assert_string_equal(t.rows[i].section, "Pretrained on CIFAR10");
    sl_paper_table_release(&t);
    sl_run_set_release(&set);
    sl_attack_set_release(&attacks);
}

static void expect_golden(const sl_paper_table *t, sl_table_format format, const char *ending)
{
    char *text, path[300];
    size_t size, wanted_size;
    unsigned char *wanted;
    sl_error err;
    FILE *out = open_memstream(&text, &size);
    expect_ok(sl_paper_table_write(t, format, out, &err), &err);
    fclose(out);
    snprintf(path, sizeof path, FOLDER "/golden/table%d.%s", t->number, ending);
    expect_ok(sl_file_read(path, 1 << 20, &wanted, &wanted_size, &err), &err);
    if (strcmp(text, (const char *)wanted) != 0)
        fail_msg("unlike %s:\n%s", path, text);
    free(wanted);
    free(text);
}

/* Byte for byte as the files in golden/. */
static void formats_are_as_they_were(void **state)
{
    for (int number = 1; number <= 3; number++) {
        char folder[300];
        const char *dir = folder;
        sl_run_set set;
        sl_attack_set attacks = { 0 };
        sl_paper_table t;
        sl_error err;
        snprintf(folder, sizeof folder, "%s/table%d", (const char *)*state, number);
        fixture_make_dir(dir);
        planted_runs(dir, number == 2);
        if (number == 3)
            expect_ok(sl_attack_set_add(&attacks, planted_attack(dir), &err), &err);
        expect_ok(sl_run_set_read(&set, &dir, 1, &err), &err);
        expect_ok(sl_paper_table_create(&t, number, &set, &attacks, &err), &err);
        expect_golden(&t, SL_TABLE_TEXT, "txt");
        expect_golden(&t, SL_TABLE_MARKDOWN, "md");
        expect_golden(&t, SL_TABLE_LATEX, "tex");
        expect_golden(&t, SL_TABLE_CSV, "csv");
        sl_paper_table_release(&t);
        sl_run_set_release(&set);
        sl_attack_set_release(&attacks);
    }
}

static void each_format_escapes(void **state)
{
    (void)state;
    static const struct {
        sl_table_format format;
        const char *part;
    } cases[] = {
        { SL_TABLE_TEXT, "a_b  50% <x>\n" },
        { SL_TABLE_MARKDOWN, "| a\\_b | 50% &lt;x> |\n" },
        { SL_TABLE_LATEX, "a\\_b & 50\\% $<$x$>$ \\\\\n" },
        { SL_TABLE_CSV, "a_b,50% <x>\n" },
        { SL_TABLE_HTML, "<tr><th>a_b</th><td>50% &lt;x&gt;</td></tr>\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_table *table;
        sl_error err;
        char *text;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        expect_ok(sl_table_create(&table, 2, &err), &err);
        expect_ok(sl_table_cell(table, &err, "h"), &err);
        expect_ok(sl_table_cell(table, &err, "v"), &err);
        expect_ok(sl_table_cell(table, &err, "a_b"), &err);
        expect_ok(sl_table_cell(table, &err, "50%% <x>"), &err);
        sl_table_write_as(table, cases[i].format, out);
        fclose(out);
        if (!strstr(text, cases[i].part))
            fail_msg("got\n%s\nwithout '%s'", text, cases[i].part);
        free(text);
        sl_table_destroy(table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_cell_is_known, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(every_cell_with_mixup, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(every_cell_under_attack, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(models_that_were_not_attacked_are_left_out, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(formats_are_as_they_were, fixture_setup, fixture_teardown),
        cmocka_unit_test(each_format_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
