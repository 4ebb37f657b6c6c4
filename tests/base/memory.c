#include "base/memory.h"
#include "support.h"
#include <stdlib.h>
#include <string.h>

static void sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    sl_error err;
    char *p = "";
    sl_arena arena = { 0 };
    size_t capacity = 0;
    check_fails(sl_alloc(&p, SIZE_MAX / 2, 3, &err), SL_ENOMEM, "more than any memory", &err);
    assert_null(p);
    check_fails(sl_alloc(&p, SIZE_MAX, 1, &err), SL_ENOMEM, "bytes were wanted", &err);
    check_fails(sl_alloc_aligned(&p, SIZE_MAX - 5, 1, &err), SL_ENOMEM, "bytes were wanted", &err);
    check_fails(sl_grow(&p, &capacity, SIZE_MAX / 4, 8, &err), SL_ENOMEM, "more than any", &err);
    assert_null(p);
    assert_int_equal(capacity, 0);
    check_fails(sl_arena_alloc(&arena, &p, SIZE_MAX - 20, 1, &err), SL_ENOMEM, "", &err);
    check_fails(sl_arena_alloc(&arena, &p, SIZE_MAX / 2, 4, &err), SL_ENOMEM, "", &err);
    sl_arena_release(&arena);
}

static void blocks_are_zeroed_and_aligned(void **state)
{
    (void)state;
    sl_error err;
    for (size_t n = 0; n < 300; n += 37) {
        float *p;
        check_ok(sl_alloc_aligned(&p, n, sizeof *p, &err), &err);
        assert_int_equal((uintptr_t)p % 64, 0);
        for (size_t i = 0; i < n; i++)
            assert_true(p[i] == 0.0f);
        free(p);
        check_ok(sl_alloc(&p, n, sizeof *p, &err), &err);
        assert_non_null(p);
        free(p);
    }
}

static void growing_keeps_what_is_there(void **state)
{
    (void)state;
    sl_error err;
    int *items = NULL;
    size_t capacity = 0, moves = 0;
    for (size_t i = 0; i < 10000; i++) {
        size_t before = capacity;
        check_ok(sl_grow(&items, &capacity, i + 1, sizeof *items, &err), &err);
        moves += capacity != before;
        items[i] = (int)i;
    }
    for (int i = 0; i < 10000; i++)
        assert_int_equal(items[i], i);
    assert_true(moves < 20);
    free(items);
}

static void the_nth_allocation_fails_once(void **state)
{
    (void)state;
    sl_error err;
    void *p[3] = { 0 };
    sl_alloc_fail_at(2);
    check_ok(sl_alloc(&p[0], 8, 1, &err), &err);
    check_fails(sl_alloc(&p[1], 8, 1, &err), SL_ENOMEM, "8 bytes were wanted", &err);
    check_ok(sl_alloc(&p[2], 8, 1, &err), &err);
    sl_alloc_fail_at(1);
    sl_alloc_fail_at(0);
    size_t capacity = 8;
    check_ok(sl_grow(&p[0], &capacity, 9, 1, &err), &err);
    free(p[0]);
    free(p[2]);
}

static void an_arena_hands_out_apart_and_frees_together(void **state)
{
    (void)state;
    enum { N = 500 };
    sl_error err;
    sl_arena arena = { 0 };
    unsigned char *blocks[N];
    for (size_t i = 0; i < N; i++) { /* 0 to 62,375 bytes: in a block, and larger than one */
        size_t n = i * i / 4;
        check_ok(sl_arena_alloc(&arena, &blocks[i], n, 1, &err), &err);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(blocks[i][k], 0);
        memset(blocks[i], (int)(i % 255 + 1), n);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < i * i / 4; k++)
            assert_int_equal(blocks[i][k], i % 255 + 1);
    const char *text;
    check_ok(sl_arena_strdup(&arena, &text, "ship", &err), &err);
    assert_string_equal(text, "ship");
    check_ok(sl_arena_printf(&arena, &text, &err, "%s %0*d", "epoch", 300, 7), &err);
    assert_int_equal(strlen(text), 306);
    sl_arena_release(&arena);
    assert_null(arena.head);
    sl_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(blocks_are_zeroed_and_aligned),
        cmocka_unit_test(growing_keeps_what_is_there),
        cmocka_unit_test(the_nth_allocation_fails_once),
        cmocka_unit_test(an_arena_hands_out_apart_and_frees_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
