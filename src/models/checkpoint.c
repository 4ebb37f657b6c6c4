/* Models in files: safetensors with the state dict's names, and metadata that says what they are.
 */
#include "base/json.h"
#include "base/memory.h"
#include "models/handle.h"
#include "nn/safetensors.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Metadata: JSON texts, but for the name and the version. */
#define KEY_NAME "softlabel.name"
#define KEY_ARCH "softlabel.architecture"
#define KEY_IMAGE "softlabel.image" /* [channels, height, width]; missing: [3,32,32] */
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
    char image[60];
    snprintf(image, sizeof image, "[%d,%d,%d]", m->image.channels, m->image.height, m->image.width);
    *out = NULL;
    if (classes && normalization)
        *out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", KEY_NAME, m->name, KEY_ARCH,
                         m->arch_text, KEY_IMAGE, image, KEY_CLASSES, classes, KEY_NORMALIZATION,
                         normalization, KEY_HISTORY, m->history_text, KEY_VERSION, SL_VERSION);
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

static sl_status read_image(const sl_safetensors *file, sl_image_shape *out, sl_error *err)
{
    json_t *json;
    double sizes[3];
    *out = (sl_image_shape){ 3, 32, 32 };
    if (!sl_safetensors_metadata(file, KEY_IMAGE))
        return SL_OK;
    sl_status st = read_metadata(file, KEY_IMAGE, JSON_ARRAY, &json, err);
    if (!st)
        st = sl_json_numbers(json, 3, sizes, err);
    json_decref(json);
    for (int i = 0; i < 3 && !st; i++) {
        if (!(sizes[i] >= 1 && sizes[i] <= INT_MAX))
            st = sl_error_set(err, SL_EFORMAT, "its metadata has no usable '%s'", KEY_IMAGE);
    }
    if (!st)
        *out = (sl_image_shape){ (int)sizes[0], (int)sizes[1], (int)sizes[2] };
    return st;
}

/* The name counts for its cutout alone: the object has all the rest. */
static sl_status read_design(const sl_safetensors *file, sl_design *out, sl_error *err)
{
    size_t stem;
    json_t *arch;
    const char *name = sl_safetensors_metadata(file, KEY_NAME);
    *out = (sl_design){ 0 };
    if (!sl_safetensors_metadata(file, KEY_ARCH))
        return sl_error_set(err, SL_EFORMAT,
                            "the file doesn't say which architecture it is of: it isn't from "
                            "softlabel; take it over with 'softlabel model import'");
    sl_status st = read_metadata(file, KEY_ARCH, JSON_OBJECT, &arch, err);
    if (!st)
        st = sl_design_from_arch(out, arch, err);
    out->cutout = name ? sl_name_cutout(name, &stem) : 0;
    json_decref(arch);
    return st;
}

static sl_status read_class_names(const sl_safetensors *file, json_t **out, sl_error *err)
{
    size_t i;
    json_t *name;
    sl_status st = read_metadata(file, KEY_CLASSES, JSON_ARRAY, out, err);
    json_array_foreach(*out, i, name)
    {
        if (!json_is_string(name))
            st = sl_error_set(err, SL_EFORMAT, "class name %zu isn't a text", i);
    }
    return st;
}

/* A model of the file's architecture, for the images and the class names that it lists. */
static sl_status create_from(sl_model **out, const sl_safetensors *file, sl_error *err)
{
    sl_design design;
    sl_image_shape image;
    json_t *names = NULL;
    sl_status st = read_design(file, &design, err);
    if (!st)
        st = read_image(file, &image, err);
    if (!st)
        st = read_class_names(file, &names, err);
    if (!st) {
        size_t n = json_array_size(names);
        st = sl_model_build(out, &design, image, n < INT_MAX ? (int)n : INT_MAX, err);
    }
    if (!st) {
        json_decref((*out)->class_names);
        (*out)->class_names = names;
        names = NULL; /* the model's now */
    }
    json_decref(names);
    sl_design_release(&design);
    if (st == SL_EINVAL) { /* impossible numbers, but not the caller's: they are the file's */
        st = SL_EFORMAT;
        if (err)
            err->code = st;
    }
    return st;
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

/* The last layer has a row a class. */
static sl_status count_classes(const sl_safetensors *file, int *out, sl_error *err)
{
    const sl_safetensors_entry *last = sl_safetensors_find(file, "fc.weight");
    *out = 0;
    if (!last)
        return sl_error_set(err, SL_EMISMATCH,
                            "tensor 'fc.weight' is missing: expected the names of the reference's "
                            "state dict, see 'softlabel model info --tensors'");
    if (last->n_dims != 2 || last->dims[0] > INT_MAX)
        return sl_error_set(err, SL_EMISMATCH,
                            "tensor 'fc.weight' isn't a matrix with a row for each class");
    *out = (int)last->dims[0];
    return SL_OK;
}

sl_status sl_model_import(sl_model **out, const char *name, const char *path, sl_error *err)
{
    int classes;
    sl_design design;
    sl_model *m = NULL;
    sl_safetensors *file = NULL;
    *out = NULL;
    sl_status st = sl_design_parse(&design, name, err);
    if (st)
        goto done;
    st = sl_safetensors_read(&file, path, err);
    if (st)
        goto done;
    st = count_classes(file, &classes, err);
    if (!st)
        st = sl_model_build(&m, &design, (sl_image_shape){ 3, 32, 32 }, classes, err);
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
    sl_design_release(&design);
    return st;
}
