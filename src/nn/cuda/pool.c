/* Pooling and subsampling, and the pooling of whole images. */
#include "nn/cuda/cuda.h"

static sl_cuda_window window_of(const sl_op *op)
{
    return (sl_cuda_window){
        .h = op->x.h, .w = op->x.w, .p = op->y.h, .q = op->y.w, .offset = op->offset
    };
}

static void forward(sl_cuda_window *window, const sl_op *op, const void *const *in,
                    void *const *out)
{
    window->x = sl_cuda_whole(in[0], &op->x);
    window->y = sl_cuda_whole(out[0], &op->y);
}

/* dy, and x if it is given, to dx. */
static void backward(sl_cuda_window *window, const sl_op *op, const void *const *in,
                     void *const *out)
{
    window->dy = sl_cuda_whole(in[0], &op->y);
    window->x = sl_cuda_whole(in[1], &op->x);
    window->dx = sl_cuda_whole(out[0], &op->x);
}

/* result: the tensor, x or y, whose numbers are computed. */
#define KIND(name, direction, result)                                                       \
    static sl_status run_##name(sl_cuda_kernel *k, const void *const *in, void *const *out, \
                                void *scratch, sl_error *err)                               \
    {                                                                                       \
        const sl_op *op = &k->base.op;                                                      \
        sl_cuda_window window = window_of(op);                                              \
        (void)scratch;                                                                      \
        direction(&window, op, in, out);                                                    \
        return sl_cuda_launch(k->dev, name, &window, sl_cuda_items(&op->result), err);      \
    }                                                                                       \
    const sl_cuda_op sl_cuda_op_##name = { .supports = sl_cuda_whole_alike, .run = run_##name };

KIND(max_pool, forward, y)
KIND(avg_pool, forward, y)
KIND(subsample, forward, y)
KIND(max_pool_bwd, backward, x)
KIND(avg_pool_bwd, backward, x)
KIND(subsample_bwd, backward, x)

/* x in lanes, y plain. */
static bool supports_global(const sl_op *op)
{
    return op->x.layout == SL_LAYOUT_CHANNELS_LAST8 && sl_desc_stored(&op->x) == op->x.c &&
           op->y.layout == SL_LAYOUT_PLAIN && op->y.dtype == SL_DTYPE_F32;
}

static sl_status run_global_pool(sl_cuda_kernel *k, const void *const *in, void *const *out,
                                 void *scratch, sl_error *err)
{
    const sl_desc *x = &k->base.op.x;
    (void)scratch;
    sl_cuda_global_pool pool = {
        .x = sl_cuda_whole(in[0], x), .y = out[0], .c = x->c, .pixels = sl_cuda_pixels(x)
    };
    size_t items = (size_t)x->n * (size_t)x->c;
    return sl_cuda_launch(k->dev, global_pool, &pool, items, err);
}

static sl_status run_global_pool_bwd(sl_cuda_kernel *k, const void *const *in, void *const *out,
                                     void *scratch, sl_error *err)
{
    const sl_desc *x = &k->base.op.x;
    (void)scratch;
    sl_cuda_global_pool_bwd pool = {
        .dy = in[0], .dx = sl_cuda_whole(out[0], x), .c = x->c, .pixels = sl_cuda_pixels(x)
    };
    return sl_cuda_launch(k->dev, global_pool_bwd, &pool, sl_cuda_items(x), err);
}

const sl_cuda_op sl_cuda_op_global_pool = { .supports = supports_global, .run = run_global_pool };
const sl_cuda_op sl_cuda_op_global_pool_bwd = { .supports = supports_global,
                                                .run = run_global_pool_bwd };
