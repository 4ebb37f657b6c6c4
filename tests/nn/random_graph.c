#include "nn/random_graph.h"

#include "base/random.h"
#include <stdio.h>

typedef struct {
    sl_graph *g;
    sl_random r;
    int layers; /* named so far */
} maker;

static int channels(maker *m)
{
    static const int counts[] = { 3, 5, 16, 17, 20 };
    return counts[sl_random_below(&m->r, sizeof counts / sizeof *counts)];
}

static bool toss(maker *m)
{
    return sl_random_u32(&m->r) & 1;
}

static const char *next_name(maker *m, char name[16])
{
    snprintf(name, 16, "layer%d", m->layers++);
    return name;
}

static sl_shape shape_of(const maker *m, sl_value v)
{
    return v < 0 ? (sl_shape){ 1, 1, 1 }
                 : sl_graph_shape(m->g, v); /* the graph knows of failures */
}

/* Keeps the size with stride 1, halves it with stride 2. */
static sl_value conv(maker *m, sl_value x, int k, int kernel, int stride, bool bias)
{
    char name[16];
    return sl_graph_conv(m->g, x, next_name(m, name), k, kernel, stride, kernel / 2, bias);
}

static sl_value norm(maker *m, sl_value x)
{
    char name[16];
    return sl_graph_norm(m->g, x, next_name(m, name));
}

static sl_value relu(maker *m, sl_value x)
{
    return sl_graph_relu(m->g, x);
}

static sl_value add(maker *m, sl_value a, sl_value b)
{
    return sl_graph_add(m->g, a, b);
}

/* What a block does to its input's shape. A side never gets as small as 1: pooled vectors have
 * another layout. */
typedef struct {
    int k, stride;
    bool same; /* the shape stays: an identity shortcut is possible */
} change;

static change draw_change(maker *m, sl_value x)
{
    sl_shape s = shape_of(m, x);
    change c = { s.c, 1, true };
    if (toss(m)) {
        c.k = channels(m);
        c.stride = s.h > 3 && s.w > 3 ? 1 + (int)sl_random_below(&m->r, 2) : 1;
        c.same = c.k == s.c && c.stride == 1;
    }
    return c;
}

/* ResNet: the sum and a ReLU follow a norm, twice where the shortcut has one too. */
static sl_value basic_block(maker *m, sl_value x)
{
    change c = draw_change(m, x);
    sl_value y = relu(m, norm(m, conv(m, x, c.k, 3, c.stride, false)));
    y = norm(m, conv(m, y, c.k, 3, 1, false));
    sl_value shortcut = c.same ? x : norm(m, conv(m, x, c.k, 1, c.stride, false));
    return relu(m, toss(m) ? add(m, y, shortcut) : add(m, shortcut, y));
}

/* WRN: norm and ReLU come first and are shared by the shortcut's projection. */
static sl_value preactivation_block(maker *m, sl_value x)
{
    change c = draw_change(m, x);
    sl_value a = relu(m, norm(m, x));
    sl_value y = conv(m, a, c.k, 3, c.stride, false);
    y = conv(m, relu(m, norm(m, y)), c.k, 3, 1, false);
    sl_value shortcut = c.same ? x : conv(m, a, c.k, 1, c.stride, false);
    return add(m, y, shortcut);
}

/* One value for three consumers, and sums that nothing can take in. */
static sl_value three_consumers(maker *m, sl_value x)
{
    sl_value a = relu(m, x);
    int c = shape_of(m, a).c;
    sl_value b = conv(m, a, c, 3, 1, true), d = conv(m, a, c, 1, 1, false);
    return add(m, add(m, b, d), a);
}

/* A norm's result for three consumers, one of them the next norm. */
static sl_value shared_norm(maker *m, sl_value x)
{
    sl_value a = norm(m, x);
    return add(m, add(m, norm(m, a), a), relu(m, a));
}

/* Two norms of the same value; the sum can go with one of them only. */
static sl_value two_norms(maker *m, sl_value x)
{
    sl_value a = norm(m, x), b = norm(m, x);
    return relu(m, add(m, a, b));
}

/* No norm at all, a bias instead; ReLU after ReLU. */
static sl_value bias_block(maker *m, sl_value x)
{
    change c = draw_change(m, x);
    return relu(m, relu(m, conv(m, x, c.k, 3, c.stride, true)));
}

/* A bias before a norm, and a sum of a value with itself. */
static sl_value doubled(maker *m, sl_value x)
{
    sl_value a = norm(m, conv(m, x, channels(m), 1, 1, true));
    return add(m, a, a);
}

/* The sum of a norm and that norm's own input. */
static sl_value around_norm(maker *m, sl_value x)
{
    sl_value y = add(m, norm(m, x), x);
    return toss(m) ? relu(m, y) : y;
}

/* A convolution whose input is also what it is added to. */
static sl_value around_conv(maker *m, sl_value x)
{
    return add(m, conv(m, x, shape_of(m, x).c, 3, 1, toss(m)), x);
}

static bool can_halve(maker *m, sl_value x)
{
    sl_shape s = shape_of(m, x);
    return s.h > 3 && s.w > 3;
}

/* VGG's and the transitions' pooling, with and without a ReLU that could go with it. */
static sl_value pooled(maker *m, sl_value x)
{
    if (toss(m))
        x = relu(m, norm(m, x));
    if (!can_halve(m, x))
        return x;
    return toss(m) ? sl_graph_max_pool(m->g, x) : sl_graph_avg_pool(m->g, x);
}

/* DenseNet: one to three layers, each behind the norm of all that was there before. */
static sl_value dense_block(maker *m, sl_value x)
{
    for (uint32_t left = 1 + sl_random_below(&m->r, 3); left; left--) {
        sl_value y = conv(m, relu(m, norm(m, x)), channels(m), 3, 1, false);
        x = sl_graph_concat(m->g, x, sl_graph_dropout(m->g, y, toss(m) ? 0.25 : 0));
    }
    return x;
}

/* PyramidNet: the shortcut is pooled and has fewer channels than what it is added to. */
static sl_value widening_block(maker *m, sl_value x)
{
    sl_shape s = shape_of(m, x);
    bool halved = can_halve(m, x) && s.h % 2 == 0 && s.w % 2 == 0 && toss(m);
    int k = s.c + (int)sl_random_below(&m->r, 6);
    sl_value y = norm(m, conv(m, norm(m, x), k, 3, halved ? 2 : 1, false));
    return add(m, y, halved ? sl_graph_avg_pool(m->g, x) : x);
}

/* Shake-Shake: two branches, and a shortcut of two subsamplings side by side. */
static sl_value shaken_block(maker *m, sl_value x)
{
    const sl_shake kinds[] = { { true, true, true },
                               { true, false, false },
                               { false, true, true } };
    bool halved = can_halve(m, x) && toss(m);
    int k = 2 * (1 + (int)sl_random_below(&m->r, 9));
    sl_value a = relu(m, x), branches[2];
    for (int i = 0; i < 2; i++)
        branches[i] = norm(m, conv(m, a, k, 3, halved ? 2 : 1, false));
    sl_value y = sl_graph_shake(m->g, branches[0], branches[1], kinds[sl_random_below(&m->r, 3)]);
    if (!halved)
        return add(m, y, norm(m, conv(m, a, k, 1, 1, false)));
    sl_value near = conv(m, sl_graph_subsample(m->g, a, 0), k / 2, 1, 1, false);
    sl_value far = conv(m, sl_graph_subsample(m->g, a, 1), k / 2, 1, 1, false);
    return add(m, y, norm(m, sl_graph_concat(m->g, near, far)));
}

/* WRN's dropout, between two convolutions. */
static sl_value dropped(maker *m, sl_value x)
{
    sl_value y = relu(m, norm(m, conv(m, x, channels(m), 3, 1, false)));
    return conv(m, sl_graph_dropout(m->g, y, 0.3), channels(m), 3, 1, toss(m));
}

typedef sl_value block(maker *m, sl_value x);
static block *const all_blocks[] = {
    basic_block,     preactivation_block,
    three_consumers, shared_norm,
    two_norms,       bias_block,
    doubled,         around_norm,
    around_conv,     pooled,
    dense_block,     widening_block,
    shaken_block,    dropped,
};

sl_status random_graph_create(sl_graph **out, uint64_t seed, int blocks, sl_error *err)
{
    enum { CLASSES = 4 };
    maker m = { .r = sl_random_stream(seed, SL_RANDOM_TEST, 0, 0) };
    *out = NULL;
    sl_status st = sl_graph_create(&m.g, err);
    if (st)
        return st;
    sl_value x =
        sl_graph_input(m.g, 1 + (int)sl_random_below(&m.r, 4), 5 + (int)sl_random_below(&m.r, 4),
                       5 + (int)sl_random_below(&m.r, 4));
    x = conv(&m, x, channels(&m), 3, 1, toss(&m));
    for (int i = 0; i < blocks; i++)
        x = all_blocks[sl_random_below(&m.r, sizeof all_blocks / sizeof *all_blocks)](&m, x);
    if (toss(&m))
        x = relu(&m, norm(&m, x));
    x = sl_graph_linear(m.g, sl_graph_global_pool(m.g, x), "classifier", CLASSES);
    st = sl_graph_finish(m.g, x, err);
    if (st) {
        sl_graph_destroy(m.g);
        return st;
    }
    *out = m.g;
    return SL_OK;
}

static double uniform(sl_random *r, double low, double high)
{
    return low + (high - low) * sl_random_unit(r);
}

sl_status random_params_create(sl_params **out, const sl_graph *graph, uint64_t seed, sl_error *err)
{
    sl_status st = sl_params_create(out, graph, err);
    if (st)
        return st;
    sl_params_init(*out, SL_INIT_FAN_OUT, seed);
    for (int i = 0; i < sl_graph_tensors(graph); i++) {
        const sl_tensor *t = sl_graph_tensor(graph, i);
        float *a = sl_params_tensor(*out, t);
        sl_random r = sl_random_stream(seed, SL_RANDOM_TEST, 1, (uint32_t)i);
        if (t->kind == SL_TENSOR_CONV_WEIGHT || t->kind == SL_TENSOR_LINEAR_WEIGHT)
            continue;
        bool positive = t->kind == SL_TENSOR_NORM_WEIGHT || t->kind == SL_TENSOR_NORM_VAR;
        for (size_t k = 0; k < t->count; k++)
            a[k] = (float)(positive ? uniform(&r, 0.5, 1.5) : uniform(&r, -0.3, 0.3));
    }
    return SL_OK;
}
