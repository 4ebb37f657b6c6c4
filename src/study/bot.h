/* One simulated participant: what it asks for next, and what it makes of the answer. Knows nothing
 * of sockets. It has eyes only for the bytes of an image; an answer key tells it what they show. */
#ifndef STUDY_BOT_H
#define STUDY_BOT_H

#include "base/random.h"
#include "study/images.h"
#include "study/secret.h"
#include <softlabel/study.h>

/* From an image's bytes to what it shows. Immutable once made. */
typedef struct {
    struct sl_key_entry *entries;
    size_t n;
} sl_answer_key;

SL_CHECK sl_status sl_answer_key_create(sl_answer_key *key, const sl_images *images, sl_error *err);
void sl_answer_key_release(sl_answer_key *key);

typedef enum { SL_BOT_JOIN, SL_BOT_STATE, SL_BOT_IMAGE, SL_BOT_TRIAL } sl_bot_step;
typedef enum {
    SL_BOT_GOES_ON, /* ask for the next thing */
    SL_BOT_WAITS,   /* ask for the same again, a little later */
    SL_BOT_ENDS,    /* finished, dropped, excluded or turned away */
    SL_BOT_BREAKS,  /* the server answered what it never should */
} sl_bot_outcome;

typedef struct {
    const sl_answer_key *key;
    sl_recruitment recruitment;
    uint64_t seed; /* seed and number make its ids at a recruiting platform */
    int number;
    int n_classes, first_task_trial;
    sl_random random;
    double skill;
    bool spammer, leaves;
    double leaves_at; /* share of the task */

    sl_bot_step step;
    char token[SL_TOKEN_SIZE];
    int64_t participant;
    bool in_task;
    int next, planned, choice;
    double rt_ms, elapsed_ms;

    bool acknowledged, repeated; /* by the last answer: a trial; that had been stored before */
    const char *end;             /* a literal: "finished", "dropped", "excluded", "turned away" */
    char complaint[160];         /* why it breaks */
} sl_bot;

typedef struct {
    char path[40], body[240];
    bool post;
} sl_bot_request;

void sl_bot_init(sl_bot *bot, const sl_study_bots_options *options, const sl_study_config *config,
                 const sl_answer_key *key, int number);
void sl_bot_ask(sl_bot *bot, sl_bot_request *request);
/* status: HTTP's, 0 if no answer came. */
sl_bot_outcome sl_bot_hear(sl_bot *bot, long status, const unsigned char *bytes, size_t n);

#endif
