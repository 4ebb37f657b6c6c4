/* Shake-shake's weighted mean of two branches, image by image, and dropout. */
#include "nn/cpu/cpu.h"

#include <string.h>

static sl_status run_shake(sl_cpu_kernel *k, const void *const *in, void *const *out, void *scratch,
                           sl_error *err)
{
    (void)scratch, (void)err;
    const sl_desc *d = &k->base.op.y;
    const sl_tile_loops *loops = &k->dev->vector->tiles->of[d->dtype];
    size_t blocks = sl_cpu_blocks(d), bytes = sl_cpu_tile_bytes(d), tiles = (size_t)d->n * blocks;
    size_t residual_blocks = sl_cpu_blocks_of(d, sl_op_residual_c(&k->base.op));
    const unsigned char *a = in[SL_SHAKE_A], *b = in[SL_SHAKE_B], *residual = in[SL_SHAKE_RESIDUAL];
    const float *alpha = in[SL_SHAKE_ALPHA];
    unsigned char *y = out[0];
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < tiles; t++) {
        size_t image = t / blocks, block = t % blocks;
        const void *added = residual && block < residual_blocks
                                ? residual + (image * residual_blocks + block) * bytes
                                : NULL;
        loops->shake(a + t * bytes, b + t * bytes, added, y + t * bytes, sl_cpu_pixels(d),
                     alpha[image]);
    }
    return SL_OK;
}

static sl_status run_shake_bwd(sl_cpu_kernel *k, const void *const *in, void *const *out,
                               void *scratch, sl_error *err)
{
    (void)scratch, (void)err;
    const sl_desc *d = &k->base.op.y;
    const sl_tile_loops *loops = &k->dev->vector->tiles->of[d->dtype];
    size_t blocks = sl_cpu_blocks(d), bytes = sl_cpu_tile_bytes(d), tiles = (size_t)d->n * blocks;
    const unsigned char *dy = in[SL_SHAKE_BWD_DY];
    const float *beta = in[SL_SHAKE_BWD_BETA];
    unsigned char *da = out[SL_SHAKE_BWD_DA], *db = out[SL_SHAKE_BWD_DB];
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < tiles; t++)
        loops->shake_bwd(dy + t * bytes, da + t * bytes, db + t * bytes, sl_cpu_pixels(d),
                         beta[t / blocks]);
    return SL_OK;
}

/* Both ways. */
static sl_status run_dropout(sl_cpu_kernel *k, const void *const *in, void *const *out,
                             void *scratch, sl_error *err)
{
    (void)scratch, (void)err;
    const sl_desc *d = &k->base.op.x;
    const sl_tile_loops *loops = &k->dev->vector->tiles->of[d->dtype];
    size_t blocks = sl_cpu_blocks(d), bytes = sl_cpu_tile_bytes(d), tiles = (size_t)d->n * blocks;
    size_t pixels = sl_cpu_pixels(d), size = (size_t)sl_cpu_block(d);
    const unsigned char *x = in[SL_DROPOUT_X];
    unsigned char *y = out[0];
    uint64_t key;
    memcpy(&key, in[SL_DROPOUT_KEY], sizeof key);
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < tiles; t++) {
        uint64_t channel = t / blocks * (uint64_t)d->c + t % blocks * size;
        loops->dropout(x + t * bytes, y + t * bytes, pixels, key, channel * pixels,
                       k->base.op.rate);
    }
    return SL_OK;
}

const sl_cpu_op sl_cpu_shake = { .supports = sl_cpu_blocked_whole, .run = run_shake };
const sl_cpu_op sl_cpu_shake_bwd = { .supports = sl_cpu_blocked_whole, .run = run_shake_bwd };
const sl_cpu_op sl_cpu_dropout = { .supports = sl_cpu_blocked_whole, .run = run_dropout };
