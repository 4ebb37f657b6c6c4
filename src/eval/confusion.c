#include "eval/confusion.h"

#include "base/memory.h"
#include "base/random.h"
#include "eval/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Room for everything that a resample needs. */
typedef struct {
    const sl_targets *human;
    const uint8_t *labels;
    const sl_confusion_options *options;
    size_t n, cells; /* images; cells off the diagonal */
    int classes;
    int *answers;                      /* (n) */
    uint32_t *weights;                 /* (n) */
    double *model, *people;            /* (classes, classes) */
    double *cells_model, *cells_human; /* (cells) */
    double *ranks_model, *ranks_human; /* (cells) */
    size_t *order;                     /* (cells) */
} work;

typedef struct {
    double correlation, human_share, chance_share;
} figures;

static void release(work *w)
{
    free(w->answers);
    free(w->weights);
    free(w->model);
    free(w->people);
    free(w->cells_model);
    free(w->cells_human);
    free(w->ranks_model);
    free(w->ranks_human);
    free(w->order);
}

static sl_status prepare(work *w, const sl_predictions *predictions, sl_error *err)
{
    const size_t classes = (size_t)w->classes;
    double **const cells[] = { &w->cells_model, &w->cells_human, &w->ranks_model, &w->ranks_human };
    sl_status st = sl_alloc(&w->answers, w->n, sizeof *w->answers, err);

    if (!st)
        st = sl_alloc(&w->weights, w->n, sizeof *w->weights, err);
    if (!st)
        st = sl_alloc(&w->model, classes * classes, sizeof *w->model, err);
    if (!st)
        st = sl_alloc(&w->people, classes * classes, sizeof *w->people, err);
    for (size_t i = 0; i < sizeof cells / sizeof *cells && !st; i++)
        st = sl_alloc(cells[i], w->cells, sizeof **cells[i], err);
    if (!st)
        st = sl_alloc(&w->order, w->cells, sizeof *w->order, err);
    for (size_t i = 0; i < w->n && !st; i++) {
        w->answers[i] = sl_argmax(predictions->log_p + i * classes, w->classes);
        w->weights[i] = 1;
    }
    return st;
}

/* Both matrices, each image weighted; shares by row. */
static void tabulate(work *w)
{
    const size_t k = (size_t)w->classes;
    double of_class[SL_SCORE_MAX_CLASSES] = { 0 };

    memset(w->model, 0, k * k * sizeof *w->model);
    memset(w->people, 0, k * k * sizeof *w->people);
    for (size_t i = 0; i < w->n; i++) {
        const size_t t = w->labels[i];
        const double weight = w->weights[i];

        if (weight == 0)
            continue;
        of_class[t] += weight;
        w->model[t * k + (size_t)w->answers[i]] += weight;
        for (size_t c = 0; c < k; c++)
            w->people[t * k + c] += weight * w->human->p64[i * k + c];
    }
    for (size_t t = 0; t < k; t++)
        for (size_t c = 0; c < k && of_class[t] > 0; c++) {
            w->model[t * k + c] /= of_class[t];
            w->people[t * k + c] /= of_class[t];
        }
}

static double correlate(work *w)
{
    const size_t k = (size_t)w->classes;
    size_t cell = 0;

    for (size_t t = 0; t < k; t++)
        for (size_t c = 0; c < k; c++)
            if (t != c) {
                w->cells_model[cell] = w->model[t * k + c];
                w->cells_human[cell++] = w->people[t * k + c];
            }
    sl_rank(w->cells_model, w->cells, w->ranks_model, w->order);
    sl_rank(w->cells_human, w->cells, w->ranks_human, w->order);
    return sl_correlation(w->ranks_model, w->ranks_human, w->cells);
}

static figures measure(work *w)
{
    const size_t k = (size_t)w->classes;
    double wrong = 0, same = 0, chance = 0;
    figures f;

    tabulate(w);
    f.correlation = correlate(w);
    for (size_t i = 0; i < w->n; i++) {
        const double *p = w->human->p64 + i * k;

        if (w->answers[i] == w->labels[i])
            continue;
        wrong += w->weights[i];
        same += w->weights[i] * p[w->answers[i]];
        chance += w->weights[i] * (1 - p[w->labels[i]]) / (double)(k - 1);
    }
    f.human_share = same / wrong; /* NaN of none */
    f.chance_share = chance / wrong;
    return f;
}

/* Called with the data's own ranks in place: relabeled, they are the same ranks in other cells. */
static double permute(work *w, double observed)
{
    const size_t k = (size_t)w->classes;
    uint32_t classes[SL_SCORE_MAX_CLASSES];
    size_t as_high = 1; /* the data's own */

    for (int b = 0; b < w->options->permutations; b++) {
        sl_random r = sl_random_stream(w->options->seed, SL_RANDOM_PERMUTATION, (uint32_t)b, 0);
        size_t cell = 0;

        for (size_t c = 0; c < k; c++)
            classes[c] = (uint32_t)c;
        sl_random_shuffle(&r, classes, k);
        for (size_t t = 0; t < k; t++)
            for (size_t c = 0; c < k; c++)
                if (t != c) { /* row t of the matrix without its diagonal has k - 1 cells */
                    const size_t row = classes[t], column = classes[c];
                    w->cells_model[cell++] =
                        w->ranks_model[row * (k - 1) + column - (column > row)];
                }
        const double correlation = sl_correlation(w->cells_model, w->ranks_human, w->cells);
        as_high += correlation >= observed - 1e-12;
    }
    return w->options->permutations && isfinite(observed)
               ? (double)as_high / (double)(w->options->permutations + 1)
               : NAN;
}

/* samples (3, resamples) */
static sl_status resample(work *w, double *samples, sl_error *err)
{
    const size_t resamples = (size_t)w->options->resamples;
    sl_progress progress = { "confusion", "resamples", "", 0, resamples };

    for (size_t b = 0; b < resamples; b++) {
        sl_random r = sl_random_stream(w->options->seed, SL_RANDOM_BOOTSTRAP, (uint32_t)b, 0);

        memset(w->weights, 0, w->n * sizeof *w->weights);
        for (size_t i = 0; i < w->n; i++)
            w->weights[sl_random_below(&r, (uint32_t)w->n)]++;
        const figures f = measure(w);
        samples[b] = f.correlation;
        samples[resamples + b] = f.human_share;
        samples[2 * resamples + b] = f.chance_share;
        progress.done = b + 1;
        if (w->options->progress && w->options->progress(w->options->user, &progress))
            return sl_error_set(err, SL_EINTERRUPTED, "stopped while resampling images");
    }
    return SL_OK;
}

static sl_status check_fit(const sl_predictions *predictions, const sl_targets *human,
                           sl_error *err)
{
    if (predictions->n != human->n || predictions->classes != human->classes)
        return sl_error_set(
            err, SL_EMISMATCH, "'%s' is of %zu images of %d classes, the human labels of %zu of %d",
            predictions->name, predictions->n, predictions->classes, human->n, human->classes);
    if (human->classes < 3 || human->classes > SL_SCORE_MAX_CLASSES || human->n > UINT32_MAX)
        return sl_error_set(err, SL_EINVAL, "%d classes, expected 3 to %d to tell confusions apart",
                            human->classes, SL_SCORE_MAX_CLASSES);
    return SL_OK;
}

sl_status sl_confusion_create(sl_confusion *out, const sl_predictions *predictions,
                              const sl_targets *human, const uint8_t *labels,
                              const sl_confusion_options *options, sl_error *err)
{
    const size_t resamples = (size_t)options->resamples;
    work w = { .human = human,
               .labels = labels,
               .options = options,
               .n = human->n,
               .classes = human->classes };
    sl_confusion c = { .classes = human->classes, .n = human->n };
    double *samples = NULL;

    *out = (sl_confusion){ 0 };
    sl_status st = check_fit(predictions, human, err);
    if (st)
        return st;
    w.cells = (size_t)w.classes * ((size_t)w.classes - 1);
    st = prepare(&w, predictions, err);
    if (!st)
        st = sl_alloc(&samples, 3 * resamples, sizeof *samples, err);
    if (st)
        goto done;
    const figures f = measure(&w);
    c.p_value = permute(&w, f.correlation);
    for (size_t i = 0; i < w.n; i++)
        c.n_wrong += w.answers[i] != labels[i];
    st = resample(&w, samples, err);
    if (st)
        goto done;
    c.correlation = sl_percentile_interval(f.correlation, samples, resamples);
    c.human_share = sl_percentile_interval(f.human_share, samples + resamples, resamples);
    c.chance_share = sl_percentile_interval(f.chance_share, samples + 2 * resamples, resamples);
    for (size_t i = 0; i < w.n; i++)
        w.weights[i] = 1;
    tabulate(&w);
    c.model = w.model;
    c.human = w.people;
    w.model = w.people = NULL;
    *out = c;
done:
    free(samples);
    release(&w);
    return st;
}

void sl_confusion_release(sl_confusion *confusion)
{
    free(confusion->model);
    free(confusion->human);
    *confusion = (sl_confusion){ 0 };
}
