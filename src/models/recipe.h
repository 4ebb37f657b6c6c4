/* How a family is pretrained: the paper's recipes, and a short one for small machines. */
#ifndef MODELS_RECIPE_H
#define MODELS_RECIPE_H

#include "nn/optimizer.h"
#include "nn/schedule.h"
#include <stdbool.h>

/* A starting point; the caller may change any of it. Augmentation is the paper's crop and flip,
 * then cutout for models whose name has it. */
typedef struct {
    sl_schedule schedule;  /* with the number of epochs and the base learning rate */
    int batch_size;        /* the base rate belongs to it */
    bool lr_follows_batch; /* in proportion: the paper has 0.1 at 64 and 0.2 at 128 (shake-shake) */
    sl_optimizer_options optimizer;
    int cutout; /* side of the square cut out of each image; 0: none */
} sl_recipe;

/* recipe "paper": what NOTES' table has for the family of this model name.
 * recipe "fast": 15 epochs of one-cycle SGD, for any model: most of the accuracy for a tenth of the
 * time.
 * SL_EINVAL for another recipe, or a name that no family knows. */
SL_CHECK sl_status sl_recipe_find(sl_recipe *out, const char *recipe, const char *model_name,
                                  sl_error *err);

/* "160 epochs, batch 128, lr 0.1, multistep:80,120:0.1, weight decay 0.0001", in buffer. Returns
 * buffer. */
const char *sl_recipe_text(const sl_recipe *recipe, char *buffer, size_t size);

/* The same recipe over another number of epochs (>= 1): milestones and warm-up keep their share. */
void sl_recipe_set_epochs(sl_recipe *recipe, int epochs);
/* Another batch size (>= 1), with its base rate where the paper has one. */
void sl_recipe_set_batch_size(sl_recipe *recipe, int batch_size);

#endif
