/* How the readers of this folder make an sl_dataset: create it with room for n images, fill pixels
 * and labels, seal it. CIFAR's geometry only: 3 channels of 32x32, ten classes. */
#ifndef DATA_DATASET_PRIVATE_H
#define DATA_DATASET_PRIVATE_H

#include <softlabel/dataset.h>

#define SL_CIFAR_CLASSES 10
#define SL_CIFAR_SIDE 32
#define SL_CIFAR_PIXELS 3072 /* bytes of an image: (3, 32, 32) */
#define SL_CIFAR_RECORD 3073 /* label byte, then the image */

extern const char *const sl_cifar10_class_names[SL_CIFAR_CLASSES];

/* class_names: ten names, copied; NULL for CIFAR-10's. *pixels (n, 3, 32, 32) and *labels (n) are
 * the set's own memory, zero, to be filled before sealing. */
SL_CHECK sl_status sl_dataset_create(sl_dataset **out, const char *name, size_t n,
                                     const char *const *class_names, uint8_t **pixels,
                                     uint8_t **labels, sl_error *err);
/* Hashes what was filled in. */
SL_CHECK sl_status sl_dataset_seal(sl_dataset *set, sl_error *err);

/* sl_cifar_read with the names of another ten classes (NULL: CIFAR-10's). */
SL_CHECK sl_status sl_cifar_read_classes(sl_dataset **out, const char *name,
                                         const char *const *class_names, const char *const *paths,
                                         int n_paths, sl_error *err);

#endif
