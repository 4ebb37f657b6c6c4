/* The same numbers in another layout or dtype. */
#include "nn/cpu/cpu.h"

enum { PIECE = 1 << 14 }; /* numbers */

static bool supports(const sl_op *op)
{
    return sl_desc_stored(&op->x) == op->x.c && sl_desc_stored(&op->y) == op->y.c;
}

/* Number i of an activation. */
static const void *at(const sl_desc *d, const void *a, size_t i)
{
    return (const unsigned char *)a + i * sl_dtype_size(d->dtype);
}

static void *to(const sl_desc *d, void *a, size_t i)
{
    return (unsigned char *)a + i * sl_dtype_size(d->dtype);
}

/* Another dtype in the same layout. */
static void convert_all(const sl_tile_kernels *kernels, const sl_desc *x, const void *from,
                        const sl_desc *y, void *into)
{
    size_t n = sl_desc_bytes(x) / sl_dtype_size(x->dtype);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += PIECE)
        kernels->convert(at(x, from, i), to(y, into, i), n - i < PIECE ? n - i : PIECE, x->dtype,
                         y->dtype);
}

void sl_cpu_convert_between(const sl_cpu_device *dev, const sl_desc *x, const void *from,
                            const sl_desc *y, void *into)
{
    const sl_tile_kernels *kernels = dev->vector->tiles;
    const sl_desc *blocked = x->layout == SL_LAYOUT_PLAIN ? y : x;
    size_t blocks = sl_cpu_blocks(blocked), size = (size_t)sl_cpu_block(blocked);
    size_t pixels = sl_cpu_pixels(x), tiles = (size_t)x->n * blocks;
    if (x->layout == y->layout) {
        convert_all(kernels, x, from, y, into);
        return;
    }
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < tiles; t++) {
        int lanes = sl_cpu_lanes(blocked, t % blocks);
        size_t tile = t * pixels * size;
        size_t planes = (t / blocks * (size_t)x->c + t % blocks * size) * pixels;
        if (x->layout == SL_LAYOUT_PLAIN)
            kernels->interleave(at(x, from, planes), to(y, into, tile), pixels, lanes, x->dtype,
                                y->dtype);
        else
            kernels->separate(at(x, from, tile), to(y, into, planes), pixels, lanes, x->dtype,
                              y->dtype);
    }
}

static sl_status run(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err)
{
    (void)scratch, (void)err;
    sl_cpu_convert_between(k->dev, &k->base.op.x, in[0], &k->base.op.y, out[0]);
    return SL_OK;
}

const sl_cpu_op sl_cpu_convert = { .supports = supports, .run = run };
