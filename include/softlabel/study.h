/* A study: people sort images into classes in the browser, and their judgments are kept.
 *
 * A study is a folder. study.json says everything about it (docs/study.md); study.db holds what
 * people did (SQLite), study.key the secret that its tokens and hashes are made with. One process
 * serves a study; any number may read its status or export it meanwhile. */
#ifndef SOFTLABEL_STUDY_H
#define SOFTLABEL_STUDY_H

#include <softlabel/error.h>
#include <softlabel/log.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct sl_study sl_study;

/* Where the study's own images are not in its folder: the data folder as sl_data_open takes it. */
typedef struct {
    const char *dir;        /* NULL: the usual places */
    const char *unpack_dir; /* may be NULL */
} sl_study_data;

/* What `study new` may be told; NULL and 0 mean the default. */
typedef struct {
    const char *title;
    const char *recruitment; /* "open", "mturk", "prolific" */
    const char *folder;      /* a folder of class folders with images, relative to the study or
                                absolute, instead of a data set */
    int images_per_participant, target;
    bool synthetic; /* even if CIFAR-10 is there */
    uint64_t seed;
} sl_study_new_options;

/* Makes dir with study.json: the paper's experiment on CIFAR-10's test set if the data folder has
 * it, otherwise a small one on synthetic images. *what (a literal) says which. SL_EINVAL if dir
 * holds a study already. */
SL_API SL_CHECK sl_status sl_study_new(const char *dir, const sl_study_new_options *options,
                                       const sl_study_data *data, const char **what, sl_error *err);

/* Reads study.json and its images and tells every mistake, each in one line. SL_EFORMAT if there
 * were any, *n_mistakes how many. */
typedef void sl_study_mistake_fn(void *user, const char *line);
SL_API SL_CHECK sl_status sl_study_check(const char *dir, const sl_study_data *data,
                                         sl_study_mistake_fn *tell, void *user, size_t *n_mistakes,
                                         sl_error *err);

/* Opens a study without mistakes. */
SL_API SL_CHECK sl_status sl_study_open(sl_study **out, const char *dir, const sl_study_data *data,
                                        sl_error *err);
SL_API void sl_study_close(sl_study *study); /* NULL is fine */

typedef struct {
    const char *address;    /* numeric IPv4 or IPv6 address to listen on */
    int port;               /* 0: any free one */
    double rate;            /* requests a second that one address may make; 0: no limit */
    int connections;        /* that one address may hold at once; 0: any number. Not counted on
                               loopback or behind a proxy, where all have one address */
    bool behind_proxy;      /* the client's address is the last of X-Forwarded-For */
    double request_seconds; /* how long a request may take to arrive */
    bool (*stop)(void);     /* asked four times a second; true ends the server */
    /* Called once it listens, with its address ("http://127.0.0.1:8080/"). May be NULL. */
    void (*ready)(void *user, const char *url);
    void *user;
} sl_study_serve_options;
SL_API sl_study_serve_options
sl_study_serve_options_default(void); /* 127.0.0.1:8080, 100/s, 200, 30 s */

/* Whether this build has the participant's page. Without it a study can be served to bots only. */
SL_API bool sl_study_has_page(void);

/* Serves until stop() says so. */
SL_API SL_CHECK sl_status sl_study_serve(sl_study *study, const sl_study_serve_options *options,
                                         sl_error *err);

/* The dashboard's password (its user is "admin"), 32 hexadecimal digits. */
SL_API void sl_study_admin_password(const sl_study *study, char out[33]);

/* How the study stands, as JSON text (docs/study.md, "status"); free() ends it. */
SL_API SL_CHECK sl_status sl_study_status(sl_study *study, char **json, sl_error *err);

typedef enum {
    SL_STUDY_PASSED,    /* whose judgments count */
    SL_STUDY_COMPLETED, /* and who failed the attention checks */
    SL_STUDY_EVERYBODY, /* and who is under way or left */
} sl_study_who;
typedef enum {
    SL_STUDY_RAW,     /* CSV in the columns of cifar10h-raw.csv, practice left out */
    SL_STUDY_JSPSYCH, /* JSON as jsPsych's data.get().json(), practice included */
} sl_study_format;

/* Writes the trials to stream. Nothing in it comes from recruiting: annotators are numbered in an
 * order of the secret's. */
SL_API SL_CHECK sl_status sl_study_export(sl_study *study, sl_study_format format, sl_study_who who,
                                          FILE *stream, sl_error *err);

/* Simulated participants, through the HTTP interface of a served study. */
typedef struct {
    const char *url;      /* "http://127.0.0.1:8080", loopback only */
    int n;                /* how many */
    int at_once;          /* of them at the same time */
    double skill;         /* mean share of correct answers, above chance to 1 */
    double skill_sd;      /* its spread over participants */
    double drop_out;      /* share who leave at a random trial of the task */
    double spam;          /* share who answer at random once the practice is passed */
    double think_ms;      /* mean pause before an answer; 0: none */
    double retry_seconds; /* how long a server that is away is waited for */
    uint64_t seed;
    const char *ledger; /* CSV of every acknowledged trial, or NULL */
} sl_study_bots_options;
SL_API sl_study_bots_options sl_study_bots_options_default(void);

typedef struct {
    int joined, finished, dropped, spammers, excluded, turned_away, failed;
    uint64_t trials, repeats; /* acknowledged; sent again after a lost answer */
    uint64_t requests, retries;
    double seconds, trials_per_second;
    double p50_ms, p99_ms, max_ms; /* of a trial's acknowledgement */
} sl_study_bots_result;

/* The study tells the bots which answer an image deserves; everything else goes through HTTP. */
SL_API SL_CHECK sl_status sl_study_bots(sl_study *study, const sl_study_bots_options *options,
                                        sl_study_bots_result *result, sl_progress_fn *progress,
                                        void *user, sl_error *err);

#endif
