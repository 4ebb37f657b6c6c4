/* The reductions' bodies. A thread t of a block adds up what is its own in phase 0, then halves of
 * the threads are merged, the upper into the lower, until one is left, and the last phase writes.
 * Always in the same order, so results are the same bits each time. */
#ifndef NN_CUDA_REDUCTION_BODIES_H
#define NN_CUDA_REDUCTION_BODIES_H

#include "nn/cuda/map_bodies.h"

#define SL_PHASE_BODY SL_HOST_DEVICE static inline void

/* Where thread t of block b works: group `group` of rows first, first + step, ... below end. side
 * is a power of two, so that the threads' rows halve evenly. */
typedef struct {
    size_t chunk, group, row, end, step;
    int lane_of_rows; /* 0 .. threads / side - 1 */
    bool idle;
} sl_cuda_part;

SL_HOST_DEVICE static inline sl_cuda_part sl_cuda_part_of(const sl_cuda_rows *r, size_t b, int t)
{
    sl_cuda_part part;
    size_t side = r->side, per_chunk = (r->rows + r->chunks - 1) / r->chunks;
    part.chunk = b % r->chunks;
    part.group = b / r->chunks * side + (size_t)t % side;
    part.lane_of_rows = t / (int)side;
    part.step = SL_BLOCK_THREADS / side;
    part.row = part.chunk * per_chunk + (size_t)part.lane_of_rows;
    part.end = (part.chunk + 1) * per_chunk < r->rows ? (part.chunk + 1) * per_chunk : r->rows;
    part.idle = part.group >= r->groups;
    return part;
}

/* In merging phase p (1..), does thread t take over another's, and whose? */
SL_HOST_DEVICE static inline int sl_cuda_partner(const sl_cuda_rows *r, int t, int phase)
{
    int rows = SL_BLOCK_THREADS / (int)r->side, half = rows >> phase, mine = t / (int)r->side;
    return half > 0 && mine < half ? t + half * (int)r->side : -1;
}

/* A channel's place in partial. */
SL_HOST_DEVICE static inline size_t sl_cuda_partial(const sl_cuda_rows *r, size_t chunk,
                                                    size_t group, size_t lane)
{
    return (chunk * r->groups + group) * SL_LANES + lane;
}

/* ---- moments: how many, their mean, their squared differences from it (Chan et al. 1979) ---- */

typedef struct {
    float n, mean, m2;
} sl_cuda_moment;

SL_HOST_DEVICE static inline void sl_cuda_merge(sl_cuda_moment *a, const sl_cuda_moment *b)
{
    float n = a->n + b->n, delta = b->mean - a->mean;
    if (b->n <= 0)
        return;
    a->mean += delta * (b->n / n);
    a->m2 += b->m2 + delta * delta * (a->n * b->n / n);
    a->n = n;
}

/* Sums of the differences from each channel's first number, which lies near its mean: so a mean far
 * from zero costs no digits. */
SL_HOST_DEVICE static inline void sl_cuda_own_moments(const sl_cuda_moments *a,
                                                      const sl_cuda_part *part,
                                                      sl_cuda_moment out[SL_LANES])
{
    sl_lanes first = sl_lanes_zero(), sum = first, squares = first;
    float n = 0;
    for (size_t row = part->row; row < part->end && !part->idle; row += part->step, n++) {
        sl_lanes x = sl_lanes_load(&a->x, row * a->x.groups + part->group);
        if (n == 0)
            first = x;
        for (int l = 0; l < SL_LANES; l++) {
            float d = x.v[l] - first.v[l];
            sum.v[l] += d;
            squares.v[l] = fmaf(d, d, squares.v[l]);
        }
    }
    for (int l = 0; l < SL_LANES; l++) {
        float shift = n > 0 ? sum.v[l] / n : 0;
        out[l].n = n;
        out[l].mean = first.v[l] + shift;
        out[l].m2 = squares.v[l] - shift * sum.v[l];
    }
}

SL_PHASE_BODY moments_phase(const sl_cuda_moments *a, void *shared, size_t block, int t, int phase)
{
    sl_cuda_moment *mine = (sl_cuda_moment *)shared + (size_t)t * SL_LANES;
    sl_cuda_part part = sl_cuda_part_of(&a->r, block, t);
    if (phase == 0) {
        sl_cuda_own_moments(a, &part, mine);
    } else if (phase < SL_PHASES - 1) {
        int partner = sl_cuda_partner(&a->r, t, phase);
        for (int l = 0; l < SL_LANES && partner >= 0; l++)
            sl_cuda_merge(&mine[l], (sl_cuda_moment *)shared + (size_t)partner * SL_LANES + l);
    } else if (part.lane_of_rows == 0 && !part.idle) {
        for (size_t l = 0; l < SL_LANES; l++)
            ((sl_cuda_moment *)a->r.partial)[sl_cuda_partial(&a->r, part.chunk, part.group, l)] =
                mine[l];
    }
}

/* ---- the gradient's two sums ---- */

typedef struct {
    float dz, dz_x;
} sl_cuda_dz_sums;

SL_HOST_DEVICE static inline void sl_cuda_own_dz_sums(const sl_cuda_norm_bwd_sums *a,
                                                      const sl_cuda_part *part,
                                                      sl_cuda_dz_sums out[SL_LANES])
{
    for (int l = 0; l < SL_LANES; l++)
        out[l].dz = out[l].dz_x = 0;
    int lanes = sl_lanes_below(a->of.c, part->group);
    for (size_t row = part->row; row < part->end && !part->idle; row += part->step) {
        sl_lanes x = sl_lanes_of_pixel(&a->of.x, row, part->group);
        sl_lanes dz = sl_cuda_norm_dz_of(&a->of, &x, row, part->group);
        for (int l = 0; l < SL_LANES; l++) {
            if (l >= lanes)
                continue;
            float mean = a->of.mean ? a->of.mean[part->group * SL_LANES + (size_t)l] : 0;
            out[l].dz += dz.v[l];
            out[l].dz_x = fmaf(dz.v[l], x.v[l] - mean, out[l].dz_x);
        }
    }
}

SL_PHASE_BODY norm_bwd_sums_phase(const sl_cuda_norm_bwd_sums *a, void *shared, size_t block, int t,
                                  int phase)
{
    sl_cuda_dz_sums *mine = (sl_cuda_dz_sums *)shared + (size_t)t * SL_LANES;
    sl_cuda_part part = sl_cuda_part_of(&a->r, block, t);
    if (phase == 0) {
        sl_cuda_own_dz_sums(a, &part, mine);
    } else if (phase < SL_PHASES - 1) {
        int partner = sl_cuda_partner(&a->r, t, phase);
        const sl_cuda_dz_sums *other =
            (sl_cuda_dz_sums *)shared + (size_t)(partner < 0 ? 0 : partner) * SL_LANES;
        for (int l = 0; l < SL_LANES && partner >= 0; l++) {
            mine[l].dz += other[l].dz;
            mine[l].dz_x += other[l].dz_x;
        }
    } else if (part.lane_of_rows == 0 && !part.idle) {
        for (size_t l = 0; l < SL_LANES; l++)
            ((sl_cuda_dz_sums *)a->r.partial)[sl_cuda_partial(&a->r, part.chunk, part.group, l)] =
                mine[l];
    }
}

/* ---- what the chunks have, together: block c is a channel, in double ---- */

typedef struct {
    double n, mean, m2;
} sl_cuda_moment64;

SL_HOST_DEVICE static inline void sl_cuda_merge64(sl_cuda_moment64 *a, double n, double mean,
                                                  double m2)
{
    double all = a->n + n, delta = mean - a->mean;
    if (n <= 0)
        return;
    a->mean += delta * (n / all);
    a->m2 += m2 + delta * delta * (a->n * n / all);
    a->n = all;
}

/* What the batch's moments, or the running ones, make of a channel. */
SL_HOST_DEVICE static inline void sl_cuda_settle_channel(const sl_cuda_norm_finish *a, size_t c,
                                                         const sl_cuda_moment64 *m)
{
    double mean = (double)a->running_mean[c], var = (double)a->running_var[c];
    double momentum = (double)SL_NORM_MOMENTUM;
    if (a->batch_stats) {
        double unbiased = m->n > 1 ? m->m2 / (m->n - 1) : m->m2 / m->n;
        a->running_mean[c] = (float)((1 - momentum) * mean + momentum * m->mean);
        a->running_var[c] = (float)((1 - momentum) * var + momentum * unbiased);
        mean = m->mean;
        var = m->m2 / m->n;
    }
    double inv_std = 1 / sqrt(var + (double)SL_NORM_EPS);
    a->mean[c] = (float)mean;
    a->inv_std[c] = (float)inv_std;
}

SL_PHASE_BODY norm_finish_phase(const sl_cuda_norm_finish *a, void *shared, size_t block, int t,
                                int phase)
{
    sl_cuda_moment64 *all = (sl_cuda_moment64 *)shared, *mine = &all[t];
    const sl_cuda_moment *partial = (const sl_cuda_moment *)a->r.partial;
    if (phase == 0) {
        mine->n = mine->mean = mine->m2 = 0;
        for (size_t k = (size_t)t; k < a->r.chunks && a->batch_stats; k += SL_BLOCK_THREADS) {
            const sl_cuda_moment *p =
                &partial[sl_cuda_partial(&a->r, k, block / SL_LANES, block % SL_LANES)];
            sl_cuda_merge64(mine, (double)p->n, (double)p->mean, (double)p->m2);
        }
    } else if (phase < SL_PHASES - 1) {
        int half = SL_BLOCK_THREADS >> phase;
        if (t < half)
            sl_cuda_merge64(mine, all[t + half].n, all[t + half].mean, all[t + half].m2);
    } else if (t == 0) {
        sl_cuda_settle_channel(a, block, mine);
    }
}

typedef struct {
    double dz, dz_x;
} sl_cuda_dz_sums64;

/* dx = weight inv_std (dz - mean dz - xhat mean(dz xhat)), xhat = (x - mean) inv_std. */
SL_HOST_DEVICE static inline void sl_cuda_settle_gradient(const sl_cuda_norm_bwd_finish *a,
                                                          size_t c, const sl_cuda_dz_sums64 *s)
{
    if (a->d_bias)
        a->d_bias[c] = (float)s->dz;
    if (!a->weight)
        return;
    double inv_std = (double)a->inv_std[c], scale = (double)a->weight[c] * inv_std;
    double m = (double)a->r.rows, d_weight = s->dz_x * inv_std;
    a->d_weight[c] = (float)d_weight;
    a->scale[c] = (float)scale;
    a->mean_dz[c] = a->batch_stats ? (float)(s->dz / m) : 0;
    a->slope[c] = a->batch_stats ? (float)(inv_std * d_weight / m) : 0;
}

SL_PHASE_BODY norm_bwd_finish_phase(const sl_cuda_norm_bwd_finish *a, void *shared, size_t block,
                                    int t, int phase)
{
    sl_cuda_dz_sums64 *all = (sl_cuda_dz_sums64 *)shared, *mine = &all[t];
    const sl_cuda_dz_sums *partial = (const sl_cuda_dz_sums *)a->r.partial;
    if (phase == 0) {
        mine->dz = mine->dz_x = 0;
        for (size_t k = (size_t)t; k < a->r.chunks; k += SL_BLOCK_THREADS) {
            const sl_cuda_dz_sums *p =
                &partial[sl_cuda_partial(&a->r, k, block / SL_LANES, block % SL_LANES)];
            mine->dz += (double)p->dz;
            mine->dz_x += (double)p->dz_x;
        }
    } else if (phase < SL_PHASES - 1) {
        int half = SL_BLOCK_THREADS >> phase;
        if (t < half) {
            mine->dz += all[t + half].dz;
            mine->dz_x += all[t + half].dz_x;
        }
    } else if (t == 0) {
        sl_cuda_settle_gradient(a, block, mine);
    }
}

/* ---- the tally: the threads count hits, whose order doesn't matter, one adds the losses ---- */

SL_PHASE_BODY tally_phase(const sl_cuda_tally *a, void *shared, size_t block, int t, int phase)
{
    uint64_t *hits = (uint64_t *)shared;
    (void)block; /* the only one */
    if (phase == 0) {
        hits[t] = 0;
        for (int i = t; i < a->n; i += SL_BLOCK_THREADS)
            hits[t] += sl_tally_hit(a, i);
    } else if (phase < SL_PHASES - 1) {
        int half = SL_BLOCK_THREADS >> phase;
        if (t < half)
            hits[t] += hits[t + half];
    } else if (t == 0) {
        a->tally->loss = sl_tally_loss(a);
        a->tally->hits += hits[0];
    }
}

#endif
