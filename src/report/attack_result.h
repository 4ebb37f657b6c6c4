/* What `softlabel attack --out` wrote: models' scores before and after attacks. */
#ifndef REPORT_ATTACK_RESULT_H
#define REPORT_ATTACK_RESULT_H

#include "base/json.h"
#include "base/memory.h"
#include "base/statistics.h"

#define SL_ATTACK_MAX_ROWS 34

/* Whether wrong answers fall where people's do (see eval/confusion.h). */
typedef struct {
    int64_t wrong;                         /* images */
    sl_measured correlation;               /* Spearman's, over pairs of classes */
    double p_value;                        /* by permuting classes; NaN: not tried */
    sl_measured human_share, chance_share; /* of people who say the same */
    const json_t *model, *human;           /* (classes, classes) shares of true classes */
} sl_attack_confusion;

/* One attacked model. Strings live as long as the set. */
typedef struct {
    const char *model, *sha256;      /* of the model's file */
    const char *test;                /* hash of the images */
    const json_t *classes;           /* their names */
    double loss[SL_ATTACK_MAX_ROWS]; /* cross-entropy against hard labels, by row */
    double accuracy[SL_ATTACK_MAX_ROWS];
    sl_attack_confusion confusions[SL_ATTACK_MAX_ROWS];
} sl_attack_result;

/* All results of a set are of the same attack. Zeroed is empty. */
typedef struct {
    sl_attack_result *results;
    size_t n, capacity;
    const char *method, *targets;                  /* "fgsm", "hard" */
    size_t n_rows;                                 /* the first is before the attack */
    const char *epsilon_texts[SL_ATTACK_MAX_ROWS]; /* "0", "8/255" */
    double epsilons[SL_ATTACK_MAX_ROWS];
    json_t *files; /* private: keeps the strings */
} sl_attack_set;

/* Adds a file's results. SL_EMISMATCH when they are of another attack or other images than those
 * before. */
SL_CHECK sl_status sl_attack_set_add(sl_attack_set *set, const char *path, sl_error *err);
/* The result of the model in the file with this SHA-256, or NULL. */
const sl_attack_result *sl_attack_set_find(const sl_attack_set *set, const char *sha256);
/* A matrix of confusion as shares (k,k). SL_EFORMAT when it has another shape. */
SL_CHECK sl_status sl_attack_matrix_read(const json_t *matrix, int k, double *shares,
                                         sl_error *err);
void sl_attack_set_release(sl_attack_set *set);

#endif
