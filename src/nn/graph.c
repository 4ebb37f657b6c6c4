#include "nn/graph.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

/* Tensors start at multiples of a cache line, so that no two share one. */
enum { TENSOR_ALIGN_FLOATS = 16 };
enum { MAX_SIDE = 1 << 16 };

struct sl_graph {
    sl_arena arena; /* names */
    sl_node *nodes;
    sl_shape *shapes; /* by value */
    sl_tensor *tensors;
    size_t n_nodes, n_values, n_tensors;
    size_t nodes_capacity, values_capacity, tensors_capacity;
    size_t value_floats, buffer_floats, parameters;
    sl_value output;
    sl_error error; /* the first failure of a builder */
};

sl_status sl_graph_create(sl_graph **out, sl_error *err)
{
    return sl_alloc(out, 1, sizeof(sl_graph), err);
}

void sl_graph_destroy(sl_graph *g)
{
    if (!g)
        return;
    sl_arena_release(&g->arena);
    free(g->nodes);
    free(g->shapes);
    free(g->tensors);
    free(g);
}

/* Room for one more node, value and four tensors; so that the rest of a builder can't fail on
 * memory but for names. */
static bool reserve(sl_graph *g)
{
    return !g->error.code &&
           !sl_grow(&g->nodes, &g->nodes_capacity, g->n_nodes + 1, sizeof(sl_node), &g->error) &&
           !sl_grow(&g->shapes, &g->values_capacity, g->n_values + 1, sizeof(sl_shape),
                    &g->error) &&
           !sl_grow(&g->tensors, &g->tensors_capacity, g->n_tensors + 4, sizeof(sl_tensor),
                    &g->error);
}

static bool usable(sl_graph *g, sl_value v)
{
    if (!g->error.code && (v < 0 || (size_t)v >= g->n_values))
        sl_error_set(&g->error, SL_EINVAL, "a layer's input is not a value of this graph");
    return !g->error.code;
}

/* The node is appended with its output value of shape; returns it to be completed, NULL on failure.
 */
static sl_node *append(sl_graph *g, sl_node_kind kind, const char *name, sl_shape shape)
{
    if (!reserve(g))
        return NULL;
    if (shape.c < 1 || shape.h < 1 || shape.w < 1 || shape.c > MAX_SIDE || shape.h > MAX_SIDE ||
        shape.w > MAX_SIDE) {
        sl_error_set(&g->error, SL_EINVAL, "layer '%s' would have the shape %d x %d x %d", name,
                     shape.c, shape.h, shape.w);
        return NULL;
    }
    const char *copy = NULL;
    if (sl_arena_strdup(&g->arena, &copy, name, &g->error))
        return NULL;
    sl_node *node = &g->nodes[g->n_nodes++];
    *node = (sl_node){ .kind = kind,
                       .name = copy,
                       .output = (sl_value)g->n_values,
                       .first_tensor = (int)g->n_tensors };
    g->shapes[g->n_values++] = shape;
    return node;
}

/* A tensor "node.suffix" of the last node. */
static void append_tensor(sl_graph *g, const char *suffix, sl_tensor_kind kind, int n_dims,
                          const int dims[4])
{
    if (g->error.code)
        return;
    sl_node *node = &g->nodes[g->n_nodes - 1];
    sl_tensor t = { .kind = kind, .n_dims = n_dims, .count = 1 };
    t.trained = kind != SL_TENSOR_NORM_MEAN && kind != SL_TENSOR_NORM_VAR;
    for (int i = 0; i < n_dims; i++) {
        t.dims[i] = dims[i];
        if (!sl_size_mul(t.count, (size_t)dims[i], &t.count) || t.count > (size_t)1 << 40) {
            sl_error_set(&g->error, SL_EINVAL, "tensor '%s.%s' is too large", node->name, suffix);
            return;
        }
    }
    if (sl_arena_printf(&g->arena, &t.name, &g->error, "%s.%s", node->name, suffix))
        return;
    size_t *floats = t.trained ? &g->value_floats : &g->buffer_floats;
    t.offset = *floats;
    *floats += (t.count + TENSOR_ALIGN_FLOATS - 1) / TENSOR_ALIGN_FLOATS * TENSOR_ALIGN_FLOATS;
    if (t.trained)
        g->parameters += t.count;
    g->tensors[g->n_tensors++] = t;
    node->n_tensors++;
}

static sl_value finish_node(const sl_graph *g, const sl_node *node)
{
    return g->error.code ? -1 : node->output;
}

sl_value sl_graph_input(sl_graph *g, int c, int h, int w)
{
    if (g->n_nodes > 0 && !g->error.code)
        sl_error_set(&g->error, SL_EINVAL, "a graph has one input, and it comes first");
    sl_node *node = append(g, SL_NODE_INPUT, "", (sl_shape){ c, h, w });
    return node ? node->output : -1;
}

sl_value sl_graph_conv(sl_graph *g, sl_value x, const char *name, int out_c, int kernel, int stride,
                       int pad, bool bias)
{
    if (!usable(g, x))
        return -1;
    sl_shape in = g->shapes[x];
    if (kernel < 1 || stride < 1 || pad < 0 || pad >= kernel || in.h + 2 * pad < kernel ||
        in.w + 2 * pad < kernel) {
        sl_error_set(&g->error, SL_EINVAL,
                     "convolution '%s' of side %d, stride %d, padding %d doesn't fit %d x %d", name,
                     kernel, stride, pad, in.h, in.w);
        return -1;
    }
    sl_node *node = append(g, SL_NODE_CONV, name,
                           (sl_shape){ out_c, (in.h + 2 * pad - kernel) / stride + 1,
                                       (in.w + 2 * pad - kernel) / stride + 1 });
    if (!node)
        return -1;
    node->n_inputs = 1;
    node->inputs[0] = x;
    node->kernel = kernel;
    node->stride = stride;
    node->pad = pad;
    node->bias = bias;
    append_tensor(g, "weight", SL_TENSOR_CONV_WEIGHT, 4, (int[4]){ out_c, in.c, kernel, kernel });
    if (bias)
        append_tensor(g, "bias", SL_TENSOR_CONV_BIAS, 1, (int[4]){ out_c });
    return finish_node(g, node);
}

sl_value sl_graph_norm(sl_graph *g, sl_value x, const char *name)
{
    if (!usable(g, x))
        return -1;
    sl_node *node = append(g, SL_NODE_NORM, name, g->shapes[x]);
    if (!node)
        return -1;
    node->n_inputs = 1;
    node->inputs[0] = x;
    const int dims[4] = { g->shapes[x].c };
    append_tensor(g, "weight", SL_TENSOR_NORM_WEIGHT, 1, dims);
    append_tensor(g, "bias", SL_TENSOR_NORM_BIAS, 1, dims);
    append_tensor(g, "running_mean", SL_TENSOR_NORM_MEAN, 1, dims);
    append_tensor(g, "running_var", SL_TENSOR_NORM_VAR, 1, dims);
    return finish_node(g, node);
}

/* A node without name or tensors that reads x. */
static sl_node *append_plain(sl_graph *g, sl_node_kind kind, sl_value x, sl_shape shape)
{
    sl_node *node = append(g, kind, "", shape);
    if (node) {
        node->n_inputs = 1;
        node->inputs[0] = x;
    }
    return node;
}

static sl_node *append_pair(sl_graph *g, sl_node_kind kind, sl_value a, sl_value b, sl_shape shape)
{
    sl_node *node = append_plain(g, kind, a, shape);
    if (node) {
        node->n_inputs = 2;
        node->inputs[1] = b;
    }
    return node;
}

static sl_value output_of(const sl_node *node)
{
    return node ? node->output : -1;
}

sl_value sl_graph_relu(sl_graph *g, sl_value x)
{
    return usable(g, x) ? output_of(append_plain(g, SL_NODE_RELU, x, g->shapes[x])) : -1;
}

/* Sets the graph's error unless a and b have equal sides. */
static bool fit(sl_graph *g, const char *what, sl_value a, sl_value b, bool channels_fit)
{
    sl_shape sa = g->shapes[a], sb = g->shapes[b];
    if (channels_fit && sa.h == sb.h && sa.w == sb.w)
        return true;
    sl_error_set(&g->error, SL_EINVAL, "a %s of shapes %d x %d x %d and %d x %d x %d", what, sa.c,
                 sa.h, sa.w, sb.c, sb.h, sb.w);
    return false;
}

sl_value sl_graph_add(sl_graph *g, sl_value a, sl_value b)
{
    if (!usable(g, a) || !usable(g, b) || !fit(g, "sum", a, b, g->shapes[a].c >= g->shapes[b].c))
        return -1;
    return output_of(append_pair(g, SL_NODE_ADD, a, b, g->shapes[a]));
}

static sl_value pool(sl_graph *g, sl_node_kind kind, sl_value x)
{
    if (!usable(g, x))
        return -1;
    sl_shape s = g->shapes[x];
    if (s.h < 2 || s.w < 2) {
        sl_error_set(&g->error, SL_EINVAL, "2 x 2 pooling doesn't fit %d x %d", s.h, s.w);
        return -1;
    }
    return output_of(append_plain(g, kind, x, (sl_shape){ s.c, s.h / 2, s.w / 2 }));
}

sl_value sl_graph_max_pool(sl_graph *g, sl_value x)
{
    return pool(g, SL_NODE_MAX_POOL, x);
}

sl_value sl_graph_avg_pool(sl_graph *g, sl_value x)
{
    return pool(g, SL_NODE_AVG_POOL, x);
}

sl_value sl_graph_global_pool(sl_graph *g, sl_value x)
{
    if (!usable(g, x))
        return -1;
    return output_of(append_plain(g, SL_NODE_GLOBAL_POOL, x, (sl_shape){ g->shapes[x].c, 1, 1 }));
}

sl_value sl_graph_concat(sl_graph *g, sl_value a, sl_value b)
{
    if (!usable(g, a) || !usable(g, b) || !fit(g, "concatenation", a, b, true))
        return -1;
    sl_shape s = g->shapes[a];
    s.c += g->shapes[b].c;
    return output_of(append_pair(g, SL_NODE_CONCAT, a, b, s));
}

sl_value sl_graph_subsample(sl_graph *g, sl_value x, int offset)
{
    if (!usable(g, x))
        return -1;
    if (offset < 0 || offset > 1) {
        sl_error_set(&g->error, SL_EINVAL, "subsampling from pixel %d, expected 0 or 1", offset);
        return -1;
    }
    sl_shape s = g->shapes[x];
    sl_node *node =
        append_plain(g, SL_NODE_SUBSAMPLE, x, (sl_shape){ s.c, (s.h + 1) / 2, (s.w + 1) / 2 });
    if (node)
        node->offset = offset;
    return output_of(node);
}

sl_value sl_graph_shake(sl_graph *g, sl_value a, sl_value b, sl_shake shake)
{
    if (!usable(g, a) || !usable(g, b) ||
        !fit(g, "shake-shake", a, b, g->shapes[a].c == g->shapes[b].c))
        return -1;
    sl_node *node = append_pair(g, SL_NODE_SHAKE, a, b, g->shapes[a]);
    if (node)
        node->shake = shake;
    return output_of(node);
}

sl_value sl_graph_dropout(sl_graph *g, sl_value x, double rate)
{
    if (!usable(g, x))
        return -1;
    if (!(rate >= 0 && rate < 1)) {
        sl_error_set(&g->error, SL_EINVAL, "dropout with probability %g, expected [0, 1)", rate);
        return -1;
    }
    if (rate == 0)
        return x;
    sl_node *node = append_plain(g, SL_NODE_DROPOUT, x, g->shapes[x]);
    if (node)
        node->rate = (float)rate;
    return output_of(node);
}

sl_value sl_graph_linear(sl_graph *g, sl_value x, const char *name, int out)
{
    if (!usable(g, x))
        return -1;
    sl_shape in = g->shapes[x];
    if (in.h != 1 || in.w != 1) {
        sl_error_set(&g->error, SL_EINVAL, "linear layer '%s' wants a pooled input, not %d x %d",
                     name, in.h, in.w);
        return -1;
    }
    sl_node *node = append(g, SL_NODE_LINEAR, name, (sl_shape){ out, 1, 1 });
    if (!node)
        return -1;
    node->n_inputs = 1;
    node->inputs[0] = x;
    append_tensor(g, "weight", SL_TENSOR_LINEAR_WEIGHT, 2, (int[4]){ out, in.c });
    append_tensor(g, "bias", SL_TENSOR_LINEAR_BIAS, 1, (int[4]){ out });
    return finish_node(g, node);
}

sl_status sl_graph_finish(sl_graph *g, sl_value output, sl_error *err)
{
    if (usable(g, output) && g->nodes[g->n_nodes - 1].kind != SL_NODE_LINEAR)
        sl_error_set(&g->error, SL_EINVAL, "a graph ends with a linear layer");
    if (g->error.code) {
        if (err)
            *err = g->error;
        return g->error.code;
    }
    g->output = output;
    return SL_OK;
}

int sl_graph_nodes(const sl_graph *g)
{
    return (int)g->n_nodes;
}

const sl_node *sl_graph_node(const sl_graph *g, int i)
{
    return &g->nodes[i];
}

int sl_graph_values(const sl_graph *g)
{
    return (int)g->n_values;
}

sl_shape sl_graph_shape(const sl_graph *g, sl_value v)
{
    return g->shapes[v];
}

sl_value sl_graph_output(const sl_graph *g)
{
    return g->output;
}

int sl_graph_classes(const sl_graph *g)
{
    return g->shapes[g->output].c;
}

int sl_graph_tensors(const sl_graph *g)
{
    return (int)g->n_tensors;
}

const sl_tensor *sl_graph_tensor(const sl_graph *g, int i)
{
    return &g->tensors[i];
}

const sl_tensor *sl_graph_find_tensor(const sl_graph *g, const char *name)
{
    for (size_t i = 0; i < g->n_tensors; i++) {
        if (strcmp(g->tensors[i].name, name) == 0)
            return &g->tensors[i];
    }
    return NULL;
}

size_t sl_graph_value_floats(const sl_graph *g)
{
    return g->value_floats;
}

size_t sl_graph_buffer_floats(const sl_graph *g)
{
    return g->buffer_floats;
}

size_t sl_graph_parameters(const sl_graph *g)
{
    return g->parameters;
}

double sl_graph_multiply_adds(const sl_graph *g)
{
    double sum = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const sl_node *node = &g->nodes[i];
        if (node->kind != SL_NODE_CONV && node->kind != SL_NODE_LINEAR)
            continue;
        sl_shape y = g->shapes[node->output];
        sum += (double)g->tensors[node->first_tensor].count * y.h * y.w;
    }
    return sum;
}
