/* A classifier: architecture, parameters, and what a checkpoint says of itself.
 *
 * A model belongs to one thread at a time. */
#ifndef SOFTLABEL_MODEL_H
#define SOFTLABEL_MODEL_H

#include <softlabel/error.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sl_model sl_model;

typedef struct {
    int channels, height, width; /* 1 to 3, pixels */
} sl_image_shape;

/* By a name or by the JSON object of an architecture (docs/models.md):
 *     "wrn_28_10"                             the paper's patterns, with any numbers
 *     "wrn_28_10_cutout16"                    the same network; its recipe has cutout
 *     "wrn_28_10+drop_rate=0.3"               members that the pattern has no place for
 *     "{\"arch\": \"wrn\", \"depth\": 28, \"widening_factor\": 10}"
 * for images of 3 x 32 x 32. SL_EINVAL names the patterns and what is wrong with the numbers (a
 * depth that isn't 6n+2, say); SL_EUNSUPPORTED an architecture of another program. Parameters are
 * zero: sl_model_init or a checkpoint fills them. */
SL_API SL_CHECK sl_status sl_model_create(sl_model **out, const char *name, int classes,
                                          sl_error *err);
/* The same for other images. SL_EINVAL when they are too small, or not a multiple of 4 for
 * pyramidnet, or not of 32 to 63 pixels for vgg. */
SL_API SL_CHECK sl_status sl_model_create_for(sl_model **out, const char *name,
                                              sl_image_shape image, int classes, sl_error *err);
SL_API void sl_model_destroy(sl_model *model); /* NULL is fine */
SL_API void sl_model_init(sl_model *model,
                          uint64_t seed); /* initial weights of the paper's recipe */

SL_API const char *sl_model_name(const sl_model *model); /* sl_model_create gives the same again */
/* Another name of the same architecture, which has another cutout, say. SL_EMISMATCH if it isn't.
 */
SL_API SL_CHECK sl_status sl_model_rename(sl_model *model, const char *name, sl_error *err);
SL_API const char *sl_model_arch_json(const sl_model *model); /* the object, whole and compact */
SL_API sl_image_shape sl_model_image(const sl_model *model);
SL_API int sl_model_classes(const sl_model *model);
SL_API size_t sl_model_parameters(const sl_model *model);
SL_API double sl_model_multiply_adds(const sl_model *model); /* per image */

/* Channel statistics that inputs are normalised with, and class names; saved with the model. */
SL_API void sl_model_set_normalization(sl_model *model, const float mean[3], const float std[3]);
SL_API void sl_model_normalization(const sl_model *model, float mean[3], float std[3]);
SL_API SL_CHECK sl_status sl_model_set_class_names(sl_model *model, const char *const *names,
                                                   sl_error *err);
SL_API const char *sl_model_class_name(const sl_model *model, int k);

/* How it came to be, one JSON object a training stage, oldest first; "[]" at first. */
SL_API const char *sl_model_history_json(const sl_model *model);
SL_API SL_CHECK sl_status sl_model_add_history(sl_model *model, const char *stage_json,
                                               sl_error *err);

/* safetensors, float32, tensor names of the reference's state dict, and our metadata (architecture,
 * class names, normalisation, history, version, sha256 of the file's bytes). Loading checks all of
 * it: SL_EFORMAT (truncated, damaged, not from softlabel), SL_EMISMATCH (a tensor is missing,
 * unknown, or of another shape). Files appear whole or not at all. */
SL_API SL_CHECK sl_status sl_model_save(const sl_model *model, const char *path, sl_error *err);
SL_API SL_CHECK sl_status sl_model_load(sl_model **out, const char *path, sl_error *err);
/* Of a safetensors file of another program (PyTorch's state dict: num_batches_tracked is passed
 * over), which doesn't say what it is of: name does, as for sl_model_create, for images of
 * 3 x 32 x 32. The number of classes is the last layer's; normalisation is CIFAR-10's. SL_EMISMATCH
 * as above. */
SL_API SL_CHECK sl_status sl_model_import(sl_model **out, const char *name, const char *path,
                                          sl_error *err);

/* For what builds on the engine inside the library. */
struct sl_graph;
SL_API const struct sl_graph *sl_model_graph(const sl_model *model);

#endif
