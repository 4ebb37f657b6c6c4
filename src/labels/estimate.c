#include "base/memory.h"
#include "base/minimise.h"
#include <math.h>
#include <softlabel/labels.h>
#include <stdlib.h>

#define ROUNDS 10 /* of weights from proportions and back */

void sl_labels_divide(double *p, const int64_t *counts, size_t n_images, int n_classes)
{
    const size_t k = (size_t)n_classes;
    for (size_t i = 0; i < n_images; i++) {
        int64_t sum = 0;
        for (size_t c = 0; c < k; c++)
            sum += counts[i * k + c];
        for (size_t c = 0; c < k; c++)
            p[i * k + c] = sum ? (double)counts[i * k + c] / (double)sum : (double)NAN;
    }
}

void sl_labels_smooth(double *p, const int64_t *counts, size_t n_images, int n_classes,
                      double prior)
{
    const size_t k = (size_t)n_classes;
    for (size_t i = 0; i < n_images; i++) {
        double sum = 0;
        for (size_t c = 0; c < k; c++)
            sum += p[i * k + c] = (double)counts[i * k + c] + prior;
        for (size_t c = 0; c < k; c++)
            p[i * k + c] /= sum;
    }
}

/* lgamma of a positive number, without the C library's global sign. */
static double lgamma_of(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

typedef struct {
    const int64_t *counts; /* (n_images, k) */
    size_t n_images, k;
} counted;

/* -log of the probability of the counts, up to what doesn't depend on the prior. */
static double surprise(double log_prior, const void *user)
{
    const counted *of = user;
    const double prior = exp(log_prior);
    const double all = lgamma_of((double)of->k * prior), one = lgamma_of(prior);
    double sum = 0;
    for (size_t i = 0; i < of->n_images; i++) {
        double n = 0;
        for (size_t c = 0; c < of->k; c++) {
            const double count = (double)of->counts[i * of->k + c];
            n += count;
            if (count > 0)
                sum += lgamma_of(count + prior) - one;
        }
        sum += all - lgamma_of(n + (double)of->k * prior);
    }
    return -sum;
}

/* Over the logarithm, of which the likelihood has one maximum. */
double sl_labels_fit_prior(const int64_t *counts, size_t n_images, int n_classes)
{
    const counted of = { counts, n_images, (size_t)n_classes };
    return exp(sl_minimise(surprise, &of, log(1e-4), log(1e3), 1e-6));
}

/* Weighted sums of an image's judgments by class, and over all classes. */
static double sum_image(const sl_judgments *j, size_t i, const double *w, double *by_class)
{
    double sum = 0;
    for (int c = 0; c < j->n_classes; c++)
        by_class[c] = 0;
    for (size_t t = j->first[i]; t < j->first[i + 1]; t++) {
        by_class[j->items[t].choice] += w[j->items[t].person];
        sum += w[j->items[t].person];
    }
    return sum;
}

/* What each person agrees with the others, weighing those by w. */
static void agree(const sl_judgments *j, const double *w, double *agreed, double *n)
{
    double by_class[255];
    for (size_t a = 0; a < j->n_people; a++)
        agreed[a] = n[a] = 0;
    for (size_t i = 0; i < j->n_images; i++) {
        const double sum = sum_image(j, i, w, by_class);
        for (size_t t = j->first[i]; t < j->first[i + 1]; t++) {
            const sl_judgment *own = &j->items[t];
            const double others = sum - w[own->person];
            if (!(others > 1e-9 * sum))
                continue; /* nobody to agree with */
            agreed[own->person] += (by_class[own->choice] - w[own->person]) / others;
            n[own->person]++;
        }
    }
}

sl_status sl_labels_weigh(double *p, double *weights, const sl_judgments *j, sl_error *err)
{
    const size_t k = (size_t)j->n_classes;
    double *w = NULL, *agreed = NULL, *n = NULL;
    sl_status st = sl_alloc(&w, j->n_people, sizeof *w, err);
    if (!st)
        st = sl_alloc(&agreed, j->n_people, sizeof *agreed, err);
    if (!st)
        st = sl_alloc(&n, j->n_people, sizeof *n, err);
    if (st)
        goto done;
    for (size_t a = 0; a < j->n_people; a++)
        w[a] = 1;
    for (int round = 0; round < ROUNDS; round++) {
        agree(j, w, agreed, n);
        for (size_t a = 0; a < j->n_people; a++)
            w[a] = n[a] > 0 ? fmax(agreed[a] / n[a], 1e-6) : 1;
    }
    for (size_t i = 0; i < j->n_images; i++) {
        const double sum = sum_image(j, i, w, p + i * k);
        for (size_t c = 0; c < k; c++)
            p[i * k + c] = sum > 0 ? p[i * k + c] / sum : (double)NAN;
    }
    for (size_t a = 0; a < j->n_people && weights; a++)
        weights[a] = w[a];
done:
    free(w);
    free(agreed);
    free(n);
    return st;
}
