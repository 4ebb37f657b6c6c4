/* ResNet for 32x32 images (He et al. 2016, section 4.2): three stages of n residual blocks, the
 * activation after the sum. depth = 6n+2 with basic blocks, 9n+2 with bottlenecks. */
#include "models/family.h"
#include <stdio.h>

typedef struct {
    bool bottleneck;
    int depth, blocks, base; /* blocks in a stage; base: channels of the first stage */
} resnet;

/* x (in,h,w) -> (out,h/stride,w/stride) */
static sl_value block(sl_graph *g, sl_value x, const char *name, const resnet *r, int out,
                      int stride)
{
    sl_value y = x, shortcut = x;
    if (r->bottleneck) {
        y = sl_layer_conv(g, y, name, "conv1", out / 4, 1, 1);
        y = sl_layer_norm_relu(g, y, name, "bn1");
        y = sl_layer_conv(g, y, name, "conv2", out / 4, 3, stride);
        y = sl_layer_norm_relu(g, y, name, "bn2");
        y = sl_layer_conv(g, y, name, "conv3", out, 1, 1);
        y = sl_layer_norm(g, y, name, "bn3");
    } else {
        y = sl_layer_conv(g, y, name, "conv1", out, 3, stride);
        y = sl_layer_norm_relu(g, y, name, "bn1");
        y = sl_layer_conv(g, y, name, "conv2", out, 3, 1);
        y = sl_layer_norm(g, y, name, "bn2");
    }
    if (sl_layer_channels(g, x) != out) {
        shortcut = sl_layer_conv(g, x, name, "shortcut.conv", out, 1, stride);
        shortcut = sl_layer_norm(g, shortcut, name, "shortcut.bn");
    }
    return sl_graph_relu(g, sl_graph_add(g, y, shortcut));
}

static sl_status read_arch(const json_t *arch, resnet *r, sl_error *err)
{
    sl_status st = sl_arch_int(arch, "base_channels", 1, 4096, &r->base, err);
    if (!st)
        st = sl_arch_bottleneck(arch, &r->bottleneck, err);
    if (!st)
        st = sl_arch_depth(arch, r->bottleneck ? "resnet_bottleneck" : "resnet_basic",
                           r->bottleneck ? 9 : 6, 2, &r->depth, &r->blocks, err);
    if (!st && r->bottleneck && r->base % 4 != 0)
        st = sl_error_set(err, SL_EINVAL, "base_channels %d isn't a multiple of 4", r->base);
    return st;
}

static sl_status build(sl_graph *g, const json_t *arch, sl_shape image, int classes, char name[64],
                       sl_error *err)
{
    resnet r;
    sl_status st = read_arch(arch, &r, err);
    if (st)
        return st;
    snprintf(name, 64, "resnet_%s_%d", r.bottleneck ? "bottleneck" : "basic", r.depth);

    const int expansion = r.bottleneck ? 4 : 1;
    const int channels[] = { r.base, 2 * r.base * expansion, 4 * r.base * expansion };
    sl_value x = sl_graph_input(g, image.c, image.h, image.w);
    x = sl_layer_conv(g, x, "", "conv", r.base, 3, 1);
    x = sl_layer_norm_relu(g, x, "", "bn");
    for (int s = 0; s < 3; s++)
        for (int b = 0; b < r.blocks; b++) {
            char block_name[40];
            x = block(g, x, sl_layer_block(block_name, s, b), &r, channels[s],
                      s > 0 && b == 0 ? 2 : 1);
        }
    x = sl_graph_global_pool(g, x);
    return sl_graph_finish(g, sl_graph_linear(g, x, "fc", classes), err);
}

static json_t *from_name(const char *name)
{
    int depth;
    const char *rest = name, *type = "basic";
    if (sl_name_word(&rest, "resnet_bottleneck_"))
        type = "bottleneck";
    else if (!sl_name_word(&rest, "resnet_basic_"))
        return NULL;
    if (!sl_name_number(&rest, &depth) || *rest)
        return NULL;
    return json_pack("{s:s, s:i}", "block_type", type, "depth", depth);
}

static const char *const known[] = { "resnet_basic_110", "resnet_basic_20", NULL };

const sl_family sl_family_resnet = {
    .arch = "resnet",
    .pattern = "resnet_basic_<depth> (6n+2), resnet_bottleneck_<depth> (9n+2)",
    .members = "{\"arch\":\"resnet\",\"base_channels\":16,\"block_type\":null,\"depth\":null}",
    .known = known,
    .init = SL_INIT_FAN_OUT,
    .from_name = from_name,
    .build = build,
};
