/* Gradients of 3x3 convolutions' weights, by winograd.h's loops: the filters' planes have as
 * gradient, plane by plane, the sum over all tiles of pixels times results' gradient.
 *
 * Of a group of channels and one of filters, whose planes the cache holds, each thread finds the
 * sum over its share of the tiles; the shares' sum becomes the gradient of the taps. */
#include "nn/cpu/conv_winograd.h"

#include <omp.h>

enum {
    TAPS = SL_WINOGRAD_TAPS,
    POINTS = SL_WINOGRAD_POINTS,
    PANEL_BLOCKS = SL_WINOGRAD_PANEL_BLOCKS,
    GROUP = 128, /* channels, or filters, at most */
    CHUNK = 32   /* tiles: a register's sums are stored once a chunk */
};

/* A side of the weights, channels or filters, in groups of so many blocks (the last may have
 * fewer). */
typedef struct {
    size_t blocks, groups, group_blocks, width; /* width: a group's channels */
} side;

typedef struct {
    const sl_op *op;
    sl_winograd_tiling tiling;
    size_t lanes;
    side channels, filters;
    sl_winograd_planes pixels, results, weights; /* without their addresses */
    size_t thread;                               /* floats of a thread's scratch */
} shape;

static side side_of(const sl_desc *d)
{
    side s = { .blocks = sl_cpu_blocks(d) };
    size_t lanes = (size_t)sl_cpu_block(d);
    s.groups = (s.blocks * lanes + GROUP - 1) / GROUP;
    s.group_blocks = (s.blocks + s.groups - 1) / s.groups;
    s.width = s.group_blocks * lanes;
    return s;
}

static shape shape_of(const sl_cpu_kernel *k)
{
    const sl_op *op = &k->base.op;
    shape s = { .op = op,
                .tiling = sl_winograd_tiling_of(&op->y),
                .lanes = (size_t)sl_cpu_block(&op->y),
                .channels = side_of(&op->x),
                .filters = side_of(&op->y) };
    s.pixels.row = s.channels.width + SL_WINOGRAD_GAP;
    s.results.row = s.filters.width + SL_WINOGRAD_GAP;
    s.weights.row = s.filters.width;
    s.pixels.plane = CHUNK * s.pixels.row + SL_WINOGRAD_GAP;
    s.results.plane = CHUNK * s.results.row + SL_WINOGRAD_GAP;
    s.weights.plane = s.channels.width * s.weights.row + SL_WINOGRAD_GAP;
    s.thread = POINTS * (s.pixels.plane + s.results.plane + s.weights.plane);
    return s;
}

size_t sl_cpu_conv_winograd_weights_scratch(const sl_cpu_kernel *k)
{
    shape s = shape_of(k);
    return s.thread * (size_t)k->dev->base.threads * sizeof(float);
}

/* What a thread works on and in: blocks [channel, channels_end) and [filter, filters_end). */
typedef struct {
    const shape *s;
    const sl_winograd_kernels *loops;
    const float *x, *dy;
    size_t channel, channels_end, filter, filters_end;
    sl_winograd_planes pixels, results, weights;
} work;

static void transform_tile(const work *w, size_t tile, size_t row)
{
    const shape *s = w->s;
    const sl_op *op = s->op;
    const sl_winograd_place in = sl_winograd_place_in(&s->tiling, tile, &op->x, op->pad);
    const sl_winograd_place out = sl_winograd_place_in(&s->tiling, tile, &op->y, 0);
    size_t image = tile / s->tiling.an_image;
    for (size_t b = w->channel; b < w->channels_end; b++)
        w->loops->pixels(w->x + sl_cpu_tile(&op->x, image, b), &in,
                         sl_winograd_at(w->pixels, row, (b - w->channel) * s->lanes));
    for (size_t b = w->filter; b < w->filters_end; b++)
        w->loops->results_gradient(w->dy + sl_cpu_tile(&op->y, image, b), &out,
                                   sl_winograd_at(w->results, row, (b - w->filter) * s->lanes));
}

static void run_chunk(const work *w, size_t first, size_t count, bool add)
{
    const shape *s = w->s;
    size_t channels = (w->channels_end - w->channel) * s->lanes;
    for (size_t t = 0; t < count; t++)
        transform_tile(w, first + t, t);
    for (size_t b = w->filter; b < w->filters_end; b += PANEL_BLOCKS) {
        size_t column = (b - w->filter) * s->lanes;
        w->loops->multiply_gradient(w->pixels, sl_winograd_at(w->results, 0, column),
                                    sl_winograd_at(w->weights, 0, column), count, channels,
                                    sl_least(w->filters_end - b, PANEL_BLOCKS), add);
    }
}

/* Also of no tiles, whose sum is 0. */
static void run_share(const work *w, size_t first, size_t end)
{
    bool add = false;
    do {
        run_chunk(w, first, sl_least(CHUNK, end - first), add);
        first += CHUNK;
        add = true;
    } while (first < end);
}

/* d_weight, [K][C][3][3], of one of the group's channels and all its filters. */
static void store_channel(const work *w, size_t parts, size_t channel, float *d_weight)
{
    const shape *s = w->s;
    size_t c = w->channel * s->lanes + channel;
    size_t channels = (size_t)s->op->x.c, filters = (size_t)s->op->y.c;
    for (size_t b = w->filter; c < channels && b < w->filters_end; b++) {
        float taps[TAPS * SL_MAX_BLOCK];
        w->loops->taps_gradient(sl_winograd_at(w->weights, channel, (b - w->filter) * s->lanes),
                                parts, s->thread, taps);
        size_t k = b * s->lanes;
        for (size_t lane = 0; lane < sl_least(s->lanes, filters - k); lane++) {
            for (size_t t = 0; t < TAPS; t++)
                d_weight[((k + lane) * channels + c) * TAPS + t] = taps[t * s->lanes + lane];
        }
    }
}

static void run_group(const work *group, float *scratch, float *d_weight)
{
    const shape *s = group->s;
#pragma omp parallel
    {
        size_t thread = (size_t)omp_get_thread_num(), n = (size_t)omp_get_num_threads();
        work w = *group;
        w.weights.at = scratch + thread * s->thread;
        w.pixels.at = w.weights.at + POINTS * s->weights.plane;
        w.results.at = w.pixels.at + POINTS * s->pixels.plane;
        run_share(&w, s->tiling.count * thread / n, s->tiling.count * (thread + 1) / n);
        w.weights.at = scratch;
#pragma omp barrier
#pragma omp for schedule(static)
        for (size_t c = 0; c < s->channels.width; c++)
            store_channel(&w, n, c, d_weight);
    }
}

/* d_bias[k] = the sum of dy's channel k */
static void sum_results(const sl_cpu_kernel *k, const float *dy, float *d_bias)
{
    const sl_desc *y = &k->base.op.y;
#pragma omp parallel for schedule(static)
    for (size_t block = 0; block < sl_cpu_blocks(y); block++) {
        double sum[SL_MAX_BLOCK] = { 0 };
        for (size_t image = 0; image < (size_t)y->n; image++) {
            float of_image[SL_MAX_BLOCK];
            sl_cpu_loops(k)->tile_sum(dy + sl_cpu_tile(y, image, block), sl_cpu_pixels(y),
                                      of_image);
            for (int lane = 0; lane < sl_cpu_block(y); lane++)
                sum[lane] += (double)of_image[lane];
        }
        for (int lane = 0; lane < sl_cpu_lanes(y, block); lane++)
            d_bias[block * (size_t)sl_cpu_block(y) + (size_t)lane] = (float)sum[lane];
    }
}

void sl_cpu_conv_winograd_weights_run(const sl_cpu_kernel *k, const float *x, const float *dy,
                                      float *d_weight, float *d_bias, void *scratch)
{
    const shape s = shape_of(k);
    for (size_t c = 0; c < s.channels.blocks; c += s.channels.group_blocks) {
        for (size_t f = 0; f < s.filters.blocks; f += s.filters.group_blocks) {
            const work group = { .s = &s,
                                 .loops = k->dev->vector->winograd,
                                 .x = x,
                                 .dy = dy,
                                 .channel = c,
                                 .channels_end =
                                     sl_least(c + s.channels.group_blocks, s.channels.blocks),
                                 .filter = f,
                                 .filters_end =
                                     sl_least(f + s.filters.group_blocks, s.filters.blocks),
                                 .pixels = s.pixels,
                                 .results = s.results,
                                 .weights = s.weights };
            run_group(&group, scratch, d_weight);
        }
    }
    if (d_bias)
        sum_results(k, dy, d_bias);
}
