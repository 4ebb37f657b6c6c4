#include "nn/params.h"

#include "base/memory.h"
#include "base/random.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

sl_status sl_params_create(sl_params **out, const sl_graph *graph, sl_error *err)
{
    sl_params *params = NULL;
    *out = NULL;
    sl_status st = sl_alloc(&params, 1, sizeof *params, err);
    if (st)
        goto done;
    params->graph = graph;
    st = sl_alloc_aligned(&params->values, sl_graph_value_floats(graph), sizeof(float), err);
    if (st)
        goto done;
    st = sl_alloc_aligned(&params->buffers, sl_graph_buffer_floats(graph), sizeof(float), err);
    if (st)
        goto done;
    *out = params;
    params = NULL; /* the caller's now */
done:
    sl_params_destroy(params);
    return st;
}

void sl_params_destroy(sl_params *params)
{
    if (!params)
        return;
    free(params->values);
    free(params->buffers);
    free(params);
}

sl_status sl_params_copy(sl_params *to, const sl_params *from, sl_error *err)
{
    size_t values = sl_graph_value_floats(to->graph), buffers = sl_graph_buffer_floats(to->graph);
    if (values != sl_graph_value_floats(from->graph) ||
        buffers != sl_graph_buffer_floats(from->graph))
        return sl_error_set(err, SL_EMISMATCH, "parameters of another architecture");
    memcpy(to->values, from->values, values * sizeof(float));
    memcpy(to->buffers, from->buffers, buffers * sizeof(float));
    return SL_OK;
}

float *sl_params_tensor(const sl_params *params, const sl_tensor *tensor)
{
    return (tensor->trained ? params->values : params->buffers) + tensor->offset;
}

/* Numbers that one output (fan-in), or one input (fan-out), is connected to. */
static double fan(const sl_tensor *t, sl_init init)
{
    return (double)t->dims[init == SL_INIT_FAN_OUT ? 0 : 1] * t->dims[2] * t->dims[3];
}

void sl_params_init(sl_params *params, sl_init init, uint64_t seed)
{
    for (int i = 0; i < sl_graph_tensors(params->graph); i++) {
        const sl_tensor *t = sl_graph_tensor(params->graph, i);
        float *a = sl_params_tensor(params, t);
        sl_random r = sl_random_stream(seed, SL_RANDOM_INIT, (uint32_t)i, 0);
        switch (t->kind) {
        case SL_TENSOR_CONV_WEIGHT:
            for (size_t k = 0; k < t->count; k++)
                a[k] = (float)(sl_random_normal(&r) * sqrt(2 / fan(t, init)));
            break;
        case SL_TENSOR_LINEAR_WEIGHT:
            for (size_t k = 0; k < t->count; k++)
                a[k] = (float)((2 * sl_random_unit(&r) - 1) / sqrt(t->dims[1]));
            break;
        case SL_TENSOR_NORM_WEIGHT:
        case SL_TENSOR_NORM_VAR:
            for (size_t k = 0; k < t->count; k++)
                a[k] = 1;
            break;
        case SL_TENSOR_CONV_BIAS:
        case SL_TENSOR_NORM_BIAS:
        case SL_TENSOR_NORM_MEAN:
        case SL_TENSOR_LINEAR_BIAS:
            memset(a, 0, t->count * sizeof *a);
            break;
        }
    }
}
