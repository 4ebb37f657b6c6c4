/* Does the attack land on classes that people confuse? A section of the HTML report. */
#ifndef REPORT_ATTACK_SECTION_H
#define REPORT_ATTACK_SECTION_H

#include "report/attack_result.h"
#include "report/run_set.h"

/* A model of the report, as the section shows it. */
typedef struct {
    const char *name;                   /* "wrn_16_2" */
    const char *titles[3];              /* "pretrained" */
    const sl_attack_result *results[3]; /* (n) */
    size_t n;
} sl_attacked;

/* The model of the span: as it was, and the paper's picks among its runs without mixup (see
 * pick.h), as far as they were attacked. */
sl_attacked sl_attacked_find(sl_run_span model, const sl_attack_set *attacks);

/* What is to be seen in numbers, in one sentence; then a table of all models (n), of each at
 * least one result. */
SL_CHECK sl_status sl_attack_section_write(FILE *out, const sl_attack_set *attacks,
                                           const sl_attacked *models, size_t n, sl_error *err);
/* People's confusion, and the model's under the strongest attack, as heat maps: to path.svg and so
 * on. */
SL_CHECK sl_status sl_attack_section_draw(const char *path, const sl_attack_set *attacks,
                                          const sl_attacked *model, sl_error *err);

#endif
