#include "eval/bootstrap.h"

#include "base/memory.h"
#include "base/random.h"

#include <stdlib.h>
#include <string.h>

static void draw(uint32_t *weights, size_t n, uint64_t seed, uint32_t resample)
{
    sl_random r = sl_random_stream(seed, SL_RANDOM_BOOTSTRAP, resample, 0);
    memset(weights, 0, n * sizeof *weights);
    for (size_t i = 0; i < n; i++)
        weights[sl_random_below(&r, (uint32_t)n)]++;
}

/* samples (n_models, SL_MEASURE_COUNT, resamples) */
static sl_status resample(const sl_assessment *models, size_t n_models,
                          const sl_bootstrap_options *options, double *samples, sl_error *err)
{
    const size_t resamples = (size_t)options->resamples;
    sl_progress progress = { "bootstrap", "resamples", "", 0, resamples };
    uint32_t *weights;
    double measures[SL_MEASURE_COUNT];
    sl_status st = sl_alloc(&weights, models[0].n, sizeof *weights, err);
    for (size_t b = 0; b < resamples && !st; b++) {
        draw(weights, models[0].n, options->seed, (uint32_t)b);
        for (size_t i = 0; i < n_models; i++) {
            sl_assessment_measure(&models[i], weights, measures, NULL);
            for (size_t m = 0; m < SL_MEASURE_COUNT; m++)
                samples[(i * SL_MEASURE_COUNT + m) * resamples + b] = measures[m];
        }
        progress.done = b + 1;
        if (options->progress && options->progress(options->user, &progress))
            st = sl_error_set(err, SL_EINTERRUPTED, "stopped while resampling images");
    }
    free(weights);
    return st;
}

sl_status sl_bootstrap(const sl_assessment *models, size_t n_models,
                       const sl_bootstrap_options *options, sl_measured *measured,
                       sl_measured *differences, sl_error *err)
{
    const size_t resamples = (size_t)options->resamples, cells = n_models * SL_MEASURE_COUNT;
    double *samples, *moved = NULL;
    sl_status st = sl_alloc(&samples, cells, resamples * sizeof *samples, err);
    if (!st)
        st = sl_alloc(&moved, resamples, sizeof *moved, err);
    if (!st)
        st = resample(models, n_models, options, samples, err);
    for (size_t i = 0; i < n_models && !st; i++) {
        double values[SL_MEASURE_COUNT];
        sl_assessment_measure(&models[i], NULL, values, NULL);
        for (size_t m = 0; m < SL_MEASURE_COUNT; m++)
            measured[i * SL_MEASURE_COUNT + m].value = values[m];
    }
    /* Differences first: intervals sort the samples. */
    for (size_t c = 0; differences && c < cells && !st; c++) {
        const size_t first = c % SL_MEASURE_COUNT;
        for (size_t b = 0; b < resamples; b++)
            moved[b] = samples[c * resamples + b] - samples[first * resamples + b];
        differences[c] =
            sl_percentile_interval(measured[c].value - measured[first].value, moved, resamples);
    }
    for (size_t c = 0; c < cells && !st; c++)
        measured[c] = sl_percentile_interval(measured[c].value, samples + c * resamples, resamples);
    free(moved);
    free(samples);
    return st;
}
