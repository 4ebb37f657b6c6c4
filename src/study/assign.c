#include "study/assign.h"
#include <stdlib.h>
#include <string.h>

#define MAX_GROUPS (SL_STUDY_MAX_CLASSES + 1)

struct sl_assign {
    size_t n;
    uint32_t *counts;                       /* (n) */
    uint32_t *members;                      /* (n): images, class after class */
    size_t n_groups, start[MAX_GROUPS + 1]; /* classes that have images: members[start[g]..] */
};

sl_status sl_assign_create(sl_assign **out, const sl_pool *pool, int n_classes, sl_error *err)
{
    sl_assign *a;
    *out = NULL;
    sl_status st = sl_alloc(&a, 1, sizeof *a, err);
    if (st)
        return st;
    a->n = pool->n;
    st = sl_alloc(&a->counts, a->n, sizeof *a->counts, err);
    if (!st)
        st = sl_alloc(&a->members, a->n, sizeof *a->members, err);
    if (st) {
        sl_assign_destroy(a);
        return st;
    }
    size_t used = 0;
    for (int k = -1; k < n_classes; k++) {
        const size_t before = used;
        for (size_t i = 0; i < a->n; i++)
            if (pool->items[i].truth == k)
                a->members[used++] = (uint32_t)i;
        if (used > before)
            a->start[++a->n_groups] = used;
    }
    *out = a;
    return SL_OK;
}

void sl_assign_destroy(sl_assign *assign)
{
    if (!assign)
        return;
    free(assign->counts);
    free(assign->members);
    free(assign);
}

uint32_t *sl_assign_counts(sl_assign *assign)
{
    return assign->counts;
}

bool sl_assign_full(const sl_assign *assign, int target)
{
    for (size_t i = 0; i < assign->n; i++)
        if (assign->counts[i] < (uint32_t)target)
            return false;
    return true;
}

typedef struct {
    uint64_t rank; /* places, then a random number */
    uint32_t image;
} candidate;

static int by_rank(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

/* How many images of each class: rounds of one each, while a class has any; a last, incomplete
 * round goes to classes at random. */
static void share_out(const sl_assign *a, size_t n, sl_random *r, size_t share[MAX_GROUPS])
{
    uint32_t order[MAX_GROUPS];
    for (uint32_t g = 0; g < a->n_groups; g++) {
        order[g] = g;
        share[g] = 0;
    }
    sl_random_shuffle(r, order, a->n_groups);
    for (size_t left = n, i = 0; left > 0; i++) {
        const uint32_t g = order[i % a->n_groups];
        if (share[g] < a->start[g + 1] - a->start[g]) {
            share[g]++;
            left--;
        }
    }
}

sl_status sl_assign_pick(sl_assign *a, size_t n, sl_random *r, uint32_t *out, sl_error *err)
{
    size_t share[MAX_GROUPS], taken = 0;
    candidate *list = NULL;
    if (n > a->n)
        return sl_error_set(err, SL_EINVAL, "%zu images of %zu can't be picked", n, a->n);
    sl_status st = sl_alloc(&list, a->n, sizeof *list, err);
    if (st)
        return st;
    share_out(a, n, r, share);
    for (size_t g = 0; g < a->n_groups; g++) {
        const size_t size = a->start[g + 1] - a->start[g];
        for (size_t i = 0; i < size; i++) {
            list[i].image = a->members[a->start[g] + i];
            list[i].rank = (uint64_t)a->counts[list[i].image] << 32 | sl_random_u32(r);
        }
        qsort(list, size, sizeof *list, by_rank);
        for (size_t i = 0; i < share[g]; i++)
            out[taken++] = list[i].image;
    }
    sl_random_shuffle(r, out, n);
    for (size_t i = 0; i < n; i++)
        a->counts[out[i]]++;
    free(list);
    return SL_OK;
}
