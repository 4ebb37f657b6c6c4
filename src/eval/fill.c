#include "eval/fill.h"

#include "base/hash.h"
#include <math.h>
#include <string.h>

sl_fill sl_fill_named(const char *salt, const char *prefix, const char *name)
{
    uint64_t h = sl_fnv1a(SL_FNV1A_OFFSET, salt, strlen(salt));
    h = sl_fnv1a(h, prefix, strlen(prefix));
    return (sl_fill){ sl_fnv1a(h, name, strlen(name)) };
}

double sl_fill_unit(sl_fill fill, size_t k)
{
    uint64_t z = fill.hash + ((uint64_t)k + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z = z ^ z >> 31;
    return (double)(z >> 40) * 0x1p-24;
}

double sl_fill_signed(sl_fill fill, size_t k)
{
    return 2 * sl_fill_unit(fill, k) - 1;
}

/* A tensor's values are centre + scale * signed. */
static void centre_and_scale(const sl_tensor *t, double *centre, double *scale)
{
    *centre = 0;
    *scale = 0.1;
    switch (t->kind) {
    case SL_TENSOR_CONV_WEIGHT:
        *scale = sqrt(6.0 / ((double)t->dims[1] * t->dims[2] * t->dims[3]));
        break;
    case SL_TENSOR_LINEAR_WEIGHT:
        *scale = sqrt(3.0 / t->dims[1]);
        break;
    case SL_TENSOR_CONV_BIAS:
    case SL_TENSOR_LINEAR_BIAS:
        *scale = 0.05;
        break;
    case SL_TENSOR_NORM_WEIGHT:
        *centre = 1;
        *scale = 0.2;
        break;
    case SL_TENSOR_NORM_VAR:
        *centre = 2;
        *scale = 0.5;
        break;
    case SL_TENSOR_NORM_BIAS:
    case SL_TENSOR_NORM_MEAN:
        break;
    }
}

void sl_fill_params(sl_params *params, const char *salt)
{
    for (int i = 0; i < sl_graph_tensors(params->graph); i++) {
        const sl_tensor *t = sl_graph_tensor(params->graph, i);
        const sl_fill fill = sl_fill_named(salt, "", t->name);
        float *values = sl_params_tensor(params, t);
        double centre, scale;
        centre_and_scale(t, &centre, &scale);
        for (size_t k = 0; k < t->count; k++)
            values[k] = (float)(centre + scale * sl_fill_signed(fill, k));
    }
}

void sl_fill_input(float *input, size_t n, const char *salt)
{
    const sl_fill fill = sl_fill_named(salt, "", "input");
    for (size_t k = 0; k < n; k++)
        input[k] = (float)(2 * sl_fill_signed(fill, k));
}

void sl_fill_target(float *target, size_t rows, int classes, const char *salt)
{
    const sl_fill fill = sl_fill_named(salt, "", "target");
    const size_t n = (size_t)classes;
    for (size_t i = 0; i < rows; i++) {
        double sum = 0;
        for (size_t k = 0; k < n; k++)
            sum += pow(sl_fill_unit(fill, i * n + k), 4);
        for (size_t k = 0; k < n; k++)
            target[i * n + k] = (float)(pow(sl_fill_unit(fill, i * n + k), 4) / sum);
    }
}

double sl_fill_probe(const char *salt, const char *name, const float *a, size_t n)
{
    const sl_fill fill = sl_fill_named(salt, "probe:", name);
    double sum = 0;
    for (size_t k = 0; k < n; k++)
        sum += (double)a[k] * sl_fill_signed(fill, k);
    return sum;
}
