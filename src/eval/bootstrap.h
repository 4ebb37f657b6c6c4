/* How much a figure would move with other images: the percentile bootstrap (Efron 1979).
 *
 * Images are drawn with replacement, as many as there are. All models are scored on the same draws,
 * so that differences between them are paired. */
#ifndef EVAL_BOOTSTRAP_H
#define EVAL_BOOTSTRAP_H

#include "base/statistics.h"
#include "eval/assessment.h"

#include <softlabel/log.h>

typedef struct {
    int resamples; /* 0: none */
    uint64_t seed;
    sl_progress_fn *progress; /* may be NULL */
    void *user;
} sl_bootstrap_options;

/* n_models assessments of the same selection.
 * measured     (n_models, SL_MEASURE_COUNT)
 * differences  (n_models, SL_MEASURE_COUNT): each model less the first; NULL: not wanted
 * SL_EINTERRUPTED when progress asked to stop. */
SL_CHECK sl_status sl_bootstrap(const sl_assessment *models, size_t n_models,
                                const sl_bootstrap_options *options, sl_measured *measured,
                                sl_measured *differences, sl_error *err);

#endif
