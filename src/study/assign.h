/* Who judges what: each participant gets images balanced over classes, those with the fewest places
 * taken first. A place is taken by people under way and by those who passed; it is given back by
 * who leaves or fails, so that in the end places are usable judgments. One thread. */
#ifndef STUDY_ASSIGN_H
#define STUDY_ASSIGN_H

#include "base/random.h"
#include "study/images.h"

typedef struct sl_assign sl_assign;

/* Images without a class make one more class. */
SL_CHECK sl_status sl_assign_create(sl_assign **out, const sl_pool *pool, int n_classes,
                                    sl_error *err);
void sl_assign_destroy(sl_assign *assign); /* NULL is fine */

uint32_t *sl_assign_counts(sl_assign *assign); /* places of each image, to be filled or changed */

/* Whether every image has target places. */
bool sl_assign_full(const sl_assign *assign, int target);

/* n different images in a random order, and takes a place of each: of every class the same number,
 * give or take one, those with the fewest places first, ties by r. n at most the pool's size. */
SL_CHECK sl_status sl_assign_pick(sl_assign *assign, size_t n, sl_random *r, uint32_t *out,
                                  sl_error *err);

#endif
