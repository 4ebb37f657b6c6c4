#include "base/memory.h"
#include <float.h>
#include <math.h>
#include <softlabel/labels.h>
#include <stdlib.h>

#define TOLERANCE 1e-6

/* The most probable confusion matrices and marginal, given the images' classes p. */
static void maximize(const sl_judgments *j, const double *p, double *confusion, double *marginal)
{
    const size_t k = (size_t)j->n_classes, cells = j->n_people * k * k;
    double n_judged = 0;
    for (size_t i = 0; i < cells; i++)
        confusion[i] = 0;
    for (size_t c = 0; c < k; c++)
        marginal[c] = 0;
    for (size_t i = 0; i < j->n_images; i++) {
        const double *row = p + i * k;
        if (j->first[i] == j->first[i + 1])
            continue;
        n_judged++;
        for (size_t c = 0; c < k; c++)
            marginal[c] += row[c];
        for (size_t t = j->first[i]; t < j->first[i + 1]; t++)
            for (size_t c = 0; c < k; c++)
                confusion[(j->items[t].person * k + c) * k + j->items[t].choice] += row[c];
    }
    for (size_t c = 0; c < k && n_judged > 0; c++)
        marginal[c] /= n_judged;
    for (size_t r = 0; r < j->n_people * k; r++) {
        double sum = 0;
        for (size_t c = 0; c < k; c++)
            sum += confusion[r * k + c];
        for (size_t c = 0; c < k && sum > 0; c++)
            confusion[r * k + c] /= sum;
    }
}

/* The images' classes, given the rest; logs (n_people, K chosen, K true). Returns the largest
 * change. */
static double expect(const sl_judgments *j, double *p, const double *logs, const double *marginal)
{
    const size_t k = (size_t)j->n_classes;
    double moved = 0;
    for (size_t i = 0; i < j->n_images; i++) {
        double row[255], top = -INFINITY, sum = 0;
        for (size_t c = 0; c < k; c++)
            row[c] = log(marginal[c] + DBL_MIN);
        for (size_t t = j->first[i]; t < j->first[i + 1]; t++) {
            const double *l = logs + (j->items[t].person * k + j->items[t].choice) * k;
            for (size_t c = 0; c < k; c++)
                row[c] += l[c];
        }
        for (size_t c = 0; c < k; c++)
            top = row[c] > top ? row[c] : top;
        for (size_t c = 0; c < k; c++)
            sum += row[c] = exp(row[c] - top);
        for (size_t c = 0; c < k; c++) {
            moved = fmax(moved, fabs(row[c] / sum - p[i * k + c]));
            p[i * k + c] = row[c] / sum;
        }
    }
    return moved;
}

static void take_logs(const sl_judgments *j, const double *confusion, double *logs)
{
    const size_t k = (size_t)j->n_classes;
    for (size_t a = 0; a < j->n_people; a++)
        for (size_t truth = 0; truth < k; truth++)
            for (size_t choice = 0; choice < k; choice++)
                logs[(a * k + choice) * k + truth] =
                    log(confusion[(a * k + truth) * k + choice] + DBL_MIN);
}

static void start(const sl_judgments *j, double *p)
{
    const size_t k = (size_t)j->n_classes;
    for (size_t i = 0; i < j->n_images; i++) {
        const size_t n = j->first[i + 1] - j->first[i];
        for (size_t c = 0; c < k; c++)
            p[i * k + c] = n ? 0 : 1 / (double)k;
        for (size_t t = j->first[i]; t < j->first[i + 1]; t++)
            p[i * k + j->items[t].choice] += 1 / (double)n;
    }
}

sl_status sl_dawid_skene(double *p, double *confusion, double *marginal,
                         const sl_judgments *judgments, int max_steps, int *steps, sl_error *err)
{
    const size_t k = (size_t)judgments->n_classes;
    double *logs = NULL, *own = NULL, own_marginal[255];
    size_t cells;
    *steps = 0;
    if (!sl_size_mul(judgments->n_people, k * k, &cells))
        return sl_error_set(err, SL_ENOMEM, "too many people");
    sl_status st = sl_alloc(&logs, cells, sizeof *logs, err);
    if (!st && !confusion)
        st = sl_alloc(&own, cells, sizeof *own, err);
    if (st)
        goto done;
    double *const matrices = confusion ? confusion : own;
    double *const shares = marginal ? marginal : own_marginal;
    start(judgments, p);
    double moved = 1;
    while (*steps < max_steps && !(moved <= TOLERANCE)) {
        maximize(judgments, p, matrices, shares);
        take_logs(judgments, matrices, logs);
        moved = expect(judgments, p, logs, shares);
        ++*steps;
    }
done:
    free(logs);
    free(own);
    return st;
}
