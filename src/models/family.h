/* A family of architectures: names, the numbers behind a name, and the graph they stand for.
 *
 * The numbers travel as a JSON object, {"arch": "wrn", "depth": 16, ...}, the same in checkpoints
 * and in the conformance files. Each family's file defines one sl_family and nothing else that is
 * visible; registry.c lists them; design.c reads and writes the names of docs/models.md. */
#ifndef MODELS_FAMILY_H
#define MODELS_FAMILY_H

#include "nn/graph.h"
#include "nn/params.h"
#include <jansson.h>

typedef struct {
    const char *arch;    /* the object's "arch" */
    const char *pattern; /* "wrn_<depth>_<widening>, depth 6n+4" */
    /* The object's members in their order, as JSON: what has to be given is null here, the rest
     * are the values of members left out. */
    const char *members;
    const char *const *known; /* names worth listing, NULL-ended; the paper's first */
    sl_init init;             /* of the convolutions */
    /* The members that a name gives; NULL if the name isn't of this family (or memory is short).
     * Its numbers are checked by build. */
    json_t *(*from_name)(const char *name);
    /* Builds the network on a graph without nodes and finishes it: input of the image's shape,
     * output the logits of classes. arch is complete. Also writes the name that has these numbers,
     * as far as the pattern can tell. SL_EINVAL for impossible numbers. */
    sl_status (*build)(sl_graph *g, const json_t *arch, sl_shape image, int classes, char name[64],
                       sl_error *err);
} sl_family;

extern const sl_family sl_family_densenet, sl_family_pyramidnet, sl_family_resnet,
    sl_family_resnet_preact, sl_family_shake_shake, sl_family_vgg, sl_family_wrn;

const sl_family *const *sl_families(void);         /* NULL-ended */
const sl_family *sl_family_find(const char *arch); /* or NULL */

/* For from_name: takes a whole number of 1 to 9 digits, without leading zeros, off *text; takes
 * word off *text. */
bool sl_name_number(const char **text, int *out);
bool sl_name_word(const char **text, const char *word);
/* Takes prefix and "basic_" or "bottleneck_" off *text; *type is that block_type. */
bool sl_name_block_type(const char **text, const char *prefix, const char **type);

/* For build: members of a complete object, checked (SL_EINVAL). */
SL_CHECK sl_status sl_arch_int(const json_t *arch, const char *key, int min, int max, int *out,
                               sl_error *err);
SL_CHECK sl_status sl_arch_bool(const json_t *arch, const char *key, bool *out, sl_error *err);
SL_CHECK sl_status sl_arch_number(const json_t *arch, const char *key, double min, double max,
                                  double *out, sl_error *err);
/* "block_type": "basic" or "bottleneck". */
SL_CHECK sl_status sl_arch_bottleneck(const json_t *arch, bool *out, sl_error *err);
/* "depth" = per_block * n + rest, n >= 1; family is for the message. */
SL_CHECK sl_status sl_arch_depth(const json_t *arch, const char *family, int per_block, int rest,
                                 int *depth, int *n, sl_error *err);

/* The members that networks of residual blocks share: base_channels, block_type, and a depth of
 * 6n+2 (basic) or 9n+2 (bottleneck) with n blocks in a stage. family is for messages. */
typedef struct {
    bool bottleneck;
    int depth, blocks, base;
} sl_arch_blocks;
SL_CHECK sl_status sl_arch_residual(const json_t *arch, const char *family, sl_arch_blocks *out,
                                    sl_error *err);
/* Stages of base, 2 base e, 4 base e channels, e 1 or in bottlenecks 4, whose base is a multiple of
 * 4 (SL_EINVAL). */
SL_CHECK sl_status sl_arch_stages(const sl_arch_blocks *blocks, int channels[3], sl_error *err);

/* For build: layers "prefix.name" (prefix may be ""). Convolutions have no bias and keep the size
 * at stride 1. */
sl_value sl_layer_conv(sl_graph *g, sl_value x, const char *prefix, const char *name, int channels,
                       int kernel, int stride);
sl_value sl_layer_norm(sl_graph *g, sl_value x, const char *prefix, const char *name);
/* The same norm, then ReLU. */
sl_value sl_layer_norm_relu(sl_graph *g, sl_value x, const char *prefix, const char *name);
/* The convolutions of a residual block, with norm and ReLU between them: two of 3x3 to width, or in
 * bottlenecks 1x1 and 3x3 to width and 1x1 to 4 width. "conv1" is the first, first_norm the number
 * of the norm behind it; last_norm: also behind the last. (in,h,w) -> (out,h/stride,w/stride) */
sl_value sl_layer_residual(sl_graph *g, sl_value x, const char *block, bool bottleneck, int width,
                           int stride, int first_norm, bool last_norm);
int sl_layer_channels(const sl_graph *g, sl_value x); /* 0 after a failure */
/* "stage2.block1", both counted from 0 in the arguments. Returns name. */
const char *sl_layer_block(char name[40], int stage, int block);

#endif
