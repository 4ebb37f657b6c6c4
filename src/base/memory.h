/* Memory: overflow-checked sizes, aligned blocks, and an arena whose blocks die together. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <softlabel/error.h>
#include <stdbool.h>
#include <stddef.h>

/* *out = a*b (a+b); false, *out untouched, if it doesn't fit. */
static inline SL_CHECK bool sl_size_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}
static inline SL_CHECK bool sl_size_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

/* count*size zeroed bytes (count or size 0: a valid pointer to nothing); SL_ENOMEM, saying how many
 * bytes were wanted, if there is not enough memory or the product overflows. free() ends it. */
SL_CHECK sl_status sl_alloc(void *out_pointer, size_t count, size_t size, sl_error *err);

/* As sl_alloc, at an address that is a multiple of 64 (a cache line, an AVX-512 register). */
SL_CHECK sl_status sl_alloc_aligned(void *out_pointer, size_t count, size_t size, sl_error *err);

/* Grows *pointer (elements of size bytes, *capacity of them) to hold at least wanted,
 * geometrically; new elements are not zeroed; on failure nothing changes. */
SL_CHECK sl_status sl_grow(void *pointer_to_pointer, size_t *capacity, size_t wanted, size_t size,
                           sl_error *err);

/* Tests only: the n-th allocation from now (1 = the next) fails, once; 0 switches it off. */
void sl_alloc_fail_at(unsigned long n);

/* An arena: allocations are freed together by release. Zero-initialised is empty and valid. */
typedef struct sl_arena {
    struct sl_arena_block *head;
} sl_arena;
SL_CHECK sl_status sl_arena_alloc(sl_arena *arena, void *out_pointer, size_t count, size_t size,
                                  sl_error *err); /* zeroed, 16-byte aligned */
SL_CHECK sl_status sl_arena_strdup(sl_arena *arena, const char **out, const char *text,
                                   sl_error *err);
SL_CHECK sl_status sl_arena_printf(sl_arena *arena, const char **out, sl_error *err,
                                   const char *format, ...) SL_PRINTF(4, 5);
void sl_arena_release(sl_arena *arena);

#endif
