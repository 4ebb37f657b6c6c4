/* A family of architectures: names, the numbers behind a name, and the graph they stand for.
 *
 * The numbers travel as a JSON object, {"arch": "wrn", "depth": 16, ...}, the same in checkpoints
 * and in the conformance files. Each family's file defines one sl_family and nothing else that is
 * visible; registry.c lists them. */
#ifndef MODELS_FAMILY_H
#define MODELS_FAMILY_H

#include "nn/graph.h"
#include "nn/params.h"
#include <jansson.h>

typedef struct {
    const char *arch;         /* the object's "arch" */
    const char *pattern;      /* "wrn_<depth>_<widening>, depth 6n+4" */
    const char *const *known; /* names worth listing, NULL-ended; the paper's first */
    sl_init init;             /* of the convolutions */
    /* The object of a name; NULL if the name isn't of this family (or memory is short). Its numbers
     * are checked by build. */
    json_t *(*from_name)(const char *name);
    /* Builds the network on a graph without nodes and finishes it: input (3,32,32), output the
     * logits of classes. Also writes the architecture's name. SL_EINVAL for impossible numbers,
     * SL_EFORMAT for missing or unknown members, SL_EUNSUPPORTED for what isn't in this build. */
    sl_status (*build)(sl_graph *g, const json_t *arch, int classes, char name[64], sl_error *err);
} sl_family;

extern const sl_family sl_family_resnet, sl_family_wrn;

const sl_family *const *sl_families(void);         /* NULL-ended */
const sl_family *sl_family_find(const char *arch); /* or NULL */
/* The family and object (the caller's) that a name stands for; SL_EINVAL lists the patterns. */
SL_CHECK sl_status sl_family_of_name(const char *name, const sl_family **family, json_t **arch,
                                     sl_error *err);

/* For from_name: takes a whole number of 1 to 9 digits, without leading zeros, off *text. */
bool sl_name_number(const char **text, int *out);

/* For build: a whole number of the object, in [min, max] (SL_EINVAL). */
SL_CHECK sl_status sl_arch_int(const json_t *arch, const char *key, int min, int max, int *out,
                               sl_error *err);
/* Refuses members other than "arch" and keys (NULL-ended): they might mean another network. */
SL_CHECK sl_status sl_arch_check_keys(const json_t *arch, const char *const *keys, sl_error *err);

/* For build: layers "prefix.name" (prefix may be ""). Convolutions have no bias and keep the size
 * at stride 1. */
sl_value sl_layer_conv(sl_graph *g, sl_value x, const char *prefix, const char *name, int channels,
                       int kernel, int stride);
sl_value sl_layer_norm(sl_graph *g, sl_value x, const char *prefix, const char *name);

#endif
