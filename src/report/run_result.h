/* What a finished run left in its folder: result.json. */
#ifndef REPORT_RUN_RESULT_H
#define REPORT_RUN_RESULT_H

#include "base/json.h"

/* The whole object; the caller's. SL_ENOTFOUND when the run hasn't finished. */
SL_CHECK sl_status sl_run_result_read(json_t **out, const char *folder, sl_error *err);

/* The paper's columns (table 2) of a row of the metrics. */
typedef enum {
    SL_REPORT_C10H_VAL,
    SL_REPORT_C10_VAL,
    SL_REPORT_V4,
    SL_REPORT_V6,
    SL_REPORT_C10_50K,
    SL_REPORT_COLUMNS
} sl_report_column;

const char *sl_report_column_title(sl_report_column column); /* "c10h val" */

typedef struct {
    int epoch;
    double loss[SL_REPORT_COLUMNS], accuracy[SL_REPORT_COLUMNS]; /* NaN: not measured */
} sl_report_row;

/* What a run was tuned on, in the order of the tables. */
typedef enum {
    SL_KIND_HARD, /* the control */
    SL_KIND_HUMAN,
    SL_KIND_SAMPLED, /* one-hot labels drawn from the human distributions */
    SL_KIND_SMOOTHED,
    SL_KIND_COUNT
} sl_tuning_kind;

const char *sl_tuning_kind_name(sl_tuning_kind kind);  /* "control", "human" */
const char *sl_tuning_kind_title(sl_tuning_kind kind); /* "CIFAR10", "CIFAR10H" */
/* By whose loss the paper's rule selects: c10h val for what came from people, else c10 val. */
sl_report_column sl_tuning_kind_selects(sl_tuning_kind kind);

/* A fine-tuning run. Strings live as long as json. */
typedef struct {
    const char *folder; /* borrowed */
    json_t *json;
    const char *model, *checkpoint; /* name, SHA-256 of the file it came from */
    sl_tuning_kind kind;
    double mixup;                    /* alpha; 0: without */
    const char *best;                /* SHA-256 of best.safetensors, the selected row's model; "" */
    const char *test, *human, *note; /* hashes of the data; "" without human labels */
    const char *augment, *rule;
    const char *precision;            /* "f32", "bf16" */
    int64_t cutout;                   /* side; 0: none */
    double smoothing;                 /* of smoothed labels; else 0 */
    double lr, weight_decay, seconds; /* NaN: not known */
    int64_t epochs, batch_size, split_seed, seed;
    sl_report_row before, selected;
} sl_tuning_run;

/* SL_EMISMATCH when the folder's run isn't of fine-tuning. */
SL_CHECK sl_status sl_tuning_run_read(sl_tuning_run *out, const char *folder, sl_error *err);
void sl_tuning_run_release(sl_tuning_run *run); /* zeroed is fine */

#endif
