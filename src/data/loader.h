/* Batches for training and evaluation, prepared on loader threads ahead of the step that uses them.
 *
 * What image a position of a batch holds, how it is augmented, labelled and mixed depends on (seed,
 * epoch, image or batch) only, never on the number of threads or on where a run resumed. augment.h
 * says which random numbers decide what. */
#ifndef DATA_LOADER_H
#define DATA_LOADER_H

#include "base/image_recipe.h"
#include <softlabel/dataset.h>
#include <stdbool.h>

typedef struct {
    float mean[3], std[3]; /* on pixels scaled to [0,1] */
} sl_normalization;
extern const sl_normalization sl_normalization_cifar10;

typedef struct {
    bool crop; /* random crop of the size of the image from the image padded by crop_pad zeros
                  (zeros of the pixel scale, before normalising) */
    int crop_pad;
    bool flip;  /* horizontally, p = 1/2 */
    int cutout; /* side of the square set to 0 after normalising; 0: none */
} sl_augmentation;
sl_augmentation sl_augmentation_none(void);
sl_augmentation sl_augmentation_paper(void); /* crop with pad 4, flip */

typedef struct {
    size_t batch_size;
    bool shuffle;   /* the epoch's order is a permutation from (seed, epoch) */
    bool drop_last; /* drop an incomplete last batch (training); else it comes short */
    sl_augmentation augmentation;
    double mixup;       /* alpha: batches are mixed with lambda ~ Beta(alpha, alpha); 0: not */
    bool sample_labels; /* a row of targets is one-hot, drawn anew from the image's distribution
                           each time the image is drawn */
    sl_normalization normalization;
    uint64_t seed;
    int threads;  /* loader threads, >= 1 */
    bool recipes; /* batches have recipes instead of images: a device makes those itself */
    /* Of each batch, only the rows first_row..first_row+rows-1 are made (fewer of a short one), the
     * same as without this: one process's part. rows 0: all. */
    size_t first_row, rows;
} sl_loader_options;

/* A batch, borrowed until the next sl_loader_next or sl_loader_destroy. */
typedef struct {
    size_t n;              /* images in it, <= batch_size, or rows */
    const float *images;   /* (n, channels, height, width), normalised; NULL with recipes */
    const float *targets;  /* (n, classes) */
    const uint32_t *index; /* (n) index of each image in the data set; with mixup, of the one
                              that lambda belongs to */
    /* With recipes only: (n_recipes) of them, the first n those of the images; with mixup (n)
       partners, recipes with which images are mixed as targets are, else NULL. */
    const sl_image_recipe *recipes;
    size_t n_recipes; /* n, and partners that aren't among them */
    const uint32_t *partner;
    float lambda;
} sl_batch;

typedef struct sl_loader sl_loader;

/* indices (n_indices of them, NULL: all images in order) choose the images; targets has a row for
 * every image of set (not of indices); both are borrowed until destroy, indices is copied. */
SL_CHECK sl_status sl_loader_create(sl_loader **out, const sl_dataset *set,
                                    const sl_targets *targets, const int64_t *indices,
                                    size_t n_indices, const sl_loader_options *options,
                                    sl_error *err);
void sl_loader_destroy(sl_loader *loader);

size_t sl_loader_batches(const sl_loader *loader); /* per epoch */

/* Starts epoch (any number, in any order) at its batch first_batch; what was under way is dropped.
 */
SL_CHECK sl_status sl_loader_start(sl_loader *loader, uint32_t epoch, size_t first_batch,
                                   sl_error *err);
/* The epoch's next batch; *out = NULL behind the last one. */
SL_CHECK sl_status sl_loader_next(sl_loader *loader, const sl_batch **out, sl_error *err);

#endif
