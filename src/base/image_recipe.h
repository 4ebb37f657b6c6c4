/* How the images of a batch are made from a data set's bytes. data/augment.h draws recipes and
 * follows them row by row; devices that hold the data set follow them number by number, to the same
 * bits. */
#ifndef BASE_IMAGE_RECIPE_H
#define BASE_IMAGE_RECIPE_H

#include "base/host_device.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What byte v of channel c becomes: value[c][v] = (v/255 - mean[c]) / std[c]. */
typedef struct {
    float value[3][256];
} sl_pixel_table;

/* Where the output window lies on the image, and whether it's mirrored afterwards. */
typedef struct {
    int dy, dx; /* the window's top left corner on the image: -pad..pad */
    bool flip;
} sl_placement;

/* Rows top..bottom-1 and columns left..right-1 of the augmented image. */
typedef struct {
    int top, bottom, left, right;
} sl_square;

typedef struct {
    uint32_t image; /* in the data set */
    sl_placement placement;
    sl_square cut; /* set to 0 in all channels; empty: nothing */
} sl_image_recipe;

/* A batch to be made: out[i] = lambda image[i] + (1 - lambda) image[partner[i]]. */
typedef struct {
    const sl_pixel_table *table;
    const uint8_t *pixels;          /* (images of the data set,3,h,w) */
    const sl_image_recipe *recipes; /* (n) */
    const uint32_t *partner;        /* (n); NULL: nothing is mixed */
    float lambda;
    int n, h, w;
    float *out; /* (n,3,h,w) */
} sl_assembly;

static inline size_t sl_assembly_count(const sl_assembly *a)
{
    return (size_t)a->n * 3 * (size_t)a->h * (size_t)a->w;
}

/* Number (c,y,x) of an image before mixing. What lies outside the image is black. */
SL_HOST_DEVICE static inline float sl_assembly_pixel(const sl_assembly *a, size_t i, int c, int y,
                                                     int x)
{
    const sl_image_recipe *r = &a->recipes[i];
    const int row = y + r->placement.dy;
    const int column = (r->placement.flip ? a->w - 1 - x : x) + r->placement.dx;
    if (y >= r->cut.top && y < r->cut.bottom && x >= r->cut.left && x < r->cut.right)
        return 0;
    if (row < 0 || row >= a->h || column < 0 || column >= a->w)
        return a->table->value[c][0];
    const size_t plane = (size_t)r->image * 3 + (size_t)c;
    return a->table
        ->value[c][a->pixels[(plane * (size_t)a->h + (size_t)row) * (size_t)a->w + (size_t)column]];
}

/* Number i of out. */
SL_HOST_DEVICE static inline float sl_assembly_number(const sl_assembly *a, size_t i)
{
    const size_t w = (size_t)a->w, h = (size_t)a->h;
    const int x = (int)(i % w), y = (int)(i / w % h), c = (int)(i / (w * h) % 3);
    const size_t image = i / (w * h * 3);
    const float own = sl_assembly_pixel(a, image, c, y, x);
    if (!a->partner)
        return own;
    const float other = sl_assembly_pixel(a, a->partner[image], c, y, x);
    return sl_product(a->lambda, own) + sl_product(1 - a->lambda, other);
}

#endif
