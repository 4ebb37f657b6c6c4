/* How a family is pretrained: the paper's recipes, and a short one for small machines. */
#ifndef MODELS_RECIPE_H
#define MODELS_RECIPE_H

#include "nn/optimizer.h"
#include "nn/schedule.h"

/* A starting point; the caller may change any of it. Augmentation is the paper's crop and flip. */
typedef struct {
    sl_schedule schedule; /* with the number of epochs and the base learning rate */
    int batch_size;       /* the base rate belongs to it */
    sl_optimizer_options optimizer;
} sl_recipe;

/* recipe "paper": what NOTES' table has for the family of this model name.
 * recipe "fast": 15 epochs of one-cycle SGD, for any model: most of the accuracy for a tenth of the
 * time.
 * SL_EINVAL for another recipe, or a name that no family knows. */
SL_CHECK sl_status sl_recipe_find(sl_recipe *out, const char *recipe, const char *model_name,
                                  sl_error *err);

/* The same recipe over another number of epochs (>= 1): milestones and warm-up keep their share. */
void sl_recipe_set_epochs(sl_recipe *recipe, int epochs);

#endif
