/* The paper's splits: NumPy's legacy shuffle of all indices, cut in two. */
#include "base/memory.h"
#include "base/random.h"
#include <softlabel/dataset.h>
#include <stdlib.h>
#include <string.h>

sl_status sl_split_create(sl_split *out, size_t n, size_t n_train, uint32_t seed, sl_error *err)
{
    *out = (sl_split){ 0 };
    if (n_train > n)
        return sl_error_set(err, SL_EINVAL, "can't take %zu of %zu images for training", n_train,
                            n);
    sl_split split = { .n_train = n_train, .n_val = n - n_train };
    int64_t *order = NULL;
    sl_status st = sl_alloc(&order, n, sizeof *order, err);
    if (!st)
        st = sl_alloc(&split.train, split.n_train, sizeof *order, err);
    if (!st)
        st = sl_alloc(&split.val, split.n_val, sizeof *order, err);
    if (st)
        goto done;
    for (size_t i = 0; i < n; i++)
        order[i] = (int64_t)i;
    sl_mt19937 mt;
    sl_mt19937_seed(&mt, seed);
    sl_mt19937_shuffle(&mt, order, n);
    memcpy(split.train, order, split.n_train * sizeof *order);
    memcpy(split.val, order + split.n_train, split.n_val * sizeof *order);
    *out = split;
    split = (sl_split){ 0 };
done:
    free(order);
    sl_split_release(&split);
    return st;
}

void sl_split_release(sl_split *split)
{
    free(split->train);
    free(split->val);
    *split = (sl_split){ 0 };
}
