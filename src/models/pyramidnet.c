/* Deep pyramidal residual networks (Han et al. 2017): every block is a little wider than the last,
 * by alpha channels over the whole network. Shortcuts have no weights: pooled where the block has
 * stride 2, and channels that they lack count as zero. depth = 6n+2 basic, 9n+2 bottleneck. */
#include "models/family.h"
#include <math.h>
#include <stdio.h>

/* x (in,h,w) -> (out,h/stride,w/stride); width is out, or a quarter of it in bottlenecks. */
static sl_value block(sl_graph *g, sl_value x, const char *name, bool bottleneck, int width,
                      int stride)
{
    sl_value y = sl_layer_norm(g, x, name, "bn1");
    y = sl_layer_residual(g, y, name, bottleneck, width, stride, 2, true);
    if (stride == 2)
        x = sl_graph_avg_pool(g, x);
    return sl_graph_add(g, y, x);
}

static sl_status build(sl_graph *g, const json_t *arch, sl_shape image, int classes, char name[64],
                       sl_error *err)
{
    sl_arch_blocks p;
    int alpha = 0;
    sl_status st = sl_arch_residual(arch, "pyramidnet", &p, err);
    if (!st)
        st = sl_arch_int(arch, "pyramid_alpha", 0, 10000, &alpha, err);
    if (st)
        return st;
    if (image.h % 4 != 0 || image.w % 4 != 0)
        return sl_error_set(err, SL_EINVAL,
                            "images of %d x %d, but pyramidnet takes multiples of 4: its pooled "
                            "shortcuts halve them twice",
                            image.h, image.w);
    snprintf(name, 64, "pyramidnet_%s_%d_%d", p.bottleneck ? "bottleneck" : "basic", p.depth,
             alpha);

    sl_value x = sl_graph_input(g, image.c, image.h, image.w);
    x = sl_layer_conv(g, x, "", "conv", p.base * (p.bottleneck ? 4 : 1), 3, 1);
    x = sl_layer_norm(g, x, "", "bn1");
    /* Added up block by block and rounded half to even, as the reference does: the sum's own
     * rounding decides where a width is near half a channel. */
    double width = p.base;
    for (int s = 0; s < 3; s++)
        for (int b = 0; b < p.blocks; b++) {
            char block_name[40];
            width += (double)alpha / (3 * p.blocks);
            x = block(g, x, sl_layer_block(block_name, s, b), p.bottleneck, (int)nearbyint(width),
                      s > 0 && b == 0 ? 2 : 1);
        }
    x = sl_layer_norm_relu(g, x, "", "bn2");
    x = sl_graph_global_pool(g, x);
    return sl_graph_finish(g, sl_graph_linear(g, x, "fc", classes), err);
}

static json_t *from_name(const char *name)
{
    int depth, alpha;
    const char *rest = name, *type;
    if (!sl_name_block_type(&rest, "pyramidnet_", &type) || !sl_name_number(&rest, &depth) ||
        !sl_name_word(&rest, "_") || !sl_name_number(&rest, &alpha) || *rest)
        return NULL;
    return json_pack("{s:i, s:s, s:i}", "depth", depth, "block_type", type, "pyramid_alpha", alpha);
}

static const char *const known[] = { "pyramidnet_basic_110_270", "pyramidnet_basic_20_48", NULL };

const sl_family sl_family_pyramidnet = {
    .arch = "pyramidnet",
    .pattern = "pyramidnet_basic_<depth>_<alpha> (6n+2), pyramidnet_bottleneck_... (9n+2)",
    .members = "{\"arch\":\"pyramidnet\",\"base_channels\":16,\"depth\":null,\"block_type\":null,"
               "\"pyramid_alpha\":null}",
    .known = known,
    .init = SL_INIT_FAN_OUT,
    .from_name = from_name,
    .build = build,
};
