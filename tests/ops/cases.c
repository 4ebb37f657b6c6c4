#include "ops/cases.h"

#define CONV SL_OP_CONV
#define NORM SL_OP_NORM
#define RELU SL_OP_RELU
#define ADD SL_OP_ADD
#define POOL SL_OP_GLOBAL_POOL
#define MAX_POOL SL_OP_MAX_POOL
#define AVG_POOL SL_OP_AVG_POOL
#define SUBSAMPLE SL_OP_SUBSAMPLE
#define SHAKE SL_OP_SHAKE
#define DROPOUT SL_OP_DROPOUT
#define LINEAR SL_OP_LINEAR
#define XENT SL_OP_XENT

/* Channel counts of 16, 32, 48 fill a block of the blocked layout; 1, 3, 5, 17, 101 don't. */
const op_case op_cases[] = {
    /* why, kind, n c h w, k, kernel stride pad, variant */
    { "one number", CONV, 1, 1, 1, 1, 1, 1, 1, 0, 0 },
    { "one pixel, only the middle tap counts", CONV, 2, 5, 1, 1, 17, 3, 1, 1, 0 },
    { "a kernel as large as the image: one output", CONV, 3, 3, 3, 3, 5, 3, 1, 0, 0 },
    { "1x1 has no halo", CONV, 2, 3, 5, 7, 4, 1, 1, 0, 0 },
    { "1x1, full blocks", CONV, 2, 32, 6, 5, 16, 1, 1, 0, 0 },
    { "1x1 that skips pixels", CONV, 2, 17, 8, 8, 33, 1, 2, 0, 0 },
    { "1x1 that skips pixels and the last row", CONV, 1, 16, 7, 9, 32, 1, 2, 0, 0 },
    { "one channel", CONV, 2, 1, 9, 8, 1, 3, 1, 1, 0 },
    { "the network's input", CONV, 2, 3, 10, 10, 16, 3, 1, 1, OP_CASE_PLAIN_X },
    { "the network's input, odd everything", CONV, 3, 1, 7, 11, 5, 3, 2, 1, OP_CASE_PLAIN_X },
    { "the network's input, bias", CONV, 1, 3, 6, 6, 17, 5, 1, 2, OP_CASE_PLAIN_X | OP_CASE_BIAS },
    { "the network's input, a block and a half", CONV, 2, 3, 9, 8, 24, 3, 1, 1, OP_CASE_PLAIN_X },
    { "few channels in and out", CONV, 2, 8, 7, 6, 12, 3, 1, 1, OP_CASE_BIAS | OP_CASE_RELU },
    { "few channels in, several blocks out", CONV, 2, 12, 6, 7, 48, 1, 1, 0, 0 },
    { "several blocks in, few channels out", CONV, 2, 48, 6, 7, 12, 3, 2, 1, OP_CASE_BIAS },
    { "few channels, a residual of fewer", CONV, 2, 9, 5, 6, 14, 3, 1, 1,
      OP_CASE_BIAS | OP_CASE_RESIDUAL | OP_CASE_NARROW | OP_CASE_RELU },
    { "the network's input, few channels out", CONV, 3, 3, 9, 8, 8, 3, 1, 1,
      OP_CASE_PLAIN_X | OP_CASE_BIAS },
    { "the network's input, two channels", CONV, 2, 2, 9, 8, 20, 3, 1, 1, OP_CASE_PLAIN_X },
    { "batch 1, full blocks", CONV, 1, 16, 8, 8, 16, 3, 1, 1, 0 },
    { "no padding", CONV, 2, 16, 6, 7, 32, 3, 1, 0, 0 },
    { "stride 2 on an even side", CONV, 2, 16, 8, 8, 32, 3, 2, 1, 0 },
    { "stride 2 on an odd side", CONV, 2, 5, 9, 7, 17, 3, 2, 1, 0 },
    { "stride leaves a remainder", CONV, 1, 8, 10, 9, 16, 3, 2, 0, 0 },
    { "stride larger than the kernel", CONV, 2, 3, 11, 10, 5, 2, 3, 0, 0 },
    { "even kernel", CONV, 2, 5, 6, 7, 3, 2, 1, 1, 0 },
    { "5x5 with rows of nothing but padding", CONV, 1, 3, 4, 3, 5, 5, 1, 4, 0 },
    { "one block and one channel", CONV, 2, 17, 7, 7, 17, 3, 1, 1, 0 },
    { "many blocks and a rest", CONV, 1, 101, 5, 5, 101, 3, 1, 1, 0 },
    { "wide to narrow", CONV, 2, 101, 4, 4, 1, 3, 1, 1, 0 },
    { "a row", CONV, 3, 16, 1, 13, 16, 3, 1, 1, 0 },
    { "a column", CONV, 3, 16, 13, 1, 16, 3, 1, 1, 0 },
    { "bias", CONV, 2, 5, 7, 6, 17, 3, 1, 1, OP_CASE_BIAS },
    { "bias, full blocks", CONV, 2, 16, 7, 6, 32, 3, 2, 1, OP_CASE_BIAS },
    { "relu", CONV, 2, 16, 7, 6, 16, 3, 1, 1, OP_CASE_RELU },
    { "bias and relu, a partial block", CONV, 2, 5, 7, 6, 5, 3, 1, 1, OP_CASE_BIAS | OP_CASE_RELU },
    { "residual", CONV, 2, 16, 7, 6, 16, 3, 1, 1, OP_CASE_RESIDUAL },
    { "bias, residual and relu", CONV, 2, 16, 7, 6, 32, 3, 1, 1,
      OP_CASE_BIAS | OP_CASE_RESIDUAL | OP_CASE_RELU },
    { "bias, residual and relu, a partial block", CONV, 3, 5, 5, 9, 17, 1, 1, 0,
      OP_CASE_BIAS | OP_CASE_RESIDUAL | OP_CASE_RELU },
    { "a residual of fewer blocks", CONV, 2, 5, 5, 6, 33, 3, 1, 1,
      OP_CASE_RESIDUAL | OP_CASE_NARROW | OP_CASE_RELU },
    { "a residual of fewer channels in the same block", CONV, 2, 16, 5, 6, 16, 1, 1, 0,
      OP_CASE_BIAS | OP_CASE_RESIDUAL | OP_CASE_NARROW },
    { "resnet_basic_20, first", CONV, 2, 3, 32, 32, 16, 3, 1, 1,
      OP_CASE_NETWORK | OP_CASE_PLAIN_X },
    { "resnet_basic_20, stage 1", CONV, 2, 16, 32, 32, 16, 3, 1, 1, OP_CASE_NETWORK },
    { "resnet_basic_20, to stage 2", CONV, 2, 16, 32, 32, 32, 3, 2, 1, OP_CASE_NETWORK },
    { "resnet_basic_20, shortcut", CONV, 2, 16, 32, 32, 32, 1, 2, 0, OP_CASE_NETWORK },
    { "resnet_basic_20, stage 2", CONV, 2, 32, 16, 16, 32, 3, 1, 1, OP_CASE_NETWORK },
    { "resnet_basic_20, stage 3", CONV, 2, 64, 8, 8, 64, 3, 1, 1, OP_CASE_NETWORK },
    { "resnet_basic_20, folded", CONV, 2, 16, 32, 32, 16, 3, 1, 1,
      OP_CASE_NETWORK | OP_CASE_BIAS | OP_CASE_RELU },
    { "resnet_basic_20, block's end, folded", CONV, 2, 32, 16, 16, 32, 3, 1, 1,
      OP_CASE_NETWORK | OP_CASE_BIAS | OP_CASE_RESIDUAL | OP_CASE_RELU },
    { "wrn_16_2, stage 3", CONV, 1, 128, 8, 8, 128, 3, 1, 1, OP_CASE_NETWORK },

    { "one number: its variance is 0", NORM, 1, 5, 1, 1, 0, 0, 0, 0, OP_CASE_BATCH_STATS },
    { "two numbers a channel", NORM, 2, 3, 1, 1, 0, 0, 0, 0, OP_CASE_BATCH_STATS },
    { "three numbers a channel", NORM, 1, 17, 1, 3, 0, 0, 0, 0, OP_CASE_BATCH_STATS },
    { "one channel", NORM, 3, 1, 5, 7, 0, 0, 0, 0, OP_CASE_BATCH_STATS },
    { "full blocks", NORM, 2, 32, 6, 5, 0, 0, 0, 0, OP_CASE_BATCH_STATS },
    { "many blocks and a rest", NORM, 2, 101, 3, 3, 0, 0, 0, 0, OP_CASE_BATCH_STATS },
    { "batch 1", NORM, 1, 16, 7, 7, 0, 0, 0, 0, OP_CASE_BATCH_STATS },
    { "relu", NORM, 2, 16, 5, 6, 0, 0, 0, 0, OP_CASE_BATCH_STATS | OP_CASE_RELU },
    { "relu, a partial block", NORM, 3, 5, 5, 6, 0, 0, 0, 0, OP_CASE_BATCH_STATS | OP_CASE_RELU },
    { "residual", NORM, 2, 17, 5, 6, 0, 0, 0, 0, OP_CASE_BATCH_STATS | OP_CASE_RESIDUAL },
    { "residual and relu: a block's end", NORM, 2, 16, 5, 6, 0, 0, 0, 0,
      OP_CASE_BATCH_STATS | OP_CASE_RESIDUAL | OP_CASE_RELU },
    { "two consumers", NORM, 2, 17, 4, 5, 0, 0, 0, 0, OP_CASE_BATCH_STATS | OP_CASE_DY2 },
    { "two consumers, relu", NORM, 2, 16, 4, 5, 0, 0, 0, 0,
      OP_CASE_BATCH_STATS | OP_CASE_DY2 | OP_CASE_RELU },
    { "two consumers, relu, residual", NORM, 3, 5, 4, 5, 0, 0, 0, 0,
      OP_CASE_BATCH_STATS | OP_CASE_DY2 | OP_CASE_RELU | OP_CASE_RESIDUAL },
    { "x has another consumer", NORM, 2, 16, 4, 5, 0, 0, 0, 0,
      OP_CASE_BATCH_STATS | OP_CASE_EXTRA | OP_CASE_RELU },
    { "everything at once", NORM, 2, 17, 4, 5, 0, 0, 0, 0,
      OP_CASE_BATCH_STATS | OP_CASE_DY2 | OP_CASE_EXTRA | OP_CASE_RELU | OP_CASE_RESIDUAL },
    { "a residual of fewer blocks", NORM, 2, 101, 5, 4, 0, 0, 0, 0,
      OP_CASE_BATCH_STATS | OP_CASE_RESIDUAL | OP_CASE_NARROW },
    { "a residual of whole blocks, relu", NORM, 3, 32, 5, 4, 0, 0, 0, 0,
      OP_CASE_BATCH_STATS | OP_CASE_RESIDUAL | OP_CASE_NARROW | OP_CASE_RELU },
    { "a residual of fewer channels in the same block", NORM, 2, 15, 5, 4, 0, 0, 0, 0,
      OP_CASE_BATCH_STATS | OP_CASE_RESIDUAL | OP_CASE_NARROW | OP_CASE_RELU | OP_CASE_DY2 },
    { "x is part of more blocks", NORM, 2, 32, 5, 4, 0, 0, 0, 0,
      OP_CASE_BATCH_STATS | OP_CASE_VIEW | OP_CASE_RELU },
    { "x's last block holds other channels", NORM, 3, 5, 5, 4, 0, 0, 0, 0,
      OP_CASE_BATCH_STATS | OP_CASE_VIEW | OP_CASE_RELU },
    { "x is part of more channels, with a gradient already", NORM, 2, 101, 3, 4, 0, 0, 0, 0,
      OP_CASE_BATCH_STATS | OP_CASE_VIEW | OP_CASE_RELU | OP_CASE_EXTRA },
    { "statistics for other norms, too", NORM, 2, 37, 5, 4, 0, 0, 0, 0,
      OP_CASE_BATCH_STATS | OP_CASE_RELU | OP_CASE_SHARED },
    { "statistics and a gradient shared with other norms", NORM, 2, 33, 5, 4, 0, 0, 0, 0,
      OP_CASE_BATCH_STATS | OP_CASE_RELU | OP_CASE_DY2 | OP_CASE_EXTRA | OP_CASE_VIEW |
          OP_CASE_SHARED },
    { "running statistics, x is part of more channels", NORM, 2, 17, 3, 4, 0, 0, 0, 0,
      OP_CASE_VIEW | OP_CASE_RELU | OP_CASE_RESIDUAL | OP_CASE_NARROW },
    { "running statistics", NORM, 2, 17, 5, 4, 0, 0, 0, 0, 0 },
    { "running statistics, one number", NORM, 1, 3, 1, 1, 0, 0, 0, 0, 0 },
    { "running statistics, relu", NORM, 2, 16, 5, 4, 0, 0, 0, 0, OP_CASE_RELU },
    { "running statistics, residual and relu", NORM, 1, 16, 5, 4, 0, 0, 0, 0,
      OP_CASE_RESIDUAL | OP_CASE_RELU },
    { "running statistics, everything at once", NORM, 2, 5, 5, 4, 0, 0, 0, 0,
      OP_CASE_DY2 | OP_CASE_EXTRA | OP_CASE_RELU | OP_CASE_RESIDUAL },
    { "resnet_basic_20, stage 1", NORM, 2, 16, 32, 32, 0, 0, 0, 0,
      OP_CASE_NETWORK | OP_CASE_BATCH_STATS | OP_CASE_RELU },
    { "resnet_basic_20, block's end of stage 1", NORM, 2, 16, 32, 32, 0, 0, 0, 0,
      OP_CASE_NETWORK | OP_CASE_BATCH_STATS | OP_CASE_RELU | OP_CASE_RESIDUAL | OP_CASE_DY2 },
    { "resnet_basic_20, stage 3", NORM, 2, 64, 8, 8, 0, 0, 0, 0,
      OP_CASE_NETWORK | OP_CASE_BATCH_STATS | OP_CASE_RELU },

    { "one number", RELU, 1, 1, 1, 1, 0, 0, 0, 0, 0 },
    { "a partial block", RELU, 2, 5, 3, 7, 0, 0, 0, 0, 0 },
    { "full blocks, two consumers", RELU, 2, 32, 4, 3, 0, 0, 0, 0, OP_CASE_DY2 },
    { "a rest, two consumers", RELU, 3, 17, 1, 5, 0, 0, 0, 0, OP_CASE_DY2 },

    { "one number", ADD, 1, 1, 1, 1, 0, 0, 0, 0, 0 },
    { "a partial block", ADD, 2, 5, 3, 7, 0, 0, 0, 0, 0 },
    { "full blocks, relu", ADD, 2, 32, 4, 3, 0, 0, 0, 0, OP_CASE_RELU },
    { "a rest, relu", ADD, 3, 17, 1, 5, 0, 0, 0, 0, OP_CASE_RELU },
    { "b of fewer blocks", ADD, 2, 101, 3, 4, 0, 0, 0, 0, OP_CASE_NARROW },
    { "b of fewer channels, relu", ADD, 3, 17, 3, 5, 0, 0, 0, 0, OP_CASE_NARROW | OP_CASE_RELU },
    { "resnet_basic_20, stage 1", ADD, 2, 16, 32, 32, 0, 0, 0, 0, OP_CASE_NETWORK },

    { "one pixel: a copy", POOL, 2, 5, 1, 1, 0, 0, 0, 0, 0 },
    { "one channel", POOL, 1, 1, 5, 3, 0, 0, 0, 0, 0 },
    { "many blocks and a rest", POOL, 2, 101, 3, 3, 0, 0, 0, 0, 0 },
    { "resnet_basic_20", POOL, 2, 64, 8, 8, 0, 0, 0, 0, OP_CASE_NETWORK },

    { "one window", MAX_POOL, 1, 1, 2, 2, 0, 0, 0, 0, 0 },
    { "odd rows and columns belong to no window", MAX_POOL, 2, 5, 7, 5, 0, 0, 0, 0, 0 },
    { "a column", MAX_POOL, 3, 17, 9, 3, 0, 0, 0, 0, 0 },
    { "vgg_15_BN_64, stage 1", MAX_POOL, 2, 64, 32, 32, 0, 0, 0, 0, OP_CASE_NETWORK },

    { "one window", AVG_POOL, 1, 1, 2, 2, 0, 0, 0, 0, 0 },
    { "odd rows and columns belong to no window", AVG_POOL, 2, 5, 7, 5, 0, 0, 0, 0, 0 },
    { "many blocks and a rest", AVG_POOL, 1, 101, 4, 3, 0, 0, 0, 0, 0 },
    { "densenet_BC_100_12, transition 1", AVG_POOL, 2, 108, 32, 32, 0, 0, 0, 0, OP_CASE_NETWORK },

    { "one pixel", SUBSAMPLE, 2, 5, 1, 1, 0, 0, 0, 0, 0 },
    { "one pixel, missed", SUBSAMPLE, 2, 5, 1, 1, 0, 0, 0, 1, 0 },
    { "even sides", SUBSAMPLE, 2, 17, 6, 4, 0, 0, 0, 0, 0 },
    { "even sides, from pixel 1", SUBSAMPLE, 2, 17, 6, 4, 0, 0, 0, 1, 0 },
    { "odd sides", SUBSAMPLE, 3, 16, 5, 7, 0, 0, 0, 0, 0 },
    { "odd sides, from pixel 1: zeros beyond", SUBSAMPLE, 1, 33, 5, 7, 0, 0, 0, 1, 0 },
    { "shake_shake_26_2x64d, shortcut", SUBSAMPLE, 2, 64, 32, 32, 0, 0, 0, 1, OP_CASE_NETWORK },

    { "one number", SHAKE, 1, 1, 1, 1, 0, 0, 0, 0, 0 },
    { "a partial block", SHAKE, 3, 5, 3, 7, 0, 0, 0, 0, 0 },
    { "residual", SHAKE, 4, 33, 4, 3, 0, 0, 0, 0, OP_CASE_RESIDUAL },
    { "a residual of fewer blocks", SHAKE, 2, 101, 3, 3, 0, 0, 0, 0,
      OP_CASE_RESIDUAL | OP_CASE_NARROW },
    { "shake_shake_26_2x64d, stage 1", SHAKE, 2, 64, 32, 32, 0, 0, 0, 0,
      OP_CASE_NETWORK | OP_CASE_RESIDUAL },

    { "one number", DROPOUT, 1, 1, 1, 1, 0, 0, 0, 0, 0 },
    { "a partial block", DROPOUT, 3, 5, 3, 7, 0, 0, 0, 0, 0 },
    { "many blocks and a rest", DROPOUT, 2, 101, 4, 5, 0, 0, 0, 0, 0 },
    { "wrn_28_10, stage 1", DROPOUT, 1, 160, 32, 32, 0, 0, 0, 0, OP_CASE_NETWORK },

    { "one number", LINEAR, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
    { "batch 1", LINEAR, 1, 17, 1, 1, 10, 0, 0, 0, 0 },
    { "more classes than inputs", LINEAR, 5, 3, 1, 1, 101, 0, 0, 0, 0 },
    { "the input's gradient is unwanted", LINEAR, 3, 5, 1, 1, 2, 0, 0, 0, OP_CASE_NO_DX },
    { "resnet_basic_20", LINEAR, 4, 64, 1, 1, 10, 0, 0, 0, OP_CASE_NETWORK },

    { "one class: the loss is 0", XENT, 2, 1, 1, 1, 0, 0, 0, 0, 0 },
    { "two classes, one image", XENT, 1, 2, 1, 1, 0, 0, 0, 0, 0 },
    { "more classes than a vector holds", XENT, 3, 101, 1, 1, 0, 0, 0, 0, 0 },
    { "CIFAR", XENT, 4, 10, 1, 1, 0, 0, 0, 0, OP_CASE_NETWORK },

    /* Maps of few pixels as one matrix. */
    { "four pixels, a residual of fewer channels", CONV, 5, 17, 2, 2, 40, 3, 1, 1,
      OP_CASE_BIAS | OP_CASE_RESIDUAL | OP_CASE_NARROW | OP_CASE_RELU },
    { "four pixels to one", CONV, 3, 16, 2, 2, 24, 3, 2, 1, OP_CASE_BIAS },
    { "few pixels, and taps that none has", CONV, 2, 24, 1, 3, 16, 5, 1, 2, 0 },

    /* Winograd's tiles of 4x4 results. */
    { "tiles of 4x4 results, a block and a half of filters", CONV, 3, 16, 8, 8, 24, 3, 1, 1, 0 },
    { "tiles that go beyond the image, more padding", CONV, 2, 24, 5, 9, 40, 3, 1, 2,
      OP_CASE_BIAS | OP_CASE_RELU },
    { "a map smaller than a tile", CONV, 3, 16, 3, 2, 16, 3, 1, 1, OP_CASE_BIAS },
    { "fewer tiles than threads, many groups of channels and filters", CONV, 1, 200, 4, 4, 152, 3,
      1, 1, OP_CASE_BIAS | OP_CASE_RESIDUAL | OP_CASE_RELU },
    { "many tiles and groups", CONV, 9, 136, 8, 8, 264, 3, 1, 1, 0 },
};

const size_t op_case_count = sizeof op_cases / sizeof *op_cases;

static int between(sl_random *r, int low, int high)
{
    return low + (int)sl_random_below(r, (uint32_t)(high - low + 1));
}

op_case op_case_random(sl_random *r)
{
    static const sl_op_kind kinds[] = {
        CONV,   CONV, CONV,     NORM,     NORM,      RELU,  ADD,     POOL,
        LINEAR, XENT, MAX_POOL, AVG_POOL, SUBSAMPLE, SHAKE, DROPOUT,
    };
    op_case c = { .why = "random shape",
                  .kind = kinds[sl_random_below(r, sizeof kinds / sizeof *kinds)],
                  .n = between(r, 1, 5),
                  .c = between(r, 1, 40),
                  .h = between(r, 1, 13),
                  .w = between(r, 1, 13),
                  .variant = sl_random_u32(r) & (OP_CASE_PLAIN_X - 1 + OP_CASE_NARROW +
                                                 OP_CASE_VIEW + OP_CASE_SHARED) };
    switch (c.kind) {
    case CONV:
        c.k = between(r, 1, 40);
        c.stride = between(r, 1, 3);
        c.kernel = between(r, 1, 5);
        c.pad = between(r, 0, c.kernel - 1);
        c.variant |= sl_random_below(r, 4) == 0 ? OP_CASE_PLAIN_X : 0;
        if (c.h + 2 * c.pad < c.kernel)
            c.h = c.kernel;
        if (c.w + 2 * c.pad < c.kernel)
            c.w = c.kernel;
        break;
    case LINEAR:
        c.k = between(r, 1, 40);
        c.h = c.w = 1;
        break;
    case XENT:
        c.h = c.w = 1;
        break;
    case MAX_POOL:
    case AVG_POOL:
        c.h++;
        c.w++;
        break;
    case SUBSAMPLE:
        c.pad = between(r, 0, 1);
        break;
    default:
        break;
    }
    return c;
}

static void use_in(sl_op *op, int slots)
{
    for (int i = 0; i < slots; i++)
        op->has_in[i] = true;
}

static void use_out(sl_op *op, int slots)
{
    for (int i = 0; i < slots; i++)
        op->has_out[i] = true;
}

static sl_op plain_op(sl_op_kind kind, const op_case *c, int ins, int outs)
{
    sl_op op = { .kind = kind, .x = { .n = c->n, .c = c->c, .h = c->h, .w = c->w } };
    op.y = op.x;
    use_in(&op, ins);
    use_out(&op, outs);
    return op;
}

static int narrow(const op_case *c, int channels)
{
    return c->variant & OP_CASE_NARROW ? (channels + 1) / 2 : channels;
}

static int conv_ops(const op_case *c, sl_op ops[3])
{
    ops[0] = plain_op(CONV, c, 2, 1);
    ops[1] = plain_op(SL_OP_CONV_BWD_DATA, c, 2, 1);
    ops[2] = plain_op(SL_OP_CONV_BWD_WEIGHTS, c, 2, 1);
    for (int i = 0; i < 3; i++) {
        ops[i].kernel = c->kernel;
        ops[i].stride = c->stride;
        ops[i].pad = c->pad;
        ops[i].y.c = c->k;
        ops[i].y.h = (c->h + 2 * c->pad - c->kernel) / c->stride + 1;
        ops[i].y.w = (c->w + 2 * c->pad - c->kernel) / c->stride + 1;
    }
    ops[0].weights_vary = ops[1].weights_vary = c->n % 2; /* both ways are among the cases */
    ops[0].has_in[SL_CONV_BIAS] = c->variant & OP_CASE_BIAS;
    ops[0].has_in[SL_CONV_RESIDUAL] = c->variant & OP_CASE_RESIDUAL;
    ops[0].residual_c = c->variant & OP_CASE_RESIDUAL ? narrow(c, c->k) : 0;
    ops[0].relu = c->variant & OP_CASE_RELU;
    ops[2].has_out[1] = c->variant & OP_CASE_BIAS;
    return 3;
}

static void share(sl_op norm[2])
{
    bool earlier = norm[1].has_in[SL_NORM_BWD_EXTRA];
    norm[0].known = (norm[0].x.c + 1) / 2;
    norm[0].has_in[SL_NORM_KNOWN_MEAN] = norm[0].has_in[SL_NORM_KNOWN_VAR] = true;
    norm[0].has_out[SL_NORM_VAR] = true;
    norm[1].has_in[SL_NORM_BWD_SLOPE] = norm[1].has_in[SL_NORM_BWD_OFFSET] = earlier;
    norm[1].has_out[SL_NORM_BWD_SLOPE_OUT] = norm[1].has_out[SL_NORM_BWD_OFFSET_OUT] = true;
}

static int norm_ops(const op_case *c, sl_op ops[3])
{
    bool relu = c->variant & OP_CASE_RELU, residual = c->variant & OP_CASE_RESIDUAL;
    ops[0] = plain_op(NORM, c, SL_NORM_RUNNING_VAR + 1, SL_NORM_INV_STD + 1);
    ops[1] = plain_op(SL_OP_NORM_BWD, c, SL_NORM_BWD_BIAS + 1, SL_NORM_BWD_D_BIAS + 1);
    ops[2] = plain_op(SL_OP_NORM_AGAIN, c, SL_NORM_AGAIN_RESIDUAL + 1, 1);
    for (int i = 0; i < 3; i++) {
        ops[i].relu = relu;
        ops[i].batch_stats = c->variant & OP_CASE_BATCH_STATS;
        ops[i].residual_c = residual ? narrow(c, c->c) : 0;
        ops[i].x.stored = c->variant & OP_CASE_VIEW ? c->c + (c->c + 1) / 2 : 0;
    }
    ops[0].has_in[SL_NORM_RESIDUAL] = residual;
    ops[1].has_in[SL_NORM_BWD_DY2] = c->variant & OP_CASE_DY2;
    ops[1].has_in[SL_NORM_BWD_Y] = relu && residual;
    ops[1].has_in[SL_NORM_BWD_BIAS] = relu && !residual;
    ops[1].has_in[SL_NORM_BWD_EXTRA] = c->variant & OP_CASE_EXTRA;
    ops[1].has_out[SL_NORM_BWD_D_RESIDUAL] = residual;
    if (c->variant & OP_CASE_SHARED && c->variant & OP_CASE_BATCH_STATS && !residual)
        share(ops);
    ops[2].has_in[SL_NORM_AGAIN_RESIDUAL] = residual;
    return 3;
}

static int window_pool_ops(const op_case *c, sl_op ops[3], sl_op_kind bwd)
{
    ops[0] = plain_op(c->kind, c, 1, 1);
    ops[1] = plain_op(bwd, c, bwd == SL_OP_MAX_POOL_BWD ? 2 : 1, 1);
    for (int i = 0; i < 2; i++) {
        ops[i].y.h /= 2;
        ops[i].y.w /= 2;
    }
    return 2;
}

static int subsample_ops(const op_case *c, sl_op ops[3])
{
    ops[0] = plain_op(SUBSAMPLE, c, 1, 1);
    ops[1] = plain_op(SL_OP_SUBSAMPLE_BWD, c, 1, 1);
    for (int i = 0; i < 2; i++) {
        ops[i].y.h = (c->h + 1) / 2;
        ops[i].y.w = (c->w + 1) / 2;
        ops[i].offset = c->pad;
    }
    return 2;
}

static int shake_ops(const op_case *c, sl_op ops[3])
{
    ops[0] = plain_op(SHAKE, c, 3, 1);
    ops[1] = plain_op(SL_OP_SHAKE_BWD, c, 2, 2);
    ops[0].has_in[SL_SHAKE_RESIDUAL] = c->variant & OP_CASE_RESIDUAL;
    ops[0].residual_c = c->variant & OP_CASE_RESIDUAL ? narrow(c, c->c) : 0;
    return 2;
}

static int dropout_ops(const op_case *c, sl_op ops[3])
{
    ops[0] = plain_op(DROPOUT, c, 2, 1);
    ops[1] = plain_op(SL_OP_DROPOUT_BWD, c, 2, 1);
    ops[0].rate = ops[1].rate = 0.3f;
    return 2;
}

static int linear_ops(const op_case *c, sl_op ops[3])
{
    ops[0] = plain_op(LINEAR, c, 3, 1);
    ops[1] = plain_op(SL_OP_LINEAR_BWD, c, 3, 3);
    ops[1].has_out[SL_LINEAR_BWD_DX] = !(c->variant & OP_CASE_NO_DX);
    ops[0].y.c = ops[1].y.c = c->k;
    return 2;
}

int op_case_ops(const op_case *c, sl_op ops[3])
{
    switch (c->kind) {
    case CONV:
        return conv_ops(c, ops);
    case NORM:
        return norm_ops(c, ops);
    case RELU:
        ops[0] = plain_op(RELU, c, 1, 1);
        ops[1] = plain_op(SL_OP_RELU_BWD, c, 3, 1);
        ops[1].has_in[SL_RELU_BWD_DY2] = c->variant & OP_CASE_DY2;
        return 2;
    case ADD:
        ops[0] = plain_op(ADD, c, 2, 1);
        ops[0].residual_c = narrow(c, c->c);
        ops[0].relu = c->variant & OP_CASE_RELU;
        return 1;
    case POOL:
        ops[0] = plain_op(POOL, c, 1, 1);
        ops[1] = plain_op(SL_OP_GLOBAL_POOL_BWD, c, 1, 1);
        ops[0].y.h = ops[0].y.w = ops[1].y.h = ops[1].y.w = 1;
        return 2;
    case MAX_POOL:
        return window_pool_ops(c, ops, SL_OP_MAX_POOL_BWD);
    case AVG_POOL:
        return window_pool_ops(c, ops, SL_OP_AVG_POOL_BWD);
    case SUBSAMPLE:
        return subsample_ops(c, ops);
    case SHAKE:
        return shake_ops(c, ops);
    case DROPOUT:
        return dropout_ops(c, ops);
    case LINEAR:
        return linear_ops(c, ops);
    case XENT:
        ops[0] = plain_op(XENT, c, 2, 2);
        return 1;
    default:
        return 0; /* a backward kind: no case names one */
    }
}
