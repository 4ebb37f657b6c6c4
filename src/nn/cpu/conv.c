/* Convolutions by oneDNN. */
#include "nn/cpu/conv_weights.h"
#include "nn/cpu/cpu.h"

#include <string.h>

/* x and y may differ in layout: the network's input is plain. */
static bool supports(const sl_op *op)
{
    return op->x.dtype == op->y.dtype && (op->x.dtype != SL_DTYPE_BF16 || sl_onednn_has_bf16()) &&
           sl_desc_stored(&op->x) == op->x.c && sl_desc_stored(&op->y) == op->y.c;
}

/* oneDNN's weight gradients in bfloat16 of a plain x want whole blocks of filters: a reference
 * loop, a hundred times slower, takes any others. Those beyond the last have zeros in dy, which is
 * blocked; their gradients are made in the scratch and left there. */
static bool wants_whole_blocks(const sl_op *op)
{
    return op->kind == SL_OP_CONV_BWD_WEIGHTS && op->x.dtype == SL_DTYPE_BF16 &&
           op->x.layout == SL_LAYOUT_PLAIN && op->y.layout == SL_LAYOUT_BLOCKED16 &&
           op->y.c % SL_BLOCK != 0 && !op->has_out[1];
}

static size_t weight_bytes(const sl_op *op, size_t filters)
{
    return filters * (size_t)op->x.c * (size_t)op->kernel * (size_t)op->kernel * sizeof(float);
}

static sl_status plan_whole_blocks(sl_cpu_kernel *k, size_t *scratch_bytes, sl_error *err)
{
    sl_op op = k->base.op;
    op.y.c = (int)sl_cpu_blocks(&op.y) * SL_BLOCK;
    sl_status st = sl_onednn_conv_create(&k->conv, k->dev->onednn, &op, err);
    if (!st)
        *scratch_bytes = weight_bytes(&op, (size_t)op.y.c) + sl_onednn_conv_scratch_bytes(k->conv);
    return st;
}

static sl_status plan(sl_cpu_kernel *k, size_t *scratch_bytes, sl_error *err)
{
    if (k->base.op.x.dtype == SL_DTYPE_BF16 && !sl_onednn_has_bf16())
        return sl_error_set(err, SL_EUNSUPPORTED,
                            "convolutions in bfloat16 need a processor with AVX-512 (BW, DQ, VL), "
                            "use float32 here");
    if (sl_cpu_conv_has_few_pixels(&k->base.op))
        return sl_cpu_conv_weights_plan(k, scratch_bytes, err);
    if (wants_whole_blocks(&k->base.op))
        return plan_whole_blocks(k, scratch_bytes, err);
    sl_status st = sl_onednn_conv_create(&k->conv, k->dev->onednn, &k->base.op, err);
    if (!st)
        *scratch_bytes = sl_onednn_conv_scratch_bytes(k->conv);
    return st;
}

static sl_status load(sl_cpu_kernel *k, const void *const *in, sl_error *err)
{
    return sl_onednn_conv_load(k->conv, in[SL_CONV_WEIGHT], err);
}

/* oneDNN's arguments are not const, though it only reads what it calls a source. */
static void *source(const void *p)
{
    void *q;
    memcpy(&q, &p, sizeof q);
    return q;
}

/* Copies the residual to y, to which the library adds, with zeros for channels that it lacks. */
static void lay_residual(const sl_op *op, const void *residual, void *y)
{
    size_t y_bytes = sl_desc_bytes(&op->y) / (size_t)op->y.n;
    sl_desc narrow = op->y;
    narrow.c = sl_op_residual_c(op);
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
    const void *residual = in[SL_CONV_RESIDUAL];
    if (residual && residual != out[0])
        lay_residual(&k->base.op, residual, out[0]);
    return sl_onednn_conv_run(k->conv, source(in[SL_CONV_X]), out[0], source(in[SL_CONV_WEIGHT]),
                              source(in[SL_CONV_BIAS]), scratch, err);
}

static sl_status load_bwd_data(sl_cpu_kernel *k, const void *const *in, sl_error *err)
{
    return sl_onednn_conv_load(k->conv, in[SL_CONV_BWD_DATA_WEIGHT], err);
}

static sl_status run_bwd_data(sl_cpu_kernel *k, const void *const *in, void *const *out,
                              void *scratch, sl_error *err)
{
    return sl_onednn_conv_run(k->conv, out[0], source(in[SL_CONV_BWD_DATA_DY]),
                              source(in[SL_CONV_BWD_DATA_WEIGHT]), NULL, scratch, err);
}

static sl_status run_whole_blocks(sl_cpu_kernel *k, const void *const *in, void *const *out,
                                  void *scratch, sl_error *err)
{
    const sl_op *op = &k->base.op;
    size_t wide = weight_bytes(op, sl_cpu_blocks(&op->y) * SL_BLOCK); /* a multiple of 64 */
    sl_status st = sl_onednn_conv_run(k->conv, source(in[SL_CONV_BWD_WEIGHTS_X]),
                                      source(in[SL_CONV_BWD_WEIGHTS_DY]), scratch, NULL,
                                      sl_cpu_to(scratch, wide), err);
    if (!st)
        memcpy(out[0], scratch, weight_bytes(op, (size_t)op->y.c));
    return st;
}

static sl_status run_bwd_weights(sl_cpu_kernel *k, const void *const *in, void *const *out,
                                 void *scratch, sl_error *err)
{
    if (k->product)
        return sl_cpu_conv_weights_run(k, in[SL_CONV_BWD_WEIGHTS_X], in[SL_CONV_BWD_WEIGHTS_DY],
                                       out[0], out[1], scratch, err);
    if (wants_whole_blocks(&k->base.op))
        return run_whole_blocks(k, in, out, scratch, err);
    return sl_onednn_conv_run(k->conv, source(in[SL_CONV_BWD_WEIGHTS_X]),
                              source(in[SL_CONV_BWD_WEIGHTS_DY]), out[0], out[1], scratch, err);
}

const sl_cpu_op sl_cpu_conv = {
    .supports = supports, .plan = plan, .load = load, .run = run_forward
};
const sl_cpu_op sl_cpu_conv_bwd_data = {
    .supports = supports, .plan = plan, .load = load_bwd_data, .run = run_bwd_data
};
const sl_cpu_op sl_cpu_conv_bwd_weights = { .supports = supports,
                                            .plan = plan,
                                            .run = run_bwd_weights };
