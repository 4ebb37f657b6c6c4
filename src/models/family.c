/* What the families' files share: reading names and numbers, naming layers. */
#include "models/family.h"
#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 9999 };

bool sl_name_number(const char **text, int *out)
{
    const char *t = *text;
    int value = 0, digits = 0;
    for (; t[digits] >= '0' && t[digits] <= '9' && digits < 9; digits++)
        value = 10 * value + (t[digits] - '0');
    if (digits == 0 || (t[0] == '0' && digits > 1))
        return false;
    *out = value;
    *text = t + digits;
    return true;
}

bool sl_name_word(const char **text, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(*text, word, n) != 0)
        return false;
    *text += n;
    return true;
}

bool sl_name_block_type(const char **text, const char *prefix, const char **type)
{
    const char *rest = *text;
    if (!sl_name_word(&rest, prefix))
        return false;
    if (sl_name_word(&rest, "basic_"))
        *type = "basic";
    else if (sl_name_word(&rest, "bottleneck_"))
        *type = "bottleneck";
    else
        return false;
    *text = rest;
    return true;
}

sl_status sl_arch_int(const json_t *arch, const char *key, int min, int max, int *out,
                      sl_error *err)
{
    const json_t *member = json_object_get(arch, key);
    if (!json_is_integer(member))
        return sl_error_set(err, SL_EINVAL, "'%s' isn't a whole number", key);
    json_int_t value = json_integer_value(member);
    if (value < min || value > max)
        return sl_error_set(err, SL_EINVAL, "%s %lld, expected %d to %d", key, (long long)value,
                            min, max);
    *out = (int)value;
    return SL_OK;
}

sl_status sl_arch_bool(const json_t *arch, const char *key, bool *out, sl_error *err)
{
    const json_t *member = json_object_get(arch, key);
    if (!json_is_boolean(member))
        return sl_error_set(err, SL_EINVAL, "'%s' isn't true or false", key);
    *out = json_is_true(member);
    return SL_OK;
}

sl_status sl_arch_number(const json_t *arch, const char *key, double min, double max, double *out,
                         sl_error *err)
{
    const json_t *member = json_object_get(arch, key);
    if (!json_is_number(member))
        return sl_error_set(err, SL_EINVAL, "'%s' isn't a number", key);
    double value = json_number_value(member);
    if (!(value >= min && value <= max))
        return sl_error_set(err, SL_EINVAL, "%s %g, expected %g to %g", key, value, min, max);
    *out = value;
    return SL_OK;
}

sl_status sl_arch_bottleneck(const json_t *arch, bool *out, sl_error *err)
{
    const char *type = json_string_value(json_object_get(arch, "block_type"));
    if (!type || (strcmp(type, "basic") != 0 && strcmp(type, "bottleneck") != 0))
        return sl_error_set(err, SL_EINVAL, "block_type isn't 'basic' or 'bottleneck'");
    *out = strcmp(type, "bottleneck") == 0;
    return SL_OK;
}

sl_status sl_arch_depth(const json_t *arch, const char *family, int per_block, int rest, int *depth,
                        int *n, sl_error *err)
{
    sl_status st = sl_arch_int(arch, "depth", per_block + rest, MAX_DEPTH, depth, err);
    if (st)
        return st;
    *n = (*depth - rest + per_block / 2) / per_block; /* nearest, for the advice */
    if (*n * per_block + rest != *depth)
        return sl_error_set(err, SL_EINVAL, "depth %d isn't %dn+%d, as %s needs: try %d", *depth,
                            per_block, rest, family, *n * per_block + rest);
    return SL_OK;
}

sl_status sl_arch_residual(const json_t *arch, const char *family, sl_arch_blocks *out,
                           sl_error *err)
{
    char name[40];
    sl_status st = sl_arch_int(arch, "base_channels", 1, 4096, &out->base, err);
    if (!st)
        st = sl_arch_bottleneck(arch, &out->bottleneck, err);
    if (st)
        return st;
    snprintf(name, sizeof name, "%s_%s", family, out->bottleneck ? "bottleneck" : "basic");
    return sl_arch_depth(arch, name, out->bottleneck ? 9 : 6, 2, &out->depth, &out->blocks, err);
}

sl_status sl_arch_stages(const sl_arch_blocks *blocks, int channels[3], sl_error *err)
{
    const int expansion = blocks->bottleneck ? 4 : 1;
    if (blocks->bottleneck && blocks->base % 4 != 0)
        return sl_error_set(err, SL_EINVAL, "base_channels %d isn't a multiple of 4", blocks->base);
    channels[0] = blocks->base;
    channels[1] = 2 * blocks->base * expansion;
    channels[2] = 4 * blocks->base * expansion;
    return SL_OK;
}

static const char *layer_name(char buffer[96], const char *prefix, const char *name)
{
    snprintf(buffer, 96, "%s%s%s", prefix, *prefix ? "." : "", name);
    return buffer;
}

sl_value sl_layer_conv(sl_graph *g, sl_value x, const char *prefix, const char *name, int channels,
                       int kernel, int stride)
{
    char full[96];
    return sl_graph_conv(g, x, layer_name(full, prefix, name), channels, kernel, stride, kernel / 2,
                         false);
}

sl_value sl_layer_norm(sl_graph *g, sl_value x, const char *prefix, const char *name)
{
    char full[96];
    return sl_graph_norm(g, x, layer_name(full, prefix, name));
}

sl_value sl_layer_norm_relu(sl_graph *g, sl_value x, const char *prefix, const char *name)
{
    return sl_graph_relu(g, sl_layer_norm(g, x, prefix, name));
}

sl_value sl_layer_residual(sl_graph *g, sl_value x, const char *block, bool bottleneck, int width,
                           int stride, int first_norm, bool last_norm)
{
    static const int kernels[2][3] = { { 3, 3 }, { 1, 3, 1 } };
    const int convs = bottleneck ? 3 : 2, strided = bottleneck ? 1 : 0;
    for (int i = 0; i < convs; i++) {
        char conv[24], norm[24];
        snprintf(conv, sizeof conv, "conv%d", i + 1);
        snprintf(norm, sizeof norm, "bn%d", first_norm + i);
        x = sl_layer_conv(g, x, block, conv, i == 2 ? 4 * width : width, kernels[bottleneck][i],
                          i == strided ? stride : 1);
        if (i < convs - 1)
            x = sl_layer_norm_relu(g, x, block, norm);
        else if (last_norm)
            x = sl_layer_norm(g, x, block, norm);
    }
    return x;
}

int sl_layer_channels(const sl_graph *g, sl_value x)
{
    return x < 0 ? 0 : sl_graph_shape(g, x).c;
}

const char *sl_layer_block(char name[40], int stage, int block)
{
    snprintf(name, 40, "stage%d.block%d", stage + 1, block + 1);
    return name;
}
