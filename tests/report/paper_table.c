/* The paper's tables from run folders made by hand: each pick and each cell is known. */
#include "data/fixture.h"

#include "base/file.h"
#include "report/paper_table.h"
#include "report/pick.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Losses after epochs 1 and 2, c10h val and c10 val alike; the accuracy is 1 less the loss. */
typedef struct {
    const char *targets;
    double lr;
    int split_seed;
    double loss[2];
} made_run;

/* Human tuning: split 0 has the lowest loss of all at lr 0.1, epoch 1; the others are best at 0.01,
 * epoch 2. */
static const made_run runs[] = {
    { "human", 0.1, 0, { 0.10, 0.50 } },  { "human", 0.1, 1, { 0.60, 0.50 } },
    { "human", 0.1, 2, { 0.60, 0.50 } },  { "human", 0.01, 0, { 0.40, 0.30 } },
    { "human", 0.01, 1, { 0.40, 0.20 } }, { "human", 0.01, 2, { 0.40, 0.25 } },
    { "hard", 0.01, 0, { 0.55, 0.60 } },  { "hard", 0.01, 1, { 0.50, 0.60 } },
    { "hard", 0.01, 2, { 0.60, 0.70 } },
};
enum { N_RUNS = sizeof runs / sizeof runs[0] };

static void make_run(const char *dir, int i)
{
    const made_run *r = &runs[i];
    const int best = r->loss[1] < r->loss[0];
    const double v = r->loss[best];
    char text[2000], csv[500];
    char folder[300];
    snprintf(folder, sizeof folder, "%s/r%d", dir, i);
    fixture_make_dir(folder);
    int n = snprintf(
        text, sizeof text,
        "{\"stage\": \"finetune\", \"settings\": {\"targets\": \"%s\", \"lr\": %g, \"epochs\": 2, "
        "\"batch_size\": 128, \"weight_decay\": 0.0001, \"augment\": \"none\", \"split_seed\": %d, "
        "\"seed\": 0}, \"model\": {\"name\": \"m_1\", \"checkpoint_sha256\": \"ab\"}, \"data\": "
        "{\"test\": \"x\", \"human\": \"y\", \"note\": \"\"}, \"rule\": \"the lowest\", "
        "\"before\": {\"epoch\": 0, \"c10h_val_loss\": 0.9, \"c10h_val_acc\": 0.1, "
        "\"c10h_val_c10_loss\": 0.9, \"c10h_val_c10_acc\": 0.1}, \"selected\": {\"epoch\": %d, "
        "\"c10h_val_loss\": %.2f, \"c10h_val_acc\": %.2f, \"c10h_val_c10_loss\": %.2f, "
        "\"c10h_val_c10_acc\": %.2f}}",
        r->targets, r->lr, r->split_seed, best + 1, v, 1 - v, v, 1 - v);
    fixture_write(fixture_path(folder, "result.json"), text, (size_t)n);
    n = snprintf(csv, sizeof csv,
                 "epoch,c10h_val_loss,c10h_val_acc,c10h_val_c10_loss,c10h_val_c10_acc\n"
                 "0,0.9,0.1,0.9,0.1\n1,%.2f,%.2f,%.2f,%.2f\n2,%.2f,%.2f,%.2f,%.2f\n",
                 r->loss[0], 1 - r->loss[0], r->loss[0], 1 - r->loss[0], r->loss[1], 1 - r->loss[1],
                 r->loss[1], 1 - r->loss[1]);
    fixture_write(fixture_path(folder, "metrics.csv"), csv, (size_t)n);
}

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
    for (int i = 0; i < N_RUNS; i++)
        make_run(dir, i);
    expect_ok(sl_run_set_read(&set, &dir, 1, &err), &err);
    assert_int_equal(set.n, N_RUNS);
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

/* Byte for byte as the files in golden/. */
static void formats_are_as_they_were(void **state)
{
    static const struct {
        sl_table_format format;
        const char *ending;
    } files[] = { { SL_TABLE_TEXT, "txt" },
                  { SL_TABLE_MARKDOWN, "md" },
                  { SL_TABLE_LATEX, "tex" },
                  { SL_TABLE_CSV, "csv" } };
    const char *dir = *state;
    sl_run_set set;
    sl_paper_table t;
    sl_error err;
    for (int i = 0; i < N_RUNS; i++)
        make_run(dir, i);
    expect_ok(sl_run_set_read(&set, &dir, 1, &err), &err);
    expect_ok(sl_paper_table_create(&t, 1, &set, NULL, &err), &err);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *text, path[300];
        size_t size, wanted_size;
        unsigned char *wanted;
        FILE *out = open_memstream(&text, &size);
        expect_ok(sl_paper_table_write(&t, files[i].format, out, &err), &err);
        fclose(out);
        snprintf(path, sizeof path, FOLDER "/golden/table1.%s", files[i].ending);
        expect_ok(sl_file_read(path, 1 << 20, &wanted, &wanted_size, &err), &err);
        if (strcmp(text, (const char *)wanted) != 0)
            fail_msg("unlike %s:\n%s", path, text);
        free(wanted);
        free(text);
    }
    sl_paper_table_release(&t);
    sl_run_set_release(&set);
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
        cmocka_unit_test_setup_teardown(formats_are_as_they_were, fixture_setup, fixture_teardown),
        cmocka_unit_test(each_format_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
