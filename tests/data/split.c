/* The paper's splits, against hashes of what NumPy gives (np.random.seed(s); shuffle(arange(n))).
 */
#include "base/hash.h"
#include "fixture.h"
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void test_paper_splits(void **state)
{
    (void)state;
    static const struct {
        uint32_t seed;
        int64_t train_head[3], val_head[3];
        const char *permutation, *sorted_val;
    } cases[] = {
        { 0,
          { 9394, 898, 2398 },
          { 4361, 3257, 5681 },
          "bb26ef9543114d03309aee94f5ac132138ffe1af7bbdf0598a7e9e98c3f6dff3",
          "0390e9fb358eb4e97f23fe1152d8cddf6acfa3ebd727a26c4d4c56b2a98f5d8a" },
        { 1,
          { 9953, 3850, 4962 },
          { 7031, 9842, 5807 },
          "5a88c04dc01f81466aded4cd107840559e24d9d3b5731e8fc95fefd962d8d9aa",
          "85f426d9ac43bab5906da20c42750daaece86dcc1b5c1314f36e9e67913b6f21" },
        { 2,
          { 7878, 3224, 1919 },
          { 4255, 7664, 906 },
          "c36edf2c9a3444b2517af17a61075d290462882b147c7b1accef4494ef3058cb",
          "b7c585f2ee8725eb509946c241291d09962f99fe05497494a741eac5101b0a68" },
        { 999,
          { 9031, 3462, 3863 },
          { 1380, 1781, 2444 },
          "edd36d5fb442f94729baf73e73fd0b110d22c2f26a5b87a8b2c09a11223580f0",
          "1e6dfd0965a91af2370d6d3b28ef828dc28deffd9baf377dae41f07ea1186e91" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_error err;
        sl_split split;
        char hex[65];
        int64_t order[10000];
        expect_ok(sl_split_create(&split, 10000, 9000, cases[i].seed, &err), &err);
        assert_int_equal(split.n_train, 9000);
        assert_int_equal(split.n_val, 1000);
        assert_memory_equal(split.train, cases[i].train_head, sizeof cases[i].train_head);
        assert_memory_equal(split.val, cases[i].val_head, sizeof cases[i].val_head);
        memcpy(order, split.train, 9000 * sizeof *order);
        memcpy(order + 9000, split.val, 1000 * sizeof *order);
        expect_ok(sl_sha256(order, sizeof order, hex, &err), &err);
        assert_string_equal(hex, cases[i].permutation);
        qsort(split.val, 1000, sizeof *split.val, compare);
        expect_ok(sl_sha256(split.val, 1000 * sizeof *split.val, hex, &err), &err);
        assert_string_equal(hex, cases[i].sorted_val);
        sl_split_release(&split);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    sl_error err;
    sl_split split;
    expect_error(sl_split_create(&split, 10, 11, 0, &err), SL_EINVAL, &err, "11 of 10");
    assert_null(split.train);
    expect_ok(sl_split_create(&split, 7, 7, 0, &err), &err);
    assert_int_equal(split.n_val, 0);
    sl_split_release(&split);
    expect_ok(sl_split_create(&split, 1, 0, 0, &err), &err);
    assert_int_equal(split.val[0], 0);
    sl_split_release(&split);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paper_splits),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
