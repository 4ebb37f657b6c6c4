/* Training's batches on their way from the data set to the plan: the loader's images, or, on a
 * device that keeps the data set, the loader's recipes, by which the device makes the same images.
 */
#ifndef TRAIN_FEEDER_H
#define TRAIN_FEEDER_H

#include "data/loader.h"
#include "nn/plan.h"

typedef struct sl_feeder sl_feeder;

/* As sl_loader_create; plan, of device and for batches of that size, is borrowed until destroy. */
SL_CHECK sl_status sl_feeder_create(sl_feeder **out, const sl_dataset *set,
                                    const sl_targets *targets, const int64_t *indices,
                                    size_t n_indices, const sl_loader_options *options,
                                    sl_plan *plan, sl_device *device, sl_error *err);
void sl_feeder_destroy(sl_feeder *feeder); /* NULL is fine */

size_t sl_feeder_batches(const sl_feeder *feeder); /* per epoch */

/* As sl_loader_start and sl_loader_next. The batch's images are NULL where the plan has them. */
SL_CHECK sl_status sl_feeder_start(sl_feeder *feeder, uint32_t epoch, size_t first_batch,
                                   sl_error *err);
SL_CHECK sl_status sl_feeder_next(sl_feeder *feeder, const sl_batch **out, sl_error *err);

#endif
