/* Shake-shake regularisation (Gastaldi 2017): two equal residual paths, mixed by random weights in
 * training. depth = 6n+2.
 *
 * The three letters of a name are Gastaldi's: forward pass S(hake), random weights, or E(ven), one
 * half each; backward pass likewise; weights for each I(mage) or for the whole B(atch). */
#include "models/family.h"
#include <stdio.h>

typedef struct {
    int depth, blocks, base; /* blocks in a stage; base: channels of the first stage */
    sl_shake shake;
} shake_shake;

/* x (in,h,w) -> (out,h/stride,w/stride) */
static sl_value path(sl_graph *g, sl_value x, const char *block, int number, int out, int stride)
{
    char name[64];
    snprintf(name, sizeof name, "%s.residual_path%d", block, number);
    sl_value y = sl_layer_conv(g, x, name, "conv1", out, 3, stride);
    y = sl_layer_norm_relu(g, y, name, "bn1");
    y = sl_layer_conv(g, y, name, "conv2", out, 3, 1);
    return sl_layer_norm(g, y, name, "bn2");
}

/* x (c,h,w) -> (2c,h/2,w/2): half the channels from every second pixel, half from the pixels one
 * down and to the right of them. */
static sl_value downsample(sl_graph *g, sl_value x, const char *block, int channels)
{
    char name[64];
    snprintf(name, sizeof name, "%s.shortcut.downsample", block);
    sl_value y1 = sl_layer_conv(g, sl_graph_subsample(g, x, 0), name, "conv1", channels, 1, 1);
    sl_value y2 = sl_layer_conv(g, sl_graph_subsample(g, x, 1), name, "conv2", channels, 1, 1);
    return sl_layer_norm(g, sl_graph_concat(g, y1, y2), name, "bn");
}

static sl_value block(sl_graph *g, sl_value x, const char *name, int out, int stride,
                      sl_shake shake)
{
    const int in = sl_layer_channels(g, x);
    sl_value a = sl_graph_relu(g, x); /* both paths begin with it, and the downsampling shortcut */
    sl_value y1 = path(g, a, name, 1, out, stride);
    sl_value y2 = path(g, a, name, 2, out, stride);
    sl_value y = sl_graph_shake(g, y1, y2, shake);
    if (in != out)
        x = downsample(g, a, name, in);
    return sl_graph_add(g, y, x);
}

static sl_status read_arch(const json_t *arch, shake_shake *s, sl_error *err)
{
    sl_status st = sl_arch_int(arch, "base_channels", 1, 4096, &s->base, err);
    if (!st)
        st = sl_arch_depth(arch, "shake_shake", 6, 2, &s->depth, &s->blocks, err);
    if (!st)
        st = sl_arch_bool(arch, "shake_forward", &s->shake.forward, err);
    if (!st)
        st = sl_arch_bool(arch, "shake_backward", &s->shake.backward, err);
    if (!st)
        st = sl_arch_bool(arch, "shake_image", &s->shake.image, err);
    return st;
}

static sl_status build(sl_graph *g, const json_t *arch, sl_shape image, int classes, char name[64],
                       sl_error *err)
{
    shake_shake s;
    sl_status st = read_arch(arch, &s, err);
    if (st)
        return st;
    snprintf(name, 64, "shake_shake_%d_2x%dd_%c%c%c", s.depth, s.base, s.shake.forward ? 'S' : 'E',
             s.shake.backward ? 'S' : 'E', s.shake.image ? 'I' : 'B');

    sl_value x = sl_graph_input(g, image.c, image.h, image.w);
    x = sl_layer_conv(g, x, "", "conv", s.base, 3, 1);
    x = sl_layer_norm_relu(g, x, "", "bn");
    for (int i = 0; i < 3; i++)
        for (int b = 0; b < s.blocks; b++) {
            char block_name[40];
            x = block(g, x, sl_layer_block(block_name, i, b), s.base << i, i > 0 && b == 0 ? 2 : 1,
                      s.shake);
        }
    x = sl_graph_global_pool(g, x);
    return sl_graph_finish(g, sl_graph_linear(g, x, "fc", classes), err);
}

/* One letter, yes or no, off *text. */
static bool name_switch(const char **text, const char *yes, const char *no, bool *out)
{
    *out = sl_name_word(text, yes);
    return *out || sl_name_word(text, no);
}

static json_t *from_name(const char *name)
{
    int depth, base;
    bool forward, backward, image;
    const char *rest = name;
    if (!sl_name_word(&rest, "shake_shake_") || !sl_name_number(&rest, &depth) ||
        !sl_name_word(&rest, "_2x") || !sl_name_number(&rest, &base) ||
        !sl_name_word(&rest, "d_") || !name_switch(&rest, "S", "E", &forward) ||
        !name_switch(&rest, "S", "E", &backward) || !name_switch(&rest, "I", "B", &image) || *rest)
        return NULL;
    return json_pack("{s:i, s:i, s:b, s:b, s:b}", "base_channels", base, "depth", depth,
                     "shake_forward", forward, "shake_backward", backward, "shake_image", image);
}

static const char *const known[] = { "shake_shake_26_2x64d_SSI",
                                     "shake_shake_26_2x64d_SSI_cutout16",
                                     "shake_shake_26_2x32d_SSI", NULL };

const sl_family sl_family_shake_shake = {
    .arch = "shake_shake",
    .pattern = "shake_shake_<depth>_2x<channels>d_SSI (6n+2; S or E, S or E, I or B)",
    .members = "{\"arch\":\"shake_shake\",\"base_channels\":null,\"depth\":null,"
               "\"shake_forward\":true,\"shake_backward\":true,\"shake_image\":true}",
    .known = known,
    .init = SL_INIT_FAN_OUT,
    .from_name = from_name,
    .build = build,
};
