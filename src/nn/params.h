/* A network's numbers: two flat float32 arrays, one of the trained tensors, one of the running
 * statistics, laid out by the graph (each tensor starts at a multiple of 16 floats; the padding
 * between is zero and stays zero). Gradients and optimizer state use the layout of values. */
#ifndef NN_PARAMS_H
#define NN_PARAMS_H

#include "nn/graph.h"
#include <stdint.h>

typedef struct {
    const sl_graph *graph; /* borrowed */
    float *values;         /* sl_graph_value_floats, 64-byte aligned */
    float *buffers;        /* sl_graph_buffer_floats, 64-byte aligned */
} sl_params;

SL_CHECK sl_status sl_params_create(sl_params **out, const sl_graph *graph, sl_error *err);
void sl_params_destroy(sl_params *params); /* NULL is fine */
SL_CHECK sl_status sl_params_copy(sl_params *to, const sl_params *from, sl_error *err);

/* tensor->count floats, row-major; tensor must be of params->graph. */
float *sl_params_tensor(const sl_params *params, const sl_tensor *tensor);

/* Initial weights as the paper's recipes have them (NOTES, pretraining): convolutions Kaiming
 * normal with gain sqrt 2, by fan-out or (wrn) fan-in; batch norm 1, 0; linear bias 0 and weights
 * uniform
 * +-1/sqrt(in); running mean 0, variance 1. Tensor t's numbers come from its own stream of seed. */
typedef enum { SL_INIT_FAN_OUT, SL_INIT_FAN_IN } sl_init;
void sl_params_init(sl_params *params, sl_init init, uint64_t seed);

#endif
