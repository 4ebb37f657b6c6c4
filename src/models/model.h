/* A model's inside, for train and eval. */
#ifndef MODELS_MODEL_H
#define MODELS_MODEL_H

#include "nn/params.h"
#include <softlabel/model.h>

sl_params *sl_model_params(sl_model *model); /* owned by the model */

#endif
