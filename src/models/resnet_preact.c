/* Pre-activation ResNet (He et al. 2016, "Identity mappings"): norm and ReLU before each
 * convolution, nothing after the sum. depth = 6n+2 with basic blocks, 9n+2 with bottlenecks.
 *
 * Options beyond the paper's: remove_first_relu and add_last_bn (Han et al. 2017, section 3.2);
 * preact_stage says for each stage whether its first block's shortcut starts behind the block's
 * first norm and ReLU, as in the published code, or from the raw input, as in all other blocks. */
#include "models/family.h"
#include <stdio.h>

typedef struct {
    sl_arch_blocks of;
    int channels[3];
    bool remove_first_relu, add_last_bn, preact_stage[3];
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
    y = sl_layer_residual(g, y, name, p->of.bottleneck, p->of.bottleneck ? out / 4 : out, stride, 2,
                          p->add_last_bn);
    if (sl_layer_channels(g, x) != out)
        x = sl_layer_conv(g, x, name, "shortcut.conv", out, 1, stride);
    return sl_graph_add(g, y, x);
}

static sl_status read_arch(const json_t *arch, preact *p, sl_error *err)
{
    const json_t *stages = json_object_get(arch, "preact_stage");
    sl_status st = sl_arch_residual(arch, "resnet_preact", &p->of, err);
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
    return st ? st : sl_arch_stages(&p->of, p->channels, err);
}

static sl_status build(sl_graph *g, const json_t *arch, sl_shape image, int classes, char name[64],
                       sl_error *err)
{
    preact p;
    sl_status st = read_arch(arch, &p, err);
    if (st)
        return st;
    snprintf(name, 64, "resnet_preact_%s_%d", p.of.bottleneck ? "bottleneck" : "basic", p.of.depth);

    sl_value x = sl_graph_input(g, image.c, image.h, image.w);
    x = sl_layer_conv(g, x, "", "conv", p.of.base, 3, 1);
    for (int s = 0; s < 3; s++)
        for (int b = 0; b < p.of.blocks; b++) {
            char block_name[40];
            x = block(g, x, sl_layer_block(block_name, s, b), &p, p.channels[s],
                      s > 0 && b == 0 ? 2 : 1, b == 0 && p.preact_stage[s]);
        }
    x = sl_layer_norm_relu(g, x, "", "bn");
    x = sl_graph_global_pool(g, x);
    return sl_graph_finish(g, sl_graph_linear(g, x, "fc", classes), err);
}

static json_t *from_name(const char *name)
{
    int depth;
    const char *rest = name, *type;
    if (!sl_name_block_type(&rest, "resnet_preact_", &type) || !sl_name_number(&rest, &depth) ||
        *rest)
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
