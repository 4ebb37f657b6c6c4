/* What the families' files share: reading names and numbers, naming layers. */
#include "models/family.h"
#include <stdio.h>
#include <string.h>

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

sl_status sl_arch_int(const json_t *arch, const char *key, int min, int max, int *out,
                      sl_error *err)
{
    const json_t *member = json_object_get(arch, key);
    if (!json_is_integer(member))
        return sl_error_set(err, SL_EFORMAT, "the architecture has no whole number '%s'", key);
    json_int_t value = json_integer_value(member);
    if (value < min || value > max)
        return sl_error_set(err, SL_EINVAL, "%s %lld, expected %d to %d", key, (long long)value,
                            min, max);
    *out = (int)value;
    return SL_OK;
}

sl_status sl_arch_check_keys(const json_t *arch, const char *const *keys, sl_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)arch, key, value)
    {
        bool known = strcmp(key, "arch") == 0;
        for (size_t i = 0; keys[i] && !known; i++)
            known = strcmp(key, keys[i]) == 0;
        if (!known)
            return sl_error_set(err, SL_EFORMAT, "the architecture has an unknown member '%s'",
                                key);
    }
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
