/* softlabel evaluate in detail: what models or prediction files are worth on one set of images.
 * cmd_evaluate.c parses; evaluate_detail.c works it out; evaluate_show.c shows it. */
#ifndef CLI_EVALUATE_H
#define CLI_EVALUATE_H

#include "cli/class_names.h"
#include "cli/cli.h"
#include "eval/bootstrap.h"
#include "eval/human.h"

enum { EVALUATION_BATCH = 128 };

typedef struct {
    cli_options common; /* first */
    const char **files; /* (n_files) models, or predictions */
    size_t n_files;
    bool predictions;        /* what the files are */
    bool detail;             /* wanted; the options of it, predictions and several files imply it */
    const char *labels;      /* human labels; NULL: the data folder's */
    const char *hard_labels; /* NULL: the predictions' own, or the data folder's */
    const char *index;       /* file of images; NULL: all, or by split */
    bool split;              /* --split-seed was given */
    uint32_t split_seed;
    int part; /* sl_split_part */
    int n_bins, resamples;
    bool classes, bins, csv; /* what to show besides */
    const char *save_logits; /* a folder */
} cli_evaluate_options;

/* Everything that is shown; zero is empty. */
typedef struct {
    sl_predictions *models; /* (n_models) */
    size_t n_models;
    sl_data *data;    /* NULL where the files sufficed */
    sl_dataset *test; /* likewise */
    const char *const *class_names;
    cli_class_names names; /* for classes without any */
    sl_human human;
    const char *human_from; /* path or "data folder" */
    int16_t *labels;        /* (of) */
    const char *labels_from;
    char labels_sha256[65];
    sl_selection selection;
    sl_human_summary summary;
    sl_assessment *assessments; /* (n_models) */
    sl_measured *measured;      /* (n_models, SL_MEASURE_COUNT) */
    sl_measured *differences;
} cli_evaluation;

SL_CHECK sl_status cli_evaluate_detail(cli_evaluation *out, cli_evaluate_options *options,
                                       sl_error *err);
void cli_evaluation_release(cli_evaluation *evaluation);

/* As text, JSON or CSV, whatever the options say. */
SL_CHECK sl_status cli_evaluation_show(const cli_evaluation *evaluation,
                                       const cli_evaluate_options *options, sl_error *err);

#endif
