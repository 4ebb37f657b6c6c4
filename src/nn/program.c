#include "nn/program.h"

#include "base/memory.h"
#include <stdint.h>
#include <stdlib.h>

void sl_program_release(sl_program *p)
{
    free(p->buffers);
    free(p->steps);
    free(p->groups);
    free(p->folds);
    free(p->forms);
    free(p->value_buffer);
    free(p->stored_in);
}

bool sl_program_shares_statistics(const sl_program *p, const sl_group *g)
{
    const sl_desc has = sl_program_desc(p, g->x), wants = sl_program_wanted(p, g->kind, g->x);
    if (g->kind != SL_NODE_NORM || g->residual >= 0 || p->options.mode != SL_MODE_TRAIN ||
        sl_graph_node(p->graph, g->x)->kind != SL_NODE_CONCAT || !sl_desc_equal(&has, &wants))
        return false;
    sl_op op = sl_group_op(p, g);
    op.has_out[SL_NORM_VAR] = true;
    return sl_device_backend(p->dev)->supports(p->dev, &op);
}

const sl_group *sl_program_sharing(const sl_program *p, const sl_group *g, sl_value v, int step)
{
    const int count = (int)p->n_groups;
    for (int i = (int)(g - p->groups) + step; i >= 0 && i < count; i += step) {
        const sl_group *other = &p->groups[i];
        if ((step < 0 ? other->var_buffer : other->slope_buffer) >= 0 &&
            p->stored_in[other->x] == p->stored_in[v])
            return other;
    }
    return NULL;
}

static sl_desc plain_f32(const sl_program *p, sl_value v)
{
    sl_shape s = sl_graph_shape(p->graph, v);
    return (sl_desc){ .n = p->options.batch, .c = s.c, .h = s.h, .w = s.w };
}

static sl_desc inside(const sl_program *p, sl_value v)
{
    sl_desc d = plain_f32(p, v);
    d.dtype = p->options.dtype;
    d.layout = sl_device_backend(p->dev)->layout(p->dev, d.c, d.h, d.w);
    int stored = sl_graph_shape(p->graph, p->stored_in[v]).c;
    d.stored = stored == d.c ? 0 : stored;
    return d;
}

/* The caller's images and what the classifier at the end works on are plain float32. */
sl_desc sl_program_desc(const sl_program *p, sl_value v)
{
    sl_node_kind kind = sl_graph_node(p->graph, v)->kind; /* each node has one value */
    bool outside = kind == SL_NODE_INPUT || kind == SL_NODE_GLOBAL_POOL || kind == SL_NODE_LINEAR;
    return outside ? plain_f32(p, v) : inside(p, v);
}

/* Most devices' convolutions read images as they come, in the network's dtype. */
sl_desc sl_program_wanted(const sl_program *p, sl_node_kind kind, sl_value v)
{
    sl_desc d = kind == SL_NODE_LINEAR ? plain_f32(p, v) : inside(p, v);
    if (kind == SL_NODE_CONV && v == 0 && !sl_device_backend(p->dev)->converts_input)
        d.layout = SL_LAYOUT_PLAIN;
    return d;
}

bool sl_desc_equal(const sl_desc *a, const sl_desc *b)
{
    return a->n == b->n && a->c == b->c && a->h == b->h && a->w == b->w &&
           sl_desc_stored(a) == sl_desc_stored(b) && a->dtype == b->dtype && a->layout == b->layout;
}

sl_status sl_program_operand(sl_program *p, sl_node_kind kind, sl_value v, int *out, sl_error *err)
{
    sl_desc has = sl_program_desc(p, v), wants = sl_program_wanted(p, kind, v);
    *out = p->value_buffer[v];
    if (sl_desc_equal(&has, &wants))
        return SL_OK;
    for (size_t i = 0; i < p->n_forms; i++) {
        *out = p->forms[i].buffer;
        if (p->forms[i].value == v && sl_desc_equal(&p->forms[i].desc, &wants))
            return SL_OK;
    }
    sl_status st = sl_grow(&p->forms, &p->forms_capacity, p->n_forms + 1, sizeof(sl_form), err);
    if (!st)
        st = sl_program_activation(p, &wants, out, err);
    if (!st)
        st = sl_program_unary(p, SL_OP_CONVERT, has, wants, p->value_buffer[v], *out, err);
    if (!st)
        p->forms[p->n_forms++] = (sl_form){ .value = v, .desc = wants, .buffer = *out };
    return st;
}

sl_status sl_program_buffer(sl_program *p, sl_place place, size_t bytes, size_t offset, int *out,
                            sl_error *err)
{
    if (bytes == SIZE_MAX)
        return sl_error_set(err, SL_ENOMEM, "a batch of %d images is too large to address",
                            p->options.batch);
    sl_status st =
        sl_grow(&p->buffers, &p->buffers_capacity, p->n_buffers + 1, sizeof(sl_buffer), err);
    if (st)
        return st;
    p->buffers[p->n_buffers] =
        (sl_buffer){ .place = place, .bytes = bytes, .offset = offset, .alias_of = -1 };
    *out = (int)p->n_buffers++;
    return SL_OK;
}

sl_status sl_program_activation(sl_program *p, const sl_desc *desc, int *out, sl_error *err)
{
    return sl_program_buffer(p, SL_PLACE_ARENA, sl_desc_bytes(desc), 0, out, err);
}

sl_status sl_program_tensor(sl_program *p, int node, int i, bool gradient, int *out, sl_error *err)
{
    const sl_tensor *t = sl_graph_tensor(p->graph, sl_graph_node(p->graph, node)->first_tensor + i);
    sl_place place = gradient     ? SL_PLACE_GRADIENTS
                     : t->trained ? SL_PLACE_VALUES
                                  : SL_PLACE_BUFFERS;
    return sl_program_buffer(p, place, t->count * sizeof(float), t->offset * sizeof(float), out,
                             err);
}

sl_status sl_program_step(sl_program *p, sl_op_kind kind, sl_desc x, sl_desc y, sl_step **out,
                          sl_error *err)
{
    sl_status st = sl_grow(&p->steps, &p->steps_capacity, p->n_steps + 1, sizeof(sl_step), err);
    if (st)
        return st;
    sl_step *step = &p->steps[p->n_steps++];
    *step = (sl_step){ .op = { .kind = kind, .x = x, .y = y } };
    for (int i = 0; i < SL_OP_MAX_IN; i++)
        step->in[i] = -1;
    for (int i = 0; i < SL_OP_MAX_OUT; i++)
        step->out[i] = -1;
    *out = step;
    return SL_OK;
}

sl_status sl_program_unary(sl_program *p, sl_op_kind kind, sl_desc x, sl_desc y, int in, int out,
                           sl_error *err)
{
    sl_step *step = NULL;
    sl_status st = sl_program_step(p, kind, x, y, &step, err);
    if (st)
        return st;
    sl_step_in(step, 0, in);
    sl_step_out(step, 0, out);
    return SL_OK;
}

void sl_step_in(sl_step *step, int slot, int buffer)
{
    step->in[slot] = buffer;
    step->op.has_in[slot] = buffer >= 0;
}

void sl_step_out(sl_step *step, int slot, int buffer)
{
    step->out[slot] = buffer;
    step->op.has_out[slot] = buffer >= 0;
}
