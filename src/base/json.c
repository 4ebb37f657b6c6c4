#include "base/json.h"
#include "base/file.h"
#include <inttypes.h>
#include <stdlib.h>

sl_status sl_json_read(json_t **out, const char *path, size_t max_bytes, sl_error *err)
{
    *out = NULL;
    unsigned char *text;
    size_t n;
    sl_status st = sl_file_read(path, max_bytes, &text, &n, err);
    if (st)
        return st;
    json_error_t why;
    json_t *json = json_loadb((const char *)text, n, JSON_REJECT_DUPLICATES, &why);
    free(text);
    if (!json) {
        st = json_error_code(&why) == json_error_out_of_memory ? SL_ENOMEM : SL_EFORMAT;
        sl_error_set(err, st, "not valid JSON: %s", why.text);
        sl_error_at(err, st, "line %d", why.line);
        return sl_error_at(err, st, "%s", path);
    }
    if (!json_is_object(json)) {
        json_decref(json);
        sl_error_set(err, SL_EFORMAT, "a JSON object in braces was expected");
        return sl_error_at(err, SL_EFORMAT, "%s", path);
    }
    *out = json;
    return SL_OK;
}

sl_status sl_json_get(const json_t *object, const char *key, json_t **out, sl_error *err)
{
    *out = json_object_get(object, key);
    if (*out)
        return SL_OK;
    if (!json_is_object(object))
        return sl_error_set(err, SL_EFORMAT, "an object with a member '%s' was expected", key);
    return sl_error_set(err, SL_EFORMAT, "member '%s' is missing", key);
}

static sl_status wrong_type(sl_error *err, const char *key, const char *expected)
{
    return sl_error_set(err, SL_EFORMAT, "member '%s' isn't %s", key, expected);
}

sl_status sl_json_get_string(const json_t *object, const char *key, const char **out, sl_error *err)
{
    json_t *member;
    sl_status st = sl_json_get(object, key, &member, err);
    *out = json_string_value(member);
    if (!st && !*out)
        st = wrong_type(err, key, "a string");
    return st;
}

sl_status sl_json_get_int(const json_t *object, const char *key, int64_t min, int64_t max,
                          int64_t *out, sl_error *err)
{
    json_t *member;
    sl_status st = sl_json_get(object, key, &member, err);
    if (st)
        return st;
    if (!json_is_integer(member))
        return wrong_type(err, key, "a whole number");
    int64_t value = json_integer_value(member);
    if (value < min || value > max)
        return sl_error_set(err, SL_EFORMAT,
                            "member '%s' is %" PRId64 ", expected %" PRId64 " to %" PRId64, key,
                            value, min, max);
    *out = value;
    return SL_OK;
}

sl_status sl_json_get_number(const json_t *object, const char *key, double *out, sl_error *err)
{
    json_t *member;
    sl_status st = sl_json_get(object, key, &member, err);
    if (st)
        return st;
    if (!json_is_number(member))
        return wrong_type(err, key, "a number");
    *out = json_number_value(member);
    return SL_OK;
}

sl_status sl_json_get_bool(const json_t *object, const char *key, bool *out, sl_error *err)
{
    json_t *member;
    sl_status st = sl_json_get(object, key, &member, err);
    if (st)
        return st;
    if (!json_is_boolean(member))
        return wrong_type(err, key, "true or false");
    *out = json_is_true(member);
    return SL_OK;
}

/* Appends the numbers under json to out, which has room for n; *used counts all there are. The
 * depth of the recursion is bounded by jansson's parser. */
static bool flatten(const json_t *json, size_t n, double *out, size_t *used)
{
    if (json_is_number(json)) {
        if (*used < n)
            out[*used] = json_number_value(json);
        ++*used;
        return true;
    }
    if (!json_is_array(json))
        return false;
    for (size_t i = 0; i < json_array_size(json); i++)
        if (!flatten(json_array_get(json, i), n, out, used))
            return false;
    return true;
}

sl_status sl_json_numbers(const json_t *array, size_t n, double *out, sl_error *err)
{
    size_t used = 0;
    if (!json_is_array(array) || !flatten(array, n, out, &used))
        return sl_error_set(err, SL_EFORMAT, "an array of %zu numbers was expected", n);
    if (used != n)
        return sl_error_set(err, SL_EFORMAT, "%zu numbers where %zu were expected", used, n);
    return SL_OK;
}

sl_status sl_json_write(const char *path, const json_t *json, sl_error *err)
{
    sl_file_writer *w;
    sl_status st = sl_file_writer_open(&w, path, err);
    if (st)
        return st;
    FILE *stream = sl_file_writer_stream(w);
    size_t flags = JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(17);
    if (json_dumpf(json, stream, flags) != 0 && !ferror(stream)) {
        sl_file_writer_abort(w);
        return sl_error_set(err, SL_EINVAL, "this value can't be written as JSON");
    }
    fputc('\n', stream);
    return sl_file_writer_commit(w, err);
}
