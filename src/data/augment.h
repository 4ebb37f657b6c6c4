/* From an image's bytes to the network's input: crop, flip, normalise, in one pass. */
#ifndef DATA_AUGMENT_H
#define DATA_AUGMENT_H

#include "data/loader.h"

/* What byte v of channel c becomes: value[c][v] = (v/255 - mean[c]) / std[c]. */
typedef struct {
    float value[3][256];
} sl_pixel_table;
void sl_pixel_table_init(sl_pixel_table *table, const sl_normalization *normalization);

/* Where the output window lies on the image, and whether it's mirrored afterwards. */
typedef struct {
    int dy, dx; /* the window's top left corner on the image: -pad..pad */
    bool flip;
} sl_placement;

/* The placement of an image in an epoch; it depends on nothing else. Drawn in this order from the
 * stream (seed, SL_RANDOM_CROP, epoch, image): dy and dx if cropping, then flip if flipping. */
sl_placement sl_placement_draw(const sl_augmentation *augmentation, uint64_t seed, uint32_t epoch,
                               uint32_t image);

/* pixels (3,h,w) bytes -> out (3,h,w); what lies outside the image is black before normalising. */
void sl_image_place(const sl_pixel_table *table, const uint8_t *pixels, int h, int w,
                    sl_placement placement, float *out);

#endif
