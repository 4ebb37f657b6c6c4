#include "study/recruit.h"
#include <string.h>

#define ID_MAX_BYTES 128
#define PREVIEW "ASSIGNMENT_ID_NOT_AVAILABLE"

/* An id as both platforms make them: letters, digits, "-" and "_". */
static sl_status get_id(const json_t *query, const char *name, const char **out, sl_error *err)
{
    const char *text = json_string_value(json_object_get(query, name));
    if (!text || !*text)
        return sl_error_set(err, SL_EINVAL,
                            "the address lacks '%s': open the study from the platform's page",
                            name);
    if (strlen(text) > ID_MAX_BYTES ||
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") !=
            strlen(text))
        return sl_error_set(err, SL_EINVAL, "the address's '%s' isn't an id", name);
    *out = text;
    return SL_OK;
}

sl_status sl_identify(const sl_study_config *config, const sl_secret *secret, const json_t *query,
                      sl_identity *out, sl_error *err)
{
    static const struct {
        const char *worker, *session, *place; /* place: must be there, is not kept */
    } names[] = {
        [SL_RECRUIT_MTURK] = { "workerId", "assignmentId", "hitId" },
        [SL_RECRUIT_PROLIFIC] = { "PROLIFIC_PID", "SESSION_ID", "STUDY_ID" },
    };
    const char *worker = NULL, *session = NULL, *place = NULL;
    *out = (sl_identity){ .known = config->recruitment != SL_RECRUIT_OPEN };
    if (!out->known)
        return SL_OK;
    sl_status st = get_id(query, names[config->recruitment].session, &session, err);
    if (!st && strcmp(session, PREVIEW) == 0)
        st = sl_error_set(err, SL_EINVAL, "this is a preview: accept the task first");
    if (!st)
        st = get_id(query, names[config->recruitment].worker, &worker, err);
    if (!st)
        st = get_id(query, names[config->recruitment].place, &place, err);
    if (!st)
        st = sl_secret_mac(secret, "worker", worker, strlen(worker), out->worker, err);
    if (!st)
        st = sl_secret_mac(secret, "session", session, strlen(session), out->session, err);
    return st;
}
