#include "eval/conformance_bounds.h"

#include "base/memory.h"
#include <math.h>
#include <stdlib.h>

/* ---- float32 ---- */

#define BOUND_GRADS 5e-3
#define DEVIATION_FACTOR 5 /* .. or so many times what the reference itself moves in float32 */

static double grad_bound(const json_t *deviation, const char *key)
{
    return fmax(BOUND_GRADS, DEVIATION_FACTOR * json_number_value(json_object_get(deviation, key)));
}

static sl_conformance_bounds float32_bounds(const json_t *deviation)
{
    return (sl_conformance_bounds){
        .eval_logits = 1e-4,
        .eval_loss = 1e-4,
        .train_logits = 1e-3,
        .train_loss = 1e-4,
        .input_grad = { 1e-2, 1e-2, INFINITY, INFINITY },
        .grads = { grad_bound(deviation, "train.grads.norm"),
                   grad_bound(deviation, "train.grads.probe"), INFINITY, INFINITY },
        .buffers = { 1e-4, 1e-4, INFINITY, INFINITY },
    };
}

/* ---- bfloat16 ---- */

#define ROUNDING 0x1p-8 /* unit roundoff: 8 significant bits, to nearest */
#define ROUNDING_RMS (0.425 * ROUNDING)
/* Of bfloat16's errors to float32's: 2^16 by the roundoffs, half because sums are float32's here.
 */
#define FLOAT32_RATIO 0x1p15

/* Convolutions on the longest way through the network. */
static sl_status count_convolutions(const sl_graph *graph, int *out, sl_error *err)
{
    int *depth = NULL; /* of each value */
    *out = 0;
    sl_status st = sl_alloc(&depth, (size_t)sl_graph_values(graph), sizeof *depth, err);
    if (st)
        return st;
    for (int i = 0; i < sl_graph_nodes(graph); i++) {
        const sl_node *node = sl_graph_node(graph, i);
        int most = 0;
        for (int k = 0; k < node->n_inputs; k++)
            if (depth[node->inputs[k]] > most)
                most = depth[node->inputs[k]];
        depth[node->output] = most + (node->kind == SL_NODE_CONV);
    }
    *out = depth[sl_graph_output(graph)];
    free(depth);
    return SL_OK;
}

/* |error| / |gradient| behind l convolutions whose activations are off by amplified times what
 * rounding alone does: ReLUs that switch the other way. Never more than between two unrelated
 * gradients of one norm. */
static double direction(double l, double amplified)
{
    return fmin(sqrt(2), sqrt(4 / (3 * M_PI) * sqrt(3) * ROUNDING_RMS * amplified * pow(l, 1.5)));
}

static sl_conformance_bounds bfloat16_bounds(int convolutions, const json_t *deviation)
{
    const double l = convolutions;
    const json_t *moved = json_object_get(deviation, "train.logits");
    /* Three independent roundings a convolution, of input, weights and output; three times their
     * standard deviation. */
    const double eval = 3 * ROUNDING_RMS * sqrt(3 * l);
    /* Statistics of few values amplify errors; how much, the file's reference says in float32. */
    const double train = eval + (moved ? FLOAT32_RATIO * json_number_value(moved) : eval);
    const double eval_direction = direction(l, 1), train_direction = direction(l, train / eval);
    return (sl_conformance_bounds){
        .eval_logits = eval,
        .eval_loss = eval,
        .train_logits = train,
        .train_loss = train,
        .input_grad = { eval_direction, 2 * eval_direction, INFINITY, INFINITY },
        .grads = { 5 * train_direction, 5 * train_direction, fmin(0.5, train_direction),
                   train_direction },
        .buffers = { eval, eval, INFINITY, INFINITY },
    };
}

sl_status sl_conformance_bounds_find(sl_conformance_bounds *out, sl_dtype dtype,
                                     const sl_graph *graph, const json_t *deviation, sl_error *err)
{
    int convolutions;
    *out = float32_bounds(deviation);
    if (dtype == SL_DTYPE_F32)
        return SL_OK;
    sl_status st = count_convolutions(graph, &convolutions, err);
    if (!st)
        *out = bfloat16_bounds(convolutions, deviation);
    return st;
}
