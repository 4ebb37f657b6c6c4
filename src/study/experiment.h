/* The rules of a study: who may take part, what each participant sees next, when a practice block
 * is passed, who counts. Knows nothing of HTTP; all times are given, in ms since 1970.
 *
 * Calls happen between sl_store_begin and sl_store_commit, by one thread. After a rollback the
 * caller must reload. */
#ifndef STUDY_EXPERIMENT_H
#define STUDY_EXPERIMENT_H

#include "study/assign.h"
#include "study/images.h"
#include "study/store.h"

typedef struct sl_experiment sl_experiment;

/* What a participant's request comes to; statuses are for what isn't the participant's doing. */
typedef enum {
    SL_VERDICT_OK,
    SL_VERDICT_REPEATED, /* it was stored before, just so */
    SL_VERDICT_CONFLICT, /* it was stored before, with another answer */
    SL_VERDICT_ORDER,    /* another trial is next */
    SL_VERDICT_OVER,     /* the participant isn't under way */
    SL_VERDICT_FULL,     /* every image has its judgments, or they are under way */
    SL_VERDICT_ALREADY,  /* this person took part before */
    SL_VERDICT_UNKNOWN,  /* no such participant or trial */
} sl_verdict;

/* All are borrowed and must outlive the experiment. */
SL_CHECK sl_status sl_experiment_create(sl_experiment **out, const sl_study_config *config,
                                        const sl_images *images, sl_store *store, sl_error *err);
void sl_experiment_destroy(sl_experiment *x); /* NULL is fine */
/* Counts the places anew from the store. */
SL_CHECK sl_status sl_experiment_reload(sl_experiment *x, sl_error *err);

/* Somebody has consented. worker and session are hashes of who it is by recruiting, or NULL. A
 * person under way goes on; OK or ALREADY or FULL. *p is written if OK. */
SL_CHECK sl_status sl_experiment_join(sl_experiment *x, const unsigned char *worker,
                                      const unsigned char *session, int64_t now_ms,
                                      sl_participant *p, sl_verdict *verdict, sl_error *err);

/* Who left and comes back goes on where they were. OK or UNKNOWN. */
SL_CHECK sl_status sl_experiment_find(sl_experiment *x, int64_t id, int64_t now_ms,
                                      sl_participant *p, sl_verdict *verdict, sl_error *err);

/* The answer to trial t->n. Any verdict but FULL and ALREADY; p is brought up to date. *truth is a
 * practice trial's, for the feedback, and -1 otherwise. */
SL_CHECK sl_status sl_experiment_answer(sl_experiment *x, sl_participant *p, const sl_trial *t,
                                        int64_t now_ms, int *truth, sl_verdict *verdict,
                                        sl_error *err);

/* How the practice block went that p is to repeat; *total is 0 if there's none. */
SL_CHECK sl_status sl_experiment_failed_block(sl_experiment *x, const sl_participant *p, int *right,
                                              int *total, sl_error *err);

/* Gives the places of people who have been silent for too long to others. */
SL_CHECK sl_status sl_experiment_sweep(sl_experiment *x, int64_t now_ms, sl_error *err);

/* In which order the participant sees the labels: the class at each place of the ring. */
void sl_experiment_ring(const sl_study_config *config, int64_t participant, uint32_t *order);

/* The pool that a kind of trial takes its images from. */
sl_pool_id sl_trial_pool(sl_trial_kind kind);

#endif
