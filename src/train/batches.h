/* What the options of both commands say of a batch: augmentation, mixup, targets. */
#ifndef TRAIN_BATCHES_H
#define TRAIN_BATCHES_H

#include "data/loader.h"

typedef struct {
    const char *augment; /* "paper" (crop and flip), "crop,flip", "crop", "flip", "none" */
    int cutout;          /* < 0: unset */
    double mixup;
    double smoothing; /* NaN: unset */
} sl_batch_settings;

/* Settles what is unset: cutout by the recipe, unless augment is "none"; smoothing is 0.1 if
 * smoothed, and 0 otherwise, whatever was set. augment becomes the same in one spelling. Then fills
 * loader's augmentation and mixup. SL_EINVAL; numbers out of range are the loader's and
 * sl_targets_smooth's to refuse. */
SL_CHECK sl_status sl_batch_settings_resolve(sl_batch_settings *settings, int recipe_cutout,
                                             bool smoothed, sl_loader_options *loader,
                                             sl_error *err);

#endif
