/* Operations that are one map over lanes: ReLU, sums, shake, dropout. */
#include "nn/cuda/cuda.h"

static sl_status run_sum(sl_cuda_kernel *k, const void *a, const void *b, void *y, bool relu,
                         sl_error *err)
{
    const sl_op *op = &k->base.op;
    sl_cuda_sum sum = { .a = sl_cuda_whole(a, &op->y),
                        .b = sl_cuda_grouped(b, &op->y, sl_op_residual_c(op)),
                        .y = sl_cuda_whole(y, &op->y),
                        .relu = relu };
    return sl_cuda_launch(k->dev, sum, &sum, sl_cuda_items(&op->y), err);
}

static sl_status run_relu(sl_cuda_kernel *k, const void *const *in, void *const *out, void *scratch,
                          sl_error *err)
{
    (void)scratch;
    return run_sum(k, in[0], NULL, out[0], true, err);
}

static sl_status run_add(sl_cuda_kernel *k, const void *const *in, void *const *out, void *scratch,
                         sl_error *err)
{
    (void)scratch;
    return run_sum(k, in[0], in[1], out[0], k->base.op.relu, err);
}

static sl_status run_relu_bwd(sl_cuda_kernel *k, const void *const *in, void *const *out,
                              void *scratch, sl_error *err)
{
    const sl_desc *y = &k->base.op.y;
    (void)scratch;
    sl_cuda_relu_bwd relu = { .dy = sl_cuda_whole(in[SL_RELU_BWD_DY], y),
                              .dy2 = sl_cuda_whole(in[SL_RELU_BWD_DY2], y),
                              .y = sl_cuda_whole(in[SL_RELU_BWD_Y], y),
                              .dx = sl_cuda_whole(out[0], y) };
    return sl_cuda_launch(k->dev, relu_bwd, &relu, sl_cuda_items(y), err);
}

static sl_status run_shake(sl_cuda_kernel *k, const void *const *in, void *const *out,
                           void *scratch, sl_error *err)
{
    const sl_op *op = &k->base.op;
    (void)scratch;
    sl_cuda_shake shake = { .a = sl_cuda_whole(in[SL_SHAKE_A], &op->y),
                            .b = sl_cuda_whole(in[SL_SHAKE_B], &op->y),
                            .residual = sl_cuda_grouped(in[SL_SHAKE_RESIDUAL], &op->y,
                                                        sl_op_residual_c(op)),
                            .y = sl_cuda_whole(out[0], &op->y),
                            .share = in[SL_SHAKE_ALPHA],
                            .pixels = sl_cuda_pixels(&op->y) };
    return sl_cuda_launch(k->dev, shake, &shake, sl_cuda_items(&op->y), err);
}

static sl_status run_shake_bwd(sl_cuda_kernel *k, const void *const *in, void *const *out,
                               void *scratch, sl_error *err)
{
    const sl_desc *y = &k->base.op.y;
    (void)scratch;
    sl_cuda_shake_bwd shake = { .dy = sl_cuda_whole(in[SL_SHAKE_BWD_DY], y),
                                .da = sl_cuda_whole(out[SL_SHAKE_BWD_DA], y),
                                .db = sl_cuda_whole(out[SL_SHAKE_BWD_DB], y),
                                .share = in[SL_SHAKE_BWD_BETA],
                                .pixels = sl_cuda_pixels(y) };
    return sl_cuda_launch(k->dev, shake_bwd, &shake, sl_cuda_items(y), err);
}

static sl_status run_dropout(sl_cuda_kernel *k, const void *const *in, void *const *out,
                             void *scratch, sl_error *err)
{
    const sl_desc *y = &k->base.op.y;
    (void)scratch;
    sl_cuda_dropout dropout = { .x = sl_cuda_whole(in[SL_DROPOUT_X], y),
                                .y = sl_cuda_whole(out[0], y),
                                .key = in[SL_DROPOUT_KEY],
                                .rate = k->base.op.rate,
                                .pixels = sl_cuda_pixels(y),
                                .c = y->c };
    return sl_cuda_launch(k->dev, dropout, &dropout, sl_cuda_items(y), err);
}

const sl_cuda_op sl_cuda_op_relu = { .supports = sl_cuda_whole_alike, .run = run_relu };
const sl_cuda_op sl_cuda_op_relu_bwd = { .supports = sl_cuda_whole_alike, .run = run_relu_bwd };
const sl_cuda_op sl_cuda_op_add = { .supports = sl_cuda_whole_alike, .run = run_add };
const sl_cuda_op sl_cuda_op_shake = { .supports = sl_cuda_whole_alike, .run = run_shake };
const sl_cuda_op sl_cuda_op_shake_bwd = { .supports = sl_cuda_whole_alike, .run = run_shake_bwd };
const sl_cuda_op sl_cuda_op_dropout = { .supports = sl_cuda_whole_alike, .run = run_dropout };
