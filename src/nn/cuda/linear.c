/* The classifier and its loss: plain float32. */
#include "nn/cuda/cuda.h"

static bool supports(const sl_op *op)
{
    return op->x.layout == SL_LAYOUT_PLAIN && op->y.layout == SL_LAYOUT_PLAIN &&
           op->x.dtype == SL_DTYPE_F32 && op->y.dtype == SL_DTYPE_F32;
}

static sl_status run_linear(sl_cuda_kernel *k, const void *const *in, void *const *out,
                            void *scratch, sl_error *err)
{
    const sl_op *op = &k->base.op;
    (void)scratch;
    sl_cuda_linear linear = { .x = in[SL_LINEAR_X],
                              .weight = in[SL_LINEAR_WEIGHT],
                              .bias = in[SL_LINEAR_BIAS],
                              .y = out[0],
                              .n = op->x.n,
                              .c = op->x.c,
                              .k = op->y.c };
    size_t items = (size_t)op->x.n * (size_t)op->y.c;
    return sl_cuda_launch(k->dev, linear, &linear, items, err);
}

static sl_status run_linear_bwd(sl_cuda_kernel *k, const void *const *in, void *const *out,
                                void *scratch, sl_error *err)
{
    const sl_op *op = &k->base.op;
    (void)scratch;
    sl_cuda_linear linear = { .x = in[SL_LINEAR_BWD_X],
                              .dy = in[SL_LINEAR_BWD_DY],
                              .weight = in[SL_LINEAR_BWD_WEIGHT],
                              .dx = out[SL_LINEAR_BWD_DX],
                              .d_weight = out[SL_LINEAR_BWD_D_WEIGHT],
                              .d_bias = out[SL_LINEAR_BWD_D_BIAS],
                              .n = op->x.n,
                              .c = op->x.c,
                              .k = op->y.c };
    size_t classes = (size_t)op->y.c, channels = (size_t)op->x.c;
    sl_status st =
        sl_cuda_launch(k->dev, linear_bwd_weights, &linear, classes * channels + classes, err);
    if (!st && linear.dx)
        st = sl_cuda_launch(k->dev, linear_bwd_x, &linear, (size_t)op->x.n * channels, err);
    return st;
}

static sl_status run_xent(sl_cuda_kernel *k, const void *const *in, void *const *out, void *scratch,
                          sl_error *err)
{
    const sl_op *op = &k->base.op;
    (void)scratch;
    sl_cuda_xent xent = { .logits = in[SL_XENT_LOGITS],
                          .target = in[SL_XENT_TARGET],
                          .loss = out[SL_XENT_LOSS],
                          .d_logits = out[SL_XENT_D_LOGITS],
                          .n = op->x.n,
                          .c = op->x.c };
    return sl_cuda_launch(k->dev, xent, &xent, (size_t)op->x.n, err);
}

const sl_cuda_op sl_cuda_op_linear = { .supports = supports, .run = run_linear };
const sl_cuda_op sl_cuda_op_linear_bwd = { .supports = supports, .run = run_linear_bwd };
const sl_cuda_op sl_cuda_op_xent = { .supports = supports, .run = run_xent };
