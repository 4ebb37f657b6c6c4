/* Who a participant is, by what a recruiting platform puts into the study's address. Ids are used
 * only to make keyed hashes. */
#ifndef STUDY_RECRUIT_H
#define STUDY_RECRUIT_H

#include "study/config.h"
#include "study/secret.h"

typedef struct {
    bool known; /* false: recruited by an open link, nobody in particular */
    unsigned char worker[SL_MAC_BYTES], session[SL_MAC_BYTES];
} sl_identity;

/* query: the parameters of the page's address, as an object of strings. SL_EINVAL, saying which
 * one, if the platform's are missing or impossible, or if this is MTurk's preview. */
SL_CHECK sl_status sl_identify(const sl_study_config *config, const sl_secret *secret,
                               const json_t *query, sl_identity *out, sl_error *err);

#endif
