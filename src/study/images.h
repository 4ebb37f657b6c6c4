/* A study's images: three pools (the ones to be judged, practice, attention checks), each from the
 * synthetic model, a CIFAR data folder, or a folder of files. Immutable once open; any thread. */
#ifndef STUDY_IMAGES_H
#define STUDY_IMAGES_H

#include "study/config.h"

typedef struct {
    int truth;        /* its class, -1: nobody said */
    uint32_t index;   /* its number in the data set */
    const char *name; /* in exports: "cifar10/test/17", "cat/tom.png" */
    const char *path; /* of its file, NULL: it lies in the pool's pixels */
} sl_image;

typedef struct {
    size_t n;
    sl_image *items;
    uint8_t *pixels; /* (n, 3, 32, 32), NULL for a folder */
    bool found;      /* whether there is what it is taken from; if not, that's a mistake told */
} sl_pool;

typedef struct {
    sl_arena memory;
    const sl_study_config *config;
    sl_pool pool[SL_POOLS];
    char sha256[65]; /* of all that a trial's numbers refer to: pools, truths, classes */
} sl_images;

/* Reads what config names; what is missing or too little goes to mistakes, with SL_OK. config must
 * outlive images. */
SL_CHECK sl_status sl_images_open(sl_images *images, const sl_study_config *config, const char *dir,
                                  const sl_study_data *data, sl_mistakes *mistakes, sl_error *err);
void sl_images_release(sl_images *images);

/* The image as a browser takes it. *bytes is the caller's, *type a literal ("image/png"). The same
 * image gives the same bytes every time. */
SL_CHECK sl_status sl_images_read(const sl_images *images, sl_pool_id pool, size_t i,
                                  unsigned char **bytes, size_t *size, const char **type,
                                  sl_error *err);

/* Whether two images of two pools are one and the same. */
bool sl_images_same(const sl_images *images, sl_pool_id a, size_t i, sl_pool_id b, size_t j);

/* Reads every image file to its end: a file that browsers can't show goes to mistakes. */
SL_CHECK sl_status sl_images_check_files(const sl_images *images, sl_mistakes *mistakes,
                                         sl_error *err);

/* For images.c: one pool out of a folder of files. */
SL_CHECK sl_status sl_pool_read_folder(sl_images *images, sl_pool_id id, const char *dir,
                                       sl_mistakes *mistakes, sl_error *err);

#endif
