/* A data set's images in the memory of a device that has its own: batches are made there, and only
 * their recipes travel. */
#ifndef NN_DEVICE_IMAGES_H
#define NN_DEVICE_IMAGES_H

#include "nn/region.h"

/* Does the device keep images? Those that work in the host's memory don't: there they lie already.
 */
bool sl_device_keeps_images(const sl_device *dev);

typedef struct sl_device_images sl_device_images;

/* pixels (n,3,h,w) and table are copied to the device; batch: recipes at once, at most. */
SL_CHECK sl_status sl_device_images_create(sl_device_images **out, sl_device *dev,
                                           const uint8_t *pixels, size_t n, int h, int w,
                                           const sl_pixel_table *table, size_t batch,
                                           sl_error *err);
void sl_device_images_destroy(sl_device_images *images); /* NULL is fine */

/* recipes (n_recipes >= n), of images of the set; partner (n) or NULL, lambda: as sl_assembly has
 * them. out: (n,3,h,w) on the device. */
SL_CHECK sl_status sl_device_images_assemble(sl_device_images *images,
                                             const sl_image_recipe *recipes, size_t n_recipes,
                                             const uint32_t *partner, float lambda, size_t n,
                                             float *out, sl_error *err);

#endif
