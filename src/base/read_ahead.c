#include "base/read_ahead.h"
#include "base/memory.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 4, BLOCK = 128 * 1024 };

typedef struct {
    size_t n; /* less than BLOCK: the input ended here, or failed with status and error */
    sl_status status;
    sl_error error;
    char bytes[BLOCK];
} block;

struct sl_read_ahead {
    sl_input *input;
    sl_hash *hash;
    pthread_t thread;
    pthread_mutex_t mutex; /* of the next three */
    pthread_cond_t changed;
    size_t filled, emptied; /* blocks so far; a block is in use by one thread only */
    bool stopped;           /* nobody takes any more */
    size_t taken;           /* bytes of block emptied */
    block blocks[BLOCKS];
};

/* An input that ends with a whole block gives an empty one behind it. */
static void fill(sl_read_ahead *a, block *b)
{
    b->status = sl_input_read(a->input, b->bytes, BLOCK, &b->n, &b->error);
    if (!b->status && a->hash)
        b->status = sl_hash_update(a->hash, b->bytes, b->n, &b->error);
    if (b->status)
        b->n = 0;
}

static void *fill_all(void *argument)
{
    sl_read_ahead *a = argument;
    pthread_mutex_lock(&a->mutex);
    for (bool more = true; more && !a->stopped;) {
        if (a->filled == a->emptied + BLOCKS) {
            pthread_cond_wait(&a->changed, &a->mutex);
            continue;
        }
        block *b = &a->blocks[a->filled % BLOCKS];
        pthread_mutex_unlock(&a->mutex);
        fill(a, b);
        more = b->n == BLOCK;
        pthread_mutex_lock(&a->mutex);
        a->filled++;
        pthread_cond_signal(&a->changed);
    }
    pthread_mutex_unlock(&a->mutex);
    return NULL;
}

sl_status sl_read_ahead_create(sl_read_ahead **out, sl_input *input, sl_hash *hash, sl_error *err)
{
    sl_read_ahead *a;
    *out = NULL;
    sl_status st = sl_alloc(&a, 1, sizeof *a, err);
    if (st)
        return st;
    a->input = input;
    a->hash = hash;
    pthread_mutex_init(&a->mutex, NULL);
    pthread_cond_init(&a->changed, NULL);
    if (pthread_create(&a->thread, NULL, fill_all, a)) {
        pthread_cond_destroy(&a->changed);
        pthread_mutex_destroy(&a->mutex);
        free(a);
        return sl_error_set(err, SL_ENOMEM, "no thread to read with");
    }
    *out = a;
    return SL_OK;
}

/* The block to be taken from. Only the last one stays when it is empty. */
static block *wait_for_block(sl_read_ahead *a)
{
    pthread_mutex_lock(&a->mutex);
    if (a->taken == BLOCK) {
        a->taken = 0;
        a->emptied++;
        pthread_cond_signal(&a->changed);
    }
    while (a->filled == a->emptied)
        pthread_cond_wait(&a->changed, &a->mutex);
    pthread_mutex_unlock(&a->mutex);
    return &a->blocks[a->emptied % BLOCKS];
}

sl_status sl_read_ahead_read(sl_read_ahead *a, void *out, size_t n, size_t *got, sl_error *err)
{
    *got = 0;
    while (*got < n) {
        const block *b = wait_for_block(a);
        if (b->status) {
            if (err)
                *err = b->error;
            return b->status;
        }
        const size_t left = b->n - a->taken, count = left < n - *got ? left : n - *got;
        memcpy((char *)out + *got, b->bytes + a->taken, count);
        a->taken += count;
        *got += count;
        if (count == left && b->n < BLOCK)
            break;
    }
    return SL_OK;
}

void sl_read_ahead_destroy(sl_read_ahead *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->mutex);
    a->stopped = true;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->mutex);
    pthread_join(a->thread, NULL);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->mutex);
    free(a);
}
