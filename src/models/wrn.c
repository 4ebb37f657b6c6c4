/* Wide residual networks (Zagoruyko and Komodakis 2016): pre-activation basic blocks, widened k
 * times. depth = 6n+4. */
#include "models/family.h"
#include <stdio.h>
#include <string.h>

/* x (in,h,w) -> (out,h/stride,w/stride). The first norm and ReLU are the shortcut's too exactly
 * where the channel number changes. */
static sl_value block(sl_graph *g, sl_value x, const char *name, int out, int stride)
{
    bool widens = x >= 0 && sl_graph_shape(g, x).c != out;
    sl_value a = sl_graph_relu(g, sl_layer_norm(g, x, name, "bn1"));
    sl_value y = sl_layer_conv(g, a, name, "conv1", out, 3, stride);
    y = sl_graph_relu(g, sl_layer_norm(g, y, name, "bn2"));
    y = sl_layer_conv(g, y, name, "conv2", out, 3, 1);
    if (widens)
        x = sl_layer_conv(g, a, name, "shortcut.conv", out, 1, stride);
    return sl_graph_add(g, y, x);
}

typedef struct {
    int depth, widening, base;
} wrn;

static sl_status read_arch(const json_t *arch, wrn *w, sl_error *err)
{
    static const char *const keys[] = { "base_channels", "depth", "widening_factor", "drop_rate",
                                        NULL };
    sl_status st = sl_arch_check_keys(arch, keys, err);
    if (!st)
        st = sl_arch_int(arch, "base_channels", 1, 4096, &w->base, err);
    if (!st)
        st = sl_arch_int(arch, "depth", 10, 9999, &w->depth, err);
    if (!st)
        st = sl_arch_int(arch, "widening_factor", 1, 100, &w->widening, err);
    if (st)
        return st;
    if (w->depth % 6 != 4)
        return sl_error_set(err, SL_EINVAL, "depth %d isn't 6n+4, as wrn needs: try %d", w->depth,
                            w->depth / 6 * 6 + 4);
    const json_t *drop_rate = json_object_get(arch, "drop_rate");
    if (drop_rate && (!json_is_number(drop_rate) || json_number_value(drop_rate) != 0))
        return sl_error_set(err, SL_EUNSUPPORTED, "drop_rate isn't 0: dropout isn't in this build");
    return SL_OK;
}

static sl_status build(sl_graph *g, const json_t *arch, int classes, char name[64], sl_error *err)
{
    wrn w;
    sl_status st = read_arch(arch, &w, err);
    if (st)
        return st;
    int used = snprintf(name, 64, "wrn_%d_%d", w.depth, w.widening);
    if (w.base != 16)
        snprintf(name + used, 64 - (size_t)used, " (base %d)", w.base);

    const int width = w.base * w.widening, channels[] = { width, 2 * width, 4 * width };
    const int blocks = (w.depth - 4) / 6;
    sl_value x = sl_graph_input(g, 3, 32, 32);
    x = sl_layer_conv(g, x, "", "conv", w.base, 3, 1);
    for (int s = 0; s < 3; s++)
        for (int b = 0; b < blocks; b++) {
            char block_name[40];
            snprintf(block_name, sizeof block_name, "stage%d.block%d", s + 1, b + 1);
            x = block(g, x, block_name, channels[s], s > 0 && b == 0 ? 2 : 1);
        }
    x = sl_graph_relu(g, sl_layer_norm(g, x, "", "bn"));
    x = sl_graph_global_pool(g, x);
    return sl_graph_finish(g, sl_graph_linear(g, x, "fc", classes), err);
}

static json_t *from_name(const char *name)
{
    int depth, widening;
    const char *rest = name + strlen("wrn_");
    if (strncmp(name, "wrn_", strlen("wrn_")) != 0 || !sl_name_number(&rest, &depth) ||
        *rest++ != '_' || !sl_name_number(&rest, &widening) || *rest)
        return NULL;
    return json_pack("{s:s, s:i, s:i, s:i, s:i}", "arch", "wrn", "base_channels", 16, "depth",
                     depth, "widening_factor", widening, "drop_rate", 0);
}

static const char *const known[] = { "wrn_28_10", "wrn_16_2", NULL };

const sl_family sl_family_wrn = {
    .arch = "wrn",
    .pattern = "wrn_<depth>_<widening> (depth 6n+4)",
    .known = known,
    .init = SL_INIT_FAN_IN,
    .from_name = from_name,
    .build = build,
};
