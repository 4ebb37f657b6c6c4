/* The participant's requests as JSON in and out; docs/study.md, "the page's interface", has the
 * members. Knows nothing of sockets. */
#ifndef STUDY_API_H
#define STUDY_API_H

#include "study/experiment.h"
#include "study/recruit.h"

typedef enum { SL_CALL_JOIN, SL_CALL_STATE, SL_CALL_IMAGE, SL_CALL_TRIAL } sl_call;

typedef struct {
    sl_call call;
    const char *token; /* "" if none was sent */
    const char *body;
    size_t body_size;
    int number; /* of the trial whose image is wanted */
    int64_t now_ms;

    int status;           /* written: HTTP's number */
    unsigned char *reply; /* malloc'ed, the caller's */
    size_t reply_size;
    const char *type; /* a literal */
} sl_request;

typedef struct {
    const sl_study_config *config;
    const sl_images *images;
    const sl_secret *secret;
    sl_store *store;
    sl_experiment *experiment;
} sl_api;

/* Answers a request, inside the experiment's transaction. A participant's mistake is an answer; a
 * status means that the transaction must be rolled back. */
SL_CHECK sl_status sl_api_answer(const sl_api *api, sl_request *request, sl_error *err);

/* Writes an answer {"error": message, "code": code} into request, in place of any other. */
SL_CHECK sl_status sl_api_refuse(sl_request *request, int status, const char *code,
                                 const char *message, sl_error *err);

/* What the page needs to know of the study, the same for everybody: JSON text, the caller's. */
SL_CHECK sl_status sl_api_describe(const sl_study_config *config, char **out, sl_error *err);

#endif
