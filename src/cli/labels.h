/* softlabel labels: its commands that have files of their own. */
#ifndef CLI_LABELS_H
#define CLI_LABELS_H

#include "cli/cli.h"
#include <softlabel/labels.h>

int cli_labels_report(const cli_command *self, int argc, char **argv);
int cli_labels_estimate(const cli_command *self, int argc, char **argv);
int cli_labels_infer(const cli_command *self, int argc, char **argv);

/* Writes distributions p (n_images, n_classes) to the npy `out`, and how, which gets the file's
 * hash, to the .json beside it. */
SL_CHECK sl_status cli_labels_write(const char *out, const double *p, size_t n_images,
                                    int n_classes, json_t *how, sl_error *err);

/* What a path leads to: a folder of labels (is_folder), read and checked, or an npy of counts,
 * whose people aren't known. */
typedef struct {
    bool is_folder;
    sl_labels *labels; /* borrowed by view, NULL for an npy */
    sl_labels view;    /* counts, truth (may be NULL), people */
    int64_t *counts;   /* an npy's */
    int16_t *truth;    /* an npy's, from hard_labels */
    char sha256[65];   /* of counts.npy or the npy */
} cli_label_set;
SL_CHECK sl_status cli_label_set_open(cli_label_set *out, const char *path, const char *hard_labels,
                                      sl_error *err);
/* The data folder's counts of people's choices, and the test set's labels as truth. */
SL_CHECK sl_status cli_label_set_open_data(cli_label_set *out, const cli_options *options,
                                           sl_error *err);
/* The test set's labels as truth. SL_EMISMATCH when the counts aren't of as many images. */
SL_CHECK sl_status cli_label_set_take_truth(cli_label_set *set, const cli_options *options,
                                            sl_error *err);
void cli_label_set_release(cli_label_set *set);

/* Its judgments: of a folder, from its raw files (raw, n_raw; or as recorded); of an npy, each by
 * somebody of their own. */
SL_CHECK sl_status cli_label_set_judgments(sl_judgments **out, const cli_label_set *set,
                                           const char *path, const char *const *raw, size_t n_raw,
                                           sl_error *err);

#endif
