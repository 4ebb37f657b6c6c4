/* Convolutions: cuDNN's, between weights packed for it and what is fused behind them. */
#include "nn/cuda/cuda.h"

#include "base/memory.h"

static sl_cuda_conv_shape shape_of(const sl_op *op)
{
    sl_cuda_conv_shape s = { .kind = SL_CUDA_CONV_FORWARD,
                             .n = op->x.n,
                             .c = (int)sl_cuda_width(op->x.c),
                             .h = op->x.h,
                             .w = op->x.w,
                             .k = (int)sl_cuda_width(op->y.c),
                             .p = op->y.h,
                             .q = op->y.w,
                             .r = op->kernel,
                             .stride = op->stride,
                             .pad = op->pad,
                             .bf16 = op->x.dtype == SL_DTYPE_BF16 };
    if (op->kind == SL_OP_CONV_BWD_DATA)
        s.kind = SL_CUDA_CONV_DATA;
    else if (op->kind == SL_OP_CONV_BWD_WEIGHTS)
        s.kind = SL_CUDA_CONV_WEIGHTS;
    return s;
}

/* Between padded weights and plain ones: from and to, and their types, are to be filled in. */
static sl_cuda_weights weights_of(const sl_op *op)
{
    return (sl_cuda_weights){
        .k = op->y.c, .c = op->x.c, .taps = op->kernel * op->kernel, .width = sl_cuda_width(op->x.c)
    };
}

static size_t packed_count(const sl_op *op)
{
    return sl_cuda_width(op->y.c) * sl_cuda_width(op->x.c) * (size_t)(op->kernel * op->kernel);
}

/* The scratch: cuDNN's workspace; then a result that is still to be added to a residual, which may
 * lie where the sum goes; or a packed gradient of weights, and what the bias's gradient needs. */
typedef struct {
    size_t result, gradient, partials, end;
} places;

static size_t align(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

static places places_of(const sl_op *op, size_t workspace)
{
    sl_cuda_rows r = sl_cuda_rows_for(&op->y);
    places at = { .result = align(workspace), .gradient = align(workspace) };
    at.end = at.result;
    if (op->kind == SL_OP_CONV && op->has_in[SL_CONV_RESIDUAL])
        at.end += sl_desc_bytes(&op->y);
    if (op->kind == SL_OP_CONV_BWD_WEIGHTS) {
        at.partials = at.gradient + align(packed_count(op) * sizeof(float));
        at.end = at.partials + 2 * sl_cuda_partials(&r) * sizeof(float);
    }
    return at;
}

static sl_status plan(sl_cuda_kernel *k, size_t *scratch_bytes, sl_error *err)
{
    sl_cuda_conv_shape shape = shape_of(&k->base.op);
    sl_status st = k->dev->functions->conv_create(&k->conv, k->dev, &shape, &k->workspace, err);
    *scratch_bytes = places_of(&k->base.op, k->workspace).end;
    return st;
}

static sl_status pack(sl_cuda_kernel *k, const void *weight, sl_error *err)
{
    const sl_op *op = &k->base.op;
    sl_cuda_weights w = weights_of(op);
    w.from = weight;
    w.to = k->dev->functions->conv_weights(k->conv);
    w.to_bf16 = op->x.dtype == SL_DTYPE_BF16;
    return sl_cuda_launch(k->dev, pack_weights, &w, packed_count(op), err);
}

static sl_status load(sl_cuda_kernel *k, const void *const *in, sl_error *err)
{
    return pack(k, in[SL_CONV_WEIGHT], err);
}

static sl_status load_bwd_data(sl_cuda_kernel *k, const void *const *in, sl_error *err)
{
    return pack(k, in[SL_CONV_BWD_DATA_WEIGHT], err);
}

static sl_status run_forward(sl_cuda_kernel *k, const void *const *in, void *const *out,
                             void *scratch, sl_error *err)
{
    const sl_op *op = &k->base.op;
    bool residual = op->has_in[SL_CONV_RESIDUAL];
    unsigned char *aside = (unsigned char *)scratch + places_of(op, k->workspace).result;
    sl_grouped x = sl_cuda_whole(in[SL_CONV_X], &op->x);
    sl_grouped conv = sl_cuda_whole(residual ? aside : out[0], &op->y);
    sl_cuda_sum sum = { .a = conv,
                        .b = sl_cuda_grouped(in[SL_CONV_RESIDUAL], &op->y, sl_op_residual_c(op)),
                        .y = sl_cuda_whole(out[0], &op->y),
                        .relu = op->relu,
                        .bias = in[SL_CONV_BIAS],
                        .c = op->y.c };
    sl_status st = k->dev->functions->conv_run(
        k->conv, x.p, k->dev->functions->conv_weights(k->conv), conv.p, scratch, err);
    if (st || !(residual || sum.bias || sum.relu))
        return st;
    return sl_cuda_launch(k->dev, sum, &sum, sl_cuda_items(&op->y), err);
}

static sl_status run_bwd_data(sl_cuda_kernel *k, const void *const *in, void *const *out,
                              void *scratch, sl_error *err)
{
    const sl_op *op = &k->base.op;
    sl_grouped dy = sl_cuda_whole(in[SL_CONV_BWD_DATA_DY], &op->y);
    return k->dev->functions->conv_run(k->conv, out[0], k->dev->functions->conv_weights(k->conv),
                                       dy.p, scratch, err);
}

static sl_status run_bwd_weights(sl_cuda_kernel *k, const void *const *in, void *const *out,
                                 void *scratch, sl_error *err)
{
    const sl_op *op = &k->base.op;
    places at = places_of(op, k->workspace);
    unsigned char *memory = scratch;
    sl_grouped x = sl_cuda_whole(in[SL_CONV_BWD_WEIGHTS_X], &op->x);
    sl_grouped dy = sl_cuda_whole(in[SL_CONV_BWD_WEIGHTS_DY], &op->y);
    sl_cuda_weights w = weights_of(op);
    w.from = memory + at.gradient;
    w.from_bf16 = k->dev->functions->conv_gradient_is_bf16(k->conv);
    w.to = out[0];
    size_t items = (size_t)op->y.c * (size_t)op->x.c * (size_t)w.taps;
    sl_status st =
        k->dev->functions->conv_run(k->conv, x.p, memory + at.gradient, dy.p, memory, err);
    if (!st)
        st = sl_cuda_launch(k->dev, unpack_weights, &w, items, err);
    if (!st && out[1])
        st = sl_cuda_bias_gradient(k->dev, &op->y, dy.p, out[1], memory + at.partials, err);
    return st;
}

const sl_cuda_op sl_cuda_op_conv = {
    .supports = sl_cuda_whole_alike, .plan = plan, .load = load, .run = run_forward
};
const sl_cuda_op sl_cuda_op_conv_bwd_data = {
    .supports = sl_cuda_whole_alike, .plan = plan, .load = load_bwd_data, .run = run_bwd_data
};
const sl_cuda_op sl_cuda_op_conv_bwd_weights = { .supports = sl_cuda_whole_alike,
                                                 .plan = plan,
                                                 .run = run_bwd_weights };
