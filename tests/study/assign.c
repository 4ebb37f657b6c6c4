/* Who judges what stays balanced, whatever happens on the way. */
#include "study/assign.h"
#include "fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 100, CLASSES = 10, SHARE = 20 };

/* n images, their classes in turn; with unknown > 0, so many of them without a class. */
static sl_assign *make(size_t n, size_t unknown, sl_image *items)
{
    const sl_pool pool = { .n = n, .items = items };
    sl_assign *assign = NULL;
    for (size_t i = 0; i < n; i++)
        items[i] = (sl_image){ .truth = i < unknown ? -1 : (int)(i % CLASSES) };
    assert_int_equal(sl_assign_create(&assign, &pool, CLASSES, NULL), SL_OK);
    return assign;
}

static void test_each_gets_every_class_alike(void **state)
{
    (void)state;
    sl_image items[IMAGES];
    sl_assign *assign = make(IMAGES, 0, items);
    sl_random r = sl_random_stream(1, SL_RANDOM_TEST, 0, 0);
    for (int p = 0; p < 50; p++) {
        uint32_t picked[SHARE];
        int of_class[CLASSES] = { 0 }, seen[IMAGES] = { 0 };
        assert_int_equal(sl_assign_pick(assign, SHARE, &r, picked, NULL), SL_OK);
        for (int i = 0; i < SHARE; i++) {
            of_class[items[picked[i]].truth]++;
            assert_int_equal(seen[picked[i]]++, 0); /* never twice */
        }
        for (int k = 0; k < CLASSES; k++)
            assert_int_equal(of_class[k], SHARE / CLASSES);
    }
    sl_assign_destroy(assign);
}

/* With everybody staying, no image is ever more than one place ahead of another of its class. */
static void test_places_are_even(void **state)
{
    (void)state;
    sl_image items[IMAGES];
    sl_assign *assign = make(IMAGES, 0, items);
    sl_random r = sl_random_stream(2, SL_RANDOM_TEST, 0, 0);
    const uint32_t *counts = sl_assign_counts(assign);
    for (int p = 1; p <= 37; p++) {
        uint32_t picked[SHARE];
        assert_int_equal(sl_assign_pick(assign, SHARE, &r, picked, NULL), SL_OK);
        for (int k = 0; k < CLASSES; k++) {
            uint32_t least = UINT32_MAX, most = 0;
            for (int i = k; i < IMAGES; i += CLASSES) {
                least = counts[i] < least ? counts[i] : least;
                most = counts[i] > most ? counts[i] : most;
            }
            assert_true(most - least <= 1);
        }
    }
    sl_assign_destroy(assign);
}

/* One in five leaves and gives its places back; the end is even all the same. */
static void test_places_given_back_are_given_again(void **state)
{
    (void)state;
    sl_image items[IMAGES];
    sl_assign *assign = make(IMAGES, 0, items);
    sl_random r = sl_random_stream(3, SL_RANDOM_TEST, 0, 0);
    uint32_t *counts = sl_assign_counts(assign);
    int people = 0;
    while (!sl_assign_full(assign, 10)) {
        uint32_t picked[SHARE];
        assert_int_equal(sl_assign_pick(assign, SHARE, &r, picked, NULL), SL_OK);
        if (sl_random_below(&r, 5) == 0)
            for (int i = 0; i < SHARE; i++)
                counts[picked[i]]--;
        assert_true(++people < 200);
    }
    for (int i = 0; i < IMAGES; i++)
        assert_in_range(counts[i], 10, 12);
    sl_assign_destroy(assign);
}

static void test_odd_shares_and_scarce_classes(void **state)
{
    (void)state;
    sl_image items[IMAGES];
    uint32_t picked[IMAGES];
    sl_random r = sl_random_stream(4, SL_RANDOM_TEST, 0, 0);
    sl_assign *assign = make(25, 0, items); /* two or three of a class */
    assert_int_equal(sl_assign_pick(assign, 25, &r, picked, NULL), SL_OK);
    for (int i = 0; i < 25; i++)
        assert_int_equal(sl_assign_counts(assign)[i], 1);
    assert_int_equal(sl_assign_pick(assign, 26, &r, picked, NULL), SL_EINVAL);
    sl_assign_destroy(assign);

    assign = make(IMAGES, IMAGES, items); /* nobody knows any class */
    assert_int_equal(sl_assign_pick(assign, 7, &r, picked, NULL), SL_OK);
    assert_false(sl_assign_full(assign, 1));
    sl_assign_destroy(assign);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_gets_every_class_alike),
        cmocka_unit_test(test_places_are_even),
        cmocka_unit_test(test_places_given_back_are_given_again),
        cmocka_unit_test(test_odd_shares_and_scarce_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
