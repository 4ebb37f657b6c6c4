/* The model handle: graph, parameters and what is known of them. */
#include "models/model.h"

#include "base/memory.h"
#include "models/handle.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* CIFAR-10's training set (paper/NOTES: protocol), until the trainer says otherwise. */
static const float cifar10_mean[3] = { 0.4914f, 0.4822f, 0.4465f };
static const float cifar10_std[3] = { 0.2470f, 0.2435f, 0.2616f };

enum { MAX_IMAGE_SIDE = 1024, MAX_PARAMETERS = 1000000000 /* what a model file holds, 4 GB */ };

static json_t *default_class_names(int classes)
{
    json_t *names = json_array();
    for (int k = 0; k < classes; k++)
        json_array_append_new(names, json_sprintf("class %d", k));
    return names;
}

static sl_status check_sizes(sl_image_shape image, int classes, sl_error *err)
{
    if (classes < 2 || classes > 1000)
        return sl_error_set(err, SL_EINVAL, "%d classes, expected 2 to 1000", classes);
    if (image.channels < 1 || image.channels > 3 || image.height < 1 ||
        image.height > MAX_IMAGE_SIDE || image.width < 1 || image.width > MAX_IMAGE_SIDE)
        return sl_error_set(err, SL_EINVAL,
                            "images of %d x %d x %d, expected 1 to 3 channels and sides of 1 to %d",
                            image.channels, image.height, image.width, MAX_IMAGE_SIDE);
    return SL_OK;
}

static sl_status build_graph(sl_model *m, const sl_design *design, int classes, sl_error *err)
{
    char pattern_name[64];
    const sl_shape image = { m->image.channels, m->image.height, m->image.width };
    sl_status st = sl_graph_create(&m->graph, err);
    if (!st)
        st = design->family->build(m->graph, design->arch, image, classes, pattern_name, err);
    if (!st && sl_graph_parameters(m->graph) > MAX_PARAMETERS)
        st = sl_error_set(err, SL_EINVAL, "%zu parameters, expected at most %d",
                          sl_graph_parameters(m->graph), (int)MAX_PARAMETERS);
    if (!st)
        st = sl_design_name(design, pattern_name, m->name, err);
    return st;
}

sl_status sl_model_build(sl_model **out, const sl_design *design, sl_image_shape image, int classes,
                         sl_error *err)
{
    sl_model *m = NULL;
    *out = NULL;
    sl_status st = check_sizes(image, classes, err);
    if (!st)
        st = sl_alloc(&m, 1, sizeof *m, err);
    if (st)
        return st;
    m->family = design->family;
    m->image = image;
    m->arch_text = sl_design_arch_text(design);
    m->class_names = default_class_names(classes);
    m->history = json_array();
    m->history_text = json_dumps(m->history, JSON_COMPACT);
    if (!m->arch_text || !m->history_text || json_array_size(m->class_names) != (size_t)classes) {
        st = sl_error_set(err, SL_ENOMEM, "out of memory");
        goto done;
    }
    sl_model_set_normalization(m, cifar10_mean, cifar10_std);
    st = build_graph(m, design, classes, err);
    if (!st)
        st = sl_params_create(&m->params, m->graph, err);
    if (st)
        goto done;
    *out = m;
    m = NULL; /* the caller's now */
done:
    sl_model_destroy(m);
    return st;
}

sl_status sl_model_create_for(sl_model **out, const char *name, sl_image_shape image, int classes,
                              sl_error *err)
{
    *out = NULL;
    sl_design design;
    sl_status st = sl_design_parse(&design, name, err);
    if (!st) {
        st = sl_model_build(out, &design, image, classes, err);
        if (st)
            sl_error_at(err, st, "model '%s'", name);
    }
    sl_design_release(&design);
    return st;
}

sl_status sl_model_create(sl_model **out, const char *name, int classes, sl_error *err)
{
    return sl_model_create_for(out, name, (sl_image_shape){ 3, 32, 32 }, classes, err);
}

void sl_model_destroy(sl_model *model)
{
    if (!model)
        return;
    sl_params_destroy(model->params);
    sl_graph_destroy(model->graph);
    json_decref(model->class_names);
    json_decref(model->history);
    free(model->arch_text);
    free(model->history_text);
    free(model);
}

void sl_model_init(sl_model *model, uint64_t seed)
{
    sl_params_init(model->params, model->family->init, seed);
}

const char *sl_model_name(const sl_model *model)
{
    return model->name;
}

sl_status sl_model_rename(sl_model *model, const char *name, sl_error *err)
{
    sl_design design;
    size_t stem;
    char pattern_name[SL_MODEL_NAME_SIZE];
    char *arch_text = NULL;
    sl_status st = sl_design_parse(&design, name, err);
    if (st)
        goto done;
    arch_text = sl_design_arch_text(&design);
    if (!arch_text)
        st = sl_error_set(err, SL_ENOMEM, "out of memory");
    else if (strcmp(arch_text, model->arch_text) != 0)
        st = sl_error_set(err, SL_EMISMATCH, "a '%s', expected the architecture of '%s'",
                          model->name, name);
    if (st)
        goto done;
    sl_name_cutout(model->name, &stem);
    snprintf(pattern_name, sizeof pattern_name, "%.*s", (int)stem, model->name);
    st = sl_design_name(&design, pattern_name, model->name, err);
done:
    free(arch_text);
    sl_design_release(&design);
    return st;
}

const char *sl_model_arch_json(const sl_model *model)
{
    return model->arch_text;
}

sl_image_shape sl_model_image(const sl_model *model)
{
    return model->image;
}

int sl_model_classes(const sl_model *model)
{
    return sl_graph_classes(model->graph);
}

size_t sl_model_parameters(const sl_model *model)
{
    return sl_graph_parameters(model->graph);
}

double sl_model_multiply_adds(const sl_model *model)
{
    return sl_graph_multiply_adds(model->graph);
}

void sl_model_set_normalization(sl_model *model, const float mean[3], const float std[3])
{
    memcpy(model->mean, mean, sizeof model->mean);
    memcpy(model->std, std, sizeof model->std);
}

void sl_model_normalization(const sl_model *model, float mean[3], float std[3])
{
    memcpy(mean, model->mean, sizeof model->mean);
    memcpy(std, model->std, sizeof model->std);
}

sl_status sl_model_set_class_names(sl_model *model, const char *const *names, sl_error *err)
{
    json_t *array = json_array();
    int classes = sl_model_classes(model);
    for (int k = 0; k < classes; k++)
        json_array_append_new(array, json_string(names[k]));
    if (json_array_size(array) != (size_t)classes) {
        json_decref(array);
        return sl_error_set(err, SL_EINVAL, "a class name isn't UTF-8, or memory is short");
    }
    json_decref(model->class_names);
    model->class_names = array;
    return SL_OK;
}

const char *sl_model_class_name(const sl_model *model, int k)
{
    return json_string_value(json_array_get(model->class_names, (size_t)k));
}

const char *sl_model_history_json(const sl_model *model)
{
    return model->history_text;
}

sl_status sl_model_add_history(sl_model *model, const char *stage_json, sl_error *err)
{
    json_error_t why;
    json_t *stage = json_loads(stage_json, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(stage)) {
        json_decref(stage);
        return sl_error_set(err, SL_EINVAL, "a training stage isn't a JSON object");
    }
    char *text = NULL;
    json_t *history = json_copy(model->history);
    if (!json_array_append_new(history, stage))
        text = json_dumps(history, JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (!text) {
        json_decref(history);
        return sl_error_set(err, SL_ENOMEM, "out of memory");
    }
    json_decref(model->history);
    free(model->history_text);
    model->history = history;
    model->history_text = text;
    return SL_OK;
}

const struct sl_graph *sl_model_graph(const sl_model *model)
{
    return model->graph;
}

sl_params *sl_model_params(sl_model *model)
{
    return model->params;
}
