/* Labels from labels: distances between classes, and what people answer on average. */
#include "../base/support.h"
#include <math.h>
#include <softlabel/labels.h>
#include <stdlib.h>
#include <string.h>

static void close_to(double got, double want)
{
    if (!(fabs(got - want) <= 1e-12))
        fail_msg("%.17g, expected %.17g", got, want);
}

/* Depths in WordNet, from "entity" at 1: airplane 12, car and truck 12, ship 11, craft 9, motor
 * vehicle 11; bird 10, frog 11, vertebrate 9; cat and dog 14, carnivore 12; deer and horse 15,
 * ungulate 12, placental 11; whole, above animals and vehicles, 4. */
static void distances_are_wordnets(void **state)
{
    (void)state;
    static const char *const names[] = { "airplane", "automobile", "bird",  "cat",  "deer",
                                         "dog",      "frog",       "horse", "ship", "truck" };
    static const struct {
        const char *pair;
        int a, b;
        double distance;
    } cases[] = {
        { "cat, dog", 3, 5, 1 - 24.0 / 28 },        { "car, truck", 1, 9, 1 - 22.0 / 24 },
        { "airplane, ship", 0, 8, 1 - 18.0 / 23 },  { "bird, frog", 2, 6, 1 - 18.0 / 21 },
        { "deer, horse", 4, 7, 1 - 24.0 / 30 },     { "cat, horse", 3, 7, 1 - 22.0 / 29 },
        { "cat, ship", 3, 8, 1 - 8.0 / 25 },        { "airplane, bird", 0, 2, 1 - 8.0 / 22 },
        { "airplane, truck", 0, 9, 1 - 16.0 / 24 },
    };
    double d[100];
    sl_error err;
    check_ok(sl_wordnet_distances(d, names, 10, &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        close_to(d[cases[i].a * 10 + cases[i].b], cases[i].distance);
    for (int a = 0; a < 10; a++) {
        assert_true(d[a * 10 + a] == 0);
        for (int b = 0; b < a; b++)
            assert_true(d[a * 10 + b] == d[b * 10 + a] && d[a * 10 + b] > 0);
    }
    static const char *const unknown[] = { "cat", "trefoil" };
    check_fails(sl_wordnet_distances(d, unknown, 2, &err), SL_ENOTFOUND, "'trefoil'", &err);
}

static void a_table_of_distances_is_read(void **state)
{
    const char *path = scratch_path(*state, "d.csv");
    static const char text[] = "class,cat,dog,car\ncat,0,0.25,1\ndog,0.25,0,1e0\ncar,1,2,0\n";
    static const double want[] = { 0, 0.25, 1, 0.25, 0, 1, 1, 2, 0 };
    char(*names)[SL_CLASS_NAME_SIZE];
    double *d;
    int classes;
    sl_error err;
    scratch_write(path, text, sizeof text - 1);
    check_ok(sl_distances_read(&d, &names, &classes, path, &err), &err);
    assert_int_equal(classes, 3);
    assert_memory_equal(d, want, sizeof want);
    assert_string_equal(names[2], "car");
    free(d);
    free(names);
}

static void a_broken_table_is_refused(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "", "header" },
        { "class,cat\ncat,0\n", "line 1: a header of 2 columns" },
        { "class,cat,\ncat,0,1\n,1,0\n", "line 1: column 3: a name of 0 bytes" },
        { "class,cat,dog\ncat,0,1\n", "1 rows, expected 2" },
        { "class,cat,dog\ncat,0,1\ndog,1,0\ncar,1,1\n", "line 4: more rows" },
        { "class,cat,dog\ndog,0,1\ncat,1,0\n", "line 2: the row of 'dog', expected 'cat'" },
        { "class,cat,dog\ncat,0\ndog,1,0\n", "line 2: 2 columns, expected 3" },
        { "class,cat,dog\ncat,0.1,1\ndog,1,0\n", "line 2: column 'cat': '0.1', expected 0" },
        { "class,cat,dog\ncat,0,1\ndog,-1,0\n", "line 3: column 'cat': '-1', expected a number" },
        { "class,cat,dog\ncat,0,nan\ndog,1,0\n", "line 2: column 'dog': 'nan'" },
    };
    const char *path = scratch_path(*state, "d.csv");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char(*names)[SL_CLASS_NAME_SIZE];
        double *d;
        int classes;
        sl_error err;
        scratch_write(path, cases[i].text, strlen(cases[i].text));
        check_fails(sl_distances_read(&d, &names, &classes, path, &err), SL_EFORMAT,
                    cases[i].message, &err);
        assert_null(d);
        assert_null(names);
    }
}

/* Images 0, 1, 3 of labels 0, 0, 2; image 2 isn't among them. */
static void average_answers_are_as_by_hand(void **state)
{
    (void)state;
    static const double p[] = { 0.8, 0.2, 0, 0.6, 0.1, 0.3, 0, 1, 0, 0.25, 0.25, 0.5 };
    static const int16_t labels[] = { 0, 0, 1, 2 };
    static const int64_t images[] = { 3, 0, 1 };
    double table[9];
    sl_error err;
    check_fails(sl_labels_average(table, p, labels, images, 3, 3, 0, &err), SL_EINVAL, "class 1",
                &err);
    check_ok(sl_labels_average(table, p, labels, images, 3, 3, 1, &err), &err);
    close_to(table[0], (0.8 + 0.6 + 1.0 / 3) / 3);
    close_to(table[1], (0.2 + 0.1 + 1.0 / 3) / 3);
    close_to(table[2], (0 + 0.3 + 1.0 / 3) / 3);
    close_to(table[4], 1.0 / 3); /* only the prior */
    close_to(table[8], (0.5 + 1.0 / 3) / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_are_wordnets),
        cmocka_unit_test_setup_teardown(a_table_of_distances_is_read, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(a_broken_table_is_refused, scratch_setup, scratch_teardown),
        cmocka_unit_test(average_answers_are_as_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
