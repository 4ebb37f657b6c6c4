#include "base/memory.h"
#include "base/random.h"
#include <math.h>
#include <softlabel/labels.h>
#include <stdlib.h>

/* One split: both halves' counts, and what each image scores. */
typedef struct {
    const sl_judgments *j;
    const sl_ceiling_options *o;
    uint32_t *order, *times; /* (n_people) shuffled; how often each counts */
    uint8_t *side;           /* (n_people) */
    double *half[2];         /* (n_images, K) */
    double *entropy, *hit;   /* (n_images) of the last split; NaN without judgments in both */
    double *sum_entropy, *sum_hit;
    double *drawn; /* (2, resamples) */
} work;

sl_ceiling_options sl_ceiling_options_default(void)
{
    return (sl_ceiling_options){ .splits = 20, .resamples = 200, .prior = 0.1 };
}

static void release(work *w)
{
    free(w->order);
    free(w->times);
    free(w->side);
    free(w->half[0]);
    free(w->half[1]);
    free(w->entropy);
    free(w->hit);
    free(w->sum_entropy);
    free(w->sum_hit);
    free(w->drawn);
}

static sl_status prepare(work *w, sl_error *err)
{
    const sl_judgments *j = w->j;
    const size_t cells = j->n_images * (size_t)j->n_classes;
    sl_status st = sl_alloc(&w->order, j->n_people, sizeof *w->order, err);
    if (!st)
        st = sl_alloc(&w->times, j->n_people, sizeof *w->times, err);
    if (!st)
        st = sl_alloc(&w->side, j->n_people, 1, err);
    if (!st)
        st = sl_alloc(&w->half[0], cells, sizeof(double), err);
    if (!st)
        st = sl_alloc(&w->half[1], cells, sizeof(double), err);
    double **const per_image[] = { &w->entropy, &w->hit, &w->sum_entropy, &w->sum_hit };
    for (int i = 0; i < 4 && !st; i++)
        st = sl_alloc(per_image[i], j->n_images, sizeof(double), err);
    if (!st)
        st = sl_alloc(&w->drawn, 2 * (size_t)w->o->resamples, sizeof(double), err);
    return st;
}

/* Deals the people who count into two halves of equal number, and counts. */
static void split(work *w, sl_random *r)
{
    const sl_judgments *j = w->j;
    const size_t k = (size_t)j->n_classes;
    uint32_t n = 0;
    for (uint32_t a = 0; a < j->n_people; a++)
        if (w->times[a] > 0)
            w->order[n++] = a;
    sl_random_shuffle(r, w->order, n);
    for (uint32_t i = 0; i < n; i++)
        w->side[w->order[i]] = i >= n / 2;
    for (size_t i = 0; i < j->n_images * k; i++)
        w->half[0][i] = w->half[1][i] = 0;
    for (size_t t = 0; t < j->n; t++) {
        const sl_judgment *item = &j->items[t];
        w->half[w->side[item->person]][item->image * k + item->choice] += w->times[item->person];
    }
}

static size_t most_chosen(const double *row, size_t k)
{
    size_t best = 0;
    for (size_t c = 1; c < k; c++)
        if (row[c] > row[best])
            best = c;
    return best;
}

/* -sum_k q_k log p_k, q the proportions in b, p those in a, smoothed. */
static double cross_entropy(const double *a, double n_a, const double *b, double n_b, size_t k,
                            double prior)
{
    double sum = 0;
    for (size_t c = 0; c < k; c++)
        if (b[c] > 0)
            sum -= b[c] / n_b * log((a[c] + prior) / (n_a + prior * (double)k));
    return sum;
}

/* Scores each image of the split; *r is the correlation of the halves' proportions. */
static void score(work *w, double *r)
{
    const size_t k = (size_t)w->j->n_classes;
    double n = 0, xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < w->j->n_images; i++) {
        const double *a = w->half[0] + i * k, *b = w->half[1] + i * k;
        double n_a = 0, n_b = 0;
        for (size_t c = 0; c < k; c++) {
            n_a += a[c];
            n_b += b[c];
        }
        w->entropy[i] = w->hit[i] = (double)NAN;
        if (!(n_a > 0 && n_b > 0))
            continue;
        w->entropy[i] = (cross_entropy(a, n_a, b, n_b, k, w->o->prior) +
                         cross_entropy(b, n_b, a, n_a, k, w->o->prior)) /
                        2;
        w->hit[i] = most_chosen(a, k) == most_chosen(b, k);
        for (size_t c = 0; c < k; c++) { /* both have mean 1/K in every row */
            const double x = a[c] / n_a - 1 / (double)k, y = b[c] / n_b - 1 / (double)k;
            xx += x * x;
            yy += y * y;
            xy += x * y;
        }
        n++;
    }
    *r = n > 0 ? xy / sqrt(xx * yy) : (double)NAN;
}

static double mean(const double *x, size_t n, size_t *used)
{
    double sum = 0;
    *used = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(x[i]))
            continue;
        sum += x[i];
        ++*used;
    }
    return sum / (double)*used;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The interval that holds 95 % of the n drawn values, which are sorted. */
static sl_interval interval(double value, double *drawn, size_t n)
{
    qsort(drawn, n, sizeof *drawn, by_value);
    const size_t cut = (size_t)(0.025 * (double)n);
    return (sl_interval){ value, drawn[cut], drawn[n - 1 - cut] };
}

/* The same about the value: a resample has some people several times and so fewer of them, which
 * makes its halves worse for a reason that isn't chance. Only how far the draws spread is used. */
static sl_interval spread(double value, double *drawn, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += drawn[i];
    const double shift = value - sum / (double)n;
    sl_interval i = interval(value, drawn, n);
    i.low += shift;
    i.high += shift;
    return i;
}

static void resample_people(work *w, sl_ceiling *out)
{
    const size_t n = (size_t)w->o->resamples;
    const uint32_t n_people = (uint32_t)w->j->n_people;
    size_t used;
    double r;
    for (uint32_t b = 0; b < n; b++) {
        sl_random random = sl_random_stream(w->o->seed, SL_RANDOM_BOOTSTRAP, b, 1);
        do { /* few people may leave no image with judgments in both halves */
            for (uint32_t a = 0; a < n_people; a++)
                w->times[a] = 0;
            for (uint32_t a = 0; a < n_people; a++)
                w->times[sl_random_below(&random, n_people)]++;
            split(w, &random);
            score(w, &r);
            w->drawn[b] = mean(w->entropy, w->j->n_images, &used);
        } while (used == 0);
        w->drawn[n + b] = mean(w->hit, w->j->n_images, &used);
    }
    out->entropy_people = spread(out->entropy_images.value, w->drawn, n);
    out->accuracy_people = spread(out->accuracy_images.value, w->drawn + n, n);
}

static void resample_images(work *w, sl_ceiling *out)
{
    const size_t n = (size_t)w->o->resamples;
    size_t used = 0;
    for (size_t i = 0; i < w->j->n_images; i++) { /* those that always have a score, in front */
        if (isnan(w->sum_entropy[i]))
            continue;
        w->sum_entropy[used] = w->sum_entropy[i];
        w->sum_hit[used++] = w->sum_hit[i];
    }
    for (uint32_t b = 0; b < n; b++) {
        sl_random random = sl_random_stream(w->o->seed, SL_RANDOM_BOOTSTRAP, b, 2);
        double entropy = 0, hit = 0;
        for (size_t i = 0; i < used; i++) {
            const uint32_t at = sl_random_below(&random, (uint32_t)used);
            entropy += w->sum_entropy[at];
            hit += w->sum_hit[at];
        }
        w->drawn[b] = entropy / (double)used / w->o->splits;
        w->drawn[n + b] = hit / (double)used / w->o->splits;
    }
    out->entropy_images = interval(out->entropy_images.value, w->drawn, n);
    out->accuracy_images = interval(out->accuracy_images.value, w->drawn + n, n);
}

sl_status sl_ceiling_estimate(sl_ceiling *out, const sl_judgments *j, const sl_ceiling_options *o,
                              sl_error *err)
{
    work w = { .j = j, .o = o };
    *out = (sl_ceiling){ 0 };
    if (o->splits < 1 || o->resamples < 1 || !(o->prior > 0) || j->n_people < 2)
        return sl_error_set(err, SL_EINVAL,
                            "a ceiling needs two people, a split, a resample and a prior above 0");
    sl_status st = prepare(&w, err);
    if (st)
        goto done;
    for (size_t a = 0; a < j->n_people; a++)
        w.times[a] = 1;
    for (uint32_t s = 0; s < (uint32_t)o->splits; s++) {
        sl_random random = sl_random_stream(o->seed, SL_RANDOM_BOOTSTRAP, s, 0);
        double r;
        split(&w, &random);
        score(&w, &r);
        out->correlation += r / o->splits;
        for (size_t i = 0; i < j->n_images; i++) {
            w.sum_entropy[i] += w.entropy[i];
            w.sum_hit[i] += w.hit[i];
        }
    }
    out->spearman_brown = 2 * out->correlation / (1 + out->correlation);
    out->entropy_images.value = mean(w.sum_entropy, j->n_images, &out->n_images) / o->splits;
    out->accuracy_images.value = mean(w.sum_hit, j->n_images, &out->n_images) / o->splits;
    if (out->n_images == 0) {
        st = sl_error_set(err, SL_EINVAL, "no image has judgments in both halves");
        goto done;
    }
    resample_images(&w, out);
    resample_people(&w, out);
done:
    release(&w);
    return st;
}
