/* Convolutions by oneDNN. */
#include "nn/cpu/conv.h"

#include "base/memory.h"
#include <string.h>

/* x and y may differ in layout: the network's input is plain. */
static bool supports(const sl_op *op)
{
    return op->x.dtype == op->y.dtype && sl_desc_stored(&op->x) == op->x.c &&
           sl_desc_stored(&op->y) == op->y.c;
}

/* The pass as oneDNN is told of it. It would run plain loops, a hundred times slower, where fewer
 * than a block's channels go in or out, and for some passes over a plain x (the network's input) to
 * other than whole blocks. But blocked activations have zeros behind their channels, so that whole
 * blocks do, with zeros in the weights for what they add. Plain loops, too, would find the gradient
 * of a plain x: that is a blocked one first. */
static sl_op told(const sl_op *op)
{
    sl_op whole = *op;
    if (op->kind == SL_OP_CONV_BWD_DATA)
        whole.x.layout = op->y.layout;
    sl_desc *const sides[2] = { &whole.x, &whole.y };
    bool widen = whole.x.layout == SL_LAYOUT_PLAIN;
    for (int i = 0; i < 2; i++)
        widen |= sl_cpu_is_blocked(sides[i]) && sides[i]->c < sl_cpu_block(sides[i]);
    for (int i = 0; i < 2 && widen; i++) {
        if (sl_cpu_is_blocked(sides[i]))
            sides[i]->c = (int)sl_cpu_blocks(sides[i]) * sl_cpu_block(sides[i]);
    }
    return whole;
}

/* Copies op's weights ([K][C][R][R], or their gradient) from one array to another, whose filters
 * have from_c and to_c channels. */
static void copy_weight(const sl_op *op, const float *from, int from_c, float *to, int to_c)
{
    size_t taps = (size_t)op->kernel * (size_t)op->kernel;
    for (size_t k = 0; k < (size_t)op->y.c; k++)
        memcpy(to + k * (size_t)to_c * taps, from + k * (size_t)from_c * taps,
               (size_t)op->x.c * taps * sizeof *to);
}

/* Where a plain x's gradient is blocked first: the scratch that this takes; else 0. */
static size_t blocked_dx_bytes(const sl_op *op, const sl_op *whole)
{
    return whole->x.layout == op->x.layout ? 0 : (sl_desc_bytes(&whole->x) + 63) / 64 * 64;
}

static sl_status plan(sl_cpu_kernel *k, size_t *scratch_bytes, sl_error *err)
{
    const sl_op *op = &k->base.op, whole = told(op);
    sl_status st = SL_OK;
    if (whole.x.c != op->x.c || whole.y.c != op->y.c)
        st = sl_alloc(&k->weights, sl_cpu_weight_floats(&whole) + (size_t)whole.y.c, sizeof(float),
                      err);
    if (!st)
        st = sl_onednn_conv_create(&k->conv, k->dev->onednn, &whole, err);
    if (!st && !sl_size_add(sl_onednn_conv_scratch_bytes(k->conv), blocked_dx_bytes(op, &whole),
                            scratch_bytes))
        st = sl_error_set(err, SL_ENOMEM, "a convolution over too many channels");
    return st;
}

/* oneDNN's arguments are not const, though it only reads what it calls a source. */
static void *source(const void *p)
{
    void *q;
    memcpy(&q, &p, sizeof q);
    return q;
}

/* The weights (or their gradient) as oneDNN is told of them: the same, or with zeros between. */
static float *widened_weight(const sl_cpu_kernel *k, const void *weight)
{
    const sl_op *op = &k->base.op;
    if (!k->weights)
        return source(weight);
    copy_weight(op, weight, op->x.c, k->weights, told(op).x.c);
    return k->weights;
}

static sl_status load(sl_cpu_kernel *k, const void *const *in, sl_error *err)
{
    if (!sl_cpu_conv_loads(&k->base.op))
        return SL_OK;
    return sl_onednn_conv_load(k->conv, widened_weight(k, in[SL_CPU_CONV_WEIGHT]), err);
}

/* Copies the residual to y, to which the library adds, with zeros for channels that it lacks. */
static void lay_residual(const sl_op *op, const void *residual, void *y)
{
    size_t y_bytes = sl_desc_bytes(&op->y) / (size_t)op->y.n;
    const sl_desc narrow = sl_cpu_residual_desc(op);
    size_t bytes = sl_desc_bytes(&narrow) / (size_t)op->y.n;
#pragma omp parallel for schedule(static)
    for (size_t n = 0; n < (size_t)op->y.n; n++) {
        unsigned char *to = (unsigned char *)y + n * y_bytes;
        memcpy(to, (const unsigned char *)residual + n * bytes, bytes);
        memset(to + bytes, 0, y_bytes - bytes);
    }
}

static sl_status run_forward(sl_cpu_kernel *k, const void *const *in, void *const *out,
                             void *scratch, sl_error *err)
{
    const sl_op *op = &k->base.op;
    const void *residual = in[SL_CONV_RESIDUAL];
    float *weight = op->weights_vary ? widened_weight(k, in[SL_CONV_WEIGHT]) : NULL;
    float *bias = source(in[SL_CONV_BIAS]);
    if (residual && residual != out[0])
        lay_residual(op, residual, out[0]);
    if (bias && k->weights) {
        const sl_op whole = told(op);
        bias = k->weights + sl_cpu_weight_floats(&whole);
        memcpy(bias, in[SL_CONV_BIAS], (size_t)op->y.c * sizeof *bias);
    }
    return sl_onednn_conv_run(k->conv, source(in[SL_CONV_X]), out[0], weight, bias, scratch, err);
}

static sl_status run_bwd_data(sl_cpu_kernel *k, const void *const *in, void *const *out,
                              void *scratch, sl_error *err)
{
    const sl_op *op = &k->base.op, whole = told(op);
    size_t blocked = blocked_dx_bytes(op, &whole);
    void *dx = blocked ? scratch : out[0];
    float *weight = op->weights_vary ? widened_weight(k, in[SL_CONV_BWD_DATA_WEIGHT]) : NULL;
    sl_status st = sl_onednn_conv_run(k->conv, dx, source(in[SL_CONV_BWD_DATA_DY]), weight, NULL,
                                      sl_cpu_to(scratch, blocked), err);
    sl_desc from = op->x;
    from.layout = whole.x.layout;
    if (!st && blocked)
        sl_cpu_convert_between(k->dev, &from, dx, &op->x, out[0]);
    return st;
}

static sl_status run_bwd_weights(sl_cpu_kernel *k, const void *const *in, void *const *out,
                                 void *scratch, sl_error *err)
{
    const sl_op *op = &k->base.op, whole = told(op);
    const void *x = in[SL_CONV_BWD_WEIGHTS_X], *dy = in[SL_CONV_BWD_WEIGHTS_DY];
    float *d_weight = out[0], *d_bias = out[1];
    if (!k->weights)
        return sl_onednn_conv_run(k->conv, source(x), source(dy), d_weight, d_bias, scratch, err);
    float *wide = k->weights, *wide_bias = d_bias ? wide + sl_cpu_weight_floats(&whole) : NULL;
    sl_status st =
        sl_onednn_conv_run(k->conv, source(x), source(dy), wide, wide_bias, scratch, err);
    if (st)
        return st;
    copy_weight(op, wide, whole.x.c, d_weight, op->x.c);
    if (d_bias)
        memcpy(d_bias, wide_bias, (size_t)op->y.c * sizeof *d_bias);
    return SL_OK;
}

static sl_status run(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err)
{
    switch (k->base.op.kind) {
    case SL_OP_CONV_BWD_DATA:
        return run_bwd_data(k, in, out, scratch, err);
    case SL_OP_CONV_BWD_WEIGHTS:
        return run_bwd_weights(k, in, out, scratch, err);
    default:
        return run_forward(k, in, out, scratch, err);
    }
}

const sl_cpu_op sl_cpu_conv_onednn = {
    .supports = supports, .plan = plan, .load = load, .run = run
};
