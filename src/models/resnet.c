/* ResNet for 32x32 images (He et al. 2016, section 4.2): three stages of n residual blocks, the
 * activation after the sum. depth = 6n+2 with basic blocks, 9n+2 with bottlenecks. */
#include "models/family.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    bool bottleneck;
    int depth, base; /* base: channels of the first stage */
} resnet;

/* x (in,h,w) -> (out,h/stride,w/stride) */
static sl_value block(sl_graph *g, sl_value x, const char *name, const resnet *r, int out,
                      int stride)
{
    sl_value y = x, shortcut = x;
    if (r->bottleneck) {
        y = sl_layer_conv(g, y, name, "conv1", out / 4, 1, 1);
        y = sl_graph_relu(g, sl_layer_norm(g, y, name, "bn1"));
        y = sl_layer_conv(g, y, name, "conv2", out / 4, 3, stride);
        y = sl_graph_relu(g, sl_layer_norm(g, y, name, "bn2"));
        y = sl_layer_conv(g, y, name, "conv3", out, 1, 1);
        y = sl_layer_norm(g, y, name, "bn3");
    } else {
        y = sl_layer_conv(g, y, name, "conv1", out, 3, stride);
        y = sl_graph_relu(g, sl_layer_norm(g, y, name, "bn1"));
        y = sl_layer_conv(g, y, name, "conv2", out, 3, 1);
        y = sl_layer_norm(g, y, name, "bn2");
    }
    if (x >= 0 && sl_graph_shape(g, x).c != out) {
        shortcut = sl_layer_conv(g, x, name, "shortcut.conv", out, 1, stride);
        shortcut = sl_layer_norm(g, shortcut, name, "shortcut.bn");
    }
    return sl_graph_relu(g, sl_graph_add(g, y, shortcut));
}

static sl_status read_arch(const json_t *arch, resnet *r, sl_error *err)
{
    static const char *const keys[] = { "base_channels", "block_type", "depth", NULL };
    sl_status st = sl_arch_check_keys(arch, keys, err);
    if (!st)
        st = sl_arch_int(arch, "base_channels", 4, 4096, &r->base, err);
    if (!st)
        st = sl_arch_int(arch, "depth", 8, 9999, &r->depth, err);
    if (st)
        return st;
    const char *type = json_string_value(json_object_get(arch, "block_type"));
    if (!type || (strcmp(type, "basic") != 0 && strcmp(type, "bottleneck") != 0))
        return sl_error_set(err, SL_EFORMAT, "block_type isn't 'basic' or 'bottleneck'");
    r->bottleneck = strcmp(type, "bottleneck") == 0;
    int per_block = r->bottleneck ? 9 : 6;
    if (r->depth % per_block != 2)
        return sl_error_set(err, SL_EINVAL, "depth %d isn't %dn+2, as resnet_%s needs: try %d",
                            r->depth, per_block, type,
                            (r->depth < per_block + 2 ? 1 : r->depth / per_block) * per_block + 2);
    if (r->bottleneck && r->base % 4 != 0)
        return sl_error_set(err, SL_EINVAL, "base_channels %d isn't a multiple of 4", r->base);
    return SL_OK;
}

static sl_status build(sl_graph *g, const json_t *arch, int classes, char name[64], sl_error *err)
{
    resnet r;
    sl_status st = read_arch(arch, &r, err);
    if (st)
        return st;
    int used = snprintf(name, 64, "resnet_%s_%d", r.bottleneck ? "bottleneck" : "basic", r.depth);
    if (r.base != 16)
        snprintf(name + used, 64 - (size_t)used, " (base %d)", r.base);

    const int expansion = r.bottleneck ? 4 : 1;
    const int channels[] = { r.base, 2 * r.base * expansion, 4 * r.base * expansion };
    const int blocks = (r.depth - 2) / (r.bottleneck ? 9 : 6);
    sl_value x = sl_graph_input(g, 3, 32, 32);
    x = sl_layer_conv(g, x, "", "conv", r.base, 3, 1);
    x = sl_graph_relu(g, sl_layer_norm(g, x, "", "bn"));
    for (int s = 0; s < 3; s++)
        for (int b = 0; b < blocks; b++) {
            char block_name[40];
            snprintf(block_name, sizeof block_name, "stage%d.block%d", s + 1, b + 1);
            x = block(g, x, block_name, &r, channels[s], s > 0 && b == 0 ? 2 : 1);
        }
    x = sl_graph_global_pool(g, x);
    return sl_graph_finish(g, sl_graph_linear(g, x, "fc", classes), err);
}

static json_t *from_name(const char *name)
{
    static const char *const types[] = { "basic", "bottleneck" };
    for (size_t i = 0; i < 2; i++) {
        char prefix[32];
        int depth, n = snprintf(prefix, sizeof prefix, "resnet_%s_", types[i]);
        const char *rest = name + n;
        if (strncmp(name, prefix, (size_t)n) == 0 && sl_name_number(&rest, &depth) && !*rest)
            return json_pack("{s:s, s:i, s:s, s:i}", "arch", "resnet", "base_channels", 16,
                             "block_type", types[i], "depth", depth);
    }
    return NULL;
}

static const char *const known[] = { "resnet_basic_110", "resnet_basic_20", NULL };

const sl_family sl_family_resnet = {
    .arch = "resnet",
    .pattern = "resnet_basic_<depth> (depth 6n+2) or resnet_bottleneck_<depth> (9n+2)",
    .known = known,
    .init = SL_INIT_FAN_OUT,
    .from_name = from_name,
    .build = build,
};
