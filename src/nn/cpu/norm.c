/* Batch norm over blocked activations, with the sum and ReLU around it. Every tile (one image's
 * block of 16 channels) is summed by one thread in a fixed order, and tiles are combined in the
 * order of the images, so that results don't depend on the number of threads. */
#include "nn/cpu/cpu.h"

#include "base/memory.h"
#include <math.h>
#include <string.h>

/* Two numbers a channel and tile: (mean, m2) forward, (sum dz, sum dz*(x-mean)) backward. */
typedef struct {
    double a[SL_BLOCK], b[SL_BLOCK];
} tile_sums;

/* Of each block of channels: y = (x - mean) * scale + shift; b and c are of the gradient. */
typedef struct {
    float mean[SL_BLOCK], scale[SL_BLOCK], shift[SL_BLOCK], b[SL_BLOCK], c[SL_BLOCK];
} block_factors;

typedef struct {
    size_t images, blocks, tiles, pixels, channels, tile_bytes;
    int residual_c;
    size_t x_blocks;        /* an image of x: more than blocks where x is part of more channels */
    size_t residual_blocks; /* an image of the residual: fewer where it has fewer channels */
    double count;           /* of numbers a channel: images x pixels */
} extent;

static extent extent_of(const sl_op *op)
{
    extent e = { .images = (size_t)op->x.n,
                 .blocks = sl_cpu_blocks(&op->x),
                 .pixels = sl_cpu_pixels(&op->x),
                 .channels = (size_t)op->x.c,
                 .residual_c = sl_op_residual_c(op),
                 .x_blocks = sl_cpu_blocks_of(sl_desc_stored(&op->x)),
                 .residual_blocks = sl_cpu_blocks_of(sl_op_residual_c(op)) };
    e.tiles = e.images * e.blocks;
    e.tile_bytes = e.pixels * SL_BLOCK * sl_dtype_size(op->x.dtype);
    e.count = (double)e.images * (double)e.pixels;
    return e;
}

/* Where tile t starts, in bytes: of y, of x and what has its shape, and of the residual. */
static size_t y_offset(const extent *e, size_t t)
{
    return t * e->tile_bytes;
}

static size_t x_offset(const extent *e, size_t t)
{
    return (t / e->blocks * e->x_blocks + t % e->blocks) * e->tile_bytes;
}

static size_t residual_offset(const extent *e, size_t t)
{
    return (t / e->blocks * e->residual_blocks + t % e->blocks) * e->tile_bytes;
}

/* Channels of tile t that the residual has. */
static int residual_lanes(const extent *e, size_t t)
{
    return sl_cpu_lanes_of(e->residual_c, t % e->blocks);
}

static bool supports(const sl_op *op)
{
    return sl_cpu_blocked_alike(op) && sl_desc_stored(&op->y) == op->y.c;
}

static sl_status plan(sl_cpu_kernel *k, size_t *scratch_bytes, sl_error *err)
{
    extent e = extent_of(&k->base.op);
    size_t sums = 0, factors = 0;
    if (!sl_size_mul(e.tiles, sizeof(tile_sums), &sums) ||
        !sl_size_mul(e.blocks, sizeof(block_factors), &factors) ||
        !sl_size_add(sums, factors, scratch_bytes))
        return sl_error_set(err, SL_ENOMEM, "batch norm over too many channels");
    return SL_OK;
}

/* The numbers of NORM's vectors, one a channel. */
typedef struct {
    const float *weight, *bias;
    float *running_mean, *running_var; /* inputs that training updates (nn/backend.h) */
    float *mean, *inv_std;
} vectors;

static vectors vectors_of(const void *const *in, void *const *out)
{
    vectors v = { .weight = in[SL_NORM_WEIGHT],
                  .bias = in[SL_NORM_BIAS],
                  .mean = out[SL_NORM_MEAN],
                  .inv_std = out[SL_NORM_INV_STD] };
    memcpy(&v.running_mean, &in[SL_NORM_RUNNING_MEAN], sizeof v.running_mean);
    memcpy(&v.running_var, &in[SL_NORM_RUNNING_VAR], sizeof v.running_var);
    return v;
}

/* Mean and sum of squared differences of a block's channels over all images, whose tiles are of
 * one size: the tiles' means have the same mean, and their spread adds to the squares. */
static void combine_moments(const extent *e, const tile_sums *sums, size_t block,
                            double mean[SL_BLOCK], double m2[SL_BLOCK])
{
    memset(mean, 0, SL_BLOCK * sizeof *mean);
    memset(m2, 0, SL_BLOCK * sizeof *m2);
    for (size_t n = 0; n < e->images; n++) {
        for (int c = 0; c < SL_BLOCK; c++)
            mean[c] += sums[n * e->blocks + block].a[c];
    }
    for (int c = 0; c < SL_BLOCK; c++)
        mean[c] /= (double)e->images;
    for (size_t n = 0; n < e->images; n++) {
        const tile_sums *t = &sums[n * e->blocks + block];
        for (int c = 0; c < SL_BLOCK; c++) {
            double delta = t->a[c] - mean[c];
            m2[c] += t->b[c] + delta * delta * (double)e->pixels;
        }
    }
}

/* The statistics of a block's channels, and with them the factors of pass 2. Channels beyond the
 * last get zeros, whatever x has there. */
static void forward_block(const sl_op *op, const extent *e, const vectors *v, const tile_sums *sums,
                          size_t block, block_factors *factors)
{
    const double momentum = SL_NORM_MOMENTUM;
    double mean[SL_BLOCK], m2[SL_BLOCK];
    *factors = (block_factors){ 0 };
    if (op->batch_stats)
        combine_moments(e, sums, block, mean, m2);
    for (int c = 0; c < sl_cpu_lanes_of(op->x.c, block); c++) {
        size_t i = block * SL_BLOCK + (size_t)c;
        double var = (double)v->running_var[i];
        v->mean[i] = v->running_mean[i];
        if (op->batch_stats) {
            double unbiased = m2[c] / (e->count > 1 ? e->count - 1 : 1);
            var = m2[c] / e->count;
            v->mean[i] = (float)mean[c];
            v->running_mean[i] =
                (float)((1 - momentum) * (double)v->running_mean[i] + momentum * mean[c]);
            v->running_var[i] =
                (float)((1 - momentum) * (double)v->running_var[i] + momentum * unbiased);
        }
        v->inv_std[i] = (float)(1 / sqrt(var + (double)SL_NORM_EPS));
        factors->mean[c] = v->mean[i];
        factors->scale[c] = v->inv_std[i] * v->weight[i];
        factors->shift[c] = v->bias[i];
    }
}

static void normalize_tile(const sl_cpu_kernel *k, const extent *e, const void *x,
                           const void *residual, void *y, size_t t, const block_factors *f)
{
    const void *added = residual_lanes(e, t) ? residual : NULL;
    sl_cpu_loops(k)->normalize(
        sl_cpu_at(x, x_offset(e, t)), sl_cpu_at(added, residual_offset(e, t)),
        sl_cpu_to(y, y_offset(e, t)), e->pixels, f->mean, f->scale, f->shift, k->base.op.relu);
}

static sl_status run(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err)
{
    (void)err;
    const sl_op *op = &k->base.op;
    const extent e = extent_of(op);
    const vectors v = vectors_of(in, out);
    tile_sums *sums = scratch;
    block_factors *factors = (block_factors *)(sums + e.tiles);
#pragma omp parallel
    {
#pragma omp for schedule(static)
        for (size_t t = 0; t < (op->batch_stats ? e.tiles : 0); t++)
            sl_cpu_loops(k)->moments(sl_cpu_at(in[SL_NORM_X], x_offset(&e, t)), e.pixels, sums[t].a,
                                     sums[t].b);
#pragma omp for schedule(static)
        for (size_t block = 0; block < e.blocks; block++)
            forward_block(op, &e, &v, sums, block, &factors[block]);
#pragma omp for schedule(static)
        for (size_t t = 0; t < e.tiles; t++)
            normalize_tile(k, &e, in[SL_NORM_X], in[SL_NORM_RESIDUAL], out[SL_NORM_Y], t,
                           &factors[t % e.blocks]);
    }
    return SL_OK;
}

/* From the statistics that the forward pass has left; bias may be NULL. */
static void set_factors(const extent *e, const float *mean, const float *inv_std,
                        const float *weight, const float *bias, block_factors *factors)
{
    memset(factors, 0, e->blocks * sizeof *factors);
    for (size_t i = 0; i < e->channels; i++) {
        block_factors *f = &factors[i / SL_BLOCK];
        size_t c = i % SL_BLOCK;
        f->mean[c] = mean[i];
        f->scale[c] = inv_std[i] * weight[i];
        f->shift[c] = bias ? bias[i] : 0;
    }
}

static sl_status plan_again(sl_cpu_kernel *k, size_t *scratch_bytes, sl_error *err)
{
    (void)err;
    *scratch_bytes = sl_cpu_blocks(&k->base.op.x) * sizeof(block_factors);
    return SL_OK;
}

static sl_status run_again(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                           sl_error *err)
{
    (void)err;
    const extent e = extent_of(&k->base.op);
    block_factors *factors = scratch;
    set_factors(&e, in[SL_NORM_AGAIN_MEAN], in[SL_NORM_AGAIN_INV_STD], in[SL_NORM_AGAIN_WEIGHT],
                in[SL_NORM_AGAIN_BIAS], factors);
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < e.tiles; t++)
        normalize_tile(k, &e, in[SL_NORM_AGAIN_X], NULL, out[0], t, &factors[t % e.blocks]);
    return SL_OK;
}

/* d_weight, d_bias, and dx = dz*scale + (x - mean)*b + c: with batch statistics
 * dx = scale * (dz - mean(dz) - xhat * mean(dz*xhat)), else dx = scale * dz. */
static void backward_block(const sl_op *op, const extent *e, const void *const *in,
                           void *const *out, const tile_sums *sums, size_t block, block_factors *f)
{
    const float *weight = in[SL_NORM_BWD_WEIGHT], *inv_std = in[SL_NORM_BWD_INV_STD];
    float *d_weight = out[SL_NORM_BWD_D_WEIGHT], *d_bias = out[SL_NORM_BWD_D_BIAS];
    double dz[SL_BLOCK] = { 0 }, dz_x[SL_BLOCK] = { 0 };
    for (size_t n = 0; n < e->images; n++) {
        const tile_sums *t = &sums[n * e->blocks + block];
        for (int c = 0; c < SL_BLOCK; c++) {
            dz[c] += t->a[c];
            dz_x[c] += t->b[c];
        }
    }
    for (int c = 0; c < sl_cpu_lanes_of(op->x.c, block); c++) {
        size_t i = block * SL_BLOCK + (size_t)c;
        double s = (double)inv_std[i], scale = s * (double)weight[i];
        d_bias[i] = (float)dz[c];
        d_weight[i] = (float)(dz_x[c] * s);
        if (op->batch_stats) {
            f->b[c] = (float)(-scale * s * s * dz_x[c] / e->count);
            f->c[c] = (float)(-scale * dz[c] / e->count);
        }
    }
}

/* The gradient before ReLU of tile t, summed while it is written to the residual's. */
static void sum_tile(const sl_cpu_kernel *k, const extent *e, const void *const *in,
                     void *d_residual, size_t t, const block_factors *f, tile_sums *sums)
{
    size_t y = y_offset(e, t);
    int lanes = residual_lanes(e, t);
    *sums = (tile_sums){ 0 };
    sl_cpu_loops(k)->norm_bwd_sums(
        sl_cpu_at(in[SL_NORM_BWD_DY], y), sl_cpu_at(in[SL_NORM_BWD_DY2], y),
        sl_cpu_at(in[SL_NORM_BWD_Y], y), sl_cpu_at(in[SL_NORM_BWD_X], x_offset(e, t)),
        lanes ? sl_cpu_to(d_residual, residual_offset(e, t)) : NULL, lanes, e->pixels, f->mean,
        f->scale, in[SL_NORM_BWD_BIAS] ? f->shift : NULL, sums->a, sums->b);
}

/* dx of tile t. Where d_residual has all of dz it is read instead of up to three inputs. */
static void apply_tile(const sl_cpu_kernel *k, const extent *e, const void *const *in,
                       const void *d_residual, void *dx, size_t t, const block_factors *f)
{
    size_t y = y_offset(e, t), x = x_offset(e, t);
    const void *dy = sl_cpu_at(in[SL_NORM_BWD_DY], y), *dy2 = sl_cpu_at(in[SL_NORM_BWD_DY2], y);
    const void *mask = sl_cpu_at(in[SL_NORM_BWD_Y], y);
    const float *shift = in[SL_NORM_BWD_BIAS] ? f->shift : NULL;
    if (d_residual && residual_lanes(e, t) == sl_cpu_lanes_of((int)e->channels, t % e->blocks)) {
        dy = sl_cpu_at(d_residual, residual_offset(e, t));
        dy2 = mask = NULL;
        shift = NULL;
    }
    sl_cpu_loops(k)->norm_bwd_apply(dy, dy2, mask, sl_cpu_at(in[SL_NORM_BWD_X], x),
                                    sl_cpu_at(in[SL_NORM_BWD_EXTRA], x), sl_cpu_to(dx, x),
                                    e->pixels, f->mean, f->scale, shift, f->b, f->c);
}

static sl_status run_bwd(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                         sl_error *err)
{
    (void)err;
    const extent e = extent_of(&k->base.op);
    void *d_residual = out[SL_NORM_BWD_D_RESIDUAL];
    tile_sums *sums = scratch;
    block_factors *factors = (block_factors *)(sums + e.tiles);

    set_factors(&e, in[SL_NORM_BWD_MEAN], in[SL_NORM_BWD_INV_STD], in[SL_NORM_BWD_WEIGHT],
                in[SL_NORM_BWD_BIAS], factors);
#pragma omp parallel
    {
#pragma omp for schedule(static)
        for (size_t t = 0; t < e.tiles; t++)
            sum_tile(k, &e, in, d_residual, t, &factors[t % e.blocks], &sums[t]);
#pragma omp for schedule(static)
        for (size_t block = 0; block < e.blocks; block++)
            backward_block(&k->base.op, &e, in, out, sums, block, &factors[block]);
#pragma omp for schedule(static)
        for (size_t t = 0; t < e.tiles; t++)
            apply_tile(k, &e, in, d_residual, out[SL_NORM_BWD_DX], t, &factors[t % e.blocks]);
    }
    return SL_OK;
}

const sl_cpu_op sl_cpu_norm = { .supports = supports, .plan = plan, .run = run };
const sl_cpu_op sl_cpu_norm_again = { .supports = supports, .plan = plan_again, .run = run_again };
const sl_cpu_op sl_cpu_norm_bwd = { .supports = supports, .plan = plan, .run = run_bwd };
