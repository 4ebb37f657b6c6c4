#include "train/fields.h"

#include <limits.h>
#include <stdint.h>

static json_t *value_of(const sl_field *field, const void *options)
{
    const void *at = (const char *)options + field->offset;
    const char *text;

    switch (field->type) {
    case SL_FIELD_STRING:
        text = *(const char *const *)at;
        return text ? json_string(text) : json_null();
    case SL_FIELD_INT:
        return json_integer(*(const int *)at);
    case SL_FIELD_U32:
        return json_integer(*(const uint32_t *)at);
    case SL_FIELD_U64:
        return json_integer((json_int_t) * (const uint64_t *)at);
    case SL_FIELD_DOUBLE:
        return json_real(*(const double *)at);
    }
    return NULL;
}

sl_status sl_fields_to_json(const sl_field *fields, const void *options, json_t *object,
                            sl_error *err)
{
    for (; fields->name; fields++)
        if (json_object_set_new(object, fields->name, value_of(fields, options)))
            return sl_error_set(err, SL_EINVAL, "'%s' can't be written as JSON", fields->name);
    return SL_OK;
}

static sl_status read_string(const json_t *object, const char *name, const char **out,
                             sl_error *err)
{
    *out = NULL;
    if (json_is_null(json_object_get(object, name)))
        return SL_OK;
    return sl_json_get_string(object, name, out, err);
}

sl_status sl_fields_from_json(const sl_field *fields, void *options, const json_t *object,
                              sl_error *err)
{
    sl_status st = SL_OK;

    for (; fields->name && !st; fields++) {
        void *at = (char *)options + fields->offset;
        int64_t n = 0;

        switch (fields->type) {
        case SL_FIELD_STRING:
            st = read_string(object, fields->name, at, err);
            break;
        case SL_FIELD_INT:
            st = sl_json_get_int(object, fields->name, INT_MIN, INT_MAX, &n, err);
            if (!st)
                *(int *)at = (int)n;
            break;
        case SL_FIELD_U32:
            st = sl_json_get_int(object, fields->name, 0, UINT32_MAX, &n, err);
            if (!st)
                *(uint32_t *)at = (uint32_t)n;
            break;
        case SL_FIELD_U64:
            st = sl_json_get_int(object, fields->name, INT64_MIN, INT64_MAX, &n, err);
            if (!st)
                *(uint64_t *)at = (uint64_t)n;
            break;
        case SL_FIELD_DOUBLE:
            st = sl_json_get_number(object, fields->name, at, err);
            break;
        }
    }
    return st;
}
