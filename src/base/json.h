/* JSON through jansson: reading with a path in the message, writing with numbers that lose nothing.
 * A json_t here is owned as jansson says (json_decref). */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <softlabel/error.h>
#include <stdbool.h>
#include <stdint.h>

/* Reads a JSON object from a file of at most max_bytes; duplicate keys are refused; errors name the
 * file and line. */
SL_CHECK sl_status sl_json_read(json_t **out, const char *path, size_t max_bytes, sl_error *err);

/* Members of an object; key is a name, missing ones are SL_EFORMAT naming the key, as are wrong
 * types. *out for strings and arrays is borrowed from object. */
SL_CHECK sl_status sl_json_get(const json_t *object, const char *key, json_t **out, sl_error *err);
SL_CHECK sl_status sl_json_get_string(const json_t *object, const char *key, const char **out,
                                      sl_error *err);
SL_CHECK sl_status sl_json_get_int(const json_t *object, const char *key, int64_t min, int64_t max,
                                   int64_t *out, sl_error *err);
SL_CHECK sl_status sl_json_get_number(const json_t *object, const char *key, double *out,
                                      sl_error *err);
SL_CHECK sl_status sl_json_get_bool(const json_t *object, const char *key, bool *out,
                                    sl_error *err);

/* A number array of exactly n values (nested arrays are flattened row-major) into out. */
SL_CHECK sl_status sl_json_numbers(const json_t *array, size_t n, double *out, sl_error *err);

/* Writes json whole or not at all, 17 significant digits, indent 2, order kept, newline at end. */
SL_CHECK sl_status sl_json_write(const char *path, const json_t *json, sl_error *err);

#endif
