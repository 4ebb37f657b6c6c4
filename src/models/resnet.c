/* ResNet for 32x32 images (He et al. 2016, section 4.2): three stages of n residual blocks, the
 * activation after the sum. depth = 6n+2 with basic blocks, 9n+2 with bottlenecks. */
#include "models/family.h"
#include <stdio.h>

/* x (in,h,w) -> (out,h/stride,w/stride) */
static sl_value block(sl_graph *g, sl_value x, const char *name, bool bottleneck, int out,
                      int stride)
{
    sl_value shortcut = x;
    sl_value y =
        sl_layer_residual(g, x, name, bottleneck, bottleneck ? out / 4 : out, stride, 1, true);
    if (sl_layer_channels(g, x) != out) {
        shortcut = sl_layer_conv(g, x, name, "shortcut.conv", out, 1, stride);
        shortcut = sl_layer_norm(g, shortcut, name, "shortcut.bn");
    }
    return sl_graph_relu(g, sl_graph_add(g, y, shortcut));
}

static sl_status build(sl_graph *g, const json_t *arch, sl_shape image, int classes, char name[64],
                       sl_error *err)
{
    sl_arch_blocks r;
    int channels[3];
    sl_status st = sl_arch_residual(arch, "resnet", &r, err);
    if (!st)
        st = sl_arch_stages(&r, channels, err);
    if (st)
        return st;
    snprintf(name, 64, "resnet_%s_%d", r.bottleneck ? "bottleneck" : "basic", r.depth);

    sl_value x = sl_graph_input(g, image.c, image.h, image.w);
    x = sl_layer_conv(g, x, "", "conv", r.base, 3, 1);
    x = sl_layer_norm_relu(g, x, "", "bn");
    for (int s = 0; s < 3; s++)
        for (int b = 0; b < r.blocks; b++) {
            char block_name[40];
            x = block(g, x, sl_layer_block(block_name, s, b), r.bottleneck, channels[s],
                      s > 0 && b == 0 ? 2 : 1);
        }
    x = sl_graph_global_pool(g, x);
    return sl_graph_finish(g, sl_graph_linear(g, x, "fc", classes), err);
}

static json_t *from_name(const char *name)
{
    int depth;
    const char *rest = name, *type;
    if (!sl_name_block_type(&rest, "resnet_", &type) || !sl_name_number(&rest, &depth) || *rest)
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
