/* The fields of an sl_model, for model.c and checkpoint.c alone. */
#ifndef MODELS_HANDLE_H
#define MODELS_HANDLE_H

#include "models/family.h"
#include "models/model.h"
#include <jansson.h>

struct sl_model {
    const sl_family *family;
    sl_graph *graph;
    sl_params *params;
    char name[64];
    char *arch_text, *history_text; /* compact JSON */
    json_t *history;                /* array of objects */
    json_t *class_names;            /* array of texts, one a class */
    float mean[3], std[3];
};

#endif
