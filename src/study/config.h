/* study.json: what an author decides about a study. docs/study.md describes each member. */
#ifndef STUDY_CONFIG_H
#define STUDY_CONFIG_H

#include "base/json.h"
#include "base/memory.h"
#include "study/mistakes.h"
#include <softlabel/study.h>

#define SL_STUDY_FORMAT "softlabel-study-1"
#define SL_STUDY_FILE "study.json"
#define SL_STUDY_SCHEMA_FILE "study.schema.json"
#define SL_PROLIFIC_CODE                                                     \
    "YOURCODE" /* in a new study's completion_url, for its author to replace \
                */
#define SL_STUDY_MIN_CLASSES 2
#define SL_STUDY_MAX_CLASSES 16 /* what a ring on a small screen can hold */

typedef enum { SL_POOL_IMAGES, SL_POOL_PRACTICE, SL_POOL_ATTENTION, SL_POOLS } sl_pool_id;
typedef enum { SL_SOURCE_SYNTHETIC, SL_SOURCE_CIFAR10, SL_SOURCE_FOLDER } sl_source;
typedef enum { SL_RECRUIT_OPEN, SL_RECRUIT_MTURK, SL_RECRUIT_PROLIFIC } sl_recruitment;

extern const char *const sl_source_names[];       /* NULL-ended, as the enums count */
extern const char *const sl_recruitment_names[];  /* likewise */
extern const char *const sl_pool_names[SL_POOLS]; /* "images", "practice_images", ... */

/* Where one kind of image comes from. */
typedef struct {
    sl_source source;
    const char *set;    /* cifar10: "test" or "train" */
    const char *folder; /* folder */
    uint32_t count;     /* so many, balanced over classes, drawn by the seed; 0: all */
    uint32_t *index;    /* cifar10: these images, or NULL */
    size_t n_index;
} sl_pool_config;

/* Texts are borrowed from json. */
typedef struct {
    sl_arena memory;
    json_t *json;                 /* the whole file */
    const char *title, *language; /* of the texts, as in HTML: "en" */
    uint64_t seed;
    int n_classes;
    const char **classes;
    sl_pool_config pool[SL_POOLS];

    int images_per_participant, target, pause_every;
    bool smooth;
    int practice_blocks, practice_images, practice_attempts;
    double practice_pass;
    int attention_every; /* 0: no checks */
    double attention_pass;
    double idle_minutes; /* a participant silent for longer has left */

    double payment; /* to each who finishes */
    const char *currency;
    sl_recruitment recruitment;
    const char *completion_url; /* Prolific */
    const json_t *submit_to;    /* MTurk: origins that turkSubmitTo may name */
    const json_t *wording;      /* strings and arrays of paragraphs */
} sl_study_config;

/* Reads and checks dir/study.json. What is wrong inside goes to mistakes, with SL_OK; a file that
 * can't be read or is no JSON is a status. */
SL_CHECK sl_status sl_study_config_read(sl_study_config *config, const char *dir,
                                        sl_mistakes *mistakes, sl_error *err);
void sl_study_config_release(sl_study_config *config);

/* How many attention checks a participant gets, and how many trials in the task all in all. */
int sl_study_checks(const sl_study_config *config);
int sl_study_task_trials(const sl_study_config *config);

/* The texts that study.json's "wording" must have. */
typedef struct {
    const char *name;
    bool paragraphs; /* an array of strings, else one string */
} sl_wording_member;
extern const sl_wording_member sl_wording_members[]; /* ends with a NULL name */

#endif
