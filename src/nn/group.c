/* Groups nodes that one operation can compute. In evaluation a convolution takes the batch norm,
 * sum and ReLU behind it; with gradients the batch norm takes the sum and ReLU. And finds the
 * concatenations that can grow in one buffer. */
#include "nn/program.h"

#include "base/memory.h"
#include <stdlib.h>

static const sl_op_kind op_of_other[] = {
    [SL_NODE_MAX_POOL] = SL_OP_MAX_POOL,       [SL_NODE_AVG_POOL] = SL_OP_AVG_POOL,
    [SL_NODE_GLOBAL_POOL] = SL_OP_GLOBAL_POOL, [SL_NODE_CONCAT] = SL_OP_CONCAT,
    [SL_NODE_SUBSAMPLE] = SL_OP_SUBSAMPLE,     [SL_NODE_SHAKE] = SL_OP_SHAKE,
    [SL_NODE_DROPOUT] = SL_OP_DROPOUT,         [SL_NODE_LINEAR] = SL_OP_LINEAR,
};

sl_op sl_group_op(const sl_program *p, const sl_group *g)
{
    sl_op op = { .x = sl_program_wanted(p, g->kind, g->x), .y = sl_program_desc(p, g->y) };
    op.relu = g->relu >= 0;
    op.residual_c = g->residual >= 0 ? sl_graph_shape(p->graph, g->residual).c : 0;
    op.has_in[0] = op.has_out[0] = true;
    if (g->conv >= 0) {
        const sl_node *conv = sl_graph_node(p->graph, g->conv);
        op.kind = SL_OP_CONV;
        op.kernel = conv->kernel;
        op.stride = conv->stride;
        op.pad = conv->pad;
        op.weights_vary = p->options.mode != SL_MODE_EVAL;
        op.has_in[SL_CONV_WEIGHT] = true;
        op.has_in[SL_CONV_BIAS] = conv->bias || g->norm >= 0;
        op.has_in[SL_CONV_RESIDUAL] = g->residual >= 0;
    } else if (g->norm >= 0) {
        op.kind = SL_OP_NORM;
        op.batch_stats = p->options.mode == SL_MODE_TRAIN;
        for (int i = SL_NORM_X; i <= SL_NORM_RUNNING_VAR; i++)
            op.has_in[i] = i != SL_NORM_RESIDUAL || g->residual >= 0;
        op.has_out[SL_NORM_MEAN] = op.has_out[SL_NORM_INV_STD] = true;
    } else if (g->other >= 0) {
        const sl_node *node = sl_graph_node(p->graph, g->other);
        op.kind = op_of_other[g->kind];
        op.offset = node->offset;
        op.rate = node->rate;
        op.has_in[1] = node->n_inputs == 2;
        op.has_in[SL_SHAKE_RESIDUAL] = g->residual >= 0;
    } else {
        op.kind = g->add >= 0 ? SL_OP_ADD : SL_OP_RELU;
        op.has_in[1] = g->add >= 0;
        op.relu = op.relu && g->add >= 0;
    }
    return op;
}

/* May node follow the last member of group g in one operation? */
static bool may_follow(const sl_program *p, const sl_group *g, const sl_node *node)
{
    bool folding = p->options.mode == SL_MODE_EVAL, shake = g->kind == SL_NODE_SHAKE;
    if (g->relu >= 0 || (g->other >= 0 && !shake) || (g->conv >= 0 && !folding))
        return false;
    switch (node->kind) {
    case SL_NODE_NORM:
        return g->conv >= 0 && g->norm < 0 && g->add < 0;
    case SL_NODE_ADD:
        return (g->conv >= 0 || g->norm >= 0 || shake) && g->add < 0 &&
               node->inputs[0] != node->inputs[1] &&
               sl_graph_shape(p->graph, g->y).c == sl_graph_shape(p->graph, node->output).c;
    case SL_NODE_RELU:
        return !shake;
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

static sl_group group_of(const sl_node *node, int i)
{
    sl_group g = { .kind = node->kind,
                   .conv = -1,
                   .norm = -1,
                   .add = -1,
                   .relu = -1,
                   .other = -1,
                   .x = node->inputs[0],
                   .residual = -1,
                   .y = node->output,
                   .last_node = i,
                   .y_buffer = -1,
                   .mean_buffer = -1,
                   .inv_std_buffer = -1,
                   .var_buffer = -1,
                   .slope_buffer = -1,
                   .offset_buffer = -1,
                   .draws = { -1, -1 } };
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

/* Who reads a value. */
typedef struct {
    int n, last; /* readers (the caller is one of the output's), and the last node among them */
    int norms;
} readers;

static void find_readers(const sl_graph *graph, readers *of)
{
    for (int i = 0; i < sl_graph_nodes(graph); i++) {
        const sl_node *node = sl_graph_node(graph, i);
        for (int k = 0; k < node->n_inputs; k++) {
            readers *r = &of[node->inputs[k]];
            r->n++;
            r->last = i;
            r->norms += node->kind == SL_NODE_NORM;
        }
    }
    of[sl_graph_output(graph)].n++;
}

/* A concatenation that only batch norms read, but for a further one, behind them, that appends to
 * it, is a prefix of that one's buffer: nothing is copied when it grows, and its gradient is the
 * prefix of the longer one's, to which the batch norms add in place. */
static void share_storage(sl_program *p, const readers *of)
{
    for (int v = 0; v < sl_graph_values(p->graph); v++)
        p->stored_in[v] = v;
    for (int v = sl_graph_values(p->graph); v-- > 0;) {
        const readers *r = &of[v];
        if (sl_graph_node(p->graph, v)->kind != SL_NODE_CONCAT || r->norms != r->n - 1)
            continue;
        const sl_node *next = sl_graph_node(p->graph, r->last);
        sl_value y = next->output;
        bool appends = next->kind == SL_NODE_CONCAT && next->inputs[0] == v;
        bool sound = p->stored_in[y] != y || of[y].norms == of[y].n;
        if (appends && sound && v != sl_graph_output(p->graph))
            p->stored_in[v] = p->stored_in[y];
    }
}

static sl_status make_groups(sl_program *p, const readers *of, bool *grouped, sl_error *err)
{
    for (int i = 0; i < sl_graph_nodes(p->graph); i++) {
        const sl_node *node = sl_graph_node(p->graph, i);
        if (grouped[i] || node->kind == SL_NODE_INPUT)
            continue;
        sl_group g = group_of(node, i);
        while (of[g.y].n == 1 && g.y != sl_graph_output(p->graph)) {
            int next = of[g.y].last;
            const sl_node *after = sl_graph_node(p->graph, next);
            if (grouped[next] || !may_follow(p, &g, after))
                break;
            sl_group longer = extended(&g, after, next);
            sl_op op = sl_group_op(p, &longer);
            if (!sl_device_backend(p->dev)->supports(p->dev, &op))
                break;
            grouped[next] = true;
            g = longer;
        }
        sl_status st =
            sl_grow(&p->groups, &p->groups_capacity, p->n_groups + 1, sizeof(sl_group), err);
        if (st)
            return st;
        p->groups[p->n_groups++] = g;
    }
    qsort(p->groups, p->n_groups, sizeof(sl_group), by_last_node);
    return SL_OK;
}

sl_status sl_program_group(sl_program *p, sl_error *err)
{
    size_t values = (size_t)sl_graph_values(p->graph);
    readers *of = NULL;
    bool *grouped = NULL;
    sl_status st = sl_alloc(&of, values, sizeof *of, err);
    if (!st)
        st = sl_alloc(&grouped, (size_t)sl_graph_nodes(p->graph), sizeof *grouped, err);
    if (!st)
        st = sl_alloc(&p->stored_in, values, sizeof *p->stored_in, err);
    if (st)
        goto done;
    find_readers(p->graph, of);
    share_storage(p, of);
    st = make_groups(p, of, grouped, err);
done:
    free(of);
    free(grouped);
    return st;
}
