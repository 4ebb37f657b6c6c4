/* What a model's name, or the JSON object of its architecture, stands for. The grammar of names is
 * in docs/models.md:
 *
 *     wrn_28_10                          numbers by the family's pattern
 *     wrn_28_10_cutout16                 and augmentation that its recipe has beside
 *     wrn_28_10+drop_rate=0.3            and members that the pattern has no place for
 *     {"arch": "wrn", "depth": 28, ...}  the object itself */
#ifndef MODELS_DESIGN_H
#define MODELS_DESIGN_H

#include "models/family.h"

enum { SL_MODEL_NAME_SIZE = 256 };

typedef struct {
    const sl_family *family;
    json_t *arch; /* complete, members in the family's order */
    int cutout;   /* side of the square that the recipe's augmentation cuts out; 0: none */
} sl_design;

/* SL_EINVAL says what is unknown or missing and lists the patterns. Numbers are checked by the
 * family's build. *out is to be released also after a failure. */
SL_CHECK sl_status sl_design_parse(sl_design *out, const char *text, sl_error *err);
/* Of an object (borrowed), without cutout. */
SL_CHECK sl_status sl_design_from_arch(sl_design *out, const json_t *arch, sl_error *err);
void sl_design_release(sl_design *design);

/* The name that parses to this design again: pattern_name, as family->build wrote it, with the
 * cutout and the members which that name doesn't give. */
SL_CHECK sl_status sl_design_name(const sl_design *design, const char *pattern_name,
                                  char name[SL_MODEL_NAME_SIZE], sl_error *err);
/* arch as compact text, the caller's; NULL if memory is short. */
char *sl_design_arch_text(const sl_design *design);

/* The N of a "_cutout<N>" that ends name or stands before its '+', 0 if there is none; *stem is the
 * length of what is before it, or of all up to the '+'. */
int sl_name_cutout(const char *name, size_t *stem);

#endif
