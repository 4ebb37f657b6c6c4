/* Derives the backward steps from the forward groups, in reverse.
 *
 * The gradient of a value is a list of terms, one for each consumer. Terms are summed as late as
 * possible: batch norm and ReLU take two of them at no cost, a batch norm adds what is already
 * known of its input's gradient to its own result, and only what is left is summed by ADD steps. */
#include "nn/program.h"

#include "base/memory.h"
#include <stdlib.h>

enum { MAX_TERMS = 8 };

typedef struct {
    int n, buffers[MAX_TERMS];
} terms;

typedef struct {
    sl_program *p;
    terms *of; /* by value */
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
    if (t->n == MAX_TERMS)
        return sl_error_set(d->err, SL_EUNSUPPORTED, "a value with more than %d consumers",
                            MAX_TERMS);
    t->buffers[t->n++] = buffer;
    return SL_OK;
}

static sl_status activation_buffer(deriver *d, const sl_desc *desc, int *out)
{
    return sl_program_buffer(d->p, SL_PLACE_ARENA, sl_desc_bytes(desc), 0, out, d->err);
}

/* Sums terms of v until at most most (>= 1) are left. */
static sl_status sum_terms(deriver *d, sl_value v, int most)
{
    terms *t = &d->of[v];
    sl_desc desc = sl_program_desc(d->p, v);
    while (t->n > most) {
        int sum = -1;
        sl_step *step = NULL;
        sl_status st = activation_buffer(d, &desc, &sum);
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

/* A backward step of group g with the forward operation's shapes. */
static sl_status begin(deriver *d, const sl_group *g, sl_op_kind kind, sl_step **out)
{
    sl_program *p = d->p;
    sl_status st =
        sl_program_step(p, kind, sl_program_desc(p, g->x), sl_program_desc(p, g->y), out, d->err);
    if (!st && g->conv >= 0) {
        const sl_node *conv = sl_graph_node(p->graph, g->conv);
        (*out)->op.kernel = conv->kernel;
        (*out)->op.stride = conv->stride;
        (*out)->op.pad = conv->pad;
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

static sl_status conv_backward(deriver *d, const sl_group *g)
{
    sl_program *p = d->p;
    int dy = d->of[g->y].buffers[0], weight = -1, d_weight = -1, d_bias = -1;
    sl_status st = tensor_buffers(d, g->conv, 0, &weight, &d_weight);
    if (!st && sl_graph_node(p->graph, g->conv)->bias)
        st = tensor_buffers(d, g->conv, 1, NULL, &d_bias);
    sl_step *step = NULL;
    if (!st)
        st = begin(d, g, SL_OP_CONV_BWD_WEIGHTS, &step);
    if (st)
        return st;
    sl_step_in(step, SL_CONV_BWD_WEIGHTS_X, p->value_buffer[g->x]);
    sl_step_in(step, SL_CONV_BWD_WEIGHTS_DY, dy);
    sl_step_out(step, 0, d_weight);
    sl_step_out(step, 1, d_bias);
    if (!needs_gradient(p, g->x))
        return SL_OK;

    int dx = -1;
    sl_desc x = sl_program_desc(p, g->x);
    st = activation_buffer(d, &x, &dx);
    if (!st)
        st = begin(d, g, SL_OP_CONV_BWD_DATA, &step);
    if (st)
        return st;
    sl_step_in(step, SL_CONV_BWD_DATA_DY, dy);
    sl_step_in(step, SL_CONV_BWD_DATA_WEIGHT, weight);
    sl_step_out(step, 0, dx);
    return push(d, g->x, dx);
}

static sl_status norm_backward(deriver *d, const sl_group *g)
{
    sl_program *p = d->p;
    const terms *dy = &d->of[g->y];
    bool relu = g->relu >= 0, two = dy->n == 2;
    sl_desc x = sl_program_desc(p, g->x);
    int dx = -1, d_residual = -1, weight = -1, d_weight = -1, d_bias = -1, dy0 = dy->buffers[0];
    sl_status st = tensor_buffers(d, g->norm, 0, &weight, &d_weight);
    if (!st)
        st = tensor_buffers(d, g->norm, 1, NULL, &d_bias);
    if (!st)
        st = sum_terms(d, g->x, 1);
    if (!st)
        st = activation_buffer(d, &x, &dx);
    if (!st && g->residual >= 0 && (relu || two)) /* else it is dy itself */
        st = activation_buffer(d, &x, &d_residual);
    sl_step *step = NULL;
    if (!st)
        st = begin(d, g, SL_OP_NORM_BWD, &step);
    if (st)
        return st;
    step->op.relu = relu;
    step->op.batch_stats = p->options.mode == SL_MODE_TRAIN;
    sl_step_in(step, SL_NORM_BWD_DY, dy0);
    sl_step_in(step, SL_NORM_BWD_DY2, two ? dy->buffers[1] : -1);
    sl_step_in(step, SL_NORM_BWD_X, p->value_buffer[g->x]);
    sl_step_in(step, SL_NORM_BWD_Y, relu ? g->y_buffer : -1);
    sl_step_in(step, SL_NORM_BWD_WEIGHT, weight);
    sl_step_in(step, SL_NORM_BWD_MEAN, g->mean_buffer);
    sl_step_in(step, SL_NORM_BWD_INV_STD, g->inv_std_buffer);
    sl_step_in(step, SL_NORM_BWD_EXTRA, d->of[g->x].n ? d->of[g->x].buffers[0] : -1);
    sl_step_out(step, SL_NORM_BWD_DX, dx);
    sl_step_out(step, SL_NORM_BWD_D_RESIDUAL, d_residual);
    sl_step_out(step, SL_NORM_BWD_D_WEIGHT, d_weight);
    sl_step_out(step, SL_NORM_BWD_D_BIAS, d_bias);
    d->of[g->x].n = 0; /* it is in dx now */
    st = push(d, g->x, dx);
    if (!st && g->residual >= 0)
        st = push(d, g->residual, d_residual >= 0 ? d_residual : dy0);
    return st;
}

static sl_status relu_backward(deriver *d, const sl_group *g, int *dx)
{
    const terms *dy = &d->of[g->y];
    sl_desc y = sl_program_desc(d->p, g->y);
    sl_step *step = NULL;
    sl_status st = activation_buffer(d, &y, dx);
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
        st = push(d, g->x, dz);
    if (!st && g->residual >= 0)
        st = push(d, g->residual, dz);
    return st;
}

static sl_status linear_backward(deriver *d, const sl_group *g)
{
    int weight = -1, d_weight = -1, d_bias = -1, dx = -1;
    sl_desc x = sl_program_desc(d->p, g->x);
    sl_status st = tensor_buffers(d, g->other, 0, &weight, &d_weight);
    if (!st)
        st = tensor_buffers(d, g->other, 1, NULL, &d_bias);
    if (!st && needs_gradient(d->p, g->x))
        st = activation_buffer(d, &x, &dx);
    sl_step *step = NULL;
    if (!st)
        st = begin(d, g, SL_OP_LINEAR_BWD, &step);
    if (st)
        return st;
    sl_step_in(step, SL_LINEAR_BWD_X, d->p->value_buffer[g->x]);
    sl_step_in(step, SL_LINEAR_BWD_DY, d->of[g->y].buffers[0]);
    sl_step_in(step, SL_LINEAR_BWD_WEIGHT, weight);
    sl_step_out(step, SL_LINEAR_BWD_DX, dx);
    sl_step_out(step, SL_LINEAR_BWD_D_WEIGHT, d_weight);
    sl_step_out(step, SL_LINEAR_BWD_D_BIAS, d_bias);
    return push(d, g->x, dx);
}

static sl_status pool_backward(deriver *d, const sl_group *g)
{
    int dx = -1;
    sl_desc x = sl_program_desc(d->p, g->x);
    sl_step *step = NULL;
    sl_status st = activation_buffer(d, &x, &dx);
    if (!st)
        st = begin(d, g, SL_OP_GLOBAL_POOL_BWD, &step);
    if (st)
        return st;
    sl_step_in(step, 0, d->of[g->y].buffers[0]);
    sl_step_out(step, 0, dx);
    return push(d, g->x, dx);
}

static sl_status group_backward(deriver *d, const sl_group *g)
{
    if (d->of[g->y].n == 0)
        return sl_error_set(d->err, SL_EINVAL, "a layer's result is used by nothing");
    bool pairs = g->conv < 0 && (g->norm >= 0 || g->relu >= 0); /* takes two terms by itself */
    sl_status st = sum_terms(d, g->y, pairs ? 2 : 1);
    if (st)
        return st;
    if (g->conv >= 0)
        return conv_backward(d, g);
    if (g->norm >= 0)
        return norm_backward(d, g);
    if (g->add >= 0 || g->relu >= 0)
        return elementwise_backward(d, g);
    return g->kind == SL_NODE_LINEAR ? linear_backward(d, g) : pool_backward(d, g);
}

/* The loss behind the logits, whose gradient starts the way back. */
static sl_status emit_loss(deriver *d)
{
    sl_program *p = d->p;
    sl_value output = sl_graph_output(p->graph);
    sl_desc logits = sl_program_desc(p, output);
    int d_logits = -1;
    sl_step *step = NULL;
    sl_status st = activation_buffer(d, &logits, &p->target);
    if (!st)
        st = sl_program_buffer(p, SL_PLACE_ARENA, (size_t)p->options.batch * sizeof(float), 0,
                               &p->loss, d->err);
    if (!st)
        st = activation_buffer(d, &logits, &d_logits);
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
    sl_status st = sl_alloc(&d.of, (size_t)sl_graph_values(p->graph), sizeof(terms), err);
    if (!st)
        st = emit_loss(&d);
    for (size_t i = p->n_groups; i-- > 0 && !st;)
        st = group_backward(&d, &p->groups[i]);
    if (!st && p->options.input_grad) {
        st = sum_terms(&d, 0, 1);
        p->input_grad = st ? -1 : d.of[0].buffers[0];
    }
    free(d.of);
    return st;
}
