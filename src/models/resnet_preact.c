/* Pre-activation ResNet (He et al. 2016, "Identity mappings"): norm and ReLU before each
 * convolution, nothing after the sum. depth = 6n+2 with basic blocks, 9n+2 with bottlenecks.
 *
 * Options beyond the paper's: remove_first_relu and add_last_bn (Han et al. 2017, section 3.2);
 * preact_stage says for each stage whether its first block's shortcut starts behind the block's
 * first norm and ReLU, as in the published code, or from the raw input, as in all other blocks. */
#include "models/family.h"
#include <stdio.h>

typedef struct {
    bool bottleneck, remove_first_relu, add_last_bn, preact_stage[3];
    int depth, blocks, base; /* blocks in a stage; base: channels of the first stage */
} preact;

/* x (in,h,w) -> (out,h/stride,w/stride) */
static sl_value block(sl_graph *g, sl_value x, const char *name, const preact *p, int out,
                      int stride, bool both)
{
    sl_value y = sl_layer_norm(g, x, name, "bn1");
    if (both)
        x = y = sl_graph_relu(g, y);
    else if (!p->remove_first_relu)
        y = sl_graph_relu(g, y);
    const char *last_norm = "bn3";
    if (p->bottleneck) {
        y = sl_layer_conv(g, y, name, "conv1", out / 4, 1, 1);
        y = sl_layer_norm_relu(g, y, name, "bn2");
        y = sl_layer_conv(g, y, name, "conv2", out / 4, 3, stride);
        y = sl_layer_norm_relu(g, y, name, "bn3");
        y = sl_layer_conv(g, y, name, "conv3", out, 1, 1);
        last_norm = "bn4";
    } else {
        y = sl_layer_conv(g, y, name, "conv1", out, 3, stride);
        y = sl_layer_norm_relu(g, y, name, "bn2");
        y = sl_layer_conv(g, y, name, "conv2", out, 3, 1);
    }
    if (p->add_last_bn)
        y = sl_layer_norm(g, y, name, last_norm);
    if (sl_layer_channels(g, x) != out)
        x = sl_layer_conv(g, x, name, "shortcut.conv", out, 1, stride);
    return sl_graph_add(g, y, x);
}

static sl_status read_arch(const json_t *arch, preact *p, sl_error *err)
{
    const json_t *stages = json_object_get(arch, "preact_stage");
    sl_status st = sl_arch_int(arch, "base_channels", 1, 4096, &p->base, err);
    if (!st)
        st = sl_arch_bottleneck(arch, &p->bottleneck, err);
    if (!st)
        st = sl_arch_depth(arch, p->bottleneck ? "resnet_preact_bottleneck" : "resnet_preact_basic",
                           p->bottleneck ? 9 : 6, 2, &p->depth, &p->blocks, err);
    if (!st)
        st = sl_arch_bool(arch, "remove_first_relu", &p->remove_first_relu, err);
    if (!st)
        st = sl_arch_bool(arch, "add_last_bn", &p->add_last_bn, err);
    for (size_t s = 0; s < 3 && !st; s++) {
        const json_t *flag = json_array_get(stages, s);
        if (json_array_size(stages) != 3 || !json_is_boolean(flag))
            st = sl_error_set(err, SL_EINVAL, "'preact_stage' isn't a list of three true or false");
        p->preact_stage[s] = json_is_true(flag);
    }
    if (!st && p->bottleneck && p->base % 4 != 0)
        st = sl_error_set(err, SL_EINVAL, "base_channels %d isn't a multiple of 4", p->base);
    return st;
}

static sl_status build(sl_graph *g, const json_t *arch, sl_shape image, int classes, char name[64],
                       sl_error *err)
{
    preact p;
    sl_status st = read_arch(arch, &p, err);
    if (st)
        return st;
    snprintf(name, 64, "resnet_preact_%s_%d", p.bottleneck ? "bottleneck" : "basic", p.depth);

    const int expansion = p.bottleneck ? 4 : 1;
    const int channels[] = { p.base, 2 * p.base * expansion, 4 * p.base * expansion };
    sl_value x = sl_graph_input(g, image.c, image.h, image.w);
    x = sl_layer_conv(g, x, "", "conv", p.base, 3, 1);
    for (int s = 0; s < 3; s++)
        for (int b = 0; b < p.blocks; b++) {
            char block_name[40];
            x = block(g, x, sl_layer_block(block_name, s, b), &p, channels[s],
                      s > 0 && b == 0 ? 2 : 1, b == 0 && p.preact_stage[s]);
        }
    x = sl_layer_norm_relu(g, x, "", "bn");
    x = sl_graph_global_pool(g, x);
    return sl_graph_finish(g, sl_graph_linear(g, x, "fc", classes), err);
}

static json_t *from_name(const char *name)
{
    int depth;
    const char *rest = name, *type = "basic";
    if (sl_name_word(&rest, "resnet_preact_bottleneck_"))
        type = "bottleneck";
    else if (!sl_name_word(&rest, "resnet_preact_basic_"))
        return NULL;
    if (!sl_name_number(&rest, &depth) || *rest)
        return NULL;
    return json_pack("{s:s, s:i}", "block_type", type, "depth", depth);
}

static const char *const known[] = { "resnet_preact_bottleneck_164", "resnet_preact_basic_20",
                                     NULL };

const sl_family sl_family_resnet_preact = {
    .arch = "resnet_preact",
    .pattern = "resnet_preact_basic_<depth> (6n+2), resnet_preact_bottleneck_<depth> (9n+2)",
    .members = "{\"arch\":\"resnet_preact\",\"base_channels\":16,\"block_type\":null,"
               "\"depth\":null,\"remove_first_relu\":false,\"add_last_bn\":false,"
               "\"preact_stage\":[true,true,true]}",
    .known = known,
    .init = SL_INIT_FAN_OUT,
    .from_name = from_name,
    .build = build,
};
