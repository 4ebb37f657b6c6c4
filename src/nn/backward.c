/* Derives the backward steps from the forward groups, in reverse.
 *
 * The gradient of a value is a list of terms, one for each consumer. Terms are summed as late as
 * possible: batch norm and ReLU take two of them at no cost, a batch norm adds what is already
 * known of its input's gradient to its own result, and only what is left is summed by ADD steps.
 *
 * What a batch norm gave isn't kept for the backward pass, but computed again from the norm's
 * input, which is needed there anyway: that halves the memory of most networks, and costs next to
 * nothing, as ReLU's backward pass then mostly reads the input only. With a residual, as at the end
 * of blocks, the residual must be there again first, and so on back along the blocks: so the result
 * of every second block is kept. */
#include "nn/program.h"

#include "base/memory.h"
#include <stdlib.h>

typedef struct {
    int n, *buffers;
    size_t capacity;
} terms;

typedef struct {
    sl_program *p;
    terms *of;   /* by value */
    int *again;  /* by value: the buffer in which it was computed again, or -1 */
    int *source; /* by value: the group that gives it, or -1 */
    sl_error *err;
} deriver;

static bool needs_gradient(const sl_program *p, sl_value v)
{
    return v != 0 || p->options.input_grad; /* value 0 is the input */
}

static sl_status push(deriver *d, sl_value v, int buffer)
{
    if (!needs_gradient(d->p, v))
        return SL_OK;
    terms *t = &d->of[v];
    sl_status st = sl_grow(&t->buffers, &t->capacity, (size_t)t->n + 1, sizeof(int), d->err);
    if (!st)
        t->buffers[t->n++] = buffer;
    return st;
}

/* A term in the form in which a node of kind has read v. */
static sl_status push_operand(deriver *d, sl_node_kind kind, sl_value v, int buffer)
{
    sl_desc has = sl_program_wanted(d->p, kind, v), wants = sl_program_desc(d->p, v);
    int converted = buffer;
    if (!sl_desc_equal(&has, &wants) && needs_gradient(d->p, v)) {
        sl_status st = sl_program_activation(d->p, &wants, &converted, d->err);
        if (!st)
            st = sl_program_unary(d->p, SL_OP_CONVERT, has, wants, buffer, converted, d->err);
        if (st)
            return st;
    }
    return push(d, v, converted);
}

/* A backward step of group g with the forward operation's shapes. */
static sl_status begin(deriver *d, const sl_group *g, sl_op_kind kind, sl_step **out)
{
    sl_program *p = d->p;
    sl_status st = sl_program_step(p, kind, sl_program_wanted(p, g->kind, g->x),
                                   sl_program_desc(p, g->y), out, d->err);
    if (!st && g->conv >= 0) {
        const sl_node *conv = sl_graph_node(p->graph, g->conv);
        (*out)->op.kernel = conv->kernel;
        (*out)->op.stride = conv->stride;
        (*out)->op.pad = conv->pad;
        (*out)->op.weights_vary = kind == SL_OP_CONV_BWD_DATA;
    }
    return st;
}

/* Tensor i of node and, unless NULL, its gradient's buffer. */
static sl_status tensor_buffers(deriver *d, int node, int i, int *value, int *gradient)
{
    sl_status st = value ? sl_program_tensor(d->p, node, i, false, value, d->err) : SL_OK;
    if (!st && gradient)
        st = sl_program_tensor(d->p, node, i, true, gradient, d->err);
    return st;
}

enum { KEPT_EVERY = 2 }; /* blocks; 4 saves half as much again, for 1 % more time */

/* The group whose norm gives v, or NULL. */
static const sl_group *norm_of(const deriver *d, sl_value v)
{
    const sl_group *g = d->source[v] < 0 ? NULL : &d->p->groups[d->source[v]];
    return g && g->kind == SL_NODE_NORM ? g : NULL;
}

/* Is v computed again, rather than kept? */
static bool is_again(const deriver *d, sl_value v)
{
    const sl_group *g = norm_of(d, v);
    int blocks = 0;
    for (const sl_group *at = g; at && at->residual >= 0; at = norm_of(d, at->residual))
        blocks++;
    return g && (blocks == 0 || blocks % KEPT_EVERY != 0);
}

static sl_status operand(deriver *d, sl_node_kind kind, sl_value v, int *out);

/* The result of norm group g, computed again. */
static sl_status norm_again(deriver *d, const sl_group *g, int *y)
{
    sl_program *p = d->p;
    const sl_desc desc = sl_program_desc(p, g->y);
    int x = -1, residual = -1, weight = -1, bias = -1;
    sl_step *step = NULL;
    sl_status st = operand(d, g->kind, g->x, &x);
    if (!st && g->residual >= 0)
        st = operand(d, SL_NODE_ADD, g->residual, &residual);
    if (!st)
        st = tensor_buffers(d, g->norm, 0, &weight, NULL);
    if (!st)
        st = tensor_buffers(d, g->norm, 1, &bias, NULL);
    if (!st)
        st = sl_program_activation(p, &desc, y, d->err);
    if (!st)
        st = begin(d, g, SL_OP_NORM_AGAIN, &step);
    if (st)
        return st;
    step->op.relu = g->relu >= 0;
    step->op.residual_c = g->residual >= 0 ? sl_graph_shape(p->graph, g->residual).c : 0;
    sl_step_in(step, SL_NORM_AGAIN_X, x);
    sl_step_in(step, SL_NORM_AGAIN_WEIGHT, weight);
    sl_step_in(step, SL_NORM_AGAIN_BIAS, bias);
    sl_step_in(step, SL_NORM_AGAIN_MEAN, g->mean_buffer);
    sl_step_in(step, SL_NORM_AGAIN_INV_STD, g->inv_std_buffer);
    sl_step_in(step, SL_NORM_AGAIN_RESIDUAL, residual);
    sl_step_out(step, 0, *y);
    return SL_OK;
}

/* v as a node of kind has read it. */
static sl_status operand(deriver *d, sl_node_kind kind, sl_value v, int *out)
{
    sl_program *p = d->p;
    sl_status st = sl_program_operand(p, kind, v, out, d->err);
    if (st || *out != p->value_buffer[v] || !is_again(d, v))
        return st;
    if (d->again[v] < 0)
        st = norm_again(d, norm_of(d, v), &d->again[v]);
    *out = d->again[v];
    return st;
}

/* Sums terms of v until at most most (>= 1) are left. */
static sl_status sum_terms(deriver *d, sl_value v, int most)
{
    terms *t = &d->of[v];
    sl_desc desc = sl_program_desc(d->p, v);
    while (t->n > most) {
        int sum = -1;
        sl_step *step = NULL;
        sl_status st = sl_program_activation(d->p, &desc, &sum, d->err);
        if (!st)
            st = sl_program_step(d->p, SL_OP_ADD, desc, desc, &step, d->err);
        if (st)
            return st;
        sl_step_in(step, 0, t->buffers[t->n - 2]);
        sl_step_in(step, 1, t->buffers[t->n - 1]);
        sl_step_out(step, 0, sum);
        t->buffers[--t->n - 1] = sum;
    }
    return SL_OK;
}

/* The gradient of a sum's other operand, from the sum's: the same, or the channels it has. */
static sl_status residual_backward(deriver *d, const sl_group *g, int dz)
{
    sl_desc x = sl_program_wanted(d->p, SL_NODE_ADD, g->residual), y = sl_program_desc(d->p, g->y);
    int part = dz;
    if (x.c != y.c) {
        sl_status st = sl_program_activation(d->p, &x, &part, d->err);
        if (!st)
            st = sl_program_unary(d->p, SL_OP_CONCAT_BWD, x, y, dz, part, d->err);
        if (st)
            return st;
    }
    return push_operand(d, SL_NODE_ADD, g->residual, part);
}

static sl_status conv_backward(deriver *d, const sl_group *g)
{
    sl_program *p = d->p;
    int dy = d->of[g->y].buffers[0], x = -1, weight = -1, d_weight = -1, d_bias = -1;
    sl_status st = tensor_buffers(d, g->conv, 0, &weight, &d_weight);
    if (!st)
        st = operand(d, g->kind, g->x, &x);
    if (!st && sl_graph_node(p->graph, g->conv)->bias)
        st = tensor_buffers(d, g->conv, 1, NULL, &d_bias);
    sl_step *step = NULL;
    if (!st)
        st = begin(d, g, SL_OP_CONV_BWD_WEIGHTS, &step);
    if (st)
        return st;
    sl_step_in(step, SL_CONV_BWD_WEIGHTS_X, x);
    sl_step_in(step, SL_CONV_BWD_WEIGHTS_DY, dy);
    sl_step_out(step, 0, d_weight);
    sl_step_out(step, 1, d_bias);
    if (!needs_gradient(p, g->x))
        return SL_OK;

    int dx = -1;
    sl_desc desc = sl_program_wanted(p, g->kind, g->x);
    st = sl_program_activation(p, &desc, &dx, d->err);
    if (!st)
        st = begin(d, g, SL_OP_CONV_BWD_DATA, &step);
    if (st)
        return st;
    sl_step_in(step, SL_CONV_BWD_DATA_DY, dy);
    sl_step_in(step, SL_CONV_BWD_DATA_WEIGHT, weight);
    sl_step_out(step, 0, dx);
    return push_operand(d, g->kind, g->x, dx);
}

/* The terms of the batch's statistics in the gradient of step's x are left to CONCAT_BWD. */
static sl_status leave_common_terms(deriver *d, sl_group *g, sl_step *step)
{
    sl_program *p = d->p;
    size_t bytes = (size_t)step->op.x.c * sizeof(float);
    const sl_group *later = sl_program_sharing(p, g, g->x, 1);
    sl_status st = sl_program_buffer(p, SL_PLACE_ARENA, bytes, 0, &g->slope_buffer, d->err);
    if (!st)
        st = sl_program_buffer(p, SL_PLACE_ARENA, bytes, 0, &g->offset_buffer, d->err);
    sl_step_in(step, SL_NORM_BWD_SLOPE, later ? later->slope_buffer : -1);
    sl_step_in(step, SL_NORM_BWD_OFFSET, later ? later->offset_buffer : -1);
    sl_step_out(step, SL_NORM_BWD_SLOPE_OUT, g->slope_buffer);
    sl_step_out(step, SL_NORM_BWD_OFFSET_OUT, g->offset_buffer);
    return st;
}

/* ... which adds them to the gradient of an operand of concatenation g. */
static void add_common_terms(deriver *d, const sl_group *g, sl_step *step)
{
    const sl_group *later = sl_program_sharing(d->p, g, g->y, 1);
    if (!later)
        return;
    sl_step_in(step, SL_CONCAT_BWD_X, g->y_buffer);
    sl_step_in(step, SL_CONCAT_BWD_MEAN, later->mean_buffer);
    sl_step_in(step, SL_CONCAT_BWD_SLOPE, later->slope_buffer);
    sl_step_in(step, SL_CONCAT_BWD_OFFSET, later->offset_buffer);
}

static sl_status norm_backward(deriver *d, sl_group *g)
{
    sl_program *p = d->p;
    const terms *dy = &d->of[g->y], *known = &d->of[g->x];
    bool relu = g->relu >= 0, two = dy->n == 2, y_read = g->residual >= 0;
    sl_desc desc = sl_program_wanted(p, g->kind, g->x);
    int x = -1, dx = -1, extra = -1, d_residual = -1;
    int y = -1, weight = -1, bias = -1, d_weight = -1, d_bias = -1;
    int dy0 = dy->buffers[0], dy1 = two ? dy->buffers[1] : -1;
    sl_status st = tensor_buffers(d, g->norm, 0, &weight, &d_weight);
    if (!st)
        st = tensor_buffers(d, g->norm, 1, &bias, &d_bias);
    if (!st)
        st = operand(d, g->kind, g->x, &x);
    if (!st && relu && y_read)
        st = operand(d, g->kind, g->y, &y);
    if (!st)
        st = sum_terms(d, g->x, 1);
    bool converted = x != p->value_buffer[g->x] &&
                     x != d->again[g->x]; /* then so is dx, and what is known waits */
    if (!st && known->n && !converted)
        extra = known->buffers[0];
    if (!st && sl_desc_stored(&desc) != desc.c)
        dx = extra; /* grows in place: see share_storage */
    else if (!st)
        st = sl_program_activation(p, &desc, &dx, d->err);
    sl_desc residual = desc;
    if (g->residual >= 0)
        residual = sl_program_wanted(p, SL_NODE_ADD, g->residual);
    if (!st && g->residual >= 0 && (relu || two)) /* else it is dy itself */
        st = sl_program_activation(p, &residual, &d_residual, d->err);
    sl_step *step = NULL;
    if (!st)
        st = begin(d, g, SL_OP_NORM_BWD, &step);
    if (st)
        return st;
    step->op.relu = relu;
    step->op.batch_stats = p->options.mode == SL_MODE_TRAIN;
    step->op.residual_c = d_residual >= 0 ? residual.c : 0;
    sl_step_in(step, SL_NORM_BWD_DY, dy0);
    sl_step_in(step, SL_NORM_BWD_DY2, dy1);
    sl_step_in(step, SL_NORM_BWD_X, x);
    sl_step_in(step, SL_NORM_BWD_Y, y);
    sl_step_in(step, SL_NORM_BWD_WEIGHT, weight);
    sl_step_in(step, SL_NORM_BWD_MEAN, g->mean_buffer);
    sl_step_in(step, SL_NORM_BWD_INV_STD, g->inv_std_buffer);
    sl_step_in(step, SL_NORM_BWD_EXTRA, extra);
    sl_step_in(step, SL_NORM_BWD_BIAS, relu && !y_read ? bias : -1);
    sl_step_out(step, SL_NORM_BWD_DX, dx);
    sl_step_out(step, SL_NORM_BWD_D_RESIDUAL, d_residual);
    sl_step_out(step, SL_NORM_BWD_D_WEIGHT, d_weight);
    sl_step_out(step, SL_NORM_BWD_D_BIAS, d_bias);
    if (sl_program_shares_statistics(p, g))
        st = leave_common_terms(d, g, step);
    if (st)
        return st;
    if (extra >= 0)
        d->of[g->x].n = 0; /* it is in dx now */
    st = push_operand(d, g->kind, g->x, dx);
    if (!st && g->residual >= 0)
        st = d_residual >= 0 ? push_operand(d, SL_NODE_ADD, g->residual, d_residual)
                             : residual_backward(d, g, dy0);
    return st;
}

static sl_status relu_backward(deriver *d, const sl_group *g, int *dx)
{
    const terms *dy = &d->of[g->y];
    sl_desc y = sl_program_desc(d->p, g->y);
    sl_step *step = NULL;
    sl_status st = sl_program_activation(d->p, &y, dx, d->err);
    if (!st)
        st = begin(d, g, SL_OP_RELU_BWD, &step);
    if (st)
        return st;
    sl_step_in(step, SL_RELU_BWD_DY, dy->buffers[0]);
    sl_step_in(step, SL_RELU_BWD_DY2, dy->n == 2 ? dy->buffers[1] : -1);
    sl_step_in(step, SL_RELU_BWD_Y, g->y_buffer);
    sl_step_out(step, 0, *dx);
    return SL_OK;
}

/* A sum, a ReLU, or both. */
static sl_status elementwise_backward(deriver *d, const sl_group *g)
{
    int dz = d->of[g->y].buffers[0];
    sl_status st = g->relu >= 0 ? relu_backward(d, g, &dz) : SL_OK;
    if (!st)
        st = push_operand(d, g->kind, g->x, dz);
    if (!st && g->residual >= 0)
        st = residual_backward(d, g, dz);
    return st;
}

static sl_status linear_backward(deriver *d, const sl_group *g)
{
    int x = -1, weight = -1, d_weight = -1, d_bias = -1, dx = -1;
    sl_desc desc = sl_program_wanted(d->p, g->kind, g->x);
    sl_status st = tensor_buffers(d, g->other, 0, &weight, &d_weight);
    if (!st)
        st = tensor_buffers(d, g->other, 1, NULL, &d_bias);
    if (!st)
        st = operand(d, g->kind, g->x, &x);
    if (!st && needs_gradient(d->p, g->x))
        st = sl_program_activation(d->p, &desc, &dx, d->err);
    sl_step *step = NULL;
    if (!st)
        st = begin(d, g, SL_OP_LINEAR_BWD, &step);
    if (st)
        return st;
    sl_step_in(step, SL_LINEAR_BWD_X, x);
    sl_step_in(step, SL_LINEAR_BWD_DY, d->of[g->y].buffers[0]);
    sl_step_in(step, SL_LINEAR_BWD_WEIGHT, weight);
    sl_step_out(step, SL_LINEAR_BWD_DX, dx);
    sl_step_out(step, SL_LINEAR_BWD_D_WEIGHT, d_weight);
    sl_step_out(step, SL_LINEAR_BWD_D_BIAS, d_bias);
    return push_operand(d, g->kind, g->x, dx);
}

/* Gives back what emit_concat copied; the gradient of a prefix is the prefix of the gradient. */
static sl_status concat_backward(deriver *d, const sl_group *g)
{
    sl_program *p = d->p;
    const sl_node *node = sl_graph_node(p->graph, g->other);
    int dy = d->of[g->y].buffers[0];
    sl_desc y = sl_program_desc(p, g->y);
    for (int i = 0, channel = 0; i < 2; i++) {
        sl_value v = node->inputs[i];
        sl_desc x = sl_program_wanted(p, g->kind, v);
        int dx = dy;
        sl_status st = SL_OK;
        if (p->value_buffer[v] == g->y_buffer) {
            st = push(d, v, dy);
        } else if (needs_gradient(p, v)) {
            st = sl_program_activation(p, &x, &dx, d->err);
            if (!st)
                st = sl_program_unary(p, SL_OP_CONCAT_BWD, x, y, dy, dx, d->err);
            if (st)
                return st;
            p->steps[p->n_steps - 1].op.channel = channel;
            add_common_terms(d, g, &p->steps[p->n_steps - 1]);
            st = push_operand(d, g->kind, v, dx);
        }
        if (st)
            return st;
        channel += x.c;
    }
    return SL_OK;
}

static sl_status shake_backward(deriver *d, const sl_group *g)
{
    sl_program *p = d->p;
    sl_value b = sl_graph_node(p->graph, g->other)->inputs[1];
    sl_desc desc = sl_program_wanted(p, g->kind, g->x);
    int dy = d->of[g->y].buffers[0], da = -1, db = -1;
    sl_status st = sl_program_activation(p, &desc, &da, d->err);
    if (!st)
        st = sl_program_activation(p, &desc, &db, d->err);
    sl_step *step = NULL;
    if (!st)
        st = begin(d, g, SL_OP_SHAKE_BWD, &step);
    if (st)
        return st;
    sl_step_in(step, SL_SHAKE_BWD_DY, dy);
    sl_step_in(step, SL_SHAKE_BWD_BETA, g->draws[1]);
    sl_step_out(step, SL_SHAKE_BWD_DA, da);
    sl_step_out(step, SL_SHAKE_BWD_DB, db);
    st = push_operand(d, g->kind, g->x, da);
    if (!st)
        st = push_operand(d, g->kind, b, db);
    if (!st && g->residual >= 0)
        st = residual_backward(d, g, dy);
    return st;
}

/* Operations of one operand, whose gradient needs the result's and at most one thing more. */
static sl_status unary_backward(deriver *d, const sl_group *g)
{
    static const sl_op_kind kinds[] = {
        [SL_NODE_MAX_POOL] = SL_OP_MAX_POOL_BWD,       [SL_NODE_AVG_POOL] = SL_OP_AVG_POOL_BWD,
        [SL_NODE_GLOBAL_POOL] = SL_OP_GLOBAL_POOL_BWD, [SL_NODE_SUBSAMPLE] = SL_OP_SUBSAMPLE_BWD,
        [SL_NODE_DROPOUT] = SL_OP_DROPOUT_BWD,
    };
    sl_program *p = d->p;
    const sl_node *node = sl_graph_node(p->graph, g->other);
    sl_desc desc = sl_program_wanted(p, g->kind, g->x);
    int dy = d->of[g->y].buffers[0], x = -1, dx = -1;
    if (g->kind == SL_NODE_DROPOUT && p->options.mode != SL_MODE_TRAIN)
        return push_operand(d, g->kind, g->x, dy);
    if (!needs_gradient(p, g->x))
        return SL_OK;
    sl_status st = g->kind == SL_NODE_MAX_POOL ? operand(d, g->kind, g->x, &x) : SL_OK;
    if (!st)
        st = sl_program_activation(p, &desc, &dx, d->err);
    sl_step *step = NULL;
    if (!st)
        st = begin(d, g, kinds[g->kind], &step);
    if (st)
        return st;
    step->op.offset = node->offset;
    step->op.rate = node->rate;
    sl_step_in(step, 0, dy);
    if (g->kind == SL_NODE_MAX_POOL)
        sl_step_in(step, SL_MAX_POOL_BWD_X, x);
    if (g->kind == SL_NODE_DROPOUT)
        sl_step_in(step, SL_DROPOUT_KEY, g->draws[0]);
    sl_step_out(step, 0, dx);
    return push_operand(d, g->kind, g->x, dx);
}

static sl_status group_backward(deriver *d, sl_group *g)
{
    if (d->of[g->y].n == 0)
        return sl_error_set(d->err, SL_EINVAL, "a layer's result is used by nothing");
    bool norm_or_relu = g->norm >= 0 || (g->relu >= 0 && g->other < 0);
    sl_status st = sum_terms(d, g->y, norm_or_relu && g->conv < 0 ? 2 : 1); /* takes two itself */
    if (st)
        return st;
    if (g->conv >= 0)
        return conv_backward(d, g);
    if (g->norm >= 0)
        return norm_backward(d, g);
    switch (g->kind) {
    case SL_NODE_ADD:
    case SL_NODE_RELU:
        return elementwise_backward(d, g);
    case SL_NODE_LINEAR:
        return linear_backward(d, g);
    case SL_NODE_CONCAT:
        return concat_backward(d, g);
    case SL_NODE_SHAKE:
        return shake_backward(d, g);
    default:
        return unary_backward(d, g);
    }
}

/* The loss behind the logits, whose gradient starts the way back. */
static sl_status emit_loss(deriver *d)
{
    sl_program *p = d->p;
    sl_value output = sl_graph_output(p->graph);
    sl_desc logits = sl_program_desc(p, output);
    int d_logits = -1;
    sl_step *step = NULL;
    sl_status st = sl_program_activation(p, &logits, &p->target, d->err);
    if (!st)
        st = sl_program_buffer(p, SL_PLACE_ARENA, (size_t)p->options.batch * sizeof(float), 0,
                               &p->loss, d->err);
    if (!st)
        st = sl_program_activation(p, &logits, &d_logits, d->err);
    if (!st)
        st = sl_program_step(p, SL_OP_XENT, logits, logits, &step, d->err);
    if (st)
        return st;
    sl_step_in(step, SL_XENT_LOGITS, p->logits);
    sl_step_in(step, SL_XENT_TARGET, p->target);
    sl_step_out(step, SL_XENT_LOSS, p->loss);
    sl_step_out(step, SL_XENT_D_LOGITS, d_logits);
    return push(d, output, d_logits);
}

sl_status sl_program_backward(sl_program *p, sl_error *err)
{
    deriver d = { .p = p, .err = err };
    size_t values = (size_t)sl_graph_values(p->graph);
    sl_status st = sl_alloc(&d.of, values, sizeof(terms), err);
    if (!st)
        st = sl_alloc(&d.again, values, sizeof(int), err);
    if (!st)
        st = sl_alloc(&d.source, values, sizeof(int), err);
    if (st)
        goto done;
    for (size_t v = 0; v < values; v++)
        d.again[v] = d.source[v] = -1;
    for (size_t i = 0; i < p->n_groups; i++)
        d.source[p->groups[i].y] = (int)i;
    st = emit_loss(&d);
    for (size_t i = p->n_groups; i-- > 0 && !st;)
        st = group_backward(&d, &p->groups[i]);
    if (!st && p->options.input_grad) {
        st = sum_terms(&d, 0, 1);
        p->input_grad = st ? -1 : d.of[0].buffers[0];
    }
done:
    for (size_t v = 0; d.of && v < values; v++)
        free(d.of[v].buffers);
    free(d.of);
    free(d.again);
    free(d.source);
    return st;
}
