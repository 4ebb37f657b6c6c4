#include "eval/attack.h"

#include "base/memory.h"
#include "base/random.h"
#include "eval/fgsm.h"
#include "eval/metrics.h"
#include "models/model.h"
#include "nn/plan.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sl_attacker {
    sl_model *model;
    sl_plan *forward, *backward; /* batch norm folded; with gradients */
    sl_shape image;
    int batch, classes, threads;
    float mean[3], std[3];
    float *clean, *moved;    /* (batch,c,h,w), in [0,1] */
    float *input, *gradient; /* (batch,c,h,w), normalised */
    float *targets;          /* (batch,classes) */
    float *answers;          /* (batch,classes): of one restart */
    float *step_losses;      /* (batch): of one pass, which nobody reads */
    double *losses;          /* (batch): the highest so far */
    sl_progress_fn *progress;
    void *user;
};

/* The images under attack: first..first+n-1 of set. The batch's rest repeats the last of them. */
typedef struct {
    const sl_dataset *set;
    const sl_targets *aims;
    const sl_attack_options *options;
    size_t first, n;
    double epsilon;
} target_batch;

sl_attack_options sl_attack_options_default(void)
{
    return (sl_attack_options){ .method = SL_ATTACK_FGSM, .steps = 10, .restarts = 1 };
}

static size_t image_size(const sl_attacker *a)
{
    return (size_t)a->image.c * (size_t)a->image.h * (size_t)a->image.w;
}

static sl_status create_plans(sl_attacker *a, sl_device *device, sl_error *err)
{
    const sl_graph *graph = sl_model_graph(a->model);
    const sl_plan_options forward = { .batch = a->batch, .mode = SL_MODE_EVAL };
    const sl_plan_options backward = { .batch = a->batch,
                                       .mode = SL_MODE_EVAL_GRAD,
                                       .input_grad = true };
    sl_status st =
        sl_plan_create(&a->forward, graph, sl_model_params(a->model), device, &forward, err);

    return st ? st
              : sl_plan_create(&a->backward, graph, sl_model_params(a->model), device, &backward,
                               err);
}

static sl_status create_arrays(sl_attacker *a, sl_error *err)
{
    float **const images[] = { &a->clean, &a->moved, &a->input, &a->gradient };
    float **const rows[] = { &a->targets, &a->answers };
    const size_t batch = (size_t)a->batch;
    sl_status st = sl_alloc(&a->losses, batch, sizeof *a->losses, err);

    if (!st)
        st = sl_alloc(&a->step_losses, batch, sizeof *a->step_losses, err);
    for (size_t i = 0; i < sizeof images / sizeof *images && !st; i++)
        st = sl_alloc_aligned(images[i], batch, image_size(a) * sizeof(float), err);
    for (size_t i = 0; i < sizeof rows / sizeof *rows && !st; i++)
        st = sl_alloc_aligned(rows[i], batch, (size_t)a->classes * sizeof(float), err);
    return st;
}

sl_status sl_attacker_create(sl_attacker **out, sl_model *model, sl_device *device, int batch,
                             sl_progress_fn *progress, void *user, sl_error *err)
{
    const sl_graph *graph = sl_model_graph(model);
    sl_attacker *a = NULL;

    assert(batch >= 1);
    *out = NULL;
    sl_status st = sl_alloc(&a, 1, sizeof *a, err);
    if (st)
        return st;
    a->model = model;
    a->image = sl_graph_shape(graph, sl_graph_node(graph, 0)->output);
    a->batch = batch;
    a->classes = sl_model_classes(model);
    a->threads = ((const sl_device_base *)(const void *)device)->threads;
    a->progress = progress;
    a->user = user;
    sl_model_normalization(model, a->mean, a->std);
    st = create_plans(a, device, err);
    if (!st)
        st = create_arrays(a, err);
    if (st)
        sl_attacker_destroy(a);
    else
        *out = a;
    return st;
}

void sl_attacker_destroy(sl_attacker *a)
{
    if (!a)
        return;
    sl_plan_destroy(a->forward);
    sl_plan_destroy(a->backward);
    free(a->clean);
    free(a->moved);
    free(a->input);
    free(a->gradient);
    free(a->targets);
    free(a->answers);
    free(a->losses);
    free(a->step_losses);
    free(a);
}

/* ---- passes ---- */

/* pixels (batch,c,h,w) of [0,1] -> a->input */
static void normalise(sl_attacker *a, const float *pixels)
{
    const size_t plane = (size_t)a->image.h * (size_t)a->image.w, channels = (size_t)a->image.c;

#pragma omp parallel for num_threads(a->threads) schedule(static)
    for (size_t p = 0; p < (size_t)a->batch * channels; p++) {
        const double mean = (double)a->mean[p % channels], std = (double)a->std[p % channels];

        for (size_t k = p * plane; k < (p + 1) * plane; k++)
            a->input[k] = (float)(((double)pixels[k] - mean) / std);
    }
}

sl_status sl_attacker_gradient(sl_attacker *a, const float *pixels, const float *targets,
                               float *losses, float *logits, float *gradient, sl_error *err)
{
    normalise(a, pixels);
    return sl_plan_step(a->backward, a->input, targets, losses ? losses : a->step_losses, logits,
                        gradient, err);
}

/* logits (b->n, classes) of pixels. */
static sl_status answer(sl_attacker *a, const target_batch *b, const float *pixels, float *logits,
                        sl_error *err)
{
    normalise(a, pixels);
    return sl_plan_forward(a->forward, a->input, (int)b->n, logits, err);
}

static void load(sl_attacker *a, const target_batch *b)
{
    const size_t size = image_size(a), classes = (size_t)a->classes;

#pragma omp parallel for num_threads(a->threads) schedule(static)
    for (size_t i = 0; i < (size_t)a->batch; i++) {
        const size_t from = b->first + (i < b->n ? i : b->n - 1);

        for (size_t k = 0; k < size; k++)
            a->clean[i * size + k] = (float)(b->set->pixels[from * size + k] / 255.0);
        memcpy(a->targets + i * classes, b->aims->p + from * classes, classes * sizeof(float));
    }
}

/* SL_EINTERRUPTED: stop. A pass over a batch counts when all its images have been answered. */
static sl_status report(const sl_attacker *a, const target_batch *b, size_t done,
                        const char *detail, sl_error *err)
{
    char task[64];
    const sl_progress p = { task, "images", detail, done, b->set->n };

    snprintf(task, sizeof task, "attacking %s", sl_model_name(a->model));
    if (a->progress && a->progress(a->user, &p))
        return sl_error_set(err, SL_EINTERRUPTED, "stopped while attacking '%s'",
                            sl_model_name(a->model));
    return SL_OK;
}

/* ---- PGD ---- */

static void start(sl_attacker *a, const target_batch *b, int restart)
{
    const size_t size = image_size(a);

    if (restart == 0) {
        memcpy(a->moved, a->clean, (size_t)a->batch * size * sizeof *a->moved);
        return;
    }
#pragma omp parallel for num_threads(a->threads) schedule(static)
    for (size_t i = 0; i < (size_t)a->batch; i++) {
        sl_random r = sl_random_stream(b->options->seed, SL_RANDOM_ATTACK, (uint32_t)restart,
                                       (uint32_t)(b->first + i));

        for (size_t k = i * size; k < (i + 1) * size; k++) {
            const double x = (double)a->clean[k] + b->epsilon * (2 * sl_random_unit(&r) - 1);
            a->moved[k] = (float)fmin(fmax(x, 0), 1);
        }
    }
}

/* Puts moved back into the ball around clean; [0,1] it hasn't left. */
static void project(sl_attacker *a, double epsilon)
{
    const size_t n = (size_t)a->batch * image_size(a);

#pragma omp parallel for num_threads(a->threads) schedule(static)
    for (size_t k = 0; k < n; k++) {
        const double x = (double)a->clean[k];
        a->moved[k] = (float)fmin(fmax((double)a->moved[k], x - epsilon), x + epsilon);
    }
}

/* Of each image, the answers replace those in logits where its loss is higher. */
static void keep_worst(sl_attacker *a, const target_batch *b, bool first, float *logits)
{
    const int classes = a->classes;

    for (size_t i = 0; i < b->n; i++) {
        const size_t row = i * (size_t)classes;
        double wide[SL_SCORE_MAX_CLASSES];

        for (int k = 0; k < classes; k++)
            wide[k] = (double)a->answers[row + (size_t)k];
        const double loss =
            sl_cross_entropy_logits(wide, b->aims->p64 + (b->first + i) * (size_t)classes, classes);
        if (!first && !(loss > a->losses[i]))
            continue;
        a->losses[i] = loss;
        memcpy(logits + row, a->answers + row, (size_t)classes * sizeof *logits);
    }
}

static sl_status ascend(sl_attacker *a, const target_batch *b, int restart, sl_error *err)
{
    const sl_attack_options *o = b->options;
    const double step = o->step_size > 0 ? o->step_size : 2.5 * b->epsilon / o->steps;
    char detail[80];
    sl_status st = SL_OK;

    start(a, b, restart);
    for (int s = 0; s < o->steps && !st; s++) {
        st = sl_attacker_gradient(a, a->moved, a->targets, NULL, NULL, a->gradient, err);
        if (st)
            break;
        sl_fgsm_step(a->moved, a->gradient, (size_t)a->batch * image_size(a), step, a->moved);
        project(a, b->epsilon);
        snprintf(detail, sizeof detail, "epsilon %.4g, step %d/%d", b->epsilon, s + 1, o->steps);
        st = report(a, b, b->first, detail, err);
    }
    return st;
}

static sl_status run_pgd(sl_attacker *a, const target_batch *b, float *logits, sl_error *err)
{
    sl_status st = SL_OK;

    for (int restart = 0; restart < b->options->restarts && !st; restart++) {
        st = ascend(a, b, restart, err);
        if (!st)
            st = answer(a, b, a->moved, a->answers, err);
        if (!st)
            keep_worst(a, b, restart == 0, logits);
    }
    return st;
}

/* ---- all of a set ---- */

static sl_status run_batch(sl_attacker *a, target_batch *b, const double *epsilons,
                           size_t n_epsilons, float *logits, sl_error *err)
{
    const bool fgsm = b->options->method == SL_ATTACK_FGSM;
    sl_status st = SL_OK;

    load(a, b);
    if (fgsm) /* one gradient serves every epsilon */
        st = sl_attacker_gradient(a, a->clean, a->targets, NULL, NULL, a->gradient, err);
    for (size_t e = 0; e < n_epsilons && !st; e++) {
        float *rows = logits + (e * b->set->n + b->first) * (size_t)a->classes;

        b->epsilon = epsilons[e];
        if (b->epsilon == 0) {
            st = answer(a, b, a->clean, rows, err);
        } else if (fgsm) {
            sl_fgsm_step(a->clean, a->gradient, (size_t)a->batch * image_size(a), b->epsilon,
                         a->moved);
            st = answer(a, b, a->moved, rows, err);
        } else {
            st = run_pgd(a, b, rows, err);
        }
    }
    return st ? st : report(a, b, b->first + b->n, "", err);
}

static sl_status check_fit(const sl_attacker *a, const sl_dataset *set, const sl_targets *targets,
                           sl_error *err)
{
    if (set->channels != a->image.c || set->height != a->image.h || set->width != a->image.w ||
        set->channels != 3 || set->classes != a->classes)
        return sl_error_set(err, SL_EMISMATCH,
                            "images of '%s' are %dx%dx%d in %d classes, but the model '%s' takes "
                            "%dx%dx%d in %d",
                            set->name, set->channels, set->height, set->width, set->classes,
                            sl_model_name(a->model), a->image.c, a->image.h, a->image.w,
                            a->classes);
    if (targets->n != set->n || targets->classes != set->classes)
        return sl_error_set(err, SL_EMISMATCH, "'%s' has %zu images, but the %s targets are of %zu",
                            set->name, set->n, targets->name, targets->n);
    return SL_OK;
}

sl_status sl_attacker_run(sl_attacker *a, const sl_dataset *set, const sl_targets *targets,
                          const sl_attack_options *options, const double *epsilons,
                          size_t n_epsilons, float *logits, sl_error *err)
{
    target_batch b = { .set = set, .aims = targets, .options = options };
    sl_status st = check_fit(a, set, targets, err);

    assert(options->steps >= 1 && options->restarts >= 1 && a->classes <= SL_SCORE_MAX_CLASSES);
    for (b.first = 0; b.first < set->n && !st; b.first += b.n) {
        const size_t rest = set->n - b.first;

        b.n = rest < (size_t)a->batch ? rest : (size_t)a->batch;
        st = run_batch(a, &b, epsilons, n_epsilons, logits, err);
    }
    return st;
}
