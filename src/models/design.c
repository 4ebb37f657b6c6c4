#include "models/design.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rates are decimal fractions that people wrote; 15 digits give each of those back. */
#define DUMP_FLAGS (JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))

static const char suffix[] = "_cutout";

/* ---- objects ---- */

static bool same(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    return json_equal(a, b);
}

/* given's members in the family's order, with those left out. */
static sl_status complete(const sl_family *family, const json_t *given, json_t **out, sl_error *err)
{
    const char *key;
    json_t *value;
    sl_status st = SL_OK;
    *out = json_loads(family->members, 0, NULL);
    if (!*out)
        return sl_error_set(err, SL_ENOMEM, "out of memory");
    json_object_foreach((json_t *)given, key, value)
    {
        const json_t *member = json_object_get(*out, key);
        if (st || same(member, value)) /* 0.0 and 0 are one: members have one text */
            continue;
        if (!member || strcmp(key, "arch") == 0)
            st = sl_error_set(err, SL_EINVAL, "unknown member '%s'; expected some of %s", key,
                              family->members);
        else if (json_object_set(*out, key, value))
            st = sl_error_set(err, SL_ENOMEM, "out of memory");
    }
    json_object_foreach(*out, key, value)
    {
        if (!st && json_is_null(value))
            st = sl_error_set(err, SL_EINVAL, "'%s' is missing", key);
    }
    if (st) {
        json_decref(*out);
        *out = NULL;
    }
    return st;
}

sl_status sl_design_from_arch(sl_design *out, const json_t *arch, sl_error *err)
{
    *out = (sl_design){ 0 };
    const char *kind = json_string_value(json_object_get(arch, "arch"));
    if (!kind)
        return sl_error_set(err, SL_EINVAL,
                            "an architecture is a JSON object with a text 'arch' in it");
    out->family = sl_family_find(kind);
    if (!out->family) {
        char names[200] = "";
        for (size_t i = 0, used = 0; sl_families()[i] && used < sizeof names; i++)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                     sl_families()[i]->arch);
        return sl_error_set(err, SL_EUNSUPPORTED,
                            "architecture '%s' isn't in this build; it has %s", kind, names);
    }
    sl_status st = complete(out->family, arch, &out->arch, err);
    return st ? sl_error_at(err, st, "architecture '%s'", kind) : SL_OK;
}

void sl_design_release(sl_design *design)
{
    json_decref(design->arch);
    *design = (sl_design){ 0 };
}

char *sl_design_arch_text(const sl_design *design)
{
    return json_dumps(design->arch, DUMP_FLAGS);
}

/* ---- from names ---- */

int sl_name_cutout(const char *name, size_t *stem)
{
    const size_t end = strcspn(name, "+");
    *stem = end;
    for (const char *at = strstr(name, suffix); at && at < name + end;
         at = strstr(at + 1, suffix)) {
        const char *rest = at + strlen(suffix);
        int side;
        if (sl_name_number(&rest, &side) && rest == name + end && side > 0) {
            *stem = (size_t)(at - name);
            return side;
        }
    }
    return 0;
}

static sl_status unknown(const char *name, sl_error *err)
{
    char patterns[330] = "";
    for (size_t i = 0, used = 0; sl_families()[i] && used < sizeof patterns; i++)
        used += (size_t)snprintf(patterns + used, sizeof patterns - used, "%s%.*s", i ? ", " : "",
                                 (int)strcspn(sl_families()[i]->pattern, " "),
                                 sl_families()[i]->pattern);
    return sl_error_set(err, SL_EINVAL, "unknown model '%s'; there are %s", name, patterns);
}

/* One "key=value" of n characters: the value as JSON, or else as a text without quotes. */
static sl_status set_member(json_t *arch, const char *text, size_t n, sl_error *err)
{
    char option[100];
    if (n >= sizeof option || !memchr(text, '=', n))
        return sl_error_set(err, SL_EINVAL, "'%.*s' isn't a member as in +drop_rate=0.3", (int)n,
                            text);
    snprintf(option, sizeof option, "%.*s", (int)n, text);
    char *value = strchr(option, '=');
    *value++ = 0;
    json_t *json = json_loads(value, JSON_DECODE_ANY, NULL);
    if (!json)
        json = json_string(value);
    if (json_object_set_new(arch, option, json))
        return sl_error_set(err, SL_EINVAL, "'%s' isn't a member's value", value);
    return SL_OK;
}

static sl_status parse_name(sl_design *out, const char *name, sl_error *err)
{
    char stem[64];
    size_t n;
    json_t *given = NULL;
    out->cutout = sl_name_cutout(name, &n);
    if (n >= sizeof stem)
        return unknown(name, err);
    memcpy(stem, name, n);
    stem[n] = 0;
    for (size_t i = 0; sl_families()[i] && !given; i++) {
        out->family = sl_families()[i];
        given = out->family->from_name(stem);
    }
    if (!given)
        return unknown(name, err);

    sl_status st = SL_OK;
    const char *option = name + strcspn(name, "+");
    while (!st && *option) {
        size_t length = strcspn(++option, "+");
        st = set_member(given, option, length, err);
        option += length;
    }
    if (!st)
        st = complete(out->family, given, &out->arch, err);
    json_decref(given);
    return st;
}

sl_status sl_design_parse(sl_design *out, const char *text, sl_error *err)
{
    *out = (sl_design){ 0 };
    if (*text != '{')
        return parse_name(out, text, err);
    json_error_t why;
    json_t *arch = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    if (!arch)
        return sl_error_set(err, SL_EINVAL, "the architecture isn't JSON: %s at column %d",
                            why.text, why.column);
    sl_status st = sl_design_from_arch(out, arch, err);
    json_decref(arch);
    return st;
}

/* ---- to names ---- */

/* Appends to name; false when it's full or memory is short. */
static bool append_member(char name[SL_MODEL_NAME_SIZE], const char *key, const json_t *value)
{
    const size_t used = strlen(name);
    char *dump = json_dumps(value, DUMP_FLAGS);
    const char *text = json_is_string(value) ? json_string_value(value) : dump;
    int n = text ? snprintf(name + used, SL_MODEL_NAME_SIZE - used, "+%s=%s", key, text) : -1;
    free(dump);
    return n >= 0 && (size_t)n < SL_MODEL_NAME_SIZE - used;
}

sl_status sl_design_name(const sl_design *design, const char *pattern_name,
                         char name[SL_MODEL_NAME_SIZE], sl_error *err)
{
    const char *key;
    json_t *value, *given = design->family->from_name(pattern_name), *plain = NULL;
    sl_status st = given ? complete(design->family, given, &plain, err)
                         : sl_error_set(err, SL_ENOMEM, "out of memory");
    snprintf(name, SL_MODEL_NAME_SIZE, "%s", pattern_name);
    if (design->cutout)
        snprintf(name + strlen(name), SL_MODEL_NAME_SIZE - strlen(name), "%s%d", suffix,
                 design->cutout);
    json_object_foreach(design->arch, key, value)
    {
        if (!st && !same(value, json_object_get(plain, key)) && !append_member(name, key, value))
            st = sl_error_set(err, SL_EINVAL, "the model's name would be too long: '%s...'", name);
    }
    json_decref(plain);
    json_decref(given);
    return st;
}
