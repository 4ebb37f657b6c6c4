/* Batch norm with the sum and ReLU around it, forward and backward: rows are reduced to a number a
 * chunk and channel, the chunks to a number a channel, and a map does the rest. */
#include "nn/cuda/cuda.h"

#include "base/memory.h"

/* Chunks so that a thread reads some eight rows, and no more than one block can gather well. */
enum { ROWS_A_THREAD = 8, MAX_CHUNKS = 1024, MAX_SIDE = 8 };

sl_cuda_rows sl_cuda_rows_for(const sl_desc *d)
{
    sl_cuda_rows r = { .rows = sl_cuda_rows_of(d), .groups = sl_cuda_groups(d->c), .side = 1 };
    while (r.side * 2 <= r.groups && r.side < MAX_SIDE)
        r.side *= 2;
    size_t per_chunk = SL_BLOCK_THREADS / r.side * ROWS_A_THREAD;
    r.chunks = (r.rows + per_chunk - 1) / per_chunk;
    if (r.chunks > MAX_CHUNKS)
        r.chunks = MAX_CHUNKS;
    return r;
}

size_t sl_cuda_blocks(const sl_cuda_rows *r)
{
    return r->chunks * ((r->groups + r->side - 1) / r->side);
}

size_t sl_cuda_partials(const sl_cuda_rows *r)
{
    return r->chunks * r->groups * SL_LANES;
}

/* Statistics and gradients that several norms share (nn/backend.h) are for the cpu. */
static bool supports(const sl_op *op)
{
    if ((op->kind == SL_OP_NORM && op->has_out[SL_NORM_VAR]) ||
        (op->kind == SL_OP_NORM_BWD && op->has_out[SL_NORM_BWD_SLOPE_OUT]))
        return false;
    return sl_cuda_alike(op) && sl_desc_stored(&op->y) == op->y.c;
}

/* The scratch: chunks' partial results, then vectors of a float a channel. */
enum { PARTIAL_FLOATS = 3, VECTORS = 3 };

static sl_status plan(sl_cuda_kernel *k, size_t *scratch_bytes, sl_error *err)
{
    sl_cuda_rows r = sl_cuda_rows_for(&k->base.op.x);
    (void)err; /* a small part of the activation, whose size has been checked */
    *scratch_bytes = sizeof(float) * (sl_cuda_partials(&r) * PARTIAL_FLOATS +
                                      sl_cuda_width(k->base.op.x.c) * VECTORS);
    return SL_OK;
}

/* Vector i of the scratch. */
static float *vector(const sl_cuda_rows *r, void *scratch, int channels, int i)
{
    return (float *)scratch + sl_cuda_partials(r) * PARTIAL_FLOATS +
           sl_cuda_width(channels) * (size_t)i;
}

/* A parameter that training updates: an input slot (nn/backend.h). */
static float *updated(const void *slot)
{
    union {
        const void *from;
        void *to;
    } u = { slot };
    return u.to;
}

static sl_status run_norm(sl_cuda_kernel *k, const void *const *in, void *const *out, void *scratch,
                          sl_error *err)
{
    const sl_op *op = &k->base.op;
    sl_grouped x = sl_cuda_whole(in[SL_NORM_X], &op->x);
    sl_cuda_rows r = sl_cuda_rows_for(&op->x);
    r.partial = scratch;
    sl_cuda_moments moments = { .x = x, .r = r };
    sl_cuda_norm_finish finish = { .r = r,
                                   .c = op->x.c,
                                   .batch_stats = op->batch_stats,
                                   .running_mean = updated(in[SL_NORM_RUNNING_MEAN]),
                                   .running_var = updated(in[SL_NORM_RUNNING_VAR]),
                                   .mean = out[SL_NORM_MEAN],
                                   .inv_std = out[SL_NORM_INV_STD] };
    sl_cuda_norm_apply apply = { .x = x,
                                 .residual = sl_cuda_grouped(in[SL_NORM_RESIDUAL], &op->y,
                                                             sl_op_residual_c(op)),
                                 .y = sl_cuda_whole(out[SL_NORM_Y], &op->y),
                                 .mean = finish.mean,
                                 .inv_std = finish.inv_std,
                                 .weight = in[SL_NORM_WEIGHT],
                                 .bias = in[SL_NORM_BIAS],
                                 .c = op->x.c,
                                 .relu = op->relu };
    sl_status st = SL_OK;
    if (op->batch_stats)
        st = sl_cuda_launch(k->dev, moments, &moments, sl_cuda_blocks(&r), err);
    if (!st)
        st = sl_cuda_launch(k->dev, norm_finish, &finish, (size_t)op->x.c, err);
    if (!st)
        st = sl_cuda_launch(k->dev, norm_apply, &apply, sl_cuda_items(&op->y), err);
    return st;
}

static sl_status run_norm_again(sl_cuda_kernel *k, const void *const *in, void *const *out,
                                void *scratch, sl_error *err)
{
    const sl_op *op = &k->base.op;
    (void)scratch;
    sl_cuda_norm_apply apply = { .x = sl_cuda_whole(in[SL_NORM_AGAIN_X], &op->x),
                                 .residual = sl_cuda_grouped(in[SL_NORM_AGAIN_RESIDUAL], &op->y,
                                                             sl_op_residual_c(op)),
                                 .y = sl_cuda_whole(out[0], &op->y),
                                 .mean = in[SL_NORM_AGAIN_MEAN],
                                 .inv_std = in[SL_NORM_AGAIN_INV_STD],
                                 .weight = in[SL_NORM_AGAIN_WEIGHT],
                                 .bias = in[SL_NORM_AGAIN_BIAS],
                                 .c = op->x.c,
                                 .relu = op->relu };
    return sl_cuda_launch(k->dev, norm_apply, &apply, sl_cuda_items(&op->y), err);
}

static sl_status run_norm_bwd(sl_cuda_kernel *k, const void *const *in, void *const *out,
                              void *scratch, sl_error *err)
{
    const sl_op *op = &k->base.op;
    sl_cuda_rows r = sl_cuda_rows_for(&op->x);
    r.partial = scratch;
    sl_cuda_norm_dz dz = { .dy = sl_cuda_whole(in[SL_NORM_BWD_DY], &op->y),
                           .dy2 = sl_cuda_whole(in[SL_NORM_BWD_DY2], &op->y),
                           .y = sl_cuda_whole(in[SL_NORM_BWD_Y], &op->y),
                           .x = sl_cuda_whole(in[SL_NORM_BWD_X], &op->x),
                           .mean = in[SL_NORM_BWD_MEAN],
                           .inv_std = in[SL_NORM_BWD_INV_STD],
                           .weight = in[SL_NORM_BWD_WEIGHT],
                           .bias = in[SL_NORM_BWD_BIAS],
                           .c = op->x.c };
    sl_cuda_norm_bwd_sums sums = { .of = dz, .r = r };
    sl_cuda_norm_bwd_finish finish = { .r = r,
                                       .c = op->x.c,
                                       .batch_stats = op->batch_stats,
                                       .weight = dz.weight,
                                       .inv_std = dz.inv_std,
                                       .d_weight = out[SL_NORM_BWD_D_WEIGHT],
                                       .d_bias = out[SL_NORM_BWD_D_BIAS],
                                       .scale = vector(&r, scratch, op->x.c, 0),
                                       .mean_dz = vector(&r, scratch, op->x.c, 1),
                                       .slope = vector(&r, scratch, op->x.c, 2) };
    sl_cuda_norm_bwd_apply apply = { .of = dz,
                                     .extra = sl_cuda_whole(in[SL_NORM_BWD_EXTRA], &op->x),
                                     .dx = sl_cuda_whole(out[SL_NORM_BWD_DX], &op->x),
                                     .d_residual = sl_cuda_grouped(out[SL_NORM_BWD_D_RESIDUAL],
                                                                   &op->y, sl_op_residual_c(op)),
                                     .scale = finish.scale,
                                     .mean_dz = finish.mean_dz,
                                     .slope = finish.slope,
                                     .residual_c = sl_op_residual_c(op),
                                     .view = sl_desc_stored(&op->x) != op->x.c };
    sl_status st = sl_cuda_launch(k->dev, norm_bwd_sums, &sums, sl_cuda_blocks(&r), err);
    if (!st)
        st = sl_cuda_launch(k->dev, norm_bwd_finish, &finish, (size_t)op->x.c, err);
    if (!st)
        st = sl_cuda_launch(k->dev, norm_bwd_apply, &apply, sl_cuda_items(&op->y), err);
    return st;
}

sl_status sl_cuda_bias_gradient(sl_cuda_device *dev, const sl_desc *y, const void *dy,
                                float *d_bias, void *scratch, sl_error *err)
{
    sl_cuda_rows r = sl_cuda_rows_for(y);
    r.partial = scratch;
    sl_cuda_norm_bwd_sums sums = { .of = { .dy = sl_cuda_whole(dy, y), .c = y->c }, .r = r };
    sl_cuda_norm_bwd_finish finish = { .r = r, .c = y->c, .d_bias = d_bias };
    sl_status st = sl_cuda_launch(dev, norm_bwd_sums, &sums, sl_cuda_blocks(&r), err);
    if (!st)
        st = sl_cuda_launch(dev, norm_bwd_finish, &finish, (size_t)y->c, err);
    return st;
}

const sl_cuda_op sl_cuda_op_norm = { .supports = supports, .plan = plan, .run = run_norm };
const sl_cuda_op sl_cuda_op_norm_bwd = { .supports = supports, .plan = plan, .run = run_norm_bwd };
const sl_cuda_op sl_cuda_op_norm_again = { .supports = supports, .run = run_norm_again };
