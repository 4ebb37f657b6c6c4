/* 3x3 convolutions, and gradients of their inputs, by winograd.h's loops.
 *
 * Threads share the tiles of all images. Each takes a chunk of them that its cache holds: their
 * pixels become planes, which are multiplied by the filters' planes, a panel of filters after the
 * other, and the products become results at once. */
#include "nn/cpu/conv_winograd.h"

#include "base/memory.h"
#include <omp.h>
#include <string.h>

enum {
    TAPS = SL_WINOGRAD_TAPS,
    POINTS = SL_WINOGRAD_POINTS,
    PANEL_BLOCKS = SL_WINOGRAD_PANEL_BLOCKS,
    PIXEL_FLOATS = 32 << 10,   /* of a chunk's planes, about */
    FILTER_FLOATS = 160 << 10, /* of the filters' planes, if they are kept from chunk to chunk */
    LEAST_TILES = 24,          /* of a chunk: so many share the work on filters that aren't kept */
    TILES_STEP = 24,           /* 6 or 8 are multiplied at once */
    LEAST_RESULTS = 6          /* inside the image, of a tile's 16: 36 products must pay */
};

/* Sizes are in floats. */
typedef struct {
    const sl_desc *from, *to;
    sl_desc residual; /* forward */
    int pad;
    bool backward, relu;
    sl_winograd_tiling tiling;
    size_t lanes, channels, panels; /* channels: whole blocks of them */
    size_t chunk;                   /* tiles */
    bool filters_kept;              /* the planes of all panels; else of one */
    size_t panel_taps, panel_filters;
    sl_winograd_planes pixels, filters, products; /* without their addresses */
    size_t bias, taps;                            /* which all threads read */
    size_t thread;                                /* a thread's own */
} shape;

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static bool supports(const sl_op *op)
{
    if (op->kernel != 3 || op->stride != 1 || op->pad > 2 || op->x.dtype != SL_DTYPE_F32 ||
        !sl_cpu_blocked_whole(op))
        return false;
    const sl_desc *results = op->kind == SL_OP_CONV_BWD_DATA ? &op->x : &op->y;
    return sl_cpu_pixels(results) >= LEAST_RESULTS * sl_winograd_tiling_of(results).an_image;
}

static shape shape_of(const sl_cpu_kernel *k)
{
    const sl_op *op = &k->base.op;
    bool backward = op->kind == SL_OP_CONV_BWD_DATA;
    shape s = { .from = backward ? &op->y : &op->x,
                .to = backward ? &op->x : &op->y,
                .pad = backward ? 2 - op->pad : op->pad,
                .backward = backward,
                .relu = op->relu,
                .residual = sl_cpu_residual_desc(op) };
    s.tiling = sl_winograd_tiling_of(s.to);
    s.lanes = (size_t)sl_cpu_block(s.from);
    s.channels = sl_cpu_blocks(s.from) * s.lanes;
    s.panels = (sl_cpu_blocks(s.to) + PANEL_BLOCKS - 1) / PANEL_BLOCKS;
    size_t threads = (size_t)k->dev->base.threads, width = PANEL_BLOCKS * s.lanes;
    s.chunk = most(LEAST_TILES, PIXEL_FLOATS / (POINTS * s.channels));
    s.chunk = sl_least(s.chunk, (s.tiling.count + threads - 1) / threads);
    s.chunk = (s.chunk + TILES_STEP - 1) / TILES_STEP * TILES_STEP;
    s.pixels.row = s.channels;
    s.pixels.plane = s.chunk * s.pixels.row + SL_WINOGRAD_GAP;
    s.filters.row = s.products.row = width;
    s.filters.plane = s.channels * width + SL_WINOGRAD_GAP;
    s.products.plane = s.chunk * width + SL_WINOGRAD_GAP;
    s.panel_taps = s.channels * TAPS * width;
    s.panel_filters = POINTS * s.filters.plane;
    s.filters_kept = s.panels * s.panel_filters <= FILTER_FLOATS;
    s.bias = s.panels * width;
    s.taps = s.panels * s.panel_taps;
    s.thread = POINTS * (s.pixels.plane + s.products.plane) +
               (s.filters_kept ? s.panels : 1) * s.panel_filters;
    return s;
}

/* The last panel may have fewer. */
static size_t blocks_of_panel(const shape *s, size_t panel)
{
    return sl_least(sl_cpu_blocks(s->to) - panel * PANEL_BLOCKS, PANEL_BLOCKS);
}

static sl_status plan(sl_cpu_kernel *k, size_t *scratch_bytes, sl_error *err)
{
    if (k->base.op.kind == SL_OP_CONV_BWD_WEIGHTS) {
        *scratch_bytes = sl_cpu_conv_winograd_weights_scratch(k);
        return SL_OK;
    }
    shape s = shape_of(k);
    bool kept = !k->base.op.weights_vary;
    size_t shared = s.bias + (kept ? 0 : s.taps);
    *scratch_bytes = (shared + s.thread * (size_t)k->dev->base.threads) * sizeof(float);
    return kept ? sl_alloc_aligned(&k->weights, s.taps, sizeof *k->weights, err) : SL_OK;
}

/* A panel's [channel][tap][filter] of [K][C][3][3]: forwards C are the channels and K the filters,
 * backwards the other way round and the taps from the last to the first. */
static void pack_panel(const shape *s, const float *weight, size_t panel, float *taps)
{
    size_t width = blocks_of_panel(s, panel) * s->lanes, first = panel * PANEL_BLOCKS * s->lanes;
    size_t channels = (size_t)s->from->c, filters = (size_t)s->to->c;
    memset(taps, 0, s->panel_taps * sizeof *taps);
    for (size_t c = 0; c < channels; c++) {
        for (size_t f = 0; f < sl_least(width, filters - first); f++) {
            size_t k = first + f, pair = s->backward ? c * filters + k : k * channels + c;
            for (size_t t = 0; t < TAPS; t++)
                taps[(c * TAPS + t) * width + f] =
                    weight[pair * TAPS + (s->backward ? TAPS - 1 - t : t)];
        }
    }
}

static void pack(const shape *s, const float *weight, float *taps)
{
#pragma omp parallel for schedule(static)
    for (size_t panel = 0; panel < s->panels; panel++)
        pack_panel(s, weight, panel, taps + panel * s->panel_taps);
}

static sl_status load(sl_cpu_kernel *k, const void *const *in, sl_error *err)
{
    (void)err;
    if (!k->weights)
        return SL_OK;
    shape s = shape_of(k);
    pack(&s, in[SL_CPU_CONV_WEIGHT], k->weights);
    return SL_OK;
}

/* What a thread works on and in. */
typedef struct {
    const shape *s;
    const sl_winograd_kernels *loops;
    const float *from, *taps, *bias, *residual;
    float *to;
    sl_winograd_planes pixels, filters, products;
} work;

static sl_winograd_planes filters_of(const work *w, size_t panel)
{
    sl_winograd_planes filters = w->filters;
    filters.row = blocks_of_panel(w->s, panel) * w->s->lanes;
    if (w->s->filters_kept)
        filters.at += panel * w->s->panel_filters;
    return filters;
}

static void transform_filters(const work *w, size_t panel)
{
    w->loops->filters(w->taps + panel * w->s->panel_taps, w->s->channels,
                      blocks_of_panel(w->s, panel), filters_of(w, panel));
}

static void transform_pixels(const work *w, size_t first, size_t count)
{
    const shape *s = w->s;
    for (size_t t = 0; t < count; t++) {
        const sl_winograd_place place =
            sl_winograd_place_in(&s->tiling, first + t, s->from, s->pad);
        size_t image = (first + t) / s->tiling.an_image;
        for (size_t block = 0; block < sl_cpu_blocks(s->from); block++)
            w->loops->pixels(w->from + sl_cpu_tile(s->from, image, block), &place,
                             sl_winograd_at(w->pixels, t, block * s->lanes));
    }
}

static void transform_products(const work *w, size_t first, size_t count, size_t panel)
{
    const shape *s = w->s;
    for (size_t t = 0; t < count; t++) {
        const sl_winograd_place place = sl_winograd_place_in(&s->tiling, first + t, s->to, 0);
        size_t image = (first + t) / s->tiling.an_image;
        for (size_t b = 0; b < blocks_of_panel(s, panel); b++) {
            size_t block = panel * PANEL_BLOCKS + b;
            bool added = w->residual && block < sl_cpu_blocks(&s->residual);
            w->loops->results(sl_winograd_at(w->products, t, b * s->lanes),
                              w->bias + block * s->lanes,
                              added ? w->residual + sl_cpu_tile(&s->residual, image, block) : NULL,
                              w->to + sl_cpu_tile(s->to, image, block), &place, s->relu);
        }
    }
}

static void run_chunk(const work *w, size_t first, size_t count)
{
    const shape *s = w->s;
    transform_pixels(w, first, count);
    for (size_t panel = 0; panel < s->panels; panel++) {
        if (!s->filters_kept)
            transform_filters(w, panel);
        w->loops->multiply(w->pixels, filters_of(w, panel), w->products, count, s->channels,
                           blocks_of_panel(s, panel));
        transform_products(w, first, count, panel);
    }
}

/* own: a thread's scratch */
static void run_share(work w, float *own, size_t first, size_t end)
{
    const shape *s = w.s;
    w.pixels.at = own;
    w.products.at = w.pixels.at + POINTS * s->pixels.plane;
    w.filters.at = w.products.at + POINTS * s->products.plane;
    for (size_t panel = 0; s->filters_kept && panel < s->panels; panel++)
        transform_filters(&w, panel);
    for (; first < end; first += s->chunk)
        run_chunk(&w, first, sl_least(s->chunk, end - first));
}

/* from: x, to: y; backwards dy and dx, without bias and residual. These may be NULL. */
static void run_filters(const sl_cpu_kernel *k, const float *from, const float *weight,
                        const float *bias, const float *residual, float *to, void *scratch)
{
    const shape s = shape_of(k);
    float *shift = scratch, *taps = k->weights ? k->weights : shift + s.bias;
    float *threads = shift + s.bias + (k->weights ? 0 : s.taps);
    memset(shift, 0, s.bias * sizeof *shift);
    if (bias)
        memcpy(shift, bias, (size_t)s.to->c * sizeof *shift);
    if (!k->weights)
        pack(&s, weight, taps);
    const work w = { .s = &s,
                     .loops = k->dev->vector->winograd,
                     .from = from,
                     .taps = taps,
                     .bias = shift,
                     .residual = residual,
                     .to = to,
                     .pixels = s.pixels,
                     .filters = s.filters,
                     .products = s.products };
#pragma omp parallel
    {
        size_t thread = (size_t)omp_get_thread_num(), n = (size_t)omp_get_num_threads();
        run_share(w, threads + thread * s.thread, s.tiling.count * thread / n,
                  s.tiling.count * (thread + 1) / n);
    }
}

static sl_status run(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err)
{
    (void)err;
    switch (k->base.op.kind) {
    case SL_OP_CONV_BWD_WEIGHTS:
        sl_cpu_conv_winograd_weights_run(k, in[SL_CONV_BWD_WEIGHTS_X], in[SL_CONV_BWD_WEIGHTS_DY],
                                         out[0], out[1], scratch);
        break;
    case SL_OP_CONV_BWD_DATA:
        run_filters(k, in[SL_CONV_BWD_DATA_DY], in[SL_CONV_BWD_DATA_WEIGHT], NULL, NULL, out[0],
                    scratch);
        break;
    default:
        run_filters(k, in[SL_CONV_X], in[SL_CONV_WEIGHT], in[SL_CONV_BIAS], in[SL_CONV_RESIDUAL],
                    out[0], scratch);
    }
    return SL_OK;
}

const sl_cpu_op sl_cpu_conv_winograd = {
    .supports = supports, .plan = plan, .load = load, .run = run
};
