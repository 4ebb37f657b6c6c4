/* The paper's tables 1, 2 and 3 from finished runs, and beside each what the same runs say when
 * nothing is chosen on the images that are reported.
 *
 * Three parts: the paper's own (of each model the one run and epoch with the lowest validation
 * loss); means over seeds, with learning rate and epoch chosen on the other seeds; differences of
 * these, paired by seed, with intervals. */
#ifndef REPORT_PAPER_TABLE_H
#define REPORT_PAPER_TABLE_H

#include "base/statistics.h"
#include "report/attack_result.h"
#include "report/run_set.h"
#include "report/table.h"

typedef enum {
    SL_PART_LOWEST,
    SL_PART_OTHER_SEEDS,
    SL_PART_DIFFERENCES,
    SL_PART_COUNT
} sl_paper_part;

typedef struct {
    sl_summary loss, accuracy;
    sl_measured loss_interval, accuracy_interval; /* of differences; else without bounds */
} sl_paper_cell;

/* Strings live as long as the table or its run set. */
typedef struct {
    sl_paper_part part;
    const char *section;      /* "Fine-tuned on CIFAR10H" */
    const char *model;        /* "all models" in the last row of several */
    size_t n;                 /* runs; of all models: models */
    const sl_tuning_run *run; /* LOWEST: the one that is shown; NULL else */
    int epoch;                /* of it */
    sl_paper_cell *cells;     /* (n_columns) */
    int place, order;         /* of the section, of the model; private */
    double *values;           /* (n, n_columns, 2): loss and accuracy of each run; private */
} sl_paper_row;

typedef struct {
    int number; /* 1: without mixup; 2: with it; 3: under attack */
    const sl_run_set *set;
    const sl_attack_set *attacks;
    size_t n_columns;
    const char *titles[SL_ATTACK_MAX_ROWS]; /* "c10h val", "after FGSM, ε 8/255" */
    const char *keys[SL_ATTACK_MAX_ROWS];   /* "c10h_val" */
    sl_paper_row *rows;                     /* by part, section, model */
    size_t n, capacity;
    sl_arena memory; /* private */
} sl_paper_table;

/* set and attacks (for number 3) are borrowed until release. Columns that no run measured aren't
 * there. SL_ENOTFOUND when no run belongs into the table. */
SL_CHECK sl_status sl_paper_table_create(sl_paper_table *out, int number, const sl_run_set *set,
                                         const sl_attack_set *attacks, sl_error *err);
void sl_paper_table_release(sl_paper_table *table); /* zeroed is fine */

/* Its parts one after the other, with selection rules, runs and data below; as CSV one table of all
 * parts, every number in full. */
SL_CHECK sl_status sl_paper_table_write(const sl_paper_table *table, sl_table_format format,
                                        FILE *out, sl_error *err);
/* What CSV has, nested; the caller's. */
SL_CHECK sl_status sl_paper_table_json(const sl_paper_table *table, json_t **out, sl_error *err);

#endif
