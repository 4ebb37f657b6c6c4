/* The scores of one model on every data set at hand: the columns of the paper's logs and tables. */
#ifndef EVAL_SCORES_H
#define EVAL_SCORES_H

#include "eval/metrics.h"
#include "eval/model_eval.h"

/* In the order of the paper's logs; the last two are the whole test set. */
typedef enum {
    SL_SCORE_C10H_TRAIN,     /* the split's training images, human targets */
    SL_SCORE_C10H_VAL,       /* its validation images */
    SL_SCORE_C10H_TRAIN_C10, /* the same images, hard labels */
    SL_SCORE_C10H_VAL_C10,
    SL_SCORE_V4, /* CIFAR-10.1 */
    SL_SCORE_V6,
    SL_SCORE_C10_50K, /* the images the model was pretrained on */
    SL_SCORE_C10H,    /* all test images, human targets */
    SL_SCORE_C10,     /* all test images, hard labels */
    SL_SCORE_COUNT
} sl_score_id;

const char *sl_score_name(sl_score_id id); /* "c10h_val": the paper's column names less _loss */

/* The sets to score on and their targets: what a data folder has. NULL: isn't there. */
typedef struct {
    sl_dataset *sets[SL_SET_COUNT];
    sl_targets *hard[SL_SET_COUNT];
    sl_targets *human; /* of the test set */
    sl_split split;    /* of the test set: nine tenths train, the rest validate (9,000, 1,000) */
} sl_score_sets;

/* Sets are chosen by a mask of SL_SET_BIT. */
#define SL_SET_BIT(id) (1u << (id))
#define SL_SETS_ALL (SL_SET_BIT(SL_SET_COUNT) - 1)

/* Reads those of the wanted sets that data has, and the human targets. The test set is always read
 * and has to be there. */
SL_CHECK sl_status sl_score_sets_read(sl_score_sets *out, sl_data *data, unsigned wanted,
                                      uint32_t split_seed, sl_error *err);
void sl_score_sets_release(sl_score_sets *sets); /* zeroed is fine */

/* Scores the evaluator's model on those of the wanted sets that are there; scores[id].n is 0 where
 * there is nothing to score. SL_EDIVERGED, naming the set, when a mean isn't finite. */
SL_CHECK sl_status sl_score_model(sl_evaluator *evaluator, const sl_score_sets *sets,
                                  unsigned wanted, sl_score scores[SL_SCORE_COUNT], sl_error *err);

#endif
