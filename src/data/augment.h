/* From an image's bytes to the network's input: crop, flip, normalise, in one pass, then cutout;
 * and what is drawn for batches: mixup, sampled labels.
 *
 * Random numbers. Each of these has a stream of its own (base/random.h: Philox, key = seed, counter
 * = (block, a, b, purpose)), from which it draws in this order and nothing else:
 *
 *     purpose           a, b          draws
 *     SL_RANDOM_CROP    epoch, image  dy, dx = below(2 pad + 1) - pad if cropping; flip = below(2)
 *                                     if flipping
 *     SL_RANDOM_CUTOUT  epoch, image  cy = below(h + e), cx = below(w + e); e = 1 for an even side,
 *                                     else 0
 *     SL_RANDOM_LABEL   epoch, image  u = unit
 *     SL_RANDOM_MIXUP   epoch, batch  lambda = beta(alpha, alpha), then the partners: a shuffle of
 *                                     0..n-1
 *
 * So any of them can be drawn anywhere, in any order, without the others. */
#ifndef DATA_AUGMENT_H
#define DATA_AUGMENT_H

#include "base/image_recipe.h"
#include "data/loader.h"

void sl_pixel_table_init(sl_pixel_table *table, const sl_normalization *normalization);

/* The placement of an image in an epoch. */
sl_placement sl_placement_draw(const sl_augmentation *augmentation, uint64_t seed, uint32_t epoch,
                               uint32_t image);

/* pixels (3,h,w) bytes -> out (3,h,w); what lies outside the image is black before normalising. */
void sl_image_place(const sl_pixel_table *table, const uint8_t *pixels, int h, int w,
                    sl_placement placement, float *out);

/* The part inside the image of a square of this side (>= 1) whose centre is uniform over the image:
 * a pixel's centre for an odd side; for an even one a corner of pixels, the image's border
 * included, so that left and right, above and below are alike. Source: DeVries and Taylor 2017; the
 * paper's model repository places the centre in this way. */
sl_square sl_square_draw(int side, int h, int w, uint64_t seed, uint32_t epoch, uint32_t image);
/* image (3,h,w): 0 inside the square, in all channels. */
void sl_image_cut(float *image, int h, int w, sl_square square);

/* Both of an image in an epoch, as far as the augmentation asks for them. */
sl_image_recipe sl_recipe_draw(const sl_augmentation *augmentation, int h, int w, uint64_t seed,
                               uint32_t epoch, uint32_t image);
/* pixels (images,3,h,w) -> out (3,h,w), as the recipe says. */
void sl_recipe_follow(const sl_pixel_table *table, const uint8_t *pixels, int h, int w,
                      const sl_image_recipe *recipe, float *out);

/* A class drawn from p (classes), >= 0 with sum 1: the first k with p[0] + .. + p[k] > u. */
int sl_label_draw(const double *p, int classes, uint64_t seed, uint32_t epoch, uint32_t image);

/* What a batch of n is mixed with: row i becomes lambda row[i] + (1 - lambda) row[partner[i]].
 * Returns lambda in [0,1]; partner (n) is written: a permutation of 0..n-1.
 * Source: Zhang et al. 2018; CIFAR10H paper, section 7.3. */
float sl_mixup_draw(double alpha, uint64_t seed, uint32_t epoch, uint32_t batch, uint32_t *partner,
                    size_t n);
/* rows (n,width) -> out (n,width), another array. In float32: lambda x + (1 - lambda) y. */
void sl_rows_mix(const float *rows, const uint32_t *partner, float lambda, size_t n, size_t width,
                 float *out);

#endif
