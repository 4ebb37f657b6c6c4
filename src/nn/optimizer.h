/* SGD with Nesterov momentum, and Adam, as PyTorch defines them, over the flat arrays of
 * nn/params.h. Weight decay is L2 added to the gradient, on every parameter (paper/NOTES). */
#ifndef NN_OPTIMIZER_H
#define NN_OPTIMIZER_H

#include "base/host_device.h"
#include <math.h>
#include <softlabel/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { SL_OPTIMIZER_SGD, SL_OPTIMIZER_ADAM } sl_optimizer_kind;

typedef struct {
    sl_optimizer_kind kind;
    double weight_decay;
    double momentum;          /* SGD */
    bool nesterov;            /* SGD */
    double beta1, beta2, eps; /* Adam: 0.9, 0.999, 1e-8 */
} sl_optimizer_options;
sl_optimizer_options sl_optimizer_sgd(double momentum, bool nesterov, double weight_decay);
sl_optimizer_options sl_optimizer_adam(double weight_decay);

/* State for n floats: the momentum (SGD), or first and second moments (Adam), and the step count.
 * state is what a checkpoint saves; n_state arrays of n floats, zero at first. */
typedef struct {
    sl_optimizer_options options;
    size_t n;
    uint64_t steps;
    int n_state; /* 1 or 2 */
    float *state[2];
} sl_optimizer;

SL_CHECK sl_status sl_optimizer_create(sl_optimizer **out, const sl_optimizer_options *options,
                                       size_t n, sl_error *err);
void sl_optimizer_destroy(sl_optimizer *optimizer);
/* values -= update(gradients) at this learning rate; threads >= 1. The same bits for any threads.
 */
void sl_optimizer_step(sl_optimizer *optimizer, float *values, const float *gradients, double lr,
                       int threads);

/* The same in two parts, for arrays that lie elsewhere. The first counts the step and gives its
 * scalars: computed in double, rounded once to the arithmetic's float32. */
typedef struct sl_optimizer_update {
    bool adam, nesterov;
    float lr, weight_decay, momentum;
    float beta1, beta1_rest, beta2, beta2_rest; /* rest: 1 - beta */
    float step_size;                            /* lr / (1 - beta1^t) */
    float bias2_sqrt;                           /* sqrt(1 - beta2^t) */
    float eps;
} sl_optimizer_update;
sl_optimizer_update sl_optimizer_next(sl_optimizer *optimizer, double lr);

/* One number's step. Multiply-adds are written as fmaf: then neither the vector width, the
 * compiler's contraction nor the device decides how a number is rounded. */
SL_HOST_DEVICE static inline void sl_sgd_step(const sl_optimizer_update *u, float *w,
                                              float gradient, float *momentum)
{
    float g = fmaf(u->weight_decay, *w, gradient);
    float m = fmaf(u->momentum, *momentum, g);
    *momentum = m;
    *w = fmaf(-u->lr, u->nesterov ? fmaf(u->momentum, m, g) : m, *w);
}

SL_HOST_DEVICE static inline void sl_adam_step(const sl_optimizer_update *u, float *w,
                                               float gradient, float *first, float *second)
{
    float g = fmaf(u->weight_decay, *w, gradient);
    float m = fmaf(u->beta1_rest, g, u->beta1 * *first);
    float v = fmaf(u->beta2_rest * g, g, u->beta2 * *second);
    *first = m;
    *second = v;
    *w -= u->step_size * m / (sqrtf(v) / u->bias2_sqrt + u->eps);
}

/* state: one array (SGD) or two (Adam), as in sl_optimizer. */
void sl_optimizer_update_run(const sl_optimizer_update *update, float *values,
                             const float *gradients, float *const state[2], size_t n, int threads);

#endif
