#include "train/batches.h"

#include <math.h>
#include <string.h>

static const double SMOOTHING = 0.1;

static const struct {
    const char *text, *spelling;
    bool crop, flip;
} augmentations[] = {
    { "paper", "crop,flip", true, true }, { "crop,flip", "crop,flip", true, true },
    { "crop", "crop", true, false },      { "flip", "flip", false, true },
    { "none", "none", false, false },
};

static sl_status parse(sl_augmentation *out, const char **text, sl_error *err)
{
    for (size_t i = 0; i < sizeof augmentations / sizeof *augmentations; i++) {
        if (strcmp(*text, augmentations[i].text) != 0)
            continue;
        *out = sl_augmentation_paper();
        out->crop = augmentations[i].crop;
        out->flip = augmentations[i].flip;
        *text = augmentations[i].spelling;
        return SL_OK;
    }
    return sl_error_set(err, SL_EINVAL,
                        "augmentation '%s', expected 'paper' (which is 'crop,flip'), 'crop', "
                        "'flip' or 'none'",
                        *text);
}

sl_status sl_batch_settings_resolve(sl_batch_settings *settings, int recipe_cutout, bool smoothed,
                                    sl_loader_options *loader, sl_error *err)
{
    sl_augmentation *augmentation = &loader->augmentation;
    sl_status st = parse(augmentation, &settings->augment, err);

    if (st)
        return st;
    if (settings->cutout < 0)
        settings->cutout = augmentation->crop || augmentation->flip ? recipe_cutout : 0;
    if (!smoothed)
        settings->smoothing = 0;
    else if (isnan(settings->smoothing))
        settings->smoothing = SMOOTHING;
    augmentation->cutout = settings->cutout;
    loader->mixup = settings->mixup;
    return SL_OK;
}
