/* Models in files: safetensors with the state dict's names, and metadata that says what they are.
 */
#include "base/json.h"
#include "base/memory.h"
#include "models/handle.h"
#include "nn/safetensors.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Metadata: JSON texts, but for the name and the version. */
#define KEY_NAME "softlabel.name"
#define KEY_ARCH "softlabel.architecture"
#define KEY_CLASSES "softlabel.class_names"
#define KEY_NORMALIZATION "softlabel.normalization"
#define KEY_HISTORY "softlabel.history"
#define KEY_VERSION "softlabel.version"

/* ---- saving ---- */

static sl_tensor_view view_of(const sl_params *params, const sl_tensor *tensor)
{
    sl_tensor_view view = { .name = tensor->name,
                            .n_dims = tensor->n_dims,
                            .data = sl_params_tensor(params, tensor) };
    for (int i = 0; i < tensor->n_dims; i++)
        view.dims[i] = (size_t)tensor->dims[i];
    return view;
}

/* 9 digits give every float32 back. */
static char *normalization_text(const sl_model *m)
{
    json_t *json = json_pack("{s:[f,f,f], s:[f,f,f]}", "mean", (double)m->mean[0],
                             (double)m->mean[1], (double)m->mean[2], "std", (double)m->std[0],
                             (double)m->std[1], (double)m->std[2]);
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(json);
    return text;
}

static sl_status build_metadata(const sl_model *m, json_t **out, sl_error *err)
{
    char *classes = json_dumps(m->class_names, JSON_COMPACT);
    char *normalization = normalization_text(m);
    *out = NULL;
    if (classes && normalization)
        *out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", KEY_NAME, m->name, KEY_ARCH,
                         m->arch_text, KEY_CLASSES, classes, KEY_NORMALIZATION, normalization,
                         KEY_HISTORY, m->history_text, KEY_VERSION, SL_VERSION);
    free(classes);
    free(normalization);
    return *out ? SL_OK : sl_error_set(err, SL_ENOMEM, "out of memory");
}

sl_status sl_model_save(const sl_model *model, const char *path, sl_error *err)
{
    int n = sl_graph_tensors(model->graph);
    json_t *metadata = NULL;
    sl_tensor_view *views = NULL;
    sl_status st = sl_alloc(&views, (size_t)n, sizeof *views, err);
    if (!st)
        st = build_metadata(model, &metadata, err);
    if (st)
        goto done;
    for (int i = 0; i < n; i++)
        views[i] = view_of(model->params, sl_graph_tensor(model->graph, i));
    st = sl_safetensors_write(path, views, (size_t)n, metadata, err);
done:
    json_decref(metadata);
    free(views);
    return st;
}

/* ---- loading ---- */

/* PyTorch's batch norm also counts its batches, which nothing here uses. */
static bool is_ignored(const char *name)
{
    static const char suffix[] = ".num_batches_tracked";
    size_t n = strlen(name), k = sizeof suffix - 1;
    return n > k && strcmp(name + n - k, suffix) == 0;
}

static sl_status load_tensors(sl_model *m, const sl_safetensors *file, sl_error *err)
{
    for (size_t i = 0; i < sl_safetensors_count(file); i++) {
        const char *name = sl_safetensors_at(file, i)->name;
        if (!sl_graph_find_tensor(m->graph, name) && !is_ignored(name))
            return sl_error_set(err, SL_EMISMATCH, "tensor '%s' isn't one of %s", name, m->name);
    }
    for (int i = 0; i < sl_graph_tensors(m->graph); i++) {
        const sl_tensor *tensor = sl_graph_tensor(m->graph, i);
        sl_tensor_view view = view_of(m->params, tensor);
        sl_status st = sl_safetensors_get(file, view.name, view.n_dims, view.dims,
                                          sl_params_tensor(m->params, tensor), err);
        if (st)
            return sl_error_at(err, st, "%s", m->name);
    }
    return SL_OK;
}

/* The JSON in a text of the metadata; its absence or damage is SL_EFORMAT. */
static sl_status read_metadata(const sl_safetensors *file, const char *key, json_type type,
                               json_t **out, sl_error *err)
{
    json_error_t why;
    const char *text = sl_safetensors_metadata(file, key);
    *out = text ? json_loads(text, JSON_REJECT_DUPLICATES, &why) : NULL;
    if (*out && json_typeof(*out) == type)
        return SL_OK;
    json_decref(*out);
    *out = NULL;
    return sl_error_set(err, SL_EFORMAT, "its metadata has no usable '%s'", key);
}

static sl_status load_normalization(sl_model *m, const sl_safetensors *file, sl_error *err)
{
    json_t *json;
    double mean[3], std[3];
    sl_status st = read_metadata(file, KEY_NORMALIZATION, JSON_OBJECT, &json, err);
    if (!st)
        st = sl_json_numbers(json_object_get(json, "mean"), 3, mean, err);
    if (!st)
        st = sl_json_numbers(json_object_get(json, "std"), 3, std, err);
    json_decref(json);
    for (int c = 0; c < 3 && !st; c++) {
        m->mean[c] = (float)mean[c];
        m->std[c] = (float)std[c];
        if (!isfinite(m->mean[c]) || !(m->std[c] > 0) || !isfinite(m->std[c]))
            st = sl_error_set(err, SL_EFORMAT, "its normalisation has no usable mean or std");
    }
    return st;
}

static sl_status load_history(sl_model *m, const sl_safetensors *file, sl_error *err)
{
    json_t *history, *stage;
    sl_status st = read_metadata(file, KEY_HISTORY, JSON_ARRAY, &history, err);
    size_t i;
    json_array_foreach(history, i, stage)
    {
        char *text = json_is_object(stage) ? json_dumps(stage, JSON_REAL_PRECISION(17)) : NULL;
        if (!st)
            st = text ? sl_model_add_history(m, text, err)
                      : sl_error_set(err, SL_EFORMAT, "its history isn't a list of objects");
        free(text);
    }
    json_decref(history);
    return st;
}

/* A model of the file's architecture, for the class names that it lists. */
static sl_status create_from(sl_model **out, const sl_safetensors *file, sl_error *err)
{
    const char *arch = sl_safetensors_metadata(file, KEY_ARCH);
    if (!arch)
        return sl_error_set(err, SL_EFORMAT,
                            "the file doesn't say which architecture it is of: it isn't from "
                            "softlabel; take it over with 'softlabel model import'");
    json_t *names, *name;
    sl_status st = read_metadata(file, KEY_CLASSES, JSON_ARRAY, &names, err);
    if (st)
        return st;
    size_t i, n = json_array_size(names);
    json_array_foreach(names, i, name)
    {
        if (!json_is_string(name))
            st = sl_error_set(err, SL_EFORMAT, "class name %zu isn't a text", i);
    }
    if (!st)
        st = sl_model_create_arch(out, arch, n < INT_MAX ? (int)n : INT_MAX, err);
    if (st) {
        json_decref(names);
        return st;
    }
    json_decref((*out)->class_names);
    (*out)->class_names = names;
    return SL_OK;
}

sl_status sl_model_load(sl_model **out, const char *path, sl_error *err)
{
    *out = NULL;
    sl_model *m = NULL;
    sl_safetensors *file = NULL;
    sl_status st = sl_safetensors_read(&file, path, err);
    if (st)
        return st;
    st = create_from(&m, file, err);
    if (!st)
        st = load_normalization(m, file, err);
    if (!st)
        st = load_history(m, file, err);
    if (!st)
        st = load_tensors(m, file, err);
    if (st) {
        sl_error_at(err, st, "%s", path);
        goto done;
    }
    *out = m;
    m = NULL; /* the caller's now */
done:
    sl_model_destroy(m);
    sl_safetensors_close(file);
    return st;
}

sl_status sl_model_load_tensors(sl_model *model, const char *path, sl_error *err)
{
    sl_safetensors *file = NULL;
    sl_status st = sl_safetensors_read(&file, path, err);
    if (st)
        return st;
    st = load_tensors(model, file, err);
    if (st)
        sl_error_at(err, st, "%s", path);
    sl_safetensors_close(file);
    return st;
}
