/* The maps' bodies: item i of each. nn/ref says what an operation computes; here it is done lane by
 * lane in float32. */
#ifndef NN_CUDA_MAP_BODIES_H
#define NN_CUDA_MAP_BODIES_H

#include "nn/backend.h"
#include "nn/cuda/kernels.h"
#include <math.h>

#define SL_BODY SL_HOST_DEVICE static inline void

/* A norm's result before the residual: one expression, so that it comes out the same wherever it is
 * computed again. */
SL_HOST_DEVICE static inline float sl_cuda_normalized(float x, float mean, float inv_std,
                                                      float weight, float bias)
{
    return fmaf(x - mean, inv_std * weight, bias);
}

SL_BODY norm_apply_at(const sl_cuda_norm_apply *a, size_t i)
{
    size_t pixel = i / a->y.groups, g = i % a->y.groups;
    sl_lanes x = sl_lanes_of_pixel(&a->x, pixel, g);
    sl_lanes residual = sl_lanes_of_pixel(&a->residual, pixel, g), y = sl_lanes_zero();
    int lanes = sl_lanes_below(a->c, g);
    for (int l = 0; l < SL_LANES; l++) {
        size_t c = g * SL_LANES + (size_t)l;
        if (l >= lanes)
            continue;
        float z = sl_cuda_normalized(x.v[l], a->mean[c], a->inv_std[c], a->weight[c], a->bias[c]) +
                  residual.v[l];
        y.v[l] = a->relu && z <= 0 ? 0 : z;
    }
    sl_lanes_store(&a->y, i, y);
}

/* dy + dy2, 0 where y is given and not positive. */
SL_HOST_DEVICE static inline sl_lanes sl_cuda_dz(const sl_grouped *dy, const sl_grouped *dy2,
                                                 const sl_grouped *y, size_t pixel, size_t g)
{
    sl_lanes dz = sl_lanes_of_pixel(dy, pixel, g), more = sl_lanes_of_pixel(dy2, pixel, g);
    sl_lanes result = sl_lanes_of_pixel(y, pixel, g);
    for (int l = 0; l < SL_LANES; l++)
        dz.v[l] = y->p && result.v[l] <= 0 ? 0 : dz.v[l] + more.v[l];
    return dz;
}

SL_HOST_DEVICE static inline sl_lanes sl_cuda_norm_dz_of(const sl_cuda_norm_dz *a,
                                                         const sl_lanes *x, size_t pixel, size_t g)
{
    sl_lanes dz = sl_cuda_dz(&a->dy, &a->dy2, &a->y, pixel, g);
    int lanes = a->bias ? sl_lanes_below(a->c, g) : 0;
    for (int l = 0; l < SL_LANES; l++) {
        size_t c = g * SL_LANES + (size_t)l;
        if (l < lanes &&
            sl_cuda_normalized(x->v[l], a->mean[c], a->inv_std[c], a->weight[c], a->bias[c]) <= 0)
            dz.v[l] = 0;
    }
    return dz;
}

SL_BODY norm_bwd_apply_at(const sl_cuda_norm_bwd_apply *a, size_t i)
{
    size_t pixel = i / a->of.dy.groups, g = i % a->of.dy.groups;
    sl_lanes x = sl_lanes_of_pixel(&a->of.x, pixel, g), dx = sl_lanes_zero();
    sl_lanes dz = sl_cuda_norm_dz_of(&a->of, &x, pixel, g);
    sl_lanes extra = sl_lanes_of_pixel(&a->extra, pixel, g);
    int lanes = sl_lanes_below(a->of.c, g);
    for (int l = 0; l < SL_LANES; l++) {
        size_t c = g * SL_LANES + (size_t)l;
        if (l >= lanes)
            continue;
        float centred = dz.v[l] - a->mean_dz[c];
        float d = a->scale[c] * fmaf(-a->slope[c], x.v[l] - a->of.mean[c], centred);
        dx.v[l] = d + extra.v[l];
    }
    sl_lanes_store_some(&a->dx, pixel * a->dx.groups + g, dx, a->view ? lanes : SL_LANES);
    if (a->d_residual.p && g < a->d_residual.groups) {
        for (int l = 0; l < SL_LANES; l++)
            dz.v[l] = l < sl_lanes_below(a->residual_c, g) ? dz.v[l] : 0;
        sl_lanes_store(&a->d_residual, pixel * a->d_residual.groups + g, dz);
    }
}

SL_BODY sum_at(const sl_cuda_sum *a, size_t i)
{
    size_t pixel = i / a->y.groups, g = i % a->y.groups;
    sl_lanes x = sl_lanes_load(&a->a, i), b = sl_lanes_of_pixel(&a->b, pixel, g);
    for (int l = 0; l < SL_LANES; l++) {
        size_t c = g * SL_LANES + (size_t)l;
        float z = x.v[l] + b.v[l];
        if (a->bias && l < sl_lanes_below(a->c, g))
            z += a->bias[c];
        x.v[l] = a->relu && z <= 0 ? 0 : z;
    }
    sl_lanes_store(&a->y, i, x);
}

SL_BODY relu_bwd_at(const sl_cuda_relu_bwd *a, size_t i)
{
    size_t pixel = i / a->dx.groups, g = i % a->dx.groups;
    sl_lanes_store(&a->dx, i, sl_cuda_dz(&a->dy, &a->dy2, &a->y, pixel, g));
}

SL_BODY shake_at(const sl_cuda_shake *a, size_t i)
{
    size_t pixel = i / a->y.groups, g = i % a->y.groups;
    float share = a->share[pixel / a->pixels];
    sl_lanes x = sl_lanes_load(&a->a, i), b = sl_lanes_load(&a->b, i);
    sl_lanes residual = sl_lanes_of_pixel(&a->residual, pixel, g);
    for (int l = 0; l < SL_LANES; l++)
        x.v[l] = fmaf(share, x.v[l], (1 - share) * b.v[l]) + residual.v[l];
    sl_lanes_store(&a->y, i, x);
}

SL_BODY shake_bwd_at(const sl_cuda_shake_bwd *a, size_t i)
{
    float share = a->share[i / a->dy.groups / a->pixels];
    sl_lanes da = sl_lanes_load(&a->dy, i), db = da;
    for (int l = 0; l < SL_LANES; l++) {
        da.v[l] *= share;
        db.v[l] *= 1 - share;
    }
    sl_lanes_store(&a->da, i, da);
    sl_lanes_store(&a->db, i, db);
}

SL_BODY dropout_at(const sl_cuda_dropout *a, size_t i)
{
    size_t pixel = i / a->y.groups, g = i % a->y.groups;
    size_t image = pixel / a->pixels, place = pixel % a->pixels;
    sl_lanes x = sl_lanes_load(&a->x, i);
    for (int l = 0; l < SL_LANES; l++) { /* lanes behind c are zeros, kept or not */
        size_t c = g * SL_LANES + (size_t)l;
        size_t number = (image * (size_t)a->c + c) * a->pixels + place; /* in plain order */
        x.v[l] = sl_dropout_keeps(*a->key, number, a->rate) ? x.v[l] / (1 - a->rate) : 0;
    }
    sl_lanes_store(&a->y, i, x);
}

/* ---- windows of 2 x 2, two apart ---- */

/* The first pixel of x in the window of pixel `pixel` of y, counted over all images. */
SL_HOST_DEVICE static inline size_t sl_cuda_window_start(const sl_cuda_window *a, size_t pixel)
{
    size_t p = (size_t)a->p, q = (size_t)a->q, h = (size_t)a->h, w = (size_t)a->w;
    return (pixel / (p * q) * h + pixel / q % p * 2) * w + pixel % q * 2;
}

/* Tap t (0..3) of it, in row-major order. */
SL_HOST_DEVICE static inline sl_lanes sl_cuda_tap(const sl_cuda_window *a, size_t start, int t,
                                                  size_t g)
{
    size_t pixel = start + (size_t)(t / 2) * (size_t)a->w + (size_t)(t % 2);
    return sl_lanes_load(&a->x, pixel * a->x.groups + g);
}

/* Is tap beyond the best so far? The first of equal numbers wins, a NaN over any number. */
SL_HOST_DEVICE static inline bool sl_cuda_beats(float tap, float best)
{
    return tap > best || tap != tap;
}

SL_BODY max_pool_at(const sl_cuda_max_pool *a, size_t i)
{
    size_t g = i % a->y.groups, start = sl_cuda_window_start(a, i / a->y.groups);
    sl_lanes best = sl_cuda_tap(a, start, 0, g);
    for (int t = 1; t < 4; t++) {
        sl_lanes tap = sl_cuda_tap(a, start, t, g);
        for (int l = 0; l < SL_LANES; l++)
            best.v[l] = sl_cuda_beats(tap.v[l], best.v[l]) ? tap.v[l] : best.v[l];
    }
    sl_lanes_store(&a->y, i, best);
}

SL_BODY avg_pool_at(const sl_cuda_avg_pool *a, size_t i)
{
    size_t g = i % a->y.groups, start = sl_cuda_window_start(a, i / a->y.groups);
    sl_lanes sum = sl_lanes_zero();
    for (int t = 0; t < 4; t++) {
        sl_lanes tap = sl_cuda_tap(a, start, t, g);
        for (int l = 0; l < SL_LANES; l++)
            sum.v[l] += tap.v[l];
    }
    for (int l = 0; l < SL_LANES; l++)
        sum.v[l] *= 0.25f;
    sl_lanes_store(&a->y, i, sum);
}

/* Where a pixel of x lies: its window's pixel of y and its tap there; tap -1: in none. */
typedef struct {
    size_t y;
    int tap;
} sl_cuda_place;

SL_HOST_DEVICE static inline sl_cuda_place sl_cuda_place_of(const sl_cuda_window *a, size_t pixel)
{
    size_t h = (size_t)a->h, w = (size_t)a->w, p = (size_t)a->p, q = (size_t)a->q;
    size_t image = pixel / (h * w), row = pixel / w % h, column = pixel % w;
    sl_cuda_place place;
    place.y = (image * p + row / 2) * q + column / 2;
    place.tap = row / 2 < p && column / 2 < q ? (int)(row % 2 * 2 + column % 2) : -1;
    return place;
}

/* All of a window's gradient goes to the number that was its maximum. */
SL_BODY max_pool_bwd_at(const sl_cuda_max_pool_bwd *a, size_t i)
{
    size_t g = i % a->dx.groups;
    sl_cuda_place place = sl_cuda_place_of(a, i / a->dx.groups);
    sl_lanes dx = sl_lanes_zero();
    if (place.tap >= 0) {
        size_t start = sl_cuda_window_start(a, place.y);
        sl_lanes dy = sl_lanes_load(&a->dy, place.y * a->dy.groups + g);
        sl_lanes best = sl_cuda_tap(a, start, 0, g);
        for (int l = 0; l < SL_LANES; l++)
            dx.v[l] = place.tap == 0 ? dy.v[l] : 0;
        for (int t = 1; t < 4; t++) {
            sl_lanes tap = sl_cuda_tap(a, start, t, g);
            for (int l = 0; l < SL_LANES; l++) {
                if (!sl_cuda_beats(tap.v[l], best.v[l]))
                    continue;
                best.v[l] = tap.v[l];
                dx.v[l] = place.tap == t ? dy.v[l] : 0;
            }
        }
    }
    sl_lanes_store(&a->dx, i, dx);
}

SL_BODY avg_pool_bwd_at(const sl_cuda_avg_pool_bwd *a, size_t i)
{
    size_t g = i % a->dx.groups;
    sl_cuda_place place = sl_cuda_place_of(a, i / a->dx.groups);
    sl_lanes dx = sl_lanes_zero();
    if (place.tap >= 0)
        dx = sl_lanes_load(&a->dy, place.y * a->dy.groups + g);
    for (int l = 0; l < SL_LANES; l++)
        dx.v[l] *= 0.25f;
    sl_lanes_store(&a->dx, i, dx);
}

/* y[i][j] = x[2i + offset][2j + offset], 0 beyond x. */
SL_BODY subsample_at(const sl_cuda_subsample *a, size_t i)
{
    size_t pixel = i / a->y.groups, g = i % a->y.groups;
    size_t p = (size_t)a->p, q = (size_t)a->q, h = (size_t)a->h, w = (size_t)a->w;
    size_t row = pixel / q % p * 2 + (size_t)a->offset;
    size_t column = pixel % q * 2 + (size_t)a->offset;
    sl_lanes y = sl_lanes_zero();
    if (row < h && column < w)
        y = sl_lanes_load(&a->x, ((pixel / (p * q) * h + row) * w + column) * a->x.groups + g);
    sl_lanes_store(&a->y, i, y);
}

SL_BODY subsample_bwd_at(const sl_cuda_subsample_bwd *a, size_t i)
{
    size_t pixel = i / a->dx.groups, g = i % a->dx.groups, offset = (size_t)a->offset;
    size_t p = (size_t)a->p, q = (size_t)a->q, h = (size_t)a->h, w = (size_t)a->w;
    size_t row = pixel / w % h, column = pixel % w;
    sl_lanes dx = sl_lanes_zero();
    if (row % 2 == offset && column % 2 == offset)
        dx = sl_lanes_load(&a->dy,
                           ((pixel / (h * w) * p + row / 2) * q + column / 2) * a->dy.groups + g);
    sl_lanes_store(&a->dx, i, dx);
}

/* ---- moves ---- */

SL_BODY copy_channels_at(const sl_cuda_copy_channels *a, size_t i)
{
    size_t pixel = i / a->lanes, lane = i % a->lanes;
    float value = 0;
    if (lane < (size_t)a->c)
        value = sl_number_load(a->from, a->bf16, pixel * a->from_channels + a->from_first + lane);
    sl_number_store(a->to, a->bf16, pixel * a->to_channels + a->to_first + lane, value);
}

SL_BODY convert_at(const sl_cuda_convert *a, size_t i)
{
    size_t channels = (size_t)a->c, image, c, pixel;
    if (a->to_plain) {
        image = i / (channels * a->pixels);
        c = i / a->pixels % channels;
        pixel = i % a->pixels;
    } else {
        image = i / (a->to_width * a->pixels);
        pixel = i / a->to_width % a->pixels;
        c = i % a->to_width;
    }
    float value = 0;
    if (c < channels) {
        size_t from = a->from_plain ? (image * channels + c) * a->pixels + pixel
                                    : (image * a->pixels + pixel) * a->from_width + c;
        value = sl_number_load(a->from, a->from_bf16, from);
    }
    sl_number_store(a->to, a->to_bf16, i, value);
}

SL_BODY pack_weights_at(const sl_cuda_pack_weights *a, size_t i)
{
    size_t c = i % a->width, tap = i / a->width % (size_t)a->taps;
    size_t k = i / a->width / (size_t)a->taps, channels = (size_t)a->c;
    float value = 0;
    if (c < channels && k < (size_t)a->k)
        value = sl_number_load(a->from, a->from_bf16, (k * channels + c) * (size_t)a->taps + tap);
    sl_number_store(a->to, a->to_bf16, i, value);
}

SL_BODY unpack_weights_at(const sl_cuda_unpack_weights *a, size_t i)
{
    size_t taps = (size_t)a->taps, channels = (size_t)a->c;
    size_t tap = i % taps, c = i / taps % channels, k = i / taps / channels;
    float value = sl_number_load(a->from, a->from_bf16, (k * taps + tap) * a->width + c);
    sl_number_store(a->to, a->to_bf16, i, value);
}

/* ---- the classifier's end ---- */

SL_BODY global_pool_at(const sl_cuda_global_pool *a, size_t i)
{
    size_t channels = (size_t)a->c, image = i / channels, c = i % channels;
    size_t width = a->x.groups * SL_LANES;
    float sum = 0;
    for (size_t p = 0; p < a->pixels; p++)
        sum += sl_number_load(a->x.p, a->x.bf16, (image * a->pixels + p) * width + c);
    a->y[i] = sum / (float)a->pixels;
}

SL_BODY global_pool_bwd_at(const sl_cuda_global_pool_bwd *a, size_t i)
{
    size_t g = i % a->dx.groups, image = i / a->dx.groups / a->pixels;
    int lanes = sl_lanes_below(a->c, g);
    sl_lanes dx = sl_lanes_zero();
    for (int l = 0; l < SL_LANES; l++)
        if (l < lanes)
            dx.v[l] = a->dy[image * (size_t)a->c + g * SL_LANES + (size_t)l] / (float)a->pixels;
    sl_lanes_store(&a->dx, i, dx);
}

SL_BODY linear_at(const sl_cuda_linear *a, size_t i)
{
    size_t n = i / (size_t)a->k, k = i % (size_t)a->k, channels = (size_t)a->c;
    float sum = 0;
    for (size_t c = 0; c < channels; c++)
        sum = fmaf(a->x[n * channels + c], a->weight[k * channels + c], sum);
    a->y[i] = sum + a->bias[k];
}

SL_BODY linear_bwd_x_at(const sl_cuda_linear_bwd_x *a, size_t i)
{
    size_t channels = (size_t)a->c, classes = (size_t)a->k, n = i / channels, c = i % channels;
    float sum = 0;
    for (size_t k = 0; k < classes; k++)
        sum = fmaf(a->dy[n * classes + k], a->weight[k * channels + c], sum);
    a->dx[i] = sum;
}

SL_BODY linear_bwd_weights_at(const sl_cuda_linear_bwd_weights *a, size_t i)
{
    size_t channels = (size_t)a->c, classes = (size_t)a->k, weights = channels * classes;
    size_t k = i < weights ? i / channels : i - weights;
    float sum = 0;
    for (size_t n = 0; n < (size_t)a->n; n++) {
        float dy = a->dy[n * classes + k];
        sum = i < weights ? fmaf(dy, a->x[n * channels + i % channels], sum) : sum + dy;
    }
    if (i < weights)
        a->d_weight[i] = sum;
    else
        a->d_bias[k] = sum;
}

/* In double: it is what a run is judged by, and an image is ten numbers. */
SL_BODY xent_at(const sl_cuda_xent *a, size_t i)
{
    size_t classes = (size_t)a->c;
    const float *z = a->logits + i * classes, *t = a->target + i * classes;
    double greatest = (double)z[0], sum_exp = 0, sum_target = 0, loss = 0;
    for (size_t k = 1; k < classes; k++)
        greatest = fmax(greatest, (double)z[k]);
    for (size_t k = 0; k < classes; k++)
        sum_exp += exp((double)z[k] - greatest);
    for (size_t k = 0; k < classes; k++) {
        sum_target += (double)t[k];
        loss -= (double)t[k] * ((double)z[k] - greatest - log(sum_exp));
    }
    a->loss[i] = (float)loss;
    for (size_t k = 0; k < classes && a->d_logits; k++) {
        double softmax = exp((double)z[k] - greatest) / sum_exp;
        a->d_logits[i * classes + k] =
            (float)((softmax * sum_target - (double)t[k]) / (double)a->n);
    }
}

SL_BODY optimizer_at(const sl_cuda_optimizer *a, size_t i)
{
    if (a->u.adam)
        sl_adam_step(&a->u, &a->values[i], a->gradients[i], &a->first[i], &a->second[i]);
    else
        sl_sgd_step(&a->u, &a->values[i], a->gradients[i], &a->first[i]);
}

SL_BODY assemble_at(const sl_assembly *a, size_t i)
{
    a->out[i] = sl_assembly_number(a, i);
}

#endif
