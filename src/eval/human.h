/* What people said of a set's images, as far as evaluation needs it. */
#ifndef EVAL_HUMAN_H
#define EVAL_HUMAN_H

#include "eval/selection.h"

#include <softlabel/dataset.h>

/* Zero-initialised is empty. */
typedef struct {
    sl_targets *targets;
    int64_t *judgments; /* (n): of each image; NULL where only proportions are known */
} sl_human;

/* As sl_targets_read. */
SL_CHECK sl_status sl_human_read(sl_human *out, const char *path, size_t n, int classes,
                                 sl_error *err);
void sl_human_release(sl_human *human);

/* Of selected images. */
typedef struct {
    double entropy;         /* mean, in nats */
    double accuracy;        /* mean share that chose the hard label */
    double modal_agreement; /* share of images whose most chosen class is the hard label */
    int64_t judgments;      /* -1: not known, as the next three */
    int64_t min_per_image, max_per_image;
    double mean_per_image;
} sl_human_summary;
sl_human_summary sl_human_summarise(const sl_human *human, const int16_t *labels,
                                    const sl_selection *selection);

#endif
