/* A network as a static graph of few operations, for one image: the batch size comes with a plan.
 *
 * Builders return the new value and remember the first failure, so that a model's file reads as a
 * list of layers; sl_graph_finish reports it. A graph is immutable after that and may be shared by
 * any number of plans and threads. */
#ifndef NN_GRAPH_H
#define NN_GRAPH_H

#include <softlabel/error.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct sl_graph sl_graph;
typedef int sl_value; /* an activation of shape (c, h, w); negative after a failure */

typedef struct {
    int c, h, w;
} sl_shape;

typedef enum {
    SL_NODE_INPUT,
    SL_NODE_CONV,
    SL_NODE_NORM,
    SL_NODE_RELU,
    SL_NODE_ADD,
    SL_NODE_MAX_POOL,
    SL_NODE_AVG_POOL,
    SL_NODE_GLOBAL_POOL,
    SL_NODE_CONCAT,
    SL_NODE_SUBSAMPLE,
    SL_NODE_SHAKE,
    SL_NODE_DROPOUT,
    SL_NODE_LINEAR,
} sl_node_kind;

/* What a tensor of the state dict is, which decides how it is filled, initialised and trained. */
typedef enum {
    SL_TENSOR_CONV_WEIGHT, /* [out][in][kh][kw] */
    SL_TENSOR_CONV_BIAS,
    SL_TENSOR_NORM_WEIGHT,
    SL_TENSOR_NORM_BIAS,
    SL_TENSOR_NORM_MEAN,     /* running; not trained */
    SL_TENSOR_NORM_VAR,      /* running; not trained */
    SL_TENSOR_LINEAR_WEIGHT, /* [out][in] */
    SL_TENSOR_LINEAR_BIAS,
} sl_tensor_kind;

/* A named tensor, in the order of the reference's state dict. offset counts floats in the
 * parameters' values (trained tensors) or in their buffers (running statistics): see nn/params.h.
 */
typedef struct {
    const char *name;
    sl_tensor_kind kind;
    bool trained;
    int n_dims, dims[4];
    size_t count, offset;
} sl_tensor;

/* Shake-shake's switches (Gastaldi 2017): which pass has random weights (else 1/2), and whether
 * each image has its own (else one a batch). */
typedef struct {
    bool forward, backward, image;
} sl_shake;

typedef struct {
    sl_node_kind kind;
    const char *name; /* "stage1.block1.conv1"; "" where nothing is named */
    int n_inputs;
    sl_value inputs[2], output;
    int first_tensor, n_tensors; /* its tensors in the graph's list: weight, bias / weight, bias,
                                    running_mean, running_var */
    int kernel, stride, pad;     /* convolution */
    bool bias;                   /* convolution */
    int offset;                  /* subsampling */
    float rate;                  /* dropout */
    sl_shake shake;
} sl_node;

SL_CHECK sl_status sl_graph_create(sl_graph **out, sl_error *err);
void sl_graph_destroy(sl_graph *graph); /* NULL is fine */

sl_value sl_graph_input(sl_graph *g, int c, int h, int w);
/* kernel x kernel, equal padding on all sides; output side (h + 2 pad - kernel)/stride + 1. */
sl_value sl_graph_conv(sl_graph *g, sl_value x, const char *name, int out_c, int kernel, int stride,
                       int pad, bool bias);
/* Batch norm, eps 1e-5, momentum 0.1, unbiased variance in the running estimate. */
sl_value sl_graph_norm(sl_graph *g, sl_value x, const char *name);
sl_value sl_graph_relu(sl_graph *g, sl_value x);
/* a + b, of equal sides; b may have fewer channels than a, the missing ones count as zeros. */
sl_value sl_graph_add(sl_graph *g, sl_value a, sl_value b);
/* Over 2 x 2 windows, stride 2: (c, h/2, w/2), an odd last row or column left out. Of equal maxima
 * the first in row-major order has the gradient. */
sl_value sl_graph_max_pool(sl_graph *g, sl_value x);
sl_value sl_graph_avg_pool(sl_graph *g, sl_value x);
sl_value sl_graph_global_pool(sl_graph *g, sl_value x);        /* mean over h and w: (c,1,1) */
sl_value sl_graph_concat(sl_graph *g, sl_value a, sl_value b); /* b's channels behind a's */
/* Every second pixel: y[i][j] = x[2i + offset][2j + offset], 0 beyond the image; sides (h+1)/2. */
sl_value sl_graph_subsample(sl_graph *g, sl_value x, int offset);
/* alpha a + (1 - alpha) b in training, the gradient split beta : 1 - beta; (a + b)/2 in evaluation.
 * See sl_plan_draw. */
sl_value sl_graph_shake(sl_graph *g, sl_value a, sl_value b, sl_shake shake);
/* In training each number is 0 with probability rate in [0,1), else divided by 1 - rate. */
sl_value sl_graph_dropout(sl_graph *g, sl_value x, double rate);
sl_value sl_graph_linear(sl_graph *g, sl_value x, const char *name, int out); /* flattens (c,h,w) */

/* Ends building; output is the logits' value. Reports the first failure of any builder. */
SL_CHECK sl_status sl_graph_finish(sl_graph *g, sl_value output, sl_error *err);

int sl_graph_nodes(const sl_graph *g);
const sl_node *sl_graph_node(const sl_graph *g, int i); /* in topological order */
int sl_graph_values(const sl_graph *g);
sl_shape sl_graph_shape(const sl_graph *g, sl_value v);
sl_value sl_graph_output(const sl_graph *g);
int sl_graph_classes(const sl_graph *g); /* channels of the output */

int sl_graph_tensors(const sl_graph *g);
const sl_tensor *sl_graph_tensor(const sl_graph *g, int i);
const sl_tensor *sl_graph_find_tensor(const sl_graph *g, const char *name); /* or NULL */
size_t sl_graph_value_floats(
    const sl_graph *g); /* floats of all trained tensors, padding included */
size_t sl_graph_buffer_floats(const sl_graph *g); /* of all running statistics */
size_t sl_graph_parameters(const sl_graph *g);    /* trained numbers, padding not included */
double sl_graph_multiply_adds(const sl_graph *g); /* convolutions and linear, per image */

#endif
