/* The fields of an sl_model, and how one is made, for model.c and checkpoint.c alone. */
#ifndef MODELS_HANDLE_H
#define MODELS_HANDLE_H

#include "models/design.h"
#include "models/model.h"
#include <jansson.h>

struct sl_model {
    const sl_family *family;
    sl_image_shape image;
    sl_graph *graph;
    sl_params *params;
    char name[SL_MODEL_NAME_SIZE];
    char *arch_text, *history_text; /* compact JSON */
    json_t *history;                /* array of objects */
    json_t *class_names;            /* array of texts, one a class */
    float mean[3], std[3];
};

/* design is borrowed. */
SL_CHECK sl_status sl_model_build(sl_model **out, const sl_design *design, sl_image_shape image,
                                  int classes, sl_error *err);

#endif
