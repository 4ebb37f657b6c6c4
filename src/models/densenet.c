/* Densely connected networks (Huang et al. 2017): each layer's k channels are put behind all the
 * channels it has seen; between stages a transition narrows and halves. depth = 3n+4 with basic
 * layers, 6n+4 with bottlenecks. "B" in a name: bottlenecks; "C": compression 0.5. */
#include "models/family.h"
#include <math.h>
#include <stdio.h>

typedef struct {
    bool bottleneck;
    int depth, blocks, growth; /* blocks in a stage; growth: channels of a layer, k */
    double drop_rate, compression;
} densenet;

/* x (c,h,w) -> (c+k,h,w) */
static sl_value layer(sl_graph *g, sl_value x, const char *name, const densenet *d)
{
    sl_value y;
    if (d->bottleneck) {
        y = sl_layer_norm_relu(g, x, name, "bn1");
        y = sl_layer_conv(g, y, name, "conv1", 4 * d->growth, 1, 1);
        y = sl_graph_dropout(g, y, d->drop_rate);
        y = sl_layer_norm_relu(g, y, name, "bn2");
        y = sl_layer_conv(g, y, name, "conv2", d->growth, 3, 1);
    } else {
        y = sl_layer_norm_relu(g, x, name, "bn");
        y = sl_layer_conv(g, y, name, "conv", d->growth, 3, 1);
    }
    return sl_graph_concat(g, x, sl_graph_dropout(g, y, d->drop_rate));
}

/* x (c,h,w) -> (floor(compression c),h/2,w/2) */
static sl_value transition(sl_graph *g, sl_value x, const char *name, const densenet *d)
{
    const int channels = (int)floor(sl_layer_channels(g, x) * d->compression);
    x = sl_layer_norm_relu(g, x, name, "bn");
    x = sl_layer_conv(g, x, name, "conv", channels, 1, 1);
    return sl_graph_avg_pool(g, sl_graph_dropout(g, x, d->drop_rate));
}

static sl_status read_arch(const json_t *arch, densenet *d, sl_error *err)
{
    sl_status st = sl_arch_bottleneck(arch, &d->bottleneck, err);
    if (!st)
        st = sl_arch_depth(arch, d->bottleneck ? "densenet with bottlenecks" : "densenet",
                           d->bottleneck ? 6 : 3, 4, &d->depth, &d->blocks, err);
    if (!st)
        st = sl_arch_int(arch, "growth_rate", 1, 1024, &d->growth, err);
    if (!st)
        st = sl_arch_number(arch, "drop_rate", 0, 0.95, &d->drop_rate, err);
    if (!st)
        st = sl_arch_number(arch, "compression_rate", 0.05, 1, &d->compression, err);
    return st;
}

static sl_status build(sl_graph *g, const json_t *arch, sl_shape image, int classes, char name[64],
                       sl_error *err)
{
    densenet d;
    sl_status st = read_arch(arch, &d, err);
    if (st)
        return st;
    const bool compressed = d.compression < 1;
    snprintf(name, 64, "densenet_%s%s%s%d_%d", d.bottleneck ? "B" : "", compressed ? "C" : "",
             d.bottleneck || compressed ? "_" : "", d.depth, d.growth);

    sl_value x = sl_graph_input(g, image.c, image.h, image.w);
    x = sl_layer_conv(g, x, "", "conv", 2 * d.growth, 3, 1);
    for (int s = 0; s < 3; s++) {
        char part[40];
        for (int b = 0; b < d.blocks; b++)
            x = layer(g, x, sl_layer_block(part, s, b), &d);
        snprintf(part, sizeof part, "stage%d.transition", s + 1);
        if (s < 2)
            x = transition(g, x, part, &d);
    }
    x = sl_layer_norm_relu(g, x, "", "bn");
    x = sl_graph_global_pool(g, x);
    return sl_graph_finish(g, sl_graph_linear(g, x, "fc", classes), err);
}

static json_t *from_name(const char *name)
{
    int depth, growth;
    const char *rest = name;
    if (!sl_name_word(&rest, "densenet_"))
        return NULL;
    const bool bottleneck = sl_name_word(&rest, "B"), compressed = sl_name_word(&rest, "C");
    if (((bottleneck || compressed) && !sl_name_word(&rest, "_")) ||
        !sl_name_number(&rest, &depth) || !sl_name_word(&rest, "_") ||
        !sl_name_number(&rest, &growth) || *rest)
        return NULL;
    return json_pack("{s:i, s:s, s:i, s:f}", "depth", depth, "block_type",
                     bottleneck ? "bottleneck" : "basic", "growth_rate", growth, "compression_rate",
                     compressed ? 0.5 : 1.0);
}

static const char *const known[] = { "densenet_BC_100_12", "densenet_BC_40_12", NULL };

const sl_family sl_family_densenet = {
    .arch = "densenet",
    .pattern = "densenet_BC_<depth>_<growth> (6n+4), densenet_<depth>_<growth> (3n+4), also B, C",
    .members = "{\"arch\":\"densenet\",\"depth\":null,\"block_type\":null,\"growth_rate\":null,"
               "\"drop_rate\":0,\"compression_rate\":1}",
    .known = known,
    .init = SL_INIT_FAN_OUT,
    .from_name = from_name,
    .build = build,
};
