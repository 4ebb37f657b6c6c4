/* 3x3 convolutions, and gradients of their inputs, by winograd.h's loops.
 *
 * Threads share the tiles of all images. Each takes a chunk of them that its cache holds: their
 * pixels become planes, which are multiplied by the filters' planes, some blocks of filters at a
 * time, and the products become results at once. */
#include "nn/cpu/conv_winograd.h"

#include "base/memory.h"
#include "nn/cpu/winograd.h"
#include <omp.h>
#include <string.h>

enum {
    TAPS = 9,
    POINTS = SL_WINOGRAD_POINTS,
    TILE = SL_WINOGRAD_TILE,
    PANEL_BLOCKS = SL_WINOGRAD_FILTER_BLOCKS,
    GAP = 16, /* floats between planes, so that they don't start in the same set of a cache */
    INPUT_FLOATS = 128 << 10,  /* of a chunk's planes, about */
    FILTER_FLOATS = 160 << 10, /* of the filters' planes that are kept from chunk to chunk, at most */
    LEAST_TILES = 48,          /* of a chunk: so many share the work on filters that aren't kept */
    TILES_STEP = 12            /* multiplied at once, with the widest registers */
};

/* Filters come in panels of PANEL_BLOCKS blocks, the last of them maybe of fewer. Sizes are in
 * floats, a thread's but those of taps and bias, which all read. */
typedef struct {
    const sl_desc *from, *to;
    sl_desc residual; /* to, of maybe fewer channels */
    int pad;
    bool backward, relu;
    size_t lanes, channels, panels; /* channels: whole blocks of them */
    size_t tiles, tiles_across, tiles_an_image;
    size_t chunk;      /* tiles */
    size_t panels_kept; /* panels whose planes are there at a time */
    size_t panel_taps, input_plane, filter_plane, result_plane;
    size_t taps, bias, inputs, filters, results;
} shape;

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}
static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}
static size_t round_up(size_t n, size_t step)
{
    return (n + step - 1) / step * step;
}

bool sl_cpu_conv_suits_winograd(const sl_op *op)
{
    bool kind = op->kind == SL_OP_CONV || op->kind == SL_OP_CONV_BWD_DATA;
    return kind && op->kernel == 3 && op->stride == 1 && op->pad <= 2 &&
           op->x.dtype == SL_DTYPE_F32 && sl_cpu_blocked_whole(op);
}

static shape shape_of(const sl_cpu_kernel *k)
{
    const sl_op *op = &k->base.op;
    bool backward = op->kind == SL_OP_CONV_BWD_DATA;
    shape s = { .from = backward ? &op->y : &op->x, .to = backward ? &op->x : &op->y,
                .pad = backward ? 2 - op->pad : op->pad, .backward = backward,
                .relu = op->relu };
    s.residual = *s.to;
    s.residual.c = sl_op_residual_c(op);
    size_t blocks = sl_cpu_blocks(s.to);
    s.lanes = (size_t)sl_cpu_block(s.from);
    s.channels = sl_cpu_blocks(s.from) * s.lanes;
    s.panels = (blocks + PANEL_BLOCKS - 1) / PANEL_BLOCKS;
    s.tiles_across = ((size_t)s.to->w + TILE - 1) / TILE;
    s.tiles_an_image = ((size_t)s.to->h + TILE - 1) / TILE * s.tiles_across;
    s.tiles = (size_t)s.to->n * s.tiles_an_image;
    size_t share = (s.tiles + (size_t)k->dev->base.threads - 1) / (size_t)k->dev->base.threads;
    s.chunk = most(LEAST_TILES, INPUT_FLOATS / (POINTS * s.channels));
    s.chunk = round_up(least(s.chunk, share), TILES_STEP);
    s.panel_taps = s.channels * TAPS * PANEL_BLOCKS * s.lanes;
    s.input_plane = s.chunk * s.channels + GAP;
    s.filter_plane = s.channels * PANEL_BLOCKS * s.lanes + GAP;
    s.result_plane = s.chunk * PANEL_BLOCKS * s.lanes + GAP;
    s.panels_kept = s.panels * s.filter_plane * POINTS <= FILTER_FLOATS ? s.panels : 1;
    s.taps = s.panels * s.panel_taps;
    s.bias = s.panels * PANEL_BLOCKS * s.lanes;
    s.inputs = POINTS * s.input_plane;
    s.filters = s.panels_kept * POINTS * s.filter_plane;
    s.results = POINTS * s.result_plane;
    return s;
}

static size_t blocks_of_panel(const shape *s, size_t panel)
{
    return least(sl_cpu_blocks(s->to) - panel * PANEL_BLOCKS, PANEL_BLOCKS);
}

sl_status sl_cpu_conv_winograd_plan(sl_cpu_kernel *k, size_t *scratch_bytes, sl_error *err)
{
    shape s = shape_of(k);
    size_t thread = s.inputs + s.filters + s.results, taps = k->base.op.weights_vary ? s.taps : 0;
    *scratch_bytes = (taps + s.bias + thread * (size_t)k->dev->base.threads) * sizeof(float);
    return taps ? SL_OK : sl_alloc_aligned(&k->taps, s.taps, sizeof *k->taps, err);
}

/* A panel's [channel][tap][filter] of [K][C][3][3]: forwards C are the channels and K the filters,
 * backwards the other way round and the taps from the last to the first. */
static void pack_panel(const shape *s, const float *weight, size_t panel, float *taps)
{
    size_t width = blocks_of_panel(s, panel) * s->lanes, first = panel * PANEL_BLOCKS * s->lanes;
    size_t channels = (size_t)s->from->c, filters = (size_t)s->to->c;
    memset(taps, 0, s->panel_taps * sizeof *taps);
    for (size_t c = 0; c < channels; c++) {
        for (size_t f = 0; f < least(width, filters - first); f++) {
            const float *w = weight + (s->backward ? c * filters + first + f
                                                   : (first + f) * channels + c) * TAPS;
            for (size_t t = 0; t < TAPS; t++)
                taps[(c * TAPS + t) * width + f] = w[s->backward ? TAPS - 1 - t : t];
        }
    }
}

static void pack(const shape *s, const float *weight, float *taps)
{
#pragma omp parallel for schedule(static)
    for (size_t panel = 0; panel < s->panels; panel++)
        pack_panel(s, weight, panel, taps + panel * s->panel_taps);
}

void sl_cpu_conv_winograd_load(sl_cpu_kernel *k, const float *weight)
{
    shape s = shape_of(k);
    if (k->taps)
        pack(&s, weight, k->taps);
}

/* What a thread works on and in. */
typedef struct {
    const shape *s;
    const sl_winograd_kernels *loops;
    const float *from, *taps, *bias, *residual;
    float *to, *inputs, *filters, *results;
} work;

static sl_winograd_place place_of(const shape *s, size_t tile, const sl_desc *desc, int before)
{
    size_t in_image = tile % s->tiles_an_image;
    return (sl_winograd_place){ .height = desc->h,
                                .width = desc->w,
                                .top = (int)(in_image / s->tiles_across) * TILE - before,
                                .left = (int)(in_image % s->tiles_across) * TILE - before };
}

static void transform_inputs(const work *w, size_t first, size_t count)
{
    const shape *s = w->s;
    for (size_t t = 0; t < count; t++) {
        sl_winograd_place place = place_of(s, first + t, s->from, s->pad);
        size_t image = (first + t) / s->tiles_an_image;
        for (size_t block = 0; block < sl_cpu_blocks(s->from); block++)
            w->loops->input(w->from + sl_cpu_tile(s->from, image, block), &place,
                            w->inputs + t * s->channels + block * s->lanes, s->input_plane);
    }
}

static void transform_filters(const work *w, size_t panel, float *planes)
{
    const shape *s = w->s;
    w->loops->filter(w->taps + panel * s->panel_taps, s->channels, blocks_of_panel(s, panel), planes,
                     s->filter_plane);
}

static void transform_results(const work *w, size_t first, size_t count, size_t panel)
{
    const shape *s = w->s;
    size_t blocks = blocks_of_panel(s, panel), width = blocks * s->lanes;
    for (size_t t = 0; t < count; t++) {
        sl_winograd_place place = place_of(s, first + t, s->to, 0);
        size_t image = (first + t) / s->tiles_an_image;
        for (size_t b = 0; b < blocks; b++) {
            size_t block = panel * PANEL_BLOCKS + b;
            bool added = w->residual && block < sl_cpu_blocks(&s->residual);
            w->loops->output(w->results + t * width + b * s->lanes, s->result_plane,
                             w->bias + block * s->lanes,
                             added ? w->residual + sl_cpu_tile(&s->residual, image, block) : NULL,
                             w->to + sl_cpu_tile(s->to, image, block), &place, s->relu);
        }
    }
}

static void run_chunk(const work *w, size_t first, size_t count)
{
    const shape *s = w->s;
    transform_inputs(w, first, count);
    for (size_t panel = 0; panel < s->panels; panel++) {
        float *filters = w->filters;
        if (s->panels_kept == 1)
            transform_filters(w, panel, filters);
        else
            filters += panel * POINTS * s->filter_plane;
        w->loops->multiply(w->inputs, s->input_plane, filters, s->filter_plane, w->results,
                           s->result_plane, count, s->channels, blocks_of_panel(s, panel));
        transform_results(w, first, count, panel);
    }
}

static void run_share(const work *w, size_t first, size_t end)
{
    const shape *s = w->s;
    for (size_t panel = 0; s->panels_kept > 1 && panel < s->panels; panel++)
        transform_filters(w, panel, w->filters + panel * POINTS * s->filter_plane);
    for (; first < end; first += s->chunk)
        run_chunk(w, first, least(s->chunk, end - first));
}

void sl_cpu_conv_winograd_run(sl_cpu_kernel *k, const float *from, const float *weight,
                              const float *bias, const float *residual, float *to, void *scratch)
{
    const shape s = shape_of(k);
    float *shift = scratch, *taps = shift + s.bias, *threads = taps;
    memset(shift, 0, s.bias * sizeof *shift);
    if (bias)
        memcpy(shift, bias, (size_t)s.to->c * sizeof *shift);
    if (k->taps) {
        taps = k->taps;
    } else {
        pack(&s, weight, taps);
        threads += s.taps;
    }
#pragma omp parallel
    {
        size_t thread = (size_t)omp_get_thread_num(), n = (size_t)omp_get_num_threads();
        float *own = threads + thread * (s.inputs + s.filters + s.results);
        const work w = { .s = &s,
                         .loops = k->dev->vector->winograd,
                         .from = from,
                         .taps = taps,
                         .bias = shift,
                         .residual = residual,
                         .to = to,
                         .inputs = own,
                         .filters = own + s.inputs,
                         .results = own + s.inputs + s.filters };
        run_share(&w, s.tiles * thread / n, s.tiles * (thread + 1) / n);
    }
}
