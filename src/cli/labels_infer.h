/* softlabel labels infer: labels for images that nobody judged. labels_infer.c parses, has the
 * methods that go by the label alone, and shows; labels_predict.c asks a model. */
#ifndef CLI_LABELS_INFER_H
#define CLI_LABELS_INFER_H

#include "cli/cli.h"
#include "eval/selection.h"
#include "eval/tempering.h"

typedef struct {
    cli_options common; /* first */
    int method, set;    /* places in lists; method -1: not given */
    const char *out, *distances, *hard_labels, *model;
    double smoothing, prior;
    sl_tempering tempering; /* NaN: to be fitted */
    int judged;             /* place in a list; -1: what suits the method */
    uint32_t split_seed;
} cli_infer_options;

/* Zero is empty. */
typedef struct {
    sl_data *data;
    size_t n; /* images that want labels */
    int classes;
    int16_t *labels; /* (n): the known ones */
    sl_dataset *set; /* their images; NULL where labels came from a file */

    /* Images that people judged, the test set's; read when a method needs them. */
    sl_dataset *test;
    sl_targets *human;
    int16_t *test_labels;
    sl_selection training; /* the split's training part */
    sl_selection judged;   /* those that what is fitted is fitted to */

    double *p; /* (n, classes): the result */
    json_t *how;
} cli_inference;

/* Reads what people judged, unless it was read before. */
SL_CHECK sl_status cli_infer_read_judged(cli_inference *f, const cli_infer_options *o,
                                         sl_error *err);
/* Notes the tempering in the record, and whether it was fitted. */
void cli_infer_note(cli_inference *f, const cli_infer_options *o, sl_tempering t);

/* Fills p with what the model in o->model predicts that people say. */
SL_CHECK sl_status cli_infer_predict(cli_inference *f, cli_infer_options *o, sl_error *err);

#endif
