/* Concatenation by channels, and changes of layout or type. */
#include "nn/cuda/cuda.h"

/* y may be the first part of a wider activation; nothing can be added on the way back. */
static bool supports_concat(const sl_op *op)
{
    bool shared_norms = op->kind == SL_OP_CONCAT_BWD && op->has_in[SL_CONCAT_BWD_X];
    return sl_cuda_alike(op) && sl_desc_stored(&op->x) == op->x.c && !shared_norms;
}

/* Forward from x to its channels of y, of which the lanes behind, in the last group so written, are
 * made zero; or back, and x's last lanes are made zero. */
static sl_status copy_channels(sl_cuda_kernel *k, const void *from, void *to, bool back,
                               sl_error *err)
{
    const sl_op *op = &k->base.op;
    size_t x_width = sl_cuda_width(op->x.c), y_width = sl_cuda_width(sl_desc_stored(&op->y));
    size_t first = (size_t)op->channel, end = sl_cuda_width(op->channel + op->x.c);
    sl_cuda_copy_channels copy = { .from = from,
                                   .to = to,
                                   .bf16 = op->x.dtype == SL_DTYPE_BF16,
                                   .from_channels = back ? y_width : x_width,
                                   .to_channels = back ? x_width : y_width,
                                   .from_first = back ? first : 0,
                                   .to_first = back ? 0 : first,
                                   .c = op->x.c,
                                   .lanes = back ? x_width : end - first };
    size_t items = sl_cuda_rows_of(&op->x) * copy.lanes;
    return sl_cuda_launch(k->dev, copy_channels, &copy, items, err);
}

static sl_status run_concat(sl_cuda_kernel *k, const void *const *in, void *const *out,
                            void *scratch, sl_error *err)
{
    (void)scratch;
    return copy_channels(k, in[0], out[0], false, err);
}

static sl_status run_concat_bwd(sl_cuda_kernel *k, const void *const *in, void *const *out,
                                void *scratch, sl_error *err)
{
    (void)scratch;
    return copy_channels(k, in[0], out[0], true, err);
}

static bool known(const sl_desc *d)
{
    return d->layout == SL_LAYOUT_PLAIN || d->layout == SL_LAYOUT_CHANNELS_LAST8;
}

static bool supports_convert(const sl_op *op)
{
    return known(&op->x) && known(&op->y) && sl_desc_stored(&op->x) == op->x.c &&
           sl_desc_stored(&op->y) == op->y.c;
}

static sl_status run_convert(sl_cuda_kernel *k, const void *const *in, void *const *out,
                             void *scratch, sl_error *err)
{
    const sl_desc *x = &k->base.op.x, *y = &k->base.op.y;
    bool to_plain = y->layout == SL_LAYOUT_PLAIN;
    size_t width = to_plain ? (size_t)y->c : sl_cuda_width(y->c);
    (void)scratch;
    sl_cuda_convert convert = { .from = in[0],
                                .to = out[0],
                                .from_bf16 = x->dtype == SL_DTYPE_BF16,
                                .to_bf16 = y->dtype == SL_DTYPE_BF16,
                                .from_plain = x->layout == SL_LAYOUT_PLAIN,
                                .to_plain = to_plain,
                                .c = x->c,
                                .pixels = sl_cuda_pixels(x),
                                .from_width = sl_cuda_width(x->c),
                                .to_width = sl_cuda_width(y->c) };
    size_t items = sl_cuda_rows_of(y) * width;
    return sl_cuda_launch(k->dev, convert, &convert, items, err);
}

const sl_cuda_op sl_cuda_op_concat = { .supports = supports_concat, .run = run_concat };
const sl_cuda_op sl_cuda_op_concat_bwd = { .supports = supports_concat, .run = run_concat_bwd };
const sl_cuda_op sl_cuda_op_convert = { .supports = supports_convert, .run = run_convert };
