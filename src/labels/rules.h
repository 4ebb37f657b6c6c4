/* Exclusion rules: their JSON, its hash, and the verdict on a person. */
#ifndef LABELS_RULES_H
#define LABELS_RULES_H

#include <jansson.h>
#include <softlabel/labels.h>

/* From a JSON object / as one: every member there, in one order. NULL when memory is short. */
SL_CHECK sl_status sl_labels_rules_parse(sl_labels_rules *out, const json_t *json, sl_error *err);
json_t *sl_labels_rules_json(const sl_labels_rules *rules);
/* SHA-256 of that JSON, compact: the same rules, however written, have the same hash. */
SL_CHECK sl_status sl_labels_rules_hash(const sl_labels_rules *rules, char sha256[65],
                                        sl_error *err);

sl_exclusion sl_labels_judge(const sl_labels_rules *rules, const sl_labels_person *person);

#endif
