/* Batch norm over blocked activations, with the sum and ReLU around it. */
#include "nn/cpu/norm.h"

#include "base/memory.h"
#include <math.h>
#include <string.h>

bool sl_norm_supports(const sl_op *op)
{
    bool one_pass = op->kind == SL_OP_NORM_BWD && op->has_out[SL_NORM_BWD_SLOPE_OUT];
    return sl_cpu_blocked_alike(op) && sl_desc_stored(&op->y) == op->y.c &&
           !(one_pass && op->has_out[SL_NORM_BWD_D_RESIDUAL]);
}

sl_status sl_norm_plan(sl_cpu_kernel *k, size_t *scratch_bytes, sl_error *err)
{
    sl_norm_extent e = sl_norm_extent_of(&k->base.op);
    size_t sums = 0, factors = 0;
    if (!sl_size_mul(e.tiles, sizeof(sl_norm_tile_sums), &sums) ||
        !sl_size_mul(e.blocks, sizeof(sl_norm_block_factors), &factors) ||
        !sl_size_add(sums, factors, scratch_bytes))
        return sl_error_set(err, SL_ENOMEM, "batch norm over too many channels");
    return SL_OK;
}

void sl_norm_set_factors(const sl_norm_extent *e, const float *mean, const float *inv_std,
                         const float *weight, const float *bias, sl_norm_block_factors *factors)
{
    memset(factors, 0, e->blocks * sizeof *factors);
    for (size_t i = 0; i < e->channels; i++) {
        sl_norm_block_factors *f = &factors[i / e->block];
        size_t c = i % e->block;
        f->mean[c] = mean[i];
        f->scale[c] = inv_std[i] * weight[i];
        f->shift[c] = bias ? bias[i] : 0;
    }
}

/* The numbers of NORM's vectors, one a channel. */
typedef struct {
    const float *weight, *bias;
    float *running_mean, *running_var;   /* inputs that training updates (nn/backend.h) */
    const float *known_mean, *known_var; /* of op->known channels */
    float *mean, *inv_std, *var;
} vectors;

static vectors vectors_of(const void *const *in, void *const *out)
{
    vectors v = { .weight = in[SL_NORM_WEIGHT],
                  .bias = in[SL_NORM_BIAS],
                  .mean = out[SL_NORM_MEAN],
                  .inv_std = out[SL_NORM_INV_STD],
                  .var = out[SL_NORM_VAR],
                  .known_mean = in[SL_NORM_KNOWN_MEAN],
                  .known_var = in[SL_NORM_KNOWN_VAR] };
    memcpy(&v.running_mean, &in[SL_NORM_RUNNING_MEAN], sizeof v.running_mean);
    memcpy(&v.running_var, &in[SL_NORM_RUNNING_VAR], sizeof v.running_var);
    return v;
}

/* Mean and sum of squared differences of a block's channels over all images, whose tiles are of
 * one size: the tiles' means have the same mean, and their spread adds to the squares. */
static void combine_moments(const sl_norm_extent *e, const sl_norm_tile_sums *sums, size_t block,
                            double mean[SL_MAX_BLOCK], double m2[SL_MAX_BLOCK])
{
    memset(mean, 0, e->block * sizeof *mean);
    memset(m2, 0, e->block * sizeof *m2);
    for (size_t n = 0; n < e->images; n++) {
        for (size_t c = 0; c < e->block; c++)
            mean[c] += sums[n * e->blocks + block].a[c];
    }
    for (size_t c = 0; c < e->block; c++)
        mean[c] /= (double)e->images;
    for (size_t n = 0; n < e->images; n++) {
        const sl_norm_tile_sums *t = &sums[n * e->blocks + block];
        for (size_t c = 0; c < e->block; c++) {
            double delta = t->a[c] - mean[c];
            m2[c] += t->b[c] + delta * delta * (double)e->pixels;
        }
    }
}

/* The first block of which not all is known. */
static size_t first_block(const sl_op *op)
{
    return (size_t)(op->known / sl_cpu_block(&op->x));
}

/* running = 0.9 running + 0.1 of the batch's, whose variance is unbiased. */
static void update_running(const vectors *v, size_t i, double mean, double var, double count)
{
    const double momentum = SL_NORM_MOMENTUM, unbiased = var * count / (count > 1 ? count - 1 : 1);
    v->running_mean[i] = (float)((1 - momentum) * (double)v->running_mean[i] + momentum * mean);
    v->running_var[i] = (float)((1 - momentum) * (double)v->running_var[i] + momentum * unbiased);
}

/* The statistics of a block's channels, and with them the factors of pass 2. Channels beyond the
 * last get zeros, whatever x has there. */
static void forward_block(const sl_op *op, const sl_norm_extent *e, const vectors *v,
                          const sl_norm_tile_sums *sums, size_t block,
                          sl_norm_block_factors *factors)
{
    double mean[SL_MAX_BLOCK], m2[SL_MAX_BLOCK];
    *factors = (sl_norm_block_factors){ 0 };
    if (op->batch_stats && block >= first_block(op))
        combine_moments(e, sums, block, mean, m2);
    for (int c = 0; c < sl_cpu_lanes(&op->x, block); c++) {
        size_t i = block * e->block + (size_t)c;
        bool known = i < (size_t)op->known;
        double var = (double)v->running_var[i];
        v->mean[i] = v->running_mean[i];
        if (op->batch_stats) {
            double m = known ? (double)v->known_mean[i] : mean[c];
            var = known ? (double)v->known_var[i] : m2[c] / e->count;
            v->mean[i] = (float)m;
            update_running(v, i, m, var, e->count);
        }
        if (v->var)
            v->var[i] = (float)var;
        v->inv_std[i] = (float)(1 / sqrt(var + (double)SL_NORM_EPS));
        factors->mean[c] = v->mean[i];
        factors->scale[c] = v->inv_std[i] * v->weight[i];
        factors->shift[c] = v->bias[i];
    }
}

static void normalize_tile(const sl_cpu_kernel *k, const sl_norm_extent *e, const void *x,
                           const void *residual, void *y, size_t t, const sl_norm_block_factors *f)
{
    const void *added = sl_norm_residual_lanes(e, t) ? residual : NULL;
    sl_cpu_loops(k)->normalize(sl_cpu_at(x, sl_norm_x_offset(e, t)),
                               sl_cpu_at(added, sl_norm_residual_offset(e, t)),
                               sl_cpu_to(y, sl_norm_y_offset(e, t)), e->pixels, f->mean, f->scale,
                               f->shift, k->base.op.relu);
}

static sl_status run(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err)
{
    (void)err;
    const sl_op *op = &k->base.op;
    const sl_norm_extent e = sl_norm_extent_of(op);
    const vectors v = vectors_of(in, out);
    sl_norm_tile_sums *sums = scratch;
    sl_norm_block_factors *factors = (sl_norm_block_factors *)(sums + e.tiles);
#pragma omp parallel
    {
#pragma omp for schedule(static)
        for (size_t t = 0; t < (op->batch_stats ? e.tiles : 0); t++) {
            if (t % e.blocks >= first_block(op))
                sl_cpu_loops(k)->moments(sl_cpu_at(in[SL_NORM_X], sl_norm_x_offset(&e, t)),
                                         e.pixels, sums[t].a, sums[t].b);
        }
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

static sl_status plan_again(sl_cpu_kernel *k, size_t *scratch_bytes, sl_error *err)
{
    (void)err;
    *scratch_bytes = sl_cpu_blocks(&k->base.op.x) * sizeof(sl_norm_block_factors);
    return SL_OK;
}

static sl_status run_again(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                           sl_error *err)
{
    (void)err;
    const sl_norm_extent e = sl_norm_extent_of(&k->base.op);
    sl_norm_block_factors *factors = scratch;
    sl_norm_set_factors(&e, in[SL_NORM_AGAIN_MEAN], in[SL_NORM_AGAIN_INV_STD],
                        in[SL_NORM_AGAIN_WEIGHT], in[SL_NORM_AGAIN_BIAS], factors);
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < e.tiles; t++)
        normalize_tile(k, &e, in[SL_NORM_AGAIN_X], in[SL_NORM_AGAIN_RESIDUAL], out[0], t,
                       &factors[t % e.blocks]);
    return SL_OK;
}

const sl_cpu_op sl_cpu_norm = { .supports = sl_norm_supports, .plan = sl_norm_plan, .run = run };
const sl_cpu_op sl_cpu_norm_again = { .supports = sl_norm_supports,
                                      .plan = plan_again,
                                      .run = run_again };
