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

int sl_layer_channels(const sl_graph *g, sl_value x)
{
    return x < 0 ? 0 : sl_graph_shape(g, x).c;
}

const char *sl_layer_block(char name[40], int stage, int block)
{
    snprintf(name, 40, "stage%d.block%d", stage + 1, block + 1);
    return name;
}
