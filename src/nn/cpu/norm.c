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

/* What pass 2 needs of each block of channels. */
typedef struct {
    float mean[SL_BLOCK], scale[SL_BLOCK], b[SL_BLOCK], c[SL_BLOCK];
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
    return op->x.layout == SL_LAYOUT_BLOCKED16 && op->y.layout == SL_LAYOUT_BLOCKED16 &&
           op->x.dtype == op->y.dtype && sl_desc_stored(&op->y) == op->y.c;
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

/* Mean and sum of squared differences of channel c of a block, over all images (Chan et al.). */
static void combine_moments(const extent *e, const tile_sums *sums, size_t block, size_t c,
                            double *mean, double *m2)
{
    double pixels = (double)e->pixels;
    *mean = *m2 = 0;
    for (size_t n = 0; n < e->images; n++) {
        const tile_sums *t = &sums[n * e->blocks + block];
        double done = (double)n * pixels, share = pixels / (done + pixels);
        double delta = t->a[c] - *mean;
        *mean += delta * share;
        *m2 += t->b[c] + delta * delta * done * share;
    }
}

static void batch_statistics(const extent *e, const tile_sums *sums, float *mean, float *inv_std,
                             float *running_mean, float *running_var)
{
    const double momentum = SL_NORM_MOMENTUM;
    for (size_t i = 0; i < e->channels; i++) {
        double m, m2;
        combine_moments(e, sums, i / SL_BLOCK, i % SL_BLOCK, &m, &m2);
        mean[i] = (float)m;
        inv_std[i] = (float)(1 / sqrt(m2 / e->count + (double)SL_NORM_EPS));
        double unbiased = m2 / (e->count > 1 ? e->count - 1 : 1);
        running_mean[i] = (float)((1 - momentum) * (double)running_mean[i] + momentum * m);
        running_var[i] = (float)((1 - momentum) * (double)running_var[i] + momentum * unbiased);
    }
}

/* mean and inv_std from the batch, or the running ones. */
static void find_statistics(const sl_cpu_kernel *k, const extent *e, const void *const *in,
                            tile_sums *sums, float *mean, float *inv_std)
{
    if (!k->base.op.batch_stats) {
        const float *var = in[SL_NORM_RUNNING_VAR];
        memcpy(mean, in[SL_NORM_RUNNING_MEAN], e->channels * sizeof *mean);
        for (size_t i = 0; i < e->channels; i++)
            inv_std[i] = (float)(1 / sqrt((double)var[i] + (double)SL_NORM_EPS));
        return;
    }
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < e->tiles; t++)
        sl_cpu_loops(k)->moments(sl_cpu_at(in[SL_NORM_X], x_offset(e, t)), e->pixels, sums[t].a,
                                 sums[t].b);
    float *running[2]; /* the two inputs that are updated in place (nn/backend.h) */
    memcpy(&running[0], &in[SL_NORM_RUNNING_MEAN], sizeof running[0]);
    memcpy(&running[1], &in[SL_NORM_RUNNING_VAR], sizeof running[1]);
    batch_statistics(e, sums, mean, inv_std, running[0], running[1]);
}

static sl_status run(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err)
{
    (void)err;
    const extent e = extent_of(&k->base.op);
    const float *weight = in[SL_NORM_WEIGHT], *bias = in[SL_NORM_BIAS];
    float *mean = out[SL_NORM_MEAN], *inv_std = out[SL_NORM_INV_STD];
    tile_sums *sums = scratch;
    block_factors *factors = (block_factors *)(sums + e.tiles);

    find_statistics(k, &e, in, sums, mean, inv_std);
    /* channels beyond the last get zeros, whatever x has there */
    memset(factors, 0, e.blocks * sizeof *factors);
    for (size_t i = 0; i < e.channels; i++) {
        block_factors *f = &factors[i / SL_BLOCK];
        f->mean[i % SL_BLOCK] = mean[i];
        f->scale[i % SL_BLOCK] = inv_std[i] * weight[i];
        f->c[i % SL_BLOCK] = bias[i];
    }
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < e.tiles; t++) {
        const block_factors *f = &factors[t % e.blocks];
        const void *residual = residual_lanes(&e, t) ? in[SL_NORM_RESIDUAL] : NULL;
        sl_cpu_loops(k)->normalize(sl_cpu_at(in[SL_NORM_X], x_offset(&e, t)),
                                   sl_cpu_at(residual, residual_offset(&e, t)),
                                   sl_cpu_to(out[SL_NORM_Y], y_offset(&e, t)), e.pixels, f->mean,
                                   f->scale, f->c, k->base.op.relu);
    }
    return SL_OK;
}

/* d_weight, d_bias, and dx = dz*scale + (x - mean)*b + c: with batch statistics
 * dx = scale * (dz - mean(dz) - xhat * mean(dz*xhat)), else dx = scale * dz. */
static void backward_factors(const sl_op *op, const extent *e, const tile_sums *sums,
                             const float *weight, const float *mean, const float *inv_std,
                             float *d_weight, float *d_bias, block_factors *factors)
{
    memset(factors, 0, e->blocks * sizeof *factors);
    for (size_t i = 0; i < e->channels; i++) {
        size_t block = i / SL_BLOCK, c = i % SL_BLOCK;
        double dz = 0, dz_x = 0, s = (double)inv_std[i], scale = s * (double)weight[i];
        for (size_t n = 0; n < e->images; n++) {
            dz += sums[n * e->blocks + block].a[c];
            dz_x += sums[n * e->blocks + block].b[c];
        }
        d_bias[i] = (float)dz;
        d_weight[i] = (float)(dz_x * s);
        block_factors *f = &factors[block];
        f->mean[c] = mean[i];
        f->scale[c] = (float)scale;
        if (op->batch_stats) {
            f->b[c] = (float)(-scale * s * s * dz_x / e->count);
            f->c[c] = (float)(-scale * dz / e->count);
        }
    }
}

/* The gradient before ReLU of tile t, summed while it is written to the residual's. */
static void sum_tile(const sl_cpu_kernel *k, const extent *e, const void *const *in,
                     void *d_residual, size_t t, const float *mean, tile_sums *sums)
{
    size_t y = y_offset(e, t);
    int lanes = residual_lanes(e, t);
    *sums = (tile_sums){ 0 };
    sl_cpu_loops(k)->norm_bwd_sums(
        sl_cpu_at(in[SL_NORM_BWD_DY], y), sl_cpu_at(in[SL_NORM_BWD_DY2], y),
        sl_cpu_at(in[SL_NORM_BWD_Y], y), sl_cpu_at(in[SL_NORM_BWD_X], x_offset(e, t)),
        lanes ? sl_cpu_to(d_residual, residual_offset(e, t)) : NULL, lanes, e->pixels, mean,
        sums->a, sums->b);
}

/* dx of tile t. Where d_residual has all of dz it is read instead of up to three inputs. */
static void apply_tile(const sl_cpu_kernel *k, const extent *e, const void *const *in,
                       const void *d_residual, void *dx, size_t t, const block_factors *f)
{
    size_t y = y_offset(e, t), x = x_offset(e, t);
    const void *dy = sl_cpu_at(in[SL_NORM_BWD_DY], y), *dy2 = sl_cpu_at(in[SL_NORM_BWD_DY2], y);
    const void *mask = sl_cpu_at(in[SL_NORM_BWD_Y], y);
    if (d_residual && residual_lanes(e, t) == sl_cpu_lanes_of((int)e->channels, t % e->blocks)) {
        dy = sl_cpu_at(d_residual, residual_offset(e, t));
        dy2 = mask = NULL;
    }
    sl_cpu_loops(k)->norm_bwd_apply(dy, dy2, mask, sl_cpu_at(in[SL_NORM_BWD_X], x),
                                    sl_cpu_at(in[SL_NORM_BWD_EXTRA], x), sl_cpu_to(dx, x),
                                    e->pixels, f->mean, f->scale, f->b, f->c);
}

static sl_status run_bwd(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                         sl_error *err)
{
    (void)err;
    const extent e = extent_of(&k->base.op);
    const float *mean = in[SL_NORM_BWD_MEAN];
    void *d_residual = out[SL_NORM_BWD_D_RESIDUAL];
    tile_sums *sums = scratch;
    block_factors *factors = (block_factors *)(sums + e.tiles);

    memset(factors, 0, e.blocks * sizeof *factors);
    for (size_t i = 0; i < e.channels; i++)
        factors[i / SL_BLOCK].mean[i % SL_BLOCK] = mean[i];
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < e.tiles; t++)
        sum_tile(k, &e, in, d_residual, t, factors[t % e.blocks].mean, &sums[t]);
    backward_factors(&k->base.op, &e, sums, in[SL_NORM_BWD_WEIGHT], mean, in[SL_NORM_BWD_INV_STD],
                     out[SL_NORM_BWD_D_WEIGHT], out[SL_NORM_BWD_D_BIAS], factors);
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < e.tiles; t++)
        apply_tile(k, &e, in, d_residual, out[SL_NORM_BWD_DX], t, &factors[t % e.blocks]);
    return SL_OK;
}

const sl_cpu_op sl_cpu_norm = { .supports = supports, .plan = plan, .run = run };
const sl_cpu_op sl_cpu_norm_bwd = { .supports = supports, .plan = plan, .run = run_bwd };
