/* What is drawn, and how: the generative model of the synthetic set. */
#include "data/synth.h"
#include <math.h>

const char *const sl_synth_class_names[SL_CIFAR_CLASSES] = {
    "disc",         "ring",      "ellipse",        "trefoil",         "star",
    "striped_disc", "oval_ring", "hollow_trefoil", "striped_ellipse", "striped_star",
};

/* Which features each class has: one where it does, in the features' order. */
static const unsigned char class_features[SL_CIFAR_CLASSES][SL_SYNTH_FEATURES] = {
    { 0, 0, 0, 0, 0 }, { 0, 0, 0, 1, 0 }, { 0, 0, 1, 0, 0 }, { 1, 0, 0, 0, 0 }, { 0, 1, 0, 0, 0 },
    { 0, 0, 0, 0, 1 }, { 0, 0, 1, 1, 0 }, { 1, 0, 0, 1, 0 }, { 0, 0, 1, 0, 1 }, { 0, 1, 0, 0, 1 },
};

/* Half the distance between absent and present, in standard deviations: what makes a feature
 * confusable. Stripes hardly ever are, elongation often. */
static const double half_gap[SL_SYNTH_FEATURES] = { 2.0, 2.0, 1.6, 2.2, 2.5 };

static double class_mean(int c, int feature)
{
    return class_features[c][feature] ? half_gap[feature] : -half_gap[feature];
}

void sl_synth_draw(sl_random *r, int *label, double z[SL_SYNTH_FEATURES])
{
    *label = (int)sl_random_below(r, SL_CIFAR_CLASSES);
    for (int f = 0; f < SL_SYNTH_FEATURES; f++)
        z[f] = class_mean(*label, f) + sl_random_normal(r);
}

void sl_synth_posterior(const double z[SL_SYNTH_FEATURES], double p[SL_CIFAR_CLASSES])
{
    double best = -INFINITY, sum = 0;
    for (int c = 0; c < SL_CIFAR_CLASSES; c++) {
        p[c] = 0;
        for (int f = 0; f < SL_SYNTH_FEATURES; f++)
            p[c] -= (z[f] - class_mean(c, f)) * (z[f] - class_mean(c, f)) / 2;
        best = fmax(best, p[c]);
    }
    for (int c = 0; c < SL_CIFAR_CLASSES; c++)
        sum += p[c] = exp(p[c] - best);
    for (int c = 0; c < SL_CIFAR_CLASSES; c++)
        p[c] /= sum;
}

/* ---- drawing ---- */

#define NOISE_SD 6.0      /* of a channel, in 0..255 */
#define MIN_CONTRAST 90.0 /* distance of figure and ground in RGB */
#define STRIPE_PERIOD 4.5 /* pixels */

/* Strictly increasing from (0, 1), so that the features can be told from the image. */
static double amount(double z)
{
    return 1 / (1 + exp(-z));
}

static double uniform(sl_random *r, double low, double high)
{
    return low + (high - low) * sl_random_unit(r);
}

typedef struct {
    double lobes3, lobes5, stretch, hole, stripes; /* from z */
    double x, y, size, cos_angle, sin_angle;       /* from here on: nuisance */
    double stripe_x, stripe_y, stripe_phase;
    double ground[3], figure[3], light_x, light_y;
} drawing;

static void draw_colours(sl_random *r, drawing *d)
{
    double distance2;
    do {
        distance2 = 0;
        for (int c = 0; c < 3; c++) {
            d->ground[c] = uniform(r, 40, 215);
            d->figure[c] = uniform(r, 20, 235);
            distance2 += (d->figure[c] - d->ground[c]) * (d->figure[c] - d->ground[c]);
        }
    } while (distance2 < MIN_CONTRAST * MIN_CONTRAST);
    d->light_x = uniform(r, -0.8, 0.8); /* per pixel, over the whole image alike */
    d->light_y = uniform(r, -0.8, 0.8);
}

static drawing draw_nuisance(sl_random *r)
{
    drawing d;
    const double angle = uniform(r, 0, 2 * M_PI), stripe_angle = uniform(r, 0, 2 * M_PI);
    d.x = uniform(r, 13.5, 17.5);
    d.y = uniform(r, 13.5, 17.5);
    d.size = uniform(r, 6.5, 9);
    d.cos_angle = cos(angle);
    d.sin_angle = sin(angle);
    d.stripe_x = cos(stripe_angle) * 2 * M_PI / STRIPE_PERIOD;
    d.stripe_y = sin(stripe_angle) * 2 * M_PI / STRIPE_PERIOD;
    d.stripe_phase = uniform(r, 0, 2 * M_PI);
    draw_colours(r, &d);
    return d;
}

/* How much of a pixel lies on the inner side of an edge that is distance pixels away. */
static double coverage(double distance)
{
    return fmin(fmax(distance + 0.5, 0), 1);
}

/* The figure's share of the pixel (x, y), 0..1. */
static double figure_at(const drawing *d, double x, double y)
{
    /* Turn and stretch the plane so that the outline is 1 + lobes, in units of size. */
    const double px = x - d->x, py = y - d->y;
    const double u = (px * d->cos_angle + py * d->sin_angle) / (d->size * d->stretch);
    const double v = (py * d->cos_angle - px * d->sin_angle) / d->size * d->stretch;
    const double radius = hypot(u, v), c = radius > 0 ? u / radius : 1, c2 = c * c;
    const double cos3 = c * (4 * c2 - 3), cos5 = c * (16 * c2 * c2 - 20 * c2 + 5);
    const double outline = 1 + d->lobes3 * cos3 + d->lobes5 * cos5;
    const double inside =
        coverage((outline - radius) * d->size) * coverage((radius - d->hole * outline) * d->size);
    const double wave = sin(px * d->stripe_x + py * d->stripe_y + d->stripe_phase);
    return inside * (1 - d->stripes * coverage(2 * wave));
}

static uint8_t to_byte(double value)
{
    return (uint8_t)lrint(fmin(fmax(value, 0), 255));
}

void sl_synth_render(sl_random *r, const double z[SL_SYNTH_FEATURES],
                     uint8_t pixels[SL_CIFAR_PIXELS])
{
    drawing d = draw_nuisance(r);
    d.lobes3 = 0.38 * amount(z[SL_SYNTH_TREFOIL]);
    d.lobes5 = 0.32 * amount(z[SL_SYNTH_STAR]);
    d.stretch = exp(0.45 * amount(z[SL_SYNTH_ELONGATION]));
    d.hole = 0.65 * amount(z[SL_SYNTH_HOLE]);
    d.stripes = 0.85 * amount(z[SL_SYNTH_STRIPES]);

    const int area = SL_CIFAR_SIDE * SL_CIFAR_SIDE;
    for (int p = 0; p < area; p++) {
        const int x = p % SL_CIFAR_SIDE, y = p / SL_CIFAR_SIDE;
        const double share = figure_at(&d, x, y);
        const double light = d.light_x * (x - 15.5) + d.light_y * (y - 15.5);
        for (int c = 0; c < 3; c++)
            pixels[c * area + p] = to_byte(d.ground[c] + share * (d.figure[c] - d.ground[c]) +
                                           light + NOISE_SD * sl_random_normal(r));
    }
}
