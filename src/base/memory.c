#include "base/memory.h"
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static atomic_ulong fail_countdown; /* sl_alloc_fail_at; 0: off */

void sl_alloc_fail_at(unsigned long n)
{
    atomic_store(&fail_countdown, n);
}

static bool fails_on_purpose(void)
{
    unsigned long n = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
    while (n > 0 && !atomic_compare_exchange_weak(&fail_countdown, &n, n - 1))
        ;
    return n == 1;
}

/* Pointers are stored by memcpy: the caller's may be of any object type, which a void ** may not
 * alias. */
static void store(void *out_pointer, void *p)
{
    memcpy(out_pointer, &p, sizeof p);
}

static sl_status no_memory(sl_error *err, size_t count, size_t size)
{
    size_t bytes;
    if (!sl_size_mul(count, size, &bytes))
        return sl_error_set(err, SL_ENOMEM, "%zu elements of %zu bytes are more than any memory",
                            count, size);
    return sl_error_set(err, SL_ENOMEM, "not enough memory: %zu bytes were wanted", bytes);
}

sl_status sl_alloc(void *out_pointer, size_t count, size_t size, sl_error *err)
{
    size_t bytes;
    void *p = NULL;
    if (sl_size_mul(count, size, &bytes) && bytes <= PTRDIFF_MAX && !fails_on_purpose())
        p = calloc(1, bytes ? bytes : 1);
    store(out_pointer, p);
    return p ? SL_OK : no_memory(err, count, size);
}

sl_status sl_alloc_aligned(void *out_pointer, size_t count, size_t size, sl_error *err)
{
    enum { LINE = 64 };
    size_t bytes;
    void *p = NULL;
    if (sl_size_mul(count, size, &bytes) && bytes <= PTRDIFF_MAX - LINE && !fails_on_purpose()) {
        size_t whole = (bytes / LINE + 1) * LINE;
        p = aligned_alloc(LINE, whole);
        if (p)
            memset(p, 0, whole);
    }
    store(out_pointer, p);
    return p ? SL_OK : no_memory(err, count, size);
}

sl_status sl_grow(void *pointer_to_pointer, size_t *capacity, size_t wanted, size_t size,
                  sl_error *err)
{
    if (wanted <= *capacity)
        return SL_OK;
    size_t larger = *capacity <= SIZE_MAX / 2 ? *capacity * 2 : SIZE_MAX;
    if (larger < 16)
        larger = 16;
    if (larger < wanted)
        larger = wanted;
    size_t bytes;
    if (!sl_size_mul(larger, size, &bytes) || bytes > PTRDIFF_MAX || fails_on_purpose())
        return no_memory(err, larger, size);
    void *p;
    memcpy(&p, pointer_to_pointer, sizeof p);
    p = realloc(p, bytes ? bytes : 1);
    if (!p)
        return no_memory(err, larger, size);
    store(pointer_to_pointer, p);
    *capacity = larger;
    return SL_OK;
}
