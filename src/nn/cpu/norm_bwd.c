/* Batch norm's backward pass. */
#include "nn/cpu/norm.h"

#include <string.h>

/* Left to others: added to what they have of it already. */
static void leave_common_terms(const void *const *in, void *const *out, size_t i, float b, float c)
{
    const float *slope = in[SL_NORM_BWD_SLOPE], *offset = in[SL_NORM_BWD_OFFSET];
    float *slope_out = out[SL_NORM_BWD_SLOPE_OUT], *offset_out = out[SL_NORM_BWD_OFFSET_OUT];
    slope_out[i] = slope ? slope[i] + b : b;
    offset_out[i] = offset ? offset[i] + c : c;
}

/* d_weight, d_bias, and dx = dz*scale + (x - mean)*b + c: with batch statistics
 * dx = scale * (dz - mean(dz) - xhat * mean(dz*xhat)), else dx = scale * dz. */
static void backward_block(const sl_op *op, const sl_norm_extent *e, const void *const *in,
                           void *const *out, const sl_norm_tile_sums *sums, size_t block,
                           sl_norm_block_factors *f)
{
    const float *weight = in[SL_NORM_BWD_WEIGHT], *inv_std = in[SL_NORM_BWD_INV_STD];
    float *d_weight = out[SL_NORM_BWD_D_WEIGHT], *d_bias = out[SL_NORM_BWD_D_BIAS];
    double dz[SL_MAX_BLOCK] = { 0 }, dz_x[SL_MAX_BLOCK] = { 0 };
    for (size_t n = 0; n < e->images; n++) {
        const sl_norm_tile_sums *t = &sums[n * e->blocks + block];
        for (size_t c = 0; c < e->block; c++) {
            dz[c] += t->a[c];
            dz_x[c] += t->b[c];
        }
    }
    for (int c = 0; c < sl_cpu_lanes(&op->x, block); c++) {
        size_t i = block * e->block + (size_t)c;
        double s = (double)inv_std[i], scale = s * (double)weight[i];
        d_bias[i] = (float)dz[c];
        d_weight[i] = (float)(dz_x[c] * s);
        if (op->batch_stats) {
            f->b[c] = (float)(-scale * s * s * dz_x[c] / e->count);
            f->c[c] = (float)(-scale * dz[c] / e->count);
        }
        if (out[SL_NORM_BWD_SLOPE_OUT])
            leave_common_terms(in, out, i, f->b[c], f->c[c]);
    }
}

/* The gradient before ReLU of tile t, summed while it is written to the residual's. */
static void sum_tile(const sl_cpu_kernel *k, const sl_norm_extent *e, const void *const *in,
                     void *d_residual, size_t t, const sl_norm_block_factors *f,
                     sl_norm_tile_sums *sums)
{
    size_t y = sl_norm_y_offset(e, t);
    int lanes = sl_norm_residual_lanes(e, t);
    *sums = (sl_norm_tile_sums){ 0 };
    sl_cpu_loops(k)->norm_bwd_sums(
        sl_cpu_at(in[SL_NORM_BWD_DY], y), sl_cpu_at(in[SL_NORM_BWD_DY2], y),
        sl_cpu_at(in[SL_NORM_BWD_Y], y), sl_cpu_at(in[SL_NORM_BWD_X], sl_norm_x_offset(e, t)),
        lanes ? sl_cpu_to(d_residual, sl_norm_residual_offset(e, t)) : NULL, lanes, e->pixels,
        f->mean, f->scale, in[SL_NORM_BWD_BIAS] ? f->shift : NULL, sums->a, sums->b);
}

/* dx of tile t. Where d_residual has all of dz it is read instead of up to three inputs. */
static void apply_tile(const sl_cpu_kernel *k, const sl_norm_extent *e, const void *const *in,
                       const void *d_residual, void *dx, size_t t, const sl_norm_block_factors *f)
{
    size_t y = sl_norm_y_offset(e, t), x = sl_norm_x_offset(e, t);
    const void *dy = sl_cpu_at(in[SL_NORM_BWD_DY], y), *dy2 = sl_cpu_at(in[SL_NORM_BWD_DY2], y);
    const void *mask = sl_cpu_at(in[SL_NORM_BWD_Y], y);
    const float *shift = in[SL_NORM_BWD_BIAS] ? f->shift : NULL;
    if (d_residual && sl_norm_residual_lanes(e, t) == sl_cpu_lanes(&e->op->x, t % e->blocks)) {
        dy = sl_cpu_at(d_residual, sl_norm_residual_offset(e, t));
        dy2 = mask = NULL;
        shift = NULL;
    }
    sl_cpu_loops(k)->norm_bwd_apply(dy, dy2, mask, sl_cpu_at(in[SL_NORM_BWD_X], x),
                                    sl_cpu_at(in[SL_NORM_BWD_EXTRA], x), sl_cpu_to(dx, x),
                                    e->pixels, f->mean, f->scale, shift, f->b, f->c);
}

/* The same sums of tile t while its dx is written, all but the terms that are left to others. */
static void add_tile(const sl_cpu_kernel *k, const sl_norm_extent *e, const void *const *in,
                     void *dx, size_t t, const sl_norm_block_factors *f, sl_norm_tile_sums *sums)
{
    size_t y = sl_norm_y_offset(e, t), x = sl_norm_x_offset(e, t);
    *sums = (sl_norm_tile_sums){ 0 };
    sl_cpu_loops(k)->norm_bwd_add(
        sl_cpu_at(in[SL_NORM_BWD_DY], y), sl_cpu_at(in[SL_NORM_BWD_DY2], y),
        sl_cpu_at(in[SL_NORM_BWD_X], x), sl_cpu_at(in[SL_NORM_BWD_EXTRA], x), sl_cpu_to(dx, x),
        e->pixels, f->mean, f->scale, in[SL_NORM_BWD_BIAS] ? f->shift : NULL, sums->a, sums->b);
}

static sl_status run_bwd(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                         sl_error *err)
{
    (void)err;
    const sl_norm_extent e = sl_norm_extent_of(&k->base.op);
    void *d_residual = out[SL_NORM_BWD_D_RESIDUAL], *dx = out[SL_NORM_BWD_DX];
    const bool one_pass = out[SL_NORM_BWD_SLOPE_OUT];
    sl_norm_tile_sums *sums = scratch;
    sl_norm_block_factors *factors = (sl_norm_block_factors *)(sums + e.tiles);

    sl_norm_set_factors(&e, in[SL_NORM_BWD_MEAN], in[SL_NORM_BWD_INV_STD], in[SL_NORM_BWD_WEIGHT],
                        in[SL_NORM_BWD_BIAS], factors);
#pragma omp parallel
    {
#pragma omp for schedule(static)
        for (size_t t = 0; t < e.tiles; t++) {
            if (one_pass)
                add_tile(k, &e, in, dx, t, &factors[t % e.blocks], &sums[t]);
            else
                sum_tile(k, &e, in, d_residual, t, &factors[t % e.blocks], &sums[t]);
        }
#pragma omp for schedule(static)
        for (size_t block = 0; block < e.blocks; block++)
            backward_block(&k->base.op, &e, in, out, sums, block, &factors[block]);
#pragma omp for schedule(static)
        for (size_t t = 0; t < (one_pass ? 0 : e.tiles); t++)
            apply_tile(k, &e, in, d_residual, dx, t, &factors[t % e.blocks]);
    }
    return SL_OK;
}

const sl_cpu_op sl_cpu_norm_bwd = { .supports = sl_norm_supports,
                                    .plan = sl_norm_plan,
                                    .run = run_bwd };
