/* Wide residual networks (Zagoruyko and Komodakis 2016): pre-activation basic blocks, widened k
 * times. depth = 6n+4. */
#include "models/family.h"
#include <stdio.h>

typedef struct {
    int depth, blocks, widening, base; /* blocks in a stage */
    double drop_rate;
} wrn;

/* x (in,h,w) -> (out,h/stride,w/stride). The first norm and ReLU are the shortcut's too exactly
 * where the channel number changes. */
static sl_value block(sl_graph *g, sl_value x, const char *name, int out, int stride,
                      double drop_rate)
{
    bool widens = sl_layer_channels(g, x) != out;
    sl_value a = sl_layer_norm_relu(g, x, name, "bn1");
    sl_value y = sl_layer_conv(g, a, name, "conv1", out, 3, stride);
    y = sl_graph_dropout(g, y, drop_rate);
    y = sl_layer_norm_relu(g, y, name, "bn2");
    y = sl_layer_conv(g, y, name, "conv2", out, 3, 1);
    if (widens)
        x = sl_layer_conv(g, a, name, "shortcut.conv", out, 1, stride);
    return sl_graph_add(g, y, x);
}

static sl_status read_arch(const json_t *arch, wrn *w, sl_error *err)
{
    sl_status st = sl_arch_int(arch, "base_channels", 1, 4096, &w->base, err);
    if (!st)
        st = sl_arch_depth(arch, "wrn", 6, 4, &w->depth, &w->blocks, err);
    if (!st)
        st = sl_arch_int(arch, "widening_factor", 1, 100, &w->widening, err);
    if (!st)
        st = sl_arch_number(arch, "drop_rate", 0, 0.95, &w->drop_rate, err);
    return st;
}

static sl_status build(sl_graph *g, const json_t *arch, sl_shape image, int classes, char name[64],
                       sl_error *err)
{
    wrn w;
    sl_status st = read_arch(arch, &w, err);
    if (st)
        return st;
    snprintf(name, 64, "wrn_%d_%d", w.depth, w.widening);

    const int width = w.base * w.widening, channels[] = { width, 2 * width, 4 * width };
    sl_value x = sl_graph_input(g, image.c, image.h, image.w);
    x = sl_layer_conv(g, x, "", "conv", w.base, 3, 1);
    for (int s = 0; s < 3; s++)
        for (int b = 0; b < w.blocks; b++) {
            char block_name[40];
            x = block(g, x, sl_layer_block(block_name, s, b), channels[s], s > 0 && b == 0 ? 2 : 1,
                      w.drop_rate);
        }
    x = sl_layer_norm_relu(g, x, "", "bn");
    x = sl_graph_global_pool(g, x);
    return sl_graph_finish(g, sl_graph_linear(g, x, "fc", classes), err);
}

static json_t *from_name(const char *name)
{
    int depth, widening;
    const char *rest = name;
    if (!sl_name_word(&rest, "wrn_") || !sl_name_number(&rest, &depth) ||
        !sl_name_word(&rest, "_") || !sl_name_number(&rest, &widening) || *rest)
        return NULL;
    return json_pack("{s:i, s:i}", "depth", depth, "widening_factor", widening);
}

static const char *const known[] = { "wrn_28_10", "wrn_28_10_cutout16", "wrn_16_2", NULL };

const sl_family sl_family_wrn = {
    .arch = "wrn",
    .pattern = "wrn_<depth>_<widening> (6n+4)",
    .members = "{\"arch\":\"wrn\",\"base_channels\":16,\"depth\":null,\"widening_factor\":null,"
               "\"drop_rate\":0}",
    .known = known,
    .init = SL_INIT_FAN_IN,
    .from_name = from_name,
    .build = build,
};
