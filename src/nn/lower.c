/* From the graph to forward steps: groups nodes that one operation can compute, then emits a step a
 * group. In evaluation a convolution takes the batch norm, sum and ReLU behind it; with gradients
 * the batch norm takes the sum and ReLU. */
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
    free(p->value_buffer);
}

sl_desc sl_program_desc(const sl_program *p, sl_value v)
{
    sl_shape s = sl_graph_shape(p->graph, v);
    bool inside = v != 0 && (s.h > 1 || s.w > 1); /* value 0 is the input */
    return (sl_desc){ .n = p->options.batch,
                      .c = s.c,
                      .h = s.h,
                      .w = s.w,
                      .layout = inside ? sl_device_backend(p->dev)->layout(p->dev, s.c, s.h, s.w)
                                       : SL_LAYOUT_PLAIN };
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

/* The operation that a group asks for, without its buffers: for supports(). */
static sl_op group_op(const sl_program *p, const sl_group *g)
{
    sl_op op = { .x = sl_program_desc(p, g->x), .y = sl_program_desc(p, g->y) };
    op.relu = g->relu >= 0;
    if (g->conv >= 0) {
        const sl_node *conv = sl_graph_node(p->graph, g->conv);
        op.kind = SL_OP_CONV;
        op.kernel = conv->kernel;
        op.stride = conv->stride;
        op.pad = conv->pad;
        op.has_in[SL_CONV_X] = op.has_in[SL_CONV_WEIGHT] = true;
        op.has_in[SL_CONV_BIAS] = conv->bias || g->norm >= 0;
        op.has_in[SL_CONV_RESIDUAL] = g->residual >= 0;
        op.has_out[0] = true;
    } else if (g->norm >= 0) {
        op.kind = SL_OP_NORM;
        op.batch_stats = p->options.mode == SL_MODE_TRAIN;
        for (int i = SL_NORM_X; i <= SL_NORM_RUNNING_VAR; i++)
            op.has_in[i] = i != SL_NORM_RESIDUAL || g->residual >= 0;
        for (int i = SL_NORM_Y; i <= SL_NORM_INV_STD; i++)
            op.has_out[i] = true;
    } else if (g->add >= 0) {
        op.kind = SL_OP_ADD;
        op.has_in[0] = op.has_in[1] = op.has_out[0] = true;
    } else {
        op.kind = SL_OP_RELU;
        op.has_in[0] = op.has_out[0] = true;
    }
    return op;
}

/* May node follow the last member of group g in one operation? */
static bool may_follow(const sl_program *p, const sl_group *g, const sl_node *node)
{
    bool folding = p->options.mode == SL_MODE_EVAL;
    if (g->relu >= 0 || g->other >= 0)
        return false;
    if (g->conv >= 0 && !folding)
        return false;
    switch (node->kind) {
    case SL_NODE_NORM:
        return g->conv >= 0 && g->norm < 0 && g->add < 0;
    case SL_NODE_ADD:
        return (g->conv >= 0 || g->norm >= 0) && g->add < 0 && node->inputs[0] != node->inputs[1];
    case SL_NODE_RELU:
        return true;
    default:
        return false;
    }
}

/* g with node (number i) as its next member. */
static sl_group extended(const sl_group *g, const sl_node *node, int i)
{
    sl_group longer = *g;
    if (node->kind == SL_NODE_NORM) {
        longer.norm = i;
    } else if (node->kind == SL_NODE_ADD) {
        longer.add = i;
        longer.residual = node->inputs[node->inputs[0] == g->y];
    } else {
        longer.relu = i;
    }
    longer.y = node->output;
    longer.last_node = i;
    return longer;
}

/* consumers[v] = the number of nodes that read v; consumer[v] = the last of them. */
static void find_consumers(const sl_graph *graph, int *consumers, int *consumer)
{
    for (int i = 0; i < sl_graph_nodes(graph); i++) {
        const sl_node *node = sl_graph_node(graph, i);
        for (int k = 0; k < node->n_inputs; k++) {
            consumers[node->inputs[k]]++;
            consumer[node->inputs[k]] = i;
        }
    }
    consumers[sl_graph_output(graph)]++; /* the caller */
}

static sl_group group_of(const sl_node *node, int i)
{
    sl_group g = { .kind = node->kind,
                   .conv = -1,
                   .norm = -1,
                   .add = -1,
                   .relu = -1,
                   .other = -1,
                   .x = node->n_inputs ? node->inputs[0] : -1,
                   .residual = -1,
                   .y = node->output,
                   .last_node = i,
                   .mean_buffer = -1,
                   .inv_std_buffer = -1 };
    switch (node->kind) {
    case SL_NODE_CONV:
        g.conv = i;
        break;
    case SL_NODE_NORM:
        g.norm = i;
        break;
    case SL_NODE_ADD:
        g.add = i;
        g.residual = node->inputs[1];
        break;
    case SL_NODE_RELU:
        g.relu = i;
        break;
    default:
        g.other = i;
    }
    return g;
}

static int by_last_node(const void *a, const void *b)
{
    const sl_group *x = a, *y = b;
    return (x->last_node > y->last_node) - (x->last_node < y->last_node);
}

static sl_status make_groups(sl_program *p, sl_error *err)
{
    int n = sl_graph_nodes(p->graph), values = sl_graph_values(p->graph);
    int *consumers = NULL, *consumer = NULL;
    bool *grouped = NULL;
    sl_status st = sl_alloc(&consumers, (size_t)values, sizeof(int), err);
    if (!st)
        st = sl_alloc(&consumer, (size_t)values, sizeof(int), err);
    if (!st)
        st = sl_alloc(&grouped, (size_t)n, sizeof(bool), err);
    if (st)
        goto done;
    find_consumers(p->graph, consumers, consumer);
    for (int i = 0; i < n; i++) {
        const sl_node *node = sl_graph_node(p->graph, i);
        if (grouped[i] || node->kind == SL_NODE_INPUT)
            continue;
        sl_group g = group_of(node, i);
        while (consumers[g.y] == 1 && g.y != sl_graph_output(p->graph)) {
            int next = consumer[g.y];
            const sl_node *after = sl_graph_node(p->graph, next);
            if (grouped[next] || !may_follow(p, &g, after))
                break;
            sl_group longer = extended(&g, after, next);
            sl_op op = group_op(p, &longer);
            if (!sl_device_backend(p->dev)->supports(p->dev, &op))
                break;
            grouped[next] = true;
            g = longer;
        }
        st = sl_grow(&p->groups, &p->groups_capacity, p->n_groups + 1, sizeof(sl_group), err);
        if (st)
            goto done;
        p->groups[p->n_groups++] = g;
    }
    qsort(p->groups, p->n_groups, sizeof(sl_group), by_last_node);
done:
    free(consumers);
    free(consumer);
    free(grouped);
    return st;
}

/* The weight and bias of a convolution with a norm folded in: its own buffers, filled at reload. */
static sl_status add_fold(sl_program *p, const sl_group *g, sl_fold *out, sl_error *err)
{
    const sl_tensor *weight =
        sl_graph_tensor(p->graph, sl_graph_node(p->graph, g->conv)->first_tensor);
    sl_fold fold = { .conv = g->conv, .norm = g->norm };
    size_t bytes[2] = { weight->count * sizeof(float), (size_t)weight->dims[0] * sizeof(float) };
    int *buffers[2] = { &fold.weight, &fold.bias };
    for (int i = 0; i < 2; i++) {
        sl_status st =
            sl_program_buffer(p, SL_PLACE_FOLDED, bytes[i], p->folded_bytes, buffers[i], err);
        if (st)
            return st;
        p->folded_bytes += (bytes[i] + 63) / 64 * 64;
    }
    sl_status st = sl_grow(&p->folds, &p->folds_capacity, p->n_folds + 1, sizeof(sl_fold), err);
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
    sl_step_in(step, SL_CONV_X, p->value_buffer[g->x]);
    sl_step_in(step, SL_CONV_WEIGHT, weight);
    sl_step_in(step, SL_CONV_BIAS, bias);
    sl_step_in(step, SL_CONV_RESIDUAL, g->residual >= 0 ? p->value_buffer[g->residual] : -1);
    return SL_OK;
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
    sl_step_in(step, SL_NORM_X, p->value_buffer[g->x]);
    sl_step_in(step, SL_NORM_RESIDUAL, g->residual >= 0 ? p->value_buffer[g->residual] : -1);
    sl_step_out(step, SL_NORM_MEAN, g->mean_buffer);
    sl_step_out(step, SL_NORM_INV_STD, g->inv_std_buffer);
    return st;
}

static sl_status emit_linear(sl_program *p, const sl_group *g, sl_step *step, sl_error *err)
{
    int weight = -1, bias = -1;
    sl_status st = sl_program_tensor(p, g->other, 0, false, &weight, err);
    if (!st)
        st = sl_program_tensor(p, g->other, 1, false, &bias, err);
    sl_step_in(step, SL_LINEAR_X, p->value_buffer[g->x]);
    sl_step_in(step, SL_LINEAR_WEIGHT, weight);
    sl_step_in(step, SL_LINEAR_BIAS, bias);
    return st;
}

static sl_status emit_group(sl_program *p, sl_group *g, sl_error *err)
{
    sl_op op = group_op(p, g);
    if (g->other >= 0)
        op.kind = g->kind == SL_NODE_LINEAR ? SL_OP_LINEAR : SL_OP_GLOBAL_POOL;
    sl_status st = sl_program_buffer(p, SL_PLACE_ARENA, sl_desc_bytes(&op.y), 0, &g->y_buffer, err);
    sl_step *step = NULL;
    if (!st)
        st = sl_program_step(p, op.kind, op.x, op.y, &step, err);
    if (st)
        return st;
    step->op.kernel = op.kernel;
    step->op.stride = op.stride;
    step->op.pad = op.pad;
    step->op.relu = op.relu && op.kind != SL_OP_RELU;
    step->op.batch_stats = op.batch_stats;
    sl_step_out(step, 0, g->y_buffer);
    p->value_buffer[g->y] = g->y_buffer;
    switch (op.kind) {
    case SL_OP_CONV:
        return emit_conv(p, g, step, err);
    case SL_OP_NORM:
        return emit_norm(p, g, step, err);
    case SL_OP_LINEAR:
        return emit_linear(p, g, step, err);
    case SL_OP_ADD:
        sl_step_in(step, 1, p->value_buffer[g->residual]);
        sl_step_in(step, 0, p->value_buffer[g->x]);
        return SL_OK;
    default: /* RELU, GLOBAL_POOL */
        sl_step_in(step, 0, p->value_buffer[g->x]);
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

    sl_desc input = sl_program_desc(p, 0);
    st = sl_program_buffer(p, SL_PLACE_ARENA, sl_desc_bytes(&input), 0, &p->input, err);
    if (st)
        return st;
    p->value_buffer[0] = p->input;
    st = make_groups(p, err);
    for (size_t i = 0; i < p->n_groups && !st; i++)
        st = emit_group(p, &p->groups[i], err);
    if (st)
        return st;
    p->logits = p->value_buffer[sl_graph_output(p->graph)];
    p->n_forward_steps = p->n_steps;
    return SL_OK;
}
