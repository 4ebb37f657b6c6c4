#include "nn/optimizer.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

sl_optimizer_options sl_optimizer_sgd(double momentum, bool nesterov, double weight_decay)
{
    return (sl_optimizer_options){
        .kind = SL_OPTIMIZER_SGD,
        .weight_decay = weight_decay,
        .momentum = momentum,
        .nesterov = nesterov,
    };
}

sl_optimizer_options sl_optimizer_adam(double weight_decay)
{
    return (sl_optimizer_options){
        .kind = SL_OPTIMIZER_ADAM,
        .weight_decay = weight_decay,
        .beta1 = 0.9,
        .beta2 = 0.999,
        .eps = 1e-8,
    };
}

sl_status sl_optimizer_create(sl_optimizer **out, const sl_optimizer_options *options, size_t n,
                              sl_error *err)
{
    sl_optimizer *o = NULL;
    sl_status st;

    *out = NULL;
    st = sl_alloc(&o, 1, sizeof(*o), err);
    if (st)
        return st;
    o->options = *options;
    o->n = n;
    o->n_state = options->kind == SL_OPTIMIZER_ADAM ? 2 : 1;
    for (int i = 0; i < o->n_state; i++) {
        st = sl_alloc_aligned(&o->state[i], n, sizeof(float), err);
        if (st)
            goto done;
    }
    *out = o;
    o = NULL;
done:
    sl_optimizer_destroy(o);
    return st;
}

void sl_optimizer_destroy(sl_optimizer *optimizer)
{
    if (!optimizer)
        return;
    for (int i = 0; i < optimizer->n_state; i++)
        free(optimizer->state[i]);
    free(optimizer);
}

static inline __attribute__((always_inline)) void chunk_step(const sl_optimizer_update *u,
                                                             float *restrict w,
                                                             const float *restrict gradient,
                                                             float *const state[2], size_t start,
                                                             size_t n)
{
    float *restrict first = state[0], *restrict second = state[1];
    if (u->adam) {
        for (size_t i = start; i < start + n; i++)
            sl_adam_step(u, &w[i], gradient[i], &first[i], &second[i]);
    } else {
        for (size_t i = start; i < start + n; i++)
            sl_sgd_step(u, &w[i], gradient[i], &first[i]);
    }
}

typedef void chunk_fn(const sl_optimizer_update *u, float *w, const float *gradient,
                      float *const state[2], size_t start, size_t n);

static void chunk_plain(const sl_optimizer_update *u, float *w, const float *gradient,
                        float *const state[2], size_t start, size_t n)
{
    chunk_step(u, w, gradient, state, start, n);
}

#if defined(__x86_64__)
/* The same code where a fused multiply-add is one instruction; elsewhere fmaf is a slow call that
 * gives the same bits. */
__attribute__((target("avx2,fma"))) static void chunk_fma(const sl_optimizer_update *u, float *w,
                                                          const float *gradient,
                                                          float *const state[2], size_t start,
                                                          size_t n)
{
    chunk_step(u, w, gradient, state, start, n);
}

static chunk_fn *chunk_choose(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? chunk_fma
                                                                           : chunk_plain;
}
#else
static chunk_fn *chunk_choose(void)
{
    return chunk_plain;
}
#endif

static sl_optimizer_update scalars_at(const sl_optimizer_options *o, double lr, uint64_t t)
{
    sl_optimizer_update s = {
        .adam = o->kind == SL_OPTIMIZER_ADAM,
        .nesterov = o->nesterov,
        .lr = (float)lr,
        .weight_decay = (float)o->weight_decay,
        .momentum = (float)o->momentum,
    };

    if (s.adam) {
        s.beta1 = (float)o->beta1;
        s.beta1_rest = (float)(1 - o->beta1);
        s.beta2 = (float)o->beta2;
        s.beta2_rest = (float)(1 - o->beta2);
        s.step_size = (float)(lr / (1 - pow(o->beta1, (double)t)));
        s.bias2_sqrt = (float)sqrt(1 - pow(o->beta2, (double)t));
        s.eps = (float)o->eps;
    }
    return s;
}

sl_optimizer_update sl_optimizer_next(sl_optimizer *optimizer, double lr)
{
    optimizer->steps++;
    return scalars_at(&optimizer->options, lr, optimizer->steps);
}

void sl_optimizer_update_run(const sl_optimizer_update *update, float *values,
                             const float *gradients, float *const state[2], size_t n, int threads)
{
    enum { CHUNK = 4096 }; /* floats: 16 KiB of each array, so that a chunk stays in the L1/L2 */
    chunk_fn *run = chunk_choose();
    size_t chunks = n / CHUNK + (n % CHUNK != 0);

    assert(threads >= 1);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t c = 0; c < chunks; c++) {
        size_t start = c * CHUNK;
        size_t rest = n - start;

        run(update, values, gradients, state, start, rest < CHUNK ? rest : CHUNK);
    }
}

void sl_optimizer_step(sl_optimizer *optimizer, float *values, const float *gradients, double lr,
                       int threads)
{
    sl_optimizer_update update = sl_optimizer_next(optimizer, lr);

    sl_optimizer_update_run(&update, values, gradients, optimizer->state, optimizer->n, threads);
}
