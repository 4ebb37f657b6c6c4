/* What people did, in SQLite (WAL, synchronous FULL: what was committed survives kill -9 and power
 * loss). One connection, one thread; readers open connections of their own.
 *
 * Everything happens between begin and commit. When any call fails, roll back: nothing of the
 * transaction has happened then. */
#ifndef STUDY_STORE_H
#define STUDY_STORE_H

#include "study/secret.h"
#include <softlabel/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sl_store sl_store;

/* Where a participant is. The numbers are in the file. */
typedef enum {
    SL_STATE_PRACTICE = 0,
    SL_STATE_TASK = 1,
    SL_STATE_PASSED = 2,   /* finished, and its judgments count */
    SL_STATE_FAILED = 3,   /* finished, but failed the attention checks */
    SL_STATE_EXCLUDED = 4, /* failed a practice block too often */
    SL_STATE_LEFT = 5,     /* silent for too long; may come back */
    SL_STATES
} sl_state;

typedef enum { SL_TRIAL_PRACTICE = 0, SL_TRIAL_IMAGE = 1, SL_TRIAL_CHECK = 2 } sl_trial_kind;

typedef struct {
    int64_t id; /* 1, 2, ... */
    sl_state state;
    int64_t joined_ms, last_ms, ended_ms; /* since 1970; ended 0: not yet */
    int next;                             /* the trial to be answered */
    int planned;                          /* trials planned so far: 0..planned-1 */
    int block;                            /* practice blocks passed */
    int attempt;                          /* failed attempts at the present block */
    int first;                            /* the present block's (or the task's) first trial */
} sl_participant;

typedef struct {
    int n; /* its number for the participant */
    sl_trial_kind kind;
    int64_t image; /* in the pool of its kind */
    int truth;     /* -1: unknown */
    int choice;    /* -1: not answered */
    double rt_ms, elapsed_ms;
} sl_trial;

/* Opens or makes the file. images_sha256 guards it: SL_EMISMATCH if the file belongs to other
 * images. read_only doesn't make it: SL_ENOTFOUND. */
SL_CHECK sl_status sl_store_open(sl_store **out, const char *path, const char *images_sha256,
                                 bool read_only, sl_error *err);
void sl_store_close(sl_store *store); /* NULL is fine */

SL_CHECK sl_status sl_store_begin(sl_store *store, sl_error *err);
SL_CHECK sl_status sl_store_commit(sl_store *store, sl_error *err); /* durable when it returns */
/* For a reader: all that follows is as of one moment. */
SL_CHECK sl_status sl_store_begin_reading(sl_store *store, sl_error *err);
void sl_store_rollback(sl_store *store);

/* worker, session: hashes of recruiting ids, or both NULL. Sets p->id. */
SL_CHECK sl_status sl_store_add(sl_store *store, const unsigned char *worker,
                                const unsigned char *session, sl_participant *p, sl_error *err);
/* *found says whether there is one. */
SL_CHECK sl_status sl_store_find(sl_store *store, int64_t id, sl_participant *p, bool *found,
                                 sl_error *err);
/* same_session: whether the worker's last session is this one. */
SL_CHECK sl_status sl_store_find_worker(sl_store *store, const unsigned char worker[SL_MAC_BYTES],
                                        const unsigned char session[SL_MAC_BYTES],
                                        sl_participant *p, bool *found, bool *same_session,
                                        sl_error *err);
SL_CHECK sl_status sl_store_set_session(sl_store *store, int64_t id,
                                        const unsigned char session[SL_MAC_BYTES], sl_error *err);
SL_CHECK sl_status sl_store_update(sl_store *store, const sl_participant *p, sl_error *err);

/* A planned, unanswered trial. */
SL_CHECK sl_status sl_store_plan(sl_store *store, int64_t participant, const sl_trial *t,
                                 sl_error *err);
SL_CHECK sl_status sl_store_trial(sl_store *store, int64_t participant, int n, sl_trial *t,
                                  bool *found, sl_error *err);
/* Writes choice and times of a trial that has none; SL_EMISMATCH if it has. */
SL_CHECK sl_status sl_store_answer(sl_store *store, int64_t participant, const sl_trial *t,
                                   sl_error *err);
/* Of the trials first..end-1 that are of this kind: how many, and how many are right. */
SL_CHECK sl_status sl_store_score(sl_store *store, int64_t participant, int first, int end,
                                  sl_trial_kind kind, int *right, int *total, sl_error *err);

/* Calls each for every row; an error from it ends the walk and is passed on. */
typedef sl_status sl_trial_fn(void *user, const sl_trial *t, sl_error *err);
typedef sl_status sl_participant_fn(void *user, const sl_participant *p, sl_error *err);
/* One participant's trials in order. */
SL_CHECK sl_status sl_store_each_trial(sl_store *store, int64_t participant, sl_trial_fn *each,
                                       void *user, sl_error *err);
/* The participants in the order they joined. */
SL_CHECK sl_status sl_store_each_participant(sl_store *store, sl_participant_fn *each, void *user,
                                             sl_error *err);
/* Who is under way and has been silent since before. */
SL_CHECK sl_status sl_store_each_silent(sl_store *store, int64_t before_ms, sl_participant_fn *each,
                                        void *user, sl_error *err);
/* Adds to counts[image] the places of kind IMAGE that people under way or passed hold. */
SL_CHECK sl_status sl_store_count_places(sl_store *store, uint32_t *counts, size_t n,
                                         sl_error *err);

#endif
