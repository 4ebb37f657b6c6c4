#include "eval/tempering.h"

#include "base/minimise.h"
#include "eval/metrics.h"

#include <assert.h>
#include <math.h>

static void temper(double *logits, const sl_tempered *of, size_t image, sl_tempering t)
{
    const size_t k = (size_t)of->classes;
    const double *z = of->z + image * k;
    for (size_t c = 0; c < k; c++)
        logits[c] = z[c] / t.temperature;
    if (t.label_weight == 0)
        return;
    const double *prior = of->by_label + (size_t)of->labels[image] * k;
    for (size_t c = 0; c < k; c++)
        logits[c] += t.label_weight * prior[c];
}

void sl_temper(double *q, const sl_tempered *of, size_t image, sl_tempering tempering)
{
    double sum = 0;
    temper(q, of, image, tempering);
    const double max = q[sl_argmax(q, of->classes)];
    for (int k = 0; k < of->classes; k++)
        sum += q[k] = exp(q[k] - max);
    for (int k = 0; k < of->classes; k++)
        q[k] /= sum;
}

typedef struct {
    const sl_tempered *of;
    const double *p;
    const int64_t *images;
    size_t n;
    sl_tempering at; /* but for what is being fitted */
} fit;

static double loss(const fit *f)
{
    double logits[SL_SCORE_MAX_CLASSES], sum = 0;
    for (size_t i = 0; i < f->n; i++) {
        const size_t image = (size_t)f->images[i];
        temper(logits, f->of, image, f->at);
        sum +=
            sl_cross_entropy_logits(logits, f->p + image * (size_t)f->of->classes, f->of->classes);
    }
    return sum;
}

static double loss_at_temperature(double log_temperature, const void *user)
{
    fit f = *(const fit *)user;
    f.at.temperature = exp(log_temperature);
    return loss(&f);
}

static void fit_temperature(fit *f)
{
    f->at.temperature = exp(sl_minimise(loss_at_temperature, f, log(1e-3), log(1e3), 1e-6));
}

/* At the best temperature for this weight, if it isn't given. */
static double loss_at_weight(double weight, const void *user)
{
    fit f = *(const fit *)user;
    f.at.label_weight = weight;
    if (isnan(f.at.temperature))
        fit_temperature(&f);
    return loss(&f);
}

sl_tempering sl_tempering_fit(sl_tempering given, const sl_tempered *of, const double *p,
                              const int64_t *images, size_t n)
{
    fit f = { of, p, images, n, given };
    assert(of->classes <= SL_SCORE_MAX_CLASSES && n >= 1);
    if (isnan(given.label_weight))
        f.at.label_weight = sl_minimise(loss_at_weight, &f, 0, 4, 1e-4);
    if (isnan(given.temperature))
        fit_temperature(&f);
    return f.at;
}
