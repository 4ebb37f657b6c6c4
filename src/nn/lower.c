/* From the groups to forward steps. */
#include "nn/program.h"

#include "base/memory.h"

static sl_status add_folded(sl_program *p, size_t bytes, int *out, sl_error *err)
{
    sl_status st = sl_program_buffer(p, SL_PLACE_FOLDED, bytes, p->folded_bytes, out, err);
    p->folded_bytes += (bytes + 63) / 64 * 64;
    return st;
}

/* Of the graph's convolutions, in floats. */
static size_t largest_weight(const sl_graph *graph)
{
    size_t most = 0;
    for (int i = 0; i < sl_graph_tensors(graph); i++) {
        const sl_tensor *t = sl_graph_tensor(graph, i);
        if (t->kind == SL_TENSOR_CONV_WEIGHT && t->count > most)
            most = t->count;
    }
    return most;
}

/* Where a convolution's weight is folded: its own buffer, or one for all where the backend takes
 * them one by one. */
static sl_status add_folded_weight(sl_program *p, const sl_tensor *weight, int *out, sl_error *err)
{
    if (!sl_device_backend(p->dev)->takes_weights)
        return add_folded(p, weight->count * sizeof(float), out, err);
    if (p->n_folds)
        *out = p->folds[0].weight;
    return p->n_folds ? SL_OK : add_folded(p, largest_weight(p->graph) * sizeof(float), out, err);
}

/* The weight and bias of a convolution with a norm folded in, filled at reload. */
static sl_status add_fold(sl_program *p, const sl_group *g, sl_fold *out, sl_error *err)
{
    const sl_tensor *weight =
        sl_graph_tensor(p->graph, sl_graph_node(p->graph, g->conv)->first_tensor);
    sl_fold fold = { .conv = g->conv, .norm = g->norm, .step = p->n_steps - 1 };
    sl_status st = add_folded_weight(p, weight, &fold.weight, err);
    if (!st)
        st = add_folded(p, (size_t)weight->dims[0] * sizeof(float), &fold.bias, err);
    if (st)
        return st;
    st = sl_grow(&p->folds, &p->folds_capacity, p->n_folds + 1, sizeof(sl_fold), err);
    if (st)
        return st;
    p->folds[p->n_folds++] = fold;
    *out = fold;
    return SL_OK;
}

static sl_status emit_conv(sl_program *p, const sl_group *g, sl_step *step, sl_error *err)
{
    int weight = -1, bias = -1;
    if (g->norm >= 0) {
        sl_fold fold = { 0 };
        sl_status st = add_fold(p, g, &fold, err);
        if (st)
            return st;
        weight = fold.weight;
        bias = fold.bias;
    } else {
        sl_status st = sl_program_tensor(p, g->conv, 0, false, &weight, err);
        if (!st && sl_graph_node(p->graph, g->conv)->bias)
            st = sl_program_tensor(p, g->conv, 1, false, &bias, err);
        if (st)
            return st;
    }
    sl_step_in(step, SL_CONV_WEIGHT, weight);
    sl_step_in(step, SL_CONV_BIAS, bias);
    return SL_OK;
}

/* What an earlier norm has found of the first channels, and what this one leaves to later ones. */
static sl_status share_statistics(sl_program *p, sl_group *g, sl_step *step, sl_error *err)
{
    const sl_group *earlier = sl_program_sharing(p, g, g->x, -1);
    if (earlier) {
        step->op.known = sl_graph_shape(p->graph, earlier->x).c;
        sl_step_in(step, SL_NORM_KNOWN_MEAN, earlier->mean_buffer);
        sl_step_in(step, SL_NORM_KNOWN_VAR, earlier->var_buffer);
    }
    sl_status st = sl_program_buffer(p, SL_PLACE_ARENA, (size_t)step->op.x.c * sizeof(float), 0,
                                     &g->var_buffer, err);
    sl_step_out(step, SL_NORM_VAR, g->var_buffer);
    return st;
}

static sl_status emit_norm(sl_program *p, sl_group *g, sl_step *step, sl_error *err)
{
    size_t bytes = (size_t)step->op.x.c * sizeof(float);
    sl_status st = sl_program_buffer(p, SL_PLACE_ARENA, bytes, 0, &g->mean_buffer, err);
    if (!st)
        st = sl_program_buffer(p, SL_PLACE_ARENA, bytes, 0, &g->inv_std_buffer, err);
    for (int i = 0; i < 4 && !st; i++) {
        int tensor = -1;
        st = sl_program_tensor(p, g->norm, i, false, &tensor, err);
        sl_step_in(step, SL_NORM_WEIGHT + i, tensor);
    }
    sl_step_out(step, SL_NORM_MEAN, g->mean_buffer);
    sl_step_out(step, SL_NORM_INV_STD, g->inv_std_buffer);
    if (!st && sl_program_shares_statistics(p, g))
        st = share_statistics(p, g, step, err);
    return st;
}

static sl_status emit_linear(sl_program *p, const sl_group *g, sl_step *step, sl_error *err)
{
    int weight = -1, bias = -1;
    sl_status st = sl_program_tensor(p, g->other, 0, false, &weight, err);
    if (!st)
        st = sl_program_tensor(p, g->other, 1, false, &bias, err);
    sl_step_in(step, SL_LINEAR_WEIGHT, weight);
    sl_step_in(step, SL_LINEAR_BIAS, bias);
    return st;
}

static sl_status add_draws(sl_program *p, size_t bytes, int *out, sl_error *err)
{
    sl_status st = sl_program_buffer(p, SL_PLACE_DRAWS, bytes, p->draws_bytes, out, err);
    p->draws_bytes += (bytes + 63) / 64 * 64;
    return st;
}

/* alpha and beta, which the plan draws in training and keeps at 1/2 otherwise. */
static sl_status emit_shake(sl_program *p, sl_group *g, sl_step *step, sl_error *err)
{
    size_t bytes = (size_t)p->options.batch * sizeof(float);
    sl_status st = add_draws(p, bytes, &g->draws[0], err);
    if (!st)
        st = add_draws(p, bytes, &g->draws[1], err);
    sl_step_in(step, SL_SHAKE_ALPHA, g->draws[0]);
    return st;
}

static sl_status emit_dropout(sl_program *p, sl_group *g, sl_step *step, sl_error *err)
{
    sl_status st = add_draws(p, sizeof(uint64_t), &g->draws[0], err);
    sl_step_in(step, SL_DROPOUT_KEY, g->draws[0]);
    return st;
}

/* Copies both operands into the result, but for a first one that is its prefix already. */
static sl_status emit_concat(sl_program *p, sl_group *g, sl_error *err)
{
    const sl_node *node = sl_graph_node(p->graph, g->other);
    sl_desc y = sl_program_desc(p, g->y);
    sl_status st = SL_OK;
    g->y_buffer = p->value_buffer[p->stored_in[g->y]];
    if (g->y_buffer < 0) {
        st = sl_program_activation(p, &y, &g->y_buffer, err);
        p->value_buffer[p->stored_in[g->y]] = g->y_buffer;
    }
    p->value_buffer[g->y] = g->y_buffer;
    for (int i = 0, channel = 0; i < 2 && !st; i++) {
        sl_value v = node->inputs[i];
        sl_desc x = sl_program_wanted(p, SL_NODE_CONCAT, v);
        int buffer = -1;
        if (p->value_buffer[v] != g->y_buffer) {
            st = sl_program_operand(p, SL_NODE_CONCAT, v, &buffer, err);
            if (!st)
                st = sl_program_unary(p, SL_OP_CONCAT, x, y, buffer, g->y_buffer, err);
            if (!st)
                p->steps[p->n_steps - 1].op.channel = channel;
        }
        channel += x.c;
    }
    return st;
}

/* Outside training dropout's result is its operand. */
static sl_status pass_through(sl_program *p, sl_group *g, sl_error *err)
{
    sl_status st = sl_program_operand(p, g->kind, g->x, &g->y_buffer, err);
    p->value_buffer[g->y] = g->y_buffer;
    return st;
}

static sl_status emit_group(sl_program *p, sl_group *g, sl_error *err)
{
    if (g->kind == SL_NODE_CONCAT)
        return emit_concat(p, g, err);
    if (g->kind == SL_NODE_DROPOUT && p->options.mode != SL_MODE_TRAIN)
        return pass_through(p, g, err);
    const sl_node *first = sl_graph_node(p->graph, g->other >= 0 ? g->other : 0);
    sl_value second = g->kind == SL_NODE_SHAKE ? first->inputs[1] : -1;
    sl_op op = sl_group_op(p, g);
    int x = -1, b = -1, residual = -1;
    sl_status st = sl_program_operand(p, g->kind, g->x, &x, err);
    if (!st && second >= 0)
        st = sl_program_operand(p, g->kind, second, &b, err);
    if (!st && g->residual >= 0)
        st = sl_program_operand(p, SL_NODE_ADD, g->residual, &residual, err);
    if (!st)
        st = sl_program_activation(p, &op.y, &g->y_buffer, err);
    sl_step *step = NULL;
    if (!st)
        st = sl_program_step(p, op.kind, op.x, op.y, &step, err);
    if (st)
        return st;
    step->op = op;
    sl_step_in(step, 0, x);
    sl_step_out(step, 0, g->y_buffer);
    p->value_buffer[g->y] = g->y_buffer;
    switch (op.kind) {
    case SL_OP_CONV:
        sl_step_in(step, SL_CONV_RESIDUAL, residual);
        return emit_conv(p, g, step, err);
    case SL_OP_NORM:
        sl_step_in(step, SL_NORM_RESIDUAL, residual);
        return emit_norm(p, g, step, err);
    case SL_OP_SHAKE:
        sl_step_in(step, SL_SHAKE_B, b);
        sl_step_in(step, SL_SHAKE_RESIDUAL, residual);
        return emit_shake(p, g, step, err);
    case SL_OP_ADD:
        sl_step_in(step, 1, residual);
        return SL_OK;
    case SL_OP_DROPOUT:
        return emit_dropout(p, g, step, err);
    case SL_OP_LINEAR:
        return emit_linear(p, g, step, err);
    default:
        return SL_OK;
    }
}

sl_status sl_program_lower(sl_program *p, sl_error *err)
{
    int values = sl_graph_values(p->graph);
    sl_status st = sl_alloc(&p->value_buffer, (size_t)values, sizeof(int), err);
    if (st)
        return st;
    for (int v = 0; v < values; v++)
        p->value_buffer[v] = -1;
    p->target = p->loss = p->input_grad = -1;

    st = sl_program_group(p, err);
    if (st)
        return st;
    sl_desc input = sl_program_desc(p, 0);
    st = sl_program_activation(p, &input, &p->input, err);
    p->value_buffer[0] = p->input;
    for (size_t i = 0; i < p->n_groups && !st; i++)
        st = emit_group(p, &p->groups[i], err);
    if (!st)
        p->logits = p->value_buffer[sl_graph_output(p->graph)];
    return st;
}
