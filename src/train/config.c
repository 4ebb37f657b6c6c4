#include "train/config.h"

#include "base/hash.h"
#include "base/memory.h"

#include <softlabel/train.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "softlabel-run-1"

enum { MAX_CONFIG_BYTES = 1 << 20 };

/* Puts value (taken) into object; a NULL value or a failure is SL_ENOMEM. */
static sl_status put(json_t *object, const char *key, json_t *value, sl_error *err)
{
    if (json_object_set_new(object, key, value))
        return sl_error_set(err, SL_ENOMEM, "not enough memory for '%s' of the configuration", key);
    return SL_OK;
}

static sl_status put_string(json_t *object, const char *key, const char *text, sl_error *err)
{
    return put(object, key, json_string(text), err);
}

static sl_status add_settings(json_t *config, const sl_config_parts *p, sl_error *err)
{
    json_t *settings = json_object();
    sl_status st = put(config, "settings", settings, err);

    if (!st)
        st = put_string(settings, "command", p->command, err);
    if (!st)
        st = put_string(settings, "version", SL_VERSION, err);
    if (!st)
        st = sl_fields_to_json(p->fields, p->options, settings, err);
    if (!st && p->processes > 1)
        st = put(settings, "processes", json_integer(p->processes), err);
    return st;
}

static sl_status add_model(json_t *config, const sl_config_parts *p, sl_error *err)
{
    json_t *model = json_object();
    char sha256[65];
    sl_status st = put(config, "model", model, err);

    if (!st)
        st = put_string(model, "name", sl_model_name(p->model), err);
    if (!st)
        st = put(model, "architecture", json_loads(sl_model_arch_json(p->model), 0, NULL), err);
    if (!st)
        st = put(model, "parameters", json_integer((json_int_t)sl_model_parameters(p->model)), err);
    if (st || !p->checkpoint)
        return st;
    st = sl_hash_file(p->checkpoint, SL_HASH_SHA256, sha256, err);
    return st ? st : put_string(model, "checkpoint_sha256", sha256, err);
}

static sl_status add_data(json_t *config, const sl_config_parts *p, sl_error *err)
{
    json_t *data = json_object();
    sl_status st = put(config, "data", data, err);

    if (!st)
        st = put_string(data, "kind", sl_data_kind(p->data), err);
    if (!st)
        st = put_string(data, "note", sl_data_note(p->data), err);
    for (int id = 0; id < SL_SET_COUNT && !st; id++)
        if (p->sets->sets[id])
            st = put_string(data, sl_set_name((sl_set_id)id), p->sets->sets[id]->sha256, err);
    if (!st && p->sets->human)
        st = put_string(data, "human", p->sets->human->sha256, err);
    if (!st && p->labels)
        st = put_string(data, "labels", p->labels->sha256, err);
    return st;
}

static sl_status add_places(json_t *config, const sl_config_parts *p, sl_error *err)
{
    json_t *places = json_object();
    sl_status st = put(config, "places", places, err);

    if (!st)
        st = put_string(places, "data", sl_data_folder(p->data), err);
    return st ? st : sl_fields_to_json(p->places, p->options, places, err);
}

sl_status sl_config_create(json_t **out, const sl_config_parts *parts, sl_error *err)
{
    json_t *config = json_object();
    sl_status st = put_string(config, "format", FORMAT, err);

    *out = NULL;
    if (!st)
        st = add_settings(config, parts, err);
    if (!st)
        st = add_model(config, parts, err);
    if (!st)
        st = add_data(config, parts, err);
    if (!st)
        st = add_places(config, parts, err);
    if (st) {
        json_decref(config);
        return st;
    }
    *out = config;
    return SL_OK;
}

const char *sl_run_options_data_folder(const sl_run_options *keep)
{
    const json_t *config = (const json_t *)(const void *)keep;

    return json_string_value(json_object_get(json_object_get(config, "places"), "data"));
}

void sl_run_options_free(sl_run_options *keep)
{
    json_decref((json_t *)(void *)keep);
}

static sl_status read_sections(const json_t *config, const char *command, const sl_field *fields,
                               const sl_field *places, void *options, sl_error *err)
{
    json_t *settings, *where;
    const char *was;
    sl_status st = sl_json_get(config, "settings", &settings, err);

    if (!st)
        st = sl_json_get_string(settings, "command", &was, err);
    if (!st && strcmp(was, command) != 0)
        st = sl_error_set(err, SL_EMISMATCH, "this run is of 'softlabel %s', not '%s'", was,
                          command);
    if (!st)
        st = sl_fields_from_json(fields, options, settings, err);
    if (!st)
        st = sl_json_get(config, "places", &where, err);
    return st ? st : sl_fields_from_json(places, options, where, err);
}

sl_status sl_config_read(json_t **keep, const char *folder, const char *command,
                         const sl_field *fields, const sl_field *places, void *options,
                         sl_error *err)
{
    sl_arena memory = { 0 };
    const char *path;
    json_t *config = NULL;
    sl_status st = sl_arena_printf(&memory, &path, err, "%s/config.json", folder);

    *keep = NULL;
    if (st)
        goto done;
    st = sl_json_read(&config, path, MAX_CONFIG_BYTES, err);
    if (st)
        goto done;
    st = read_sections(config, command, fields, places, options, err);
    if (st) {
        st = sl_error_at(err, st, "%s", path);
        goto done;
    }
    *keep = config;
    config = NULL;
done:
    json_decref(config);
    sl_arena_release(&memory);
    return st;
}

sl_status sl_config_stage(json_t **out, const json_t *config, sl_error *err)
{
    static const char *const sections[] = { "settings", "model", "data" };
    json_t *stage = json_object();
    sl_status st =
        put(stage, "stage",
            json_incref(json_object_get(json_object_get(config, "settings"), "command")), err);

    *out = NULL;
    for (size_t i = 0; i < sizeof sections / sizeof sections[0] && !st; i++)
        st = put(stage, sections[i], json_incref(json_object_get(config, sections[i])), err);
    if (st) {
        json_decref(stage);
        return st;
    }
    *out = stage;
    return SL_OK;
}

sl_status sl_config_save_model(sl_model *model, json_t *stage, const char *path,
                               const char *sha256_key, sl_error *err)
{
    char sha256[65];
    char *text = json_dumps(stage, JSON_COMPACT | JSON_REAL_PRECISION(17));
    sl_status st = SL_OK;

    if (!text)
        return sl_error_set(err, SL_ENOMEM, "not enough memory for the model's history");
    st = sl_model_add_history(model, text, err);
    free(text);
    if (!st)
        st = sl_model_save(model, path, err);
    if (!st)
        st = sl_hash_file(path, SL_HASH_SHA256, sha256, err);
    return st ? st : put_string(stage, sha256_key, sha256, err);
}
