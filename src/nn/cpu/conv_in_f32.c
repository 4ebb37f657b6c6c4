/* bfloat16 convolutions where the processor doesn't multiply bfloat16: the same numbers are
 * multiplied and summed as float32, as everywhere, and the result is rounded. It takes as long as
 * in float32, a little more; what is kept between the operations takes half the memory. */
#include "nn/cpu/conv.h"

#include "base/memory.h"
#include "nn/bf16.h"

static sl_op in_f32(const sl_op *op)
{
    sl_op f32 = *op;
    f32.x.dtype = f32.y.dtype = SL_DTYPE_F32;
    return f32;
}

static bool supports(const sl_op *op)
{
    return op->x.dtype == SL_DTYPE_BF16 && op->y.dtype == SL_DTYPE_BF16 &&
           sl_desc_stored(&op->x) == op->x.c && sl_desc_stored(&op->y) == op->y.c;
}

/* Scratch: x, y and the residual in float32, then the inner kernel's own. */
typedef struct {
    size_t y, residual, own;
} offsets;

static size_t whole_lines(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static offsets offsets_of(const sl_op *f32)
{
    const sl_desc residual = sl_cpu_residual_desc(f32);
    bool added = f32->kind == SL_OP_CONV && f32->has_in[SL_CONV_RESIDUAL];
    offsets o = { .y = whole_lines(sl_desc_bytes(&f32->x)) };
    o.residual = o.y + whole_lines(sl_desc_bytes(&f32->y));
    o.own = o.residual + (added ? whole_lines(sl_desc_bytes(&residual)) : 0);
    return o;
}

static sl_status plan(sl_cpu_kernel *k, size_t *scratch_bytes, sl_error *err)
{
    const sl_op f32 = in_f32(&k->base.op);
    size_t own = 0;
    sl_status st = sl_alloc(&k->inner, 1, sizeof *k->inner, err);
    if (!st && f32.kind != SL_OP_CONV_BWD_WEIGHTS)
        st = sl_alloc(&k->weights, sl_cpu_weight_floats(&f32), sizeof *k->weights, err);
    if (st)
        return st;
    *k->inner = (sl_cpu_kernel){ .base = { k->base.backend, f32 },
                                 .dev = k->dev,
                                 .functions = sl_cpu_conv_choose(k->dev, &f32) };
    st = k->inner->functions->plan(k->inner, &own, err);
    if (!st && !sl_size_add(own, offsets_of(&f32).own, scratch_bytes))
        st = sl_error_set(err, SL_ENOMEM, "a convolution over too many channels");
    return st;
}

static const float *rounded(sl_cpu_kernel *k, const float *weight)
{
    size_t n = sl_cpu_weight_floats(&k->base.op);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++)
        k->weights[i] = sl_bf16_to_float(sl_bf16_from_float(weight[i]));
    return k->weights;
}

static sl_status load(sl_cpu_kernel *k, const void *const *in, sl_error *err)
{
    if (!sl_cpu_conv_loads(&k->base.op))
        return SL_OK;
    const void *inner_in[SL_OP_MAX_IN] = { [SL_CPU_CONV_WEIGHT] =
                                               rounded(k, in[SL_CPU_CONV_WEIGHT]) };
    return k->inner->functions->load(k->inner, inner_in, err);
}

static void widen(const sl_cpu_kernel *k, sl_desc d, const void *from, float *to)
{
    sl_desc f32 = d;
    f32.dtype = SL_DTYPE_F32;
    sl_cpu_convert_between(k->dev, &d, from, &f32, to);
}

static void narrow(const sl_cpu_kernel *k, sl_desc d, const float *from, void *to)
{
    sl_desc f32 = d;
    f32.dtype = SL_DTYPE_F32;
    sl_cpu_convert_between(k->dev, &f32, from, &d, to);
}

static sl_status run_weights(sl_cpu_kernel *k, const void *const *in, void *const *out,
                             float *wide_x, float *wide_y, void *scratch, sl_error *err)
{
    const sl_op *op = &k->base.op;
    widen(k, op->x, in[SL_CONV_BWD_WEIGHTS_X], wide_x);
    widen(k, op->y, in[SL_CONV_BWD_WEIGHTS_DY], wide_y);
    const void *const inner_in[SL_OP_MAX_IN] = {
        [SL_CONV_BWD_WEIGHTS_X] = wide_x, [SL_CONV_BWD_WEIGHTS_DY] = wide_y
    };
    return k->inner->functions->run(k->inner, inner_in, out, scratch, err);
}

static sl_status run_data(sl_cpu_kernel *k, const void *const *in, void *const *out, float *wide_x,
                          float *wide_y, void *scratch, sl_error *err)
{
    const sl_op *op = &k->base.op;
    widen(k, op->y, in[SL_CONV_BWD_DATA_DY], wide_y);
    const void *const inner_in[SL_OP_MAX_IN] = { [SL_CONV_BWD_DATA_DY] = wide_y,
                                                 [SL_CONV_BWD_DATA_WEIGHT] =
                                                     op->weights_vary
                                                         ? rounded(k, in[SL_CONV_BWD_DATA_WEIGHT])
                                                         : NULL };
    void *const inner_out[SL_OP_MAX_OUT] = { wide_x };
    sl_status st = k->inner->functions->run(k->inner, inner_in, inner_out, scratch, err);
    if (!st)
        narrow(k, op->x, wide_x, out[0]);
    return st;
}

static sl_status run_forward(sl_cpu_kernel *k, const void *const *in, void *const *out,
                             float *wide_x, float *wide_y, float *wide_residual, void *scratch,
                             sl_error *err)
{
    const sl_op *op = &k->base.op;
    const void *residual = in[SL_CONV_RESIDUAL];
    widen(k, op->x, in[SL_CONV_X], wide_x);
    if (residual)
        widen(k, sl_cpu_residual_desc(op), residual, wide_residual);
    const void *const inner_in[SL_OP_MAX_IN] = {
        [SL_CONV_X] = wide_x,
        [SL_CONV_WEIGHT] = op->weights_vary ? rounded(k, in[SL_CONV_WEIGHT]) : NULL,
        [SL_CONV_BIAS] = in[SL_CONV_BIAS],
        [SL_CONV_RESIDUAL] = residual ? wide_residual : NULL
    };
    void *const inner_out[SL_OP_MAX_OUT] = { wide_y };
    sl_status st = k->inner->functions->run(k->inner, inner_in, inner_out, scratch, err);
    if (!st)
        narrow(k, op->y, wide_y, out[0]);
    return st;
}

static sl_status run(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err)
{
    const offsets o = offsets_of(&k->inner->base.op);
    float *x = scratch, *y = sl_cpu_to(scratch, o.y), *residual = sl_cpu_to(scratch, o.residual);
    void *own = sl_cpu_to(scratch, o.own);
    switch (k->base.op.kind) {
    case SL_OP_CONV_BWD_WEIGHTS:
        return run_weights(k, in, out, x, y, own, err);
    case SL_OP_CONV_BWD_DATA:
        return run_data(k, in, out, x, y, own, err);
    default:
        return run_forward(k, in, out, x, y, residual, own, err);
    }
}

const sl_cpu_op sl_cpu_conv_in_f32 = {
    .supports = supports, .plan = plan, .load = load, .run = run
};
