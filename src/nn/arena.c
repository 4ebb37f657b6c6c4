/* Places a program's activations in one arena: buffers that are never needed in the same step may
 * share memory, and an elementwise operation may write over an input that dies in it. */
#include "nn/program.h"

#include "base/memory.h"
#include <stdint.h>
#include <stdlib.h>

enum { ALIGN = 64 };

static size_t align_up(size_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

/* The buffer whose memory b uses in the end. */
static sl_buffer *owner(sl_program *p, int b)
{
    while (p->buffers[b].alias_of >= 0)
        b = p->buffers[b].alias_of;
    return &p->buffers[b];
}

static void extend(sl_buffer *b, int step)
{
    if (step < b->first)
        b->first = step;
    if (step > b->last)
        b->last = step;
}

/* first and last of every buffer, from the steps that name it. */
static void find_lifetimes(sl_program *p)
{
    int end = (int)p->n_steps;
    for (size_t i = 0; i < p->n_buffers; i++) {
        p->buffers[i].first = end;
        p->buffers[i].last = -1;
    }
    for (int s = 0; s < end; s++) {
        for (int i = 0; i < SL_OP_MAX_IN; i++) {
            if (p->steps[s].in[i] >= 0)
                extend(&p->buffers[p->steps[s].in[i]], s);
        }
        for (int i = 0; i < SL_OP_MAX_OUT; i++) {
            if (p->steps[s].out[i] >= 0)
                extend(&p->buffers[p->steps[s].out[i]], s);
        }
    }
    const int given[2] = { p->input, p->target };
    for (int i = 0; i < 2; i++) {
        if (given[i] >= 0)
            extend(&p->buffers[given[i]], -1);
    }
    const int wanted[4] = { p->logits, p->loss, p->input_grad, p->target };
    for (int i = 0; i < 4; i++) {
        if (wanted[i] >= 0)
            extend(&p->buffers[wanted[i]], end);
    }
}

/* May output slot out of step s take over the memory of input slot in? */
static bool may_take_over(sl_program *p, int s, int out, int in)
{
    const sl_step *step = &p->steps[s];
    if (step->in[in] < 0 || !sl_op_may_alias(&step->op, out, in))
        return false;
    const sl_buffer *from = owner(p, step->in[in]), *to = &p->buffers[step->out[out]];
    if (from->place != SL_PLACE_ARENA || from->last != s || from->bytes != to->bytes)
        return false;
    if (from == to || to->first != s) /* it holds something already */
        return false;
    for (int i = 0; i < SL_OP_MAX_IN; i++) { /* read elsewhere in the same step? */
        if (step->in[i] >= 0 && owner(p, step->in[i]) == from &&
            !sl_op_may_alias(&step->op, out, i))
            return false;
    }
    for (int i = 0; i < SL_OP_MAX_OUT; i++) { /* taken by another output? */
        if (i != out && step->out[i] >= 0 && owner(p, step->out[i]) == from)
            return false;
    }
    return true;
}

static void find_aliases(sl_program *p)
{
    for (int s = 0; s < (int)p->n_steps; s++) {
        const sl_step *step = &p->steps[s];
        for (int o = 0; o < SL_OP_MAX_OUT; o++) {
            if (step->out[o] < 0 || p->buffers[step->out[o]].place != SL_PLACE_ARENA)
                continue;
            for (int i = 0; i < SL_OP_MAX_IN; i++) {
                if (may_take_over(p, s, o, i)) {
                    sl_buffer *from = owner(p, step->in[i]), *to = &p->buffers[step->out[o]];
                    to->alias_of = (int)(from - p->buffers);
                    from->last = to->last;
                    break;
                }
            }
        }
    }
}

static bool overlap(const sl_buffer *a, const sl_buffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

static int by_size(const void *a, const void *b)
{
    const sl_buffer *x = *(const sl_buffer *const *)a, *y = *(const sl_buffer *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return (x > y) - (x < y);
}

static int by_offset(const void *a, const void *b)
{
    const sl_buffer *x = *(const sl_buffer *const *)a, *y = *(const sl_buffer *const *)b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* The lowest place for b beside the already placed buffers that live at the same time, which busy
 * is room for. */
static size_t lowest_place(const sl_buffer *b, sl_buffer *const *placed, size_t n_placed,
                           const sl_buffer **busy)
{
    size_t n_busy = 0;
    for (size_t i = 0; i < n_placed; i++) {
        if (overlap(b, placed[i]))
            busy[n_busy++] = placed[i];
    }
    qsort(busy, n_busy, sizeof *busy, by_offset);
    size_t at = 0;
    for (size_t i = 0; i < n_busy && busy[i]->offset < at + b->bytes; i++) {
        size_t end = align_up(busy[i]->offset + busy[i]->bytes);
        if (end > at)
            at = end;
    }
    return at;
}

sl_status sl_program_place(sl_program *p, sl_error *err)
{
    sl_buffer **order = NULL;
    const sl_buffer **busy = NULL;
    find_lifetimes(p);
    find_aliases(p);
    sl_status st = sl_alloc(&order, p->n_buffers, sizeof *order, err);
    if (!st)
        st = sl_alloc(&busy, p->n_buffers, sizeof *busy, err);
    if (st)
        goto done;
    size_t n = 0, end = 0;
    for (size_t i = 0; i < p->n_buffers; i++) {
        sl_buffer *b = &p->buffers[i];
        if (b->place == SL_PLACE_ARENA && b->alias_of < 0)
            order[n++] = b;
    }
    qsort(order, n, sizeof *order, by_size); /* large ones first: little ones fill the gaps */
    for (size_t i = 0; i < n; i++) {
        order[i]->offset = lowest_place(order[i], order, i, busy);
        if (!sl_size_add(order[i]->offset, order[i]->bytes, &end)) {
            st = sl_error_set(err, SL_ENOMEM, "a batch of %d images is too large to address",
                              p->options.batch);
            goto done;
        }
        if (align_up(end) > p->arena_bytes)
            p->arena_bytes = align_up(end);
    }
    for (size_t i = 0; i < p->n_buffers; i++) {
        if (p->buffers[i].alias_of >= 0)
            p->buffers[i].offset = owner(p, (int)i)->offset;
    }
done:
    free(order);
    free(busy);
    return st;
}
