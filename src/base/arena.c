#include "base/memory.h"
#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Under the address sanitizer everything that isn't handed out is poisoned, with a red zone behind
 * each allocation. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif
#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
enum { RED_ZONE = 16 };
#define POISON(p, n) __asan_poison_memory_region(p, n)
#define UNPOISON(p, n) __asan_unpoison_memory_region(p, n)
#else
enum { RED_ZONE = 0 };
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

enum { ALIGNMENT = 16, BLOCK_BYTES = 16 * 1024 };

/*  | header | data, used bytes of it handed out | free |  */
struct sl_arena_block {
    struct sl_arena_block *next;
    size_t size, used;
    _Alignas(ALIGNMENT) unsigned char data[];
};

/* Makes the head a block with at least bytes free. */
static sl_status add_block(sl_arena *arena, size_t bytes, sl_error *err)
{
    size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    size_t whole;
    if (!sl_size_add(size, sizeof(struct sl_arena_block), &whole))
        return sl_error_set(err, SL_ENOMEM, "%zu bytes are more than any memory", bytes);
    struct sl_arena_block *block;
    sl_status st = sl_alloc(&block, 1, whole, err);
    if (st)
        return st;
    block->size = size;
    block->next = arena->head;
    arena->head = block;
    POISON(block->data, size);
    return SL_OK;
}

sl_status sl_arena_alloc(sl_arena *arena, void *out_pointer, size_t count, size_t size,
                         sl_error *err)
{
    void *p = NULL;
    memcpy(out_pointer, &p, sizeof p);
    size_t bytes, step;
    if (!sl_size_mul(count, size, &bytes) || !sl_size_add(bytes, RED_ZONE + ALIGNMENT, &step))
        return sl_error_set(err, SL_ENOMEM, "%zu elements of %zu bytes are more than any memory",
                            count, size);
    step = step / ALIGNMENT * ALIGNMENT; /* 1 to 16 bytes more than asked: distinct if empty */
    if (!arena->head || arena->head->size - arena->head->used < step) {
        sl_status st = add_block(arena, step, err);
        if (st)
            return st;
    }
    struct sl_arena_block *block = arena->head;
    p = block->data + block->used;
    block->used += step;
    UNPOISON(p, bytes);
    memcpy(out_pointer, &p, sizeof p);
    return SL_OK;
}

sl_status sl_arena_strdup(sl_arena *arena, const char **out, const char *text, sl_error *err)
{
    size_t n = strlen(text) + 1;
    char *copy;
    sl_status st = sl_arena_alloc(arena, &copy, n, 1, err);
    if (!st)
        memcpy(copy, text, n);
    *out = copy;
    return st;
}

sl_status sl_arena_printf(sl_arena *arena, const char **out, sl_error *err, const char *format, ...)
{
    *out = NULL;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(n >= 0);
    char *text;
    sl_status st = sl_arena_alloc(arena, &text, (size_t)n + 1, 1, err);
    if (!st) {
        vsnprintf(text, (size_t)n + 1, format, again);
        *out = text;
    }
    va_end(again);
    return st;
}

void sl_arena_release(sl_arena *arena)
{
    struct sl_arena_block *block = arena->head;
    while (block) {
        struct sl_arena_block *next = block->next;
        UNPOISON(block->data, block->size);
        free(block);
        block = next;
    }
    arena->head = NULL;
}
