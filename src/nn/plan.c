#include "nn/plan.h"

#include "base/memory.h"
#include "nn/program.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct sl_plan {
    sl_program program; /* its batch is what one pass takes */
    int batch;          /* what the caller may give at once */
    sl_params *params;  /* borrowed */
    float *gradients;
    unsigned char *arena, *folded, *draws, *scratch;
    bool profiling;
};

static const sl_backend *backend_of(const sl_plan *plan)
{
    return sl_device_backend(plan->program.dev);
}

static void *buffer_address(const sl_plan *plan, int b)
{
    if (b < 0)
        return NULL;
    const sl_buffer *buffer = &plan->program.buffers[b];
    unsigned char *const places[] = {
        [SL_PLACE_ARENA] = plan->arena,
        [SL_PLACE_VALUES] = (unsigned char *)plan->params->values,
        [SL_PLACE_BUFFERS] = (unsigned char *)plan->params->buffers,
        [SL_PLACE_GRADIENTS] = (unsigned char *)plan->gradients,
        [SL_PLACE_FOLDED] = plan->folded,
        [SL_PLACE_DRAWS] = plan->draws,
    };
    return places[buffer->place] + buffer->offset;
}

static bool is_parameter(const sl_plan *plan, int b)
{
    if (b < 0)
        return false;
    sl_place place = plan->program.buffers[b].place;
    return place == SL_PLACE_VALUES || place == SL_PLACE_BUFFERS || place == SL_PLACE_FOLDED;
}

static sl_status plan_steps(sl_plan *plan, sl_error *err)
{
    sl_program *p = &plan->program;
    for (size_t i = 0; i < p->n_steps; i++) {
        sl_step *step = &p->steps[i];
        char text[96];
        size_t scratch = 0;
        sl_status st = SL_OK;
        if (!backend_of(plan)->supports(p->dev, &step->op))
            st = sl_error_set(err, SL_EUNSUPPORTED, "device '%s' has no such operation",
                              backend_of(plan)->name);
        else
            st = backend_of(plan)->plan(p->dev, &step->op, &step->kernel, &scratch, err);
        if (st)
            return sl_error_at(err, st, "%s", sl_op_text(&step->op, text, sizeof text));
        if (scratch > p->scratch_bytes)
            p->scratch_bytes = scratch;
    }
    return SL_OK;
}

static sl_status allocate(sl_plan *plan, sl_error *err)
{
    const sl_program *p = &plan->program;
    sl_status st = sl_alloc_aligned(&plan->arena, p->arena_bytes, 1, err);
    if (!st)
        st = sl_alloc_aligned(&plan->folded, p->folded_bytes, 1, err);
    if (!st)
        st = sl_alloc_aligned(&plan->draws, p->draws_bytes, 1, err);
    if (!st)
        st = sl_alloc_aligned(&plan->scratch, p->scratch_bytes, 1, err);
    if (!st && p->options.mode != SL_MODE_EVAL)
        st =
            sl_alloc_aligned(&plan->gradients, sl_graph_value_floats(p->graph), sizeof(float), err);
    return st;
}

/* Images that evaluation takes through the network at once: a thread's share of them stays in its
 * cache from layer to layer, which gains 5 % over whole batches on resnet_basic_20. */
enum { EVAL_IMAGES_PER_THREAD = 16 };

static int images_per_pass(const sl_plan_options *options, const sl_device *dev)
{
    int most = EVAL_IMAGES_PER_THREAD * ((const sl_device_base *)(const void *)dev)->threads;
    return options->mode == SL_MODE_EVAL && options->batch > most ? most : options->batch;
}

sl_status sl_plan_create(sl_plan **out, const sl_graph *graph, sl_params *params, sl_device *dev,
                         const sl_plan_options *options, sl_error *err)
{
    *out = NULL;
    if (options->batch < 1 || options->batch > 1 << 20)
        return sl_error_set(err, SL_EINVAL, "a batch of %d images, expected 1 to %d",
                            options->batch, 1 << 20);
    if (options->input_grad && options->mode == SL_MODE_EVAL)
        return sl_error_set(err, SL_EINVAL, "an input gradient needs a gradient mode");
    sl_plan *plan = NULL;
    sl_status st = sl_alloc(&plan, 1, sizeof *plan, err);
    if (st)
        return st;
    plan->params = params;
    plan->program.graph = graph;
    plan->program.dev = dev;
    plan->program.options = *options;
    plan->program.options.batch = images_per_pass(options, dev);
    plan->batch = options->batch;
    st = sl_program_lower(&plan->program, err);
    if (!st && options->mode != SL_MODE_EVAL)
        st = sl_program_backward(&plan->program, err);
    if (!st)
        st = sl_program_place(&plan->program, err);
    if (!st)
        st = plan_steps(plan, err);
    if (!st)
        st = allocate(plan, err);
    if (!st)
        st = sl_plan_reload(plan, err);
    if (!st)
        sl_plan_draw(plan, 0);
    if (st) {
        sl_plan_destroy(plan);
        return st;
    }
    *out = plan;
    return SL_OK;
}

void sl_plan_destroy(sl_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->program.n_steps; i++) {
        if (plan->program.steps[i].kernel)
            backend_of(plan)->unplan(plan->program.steps[i].kernel);
    }
    sl_program_release(&plan->program);
    free(plan->arena);
    free(plan->folded);
    free(plan->draws);
    free(plan->scratch);
    free(plan->gradients);
    free(plan);
}

/* w' = w * s, b' = (b - mean) * s + bias, with s = weight / sqrt(var + eps), a channel at a time.
 */
static void fold_norm(sl_plan *plan, const sl_fold *fold)
{
    const sl_graph *graph = plan->program.graph;
    const sl_node *conv = sl_graph_node(graph, fold->conv),
                  *norm = sl_graph_node(graph, fold->norm);
    const float *norms[4]; /* weight, bias, running mean, running variance: (K) each */
    for (int i = 0; i < 4; i++)
        norms[i] = sl_params_tensor(plan->params, sl_graph_tensor(graph, norm->first_tensor + i));
    const sl_tensor *t = sl_graph_tensor(graph, conv->first_tensor);
    const float *weight = sl_params_tensor(plan->params, t); /* (K, C, R, R) */
    const float *conv_bias =
        conv->bias ? sl_params_tensor(plan->params, sl_graph_tensor(graph, conv->first_tensor + 1))
                   : NULL;
    float *to_weight = buffer_address(plan, fold->weight),
          *to_bias = buffer_address(plan, fold->bias);
    size_t filters = (size_t)t->dims[0], per_filter = t->count / filters;
    for (size_t k = 0; k < filters; k++) {
        double s = norms[0][k] / sqrt((double)norms[3][k] + (double)SL_NORM_EPS);
        double b = conv_bias ? (double)conv_bias[k] : 0;
        to_bias[k] = (float)((b - (double)norms[2][k]) * s + (double)norms[1][k]);
        for (size_t i = 0; i < per_filter; i++)
            to_weight[k * per_filter + i] = (float)((double)weight[k * per_filter + i] * s);
    }
}

/* Hands a kernel the parameters that it may have packed. */
static sl_status load_step(const sl_plan *plan, const sl_step *step, sl_error *err)
{
    const void *in[SL_OP_MAX_IN];
    for (int i = 0; i < SL_OP_MAX_IN; i++)
        in[i] = is_parameter(plan, step->in[i]) ? buffer_address(plan, step->in[i]) : NULL;
    return backend_of(plan)->load ? backend_of(plan)->load(step->kernel, in, err) : SL_OK;
}

sl_status sl_plan_reload(sl_plan *plan, sl_error *err)
{
    for (size_t i = 0; i < plan->program.n_folds; i++)
        fold_norm(plan, &plan->program.folds[i]);
    for (size_t i = 0; i < plan->program.n_steps; i++) {
        sl_status st = load_step(plan, &plan->program.steps[i], err);
        if (st)
            return st;
    }
    return SL_OK;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static sl_status run_step(sl_plan *plan, sl_step *step, sl_error *err)
{
    const void *in[SL_OP_MAX_IN];
    void *out[SL_OP_MAX_OUT];
    for (int i = 0; i < SL_OP_MAX_IN; i++)
        in[i] = buffer_address(plan, step->in[i]);
    for (int i = 0; i < SL_OP_MAX_OUT; i++)
        out[i] = buffer_address(plan, step->out[i]);
    double start = plan->profiling ? now() : 0;
    sl_status st = backend_of(plan)->run(step->kernel, in, out, plan->scratch, err);
    if (plan->profiling)
        step->seconds += now() - start;
    return st;
}

static sl_status run_steps(sl_plan *plan, sl_error *err)
{
    for (size_t i = 0; i < plan->program.n_steps; i++) {
        sl_status st = run_step(plan, &plan->program.steps[i], err);
        char text[96];
        if (st)
            return sl_error_at(err, st, "%s",
                               sl_op_text(&plan->program.steps[i].op, text, sizeof text));
    }
    return SL_OK;
}

/* floats of one image (input) or of its logits */
static size_t input_floats(const sl_plan *plan)
{
    sl_shape s = sl_graph_shape(plan->program.graph, 0);
    return (size_t)s.c * (size_t)s.h * (size_t)s.w;
}

static size_t classes(const sl_plan *plan)
{
    return (size_t)sl_graph_classes(plan->program.graph);
}

sl_status sl_plan_forward(sl_plan *plan, const float *images, int n, float *logits, sl_error *err)
{
    const sl_program *p = &plan->program;
    if (p->options.mode != SL_MODE_EVAL)
        return sl_error_set(err, SL_EINVAL, "a forward pass alone needs an evaluation plan");
    if (n < 1 || n > plan->batch)
        return sl_error_set(err, SL_EINVAL, "%d images, expected 1 to %d", n, plan->batch);
    size_t floats = input_floats(plan), pass = (size_t)p->options.batch, left = (size_t)n;
    while (left > 0) {
        size_t count = left < pass ? left : pass;
        float *input = buffer_address(plan, p->input);
        memcpy(input, images, count * floats * sizeof(float));
        memset(input + count * floats, 0, (pass - count) * floats * sizeof(float));
        sl_status st = run_steps(plan, err);
        if (st)
            return st;
        memcpy(logits, buffer_address(plan, p->logits), count * classes(plan) * sizeof(float));
        images += count * floats;
        logits += count * classes(plan);
        left -= count;
    }
    return SL_OK;
}

sl_status sl_plan_step(sl_plan *plan, const float *images, const float *targets, float *losses,
                       float *logits, float *input_grad, sl_error *err)
{
    const sl_program *p = &plan->program;
    size_t batch = (size_t)p->options.batch, rows = batch * classes(plan) * sizeof(float);
    size_t input_bytes = batch * input_floats(plan) * sizeof(float);
    if (p->options.mode == SL_MODE_EVAL)
        return sl_error_set(err, SL_EINVAL, "gradients need a gradient mode");
    if (input_grad && p->input_grad < 0)
        return sl_error_set(err, SL_EINVAL, "this plan makes no input gradient");
    for (size_t i = 0; i < p->n_steps; i++) {
        sl_status st = load_step(plan, &p->steps[i], err);
        if (st)
            return st;
    }
    memcpy(buffer_address(plan, p->input), images, input_bytes);
    memcpy(buffer_address(plan, p->target), targets, rows);
    sl_status st = run_steps(plan, err);
    if (st)
        return st;
    memcpy(losses, buffer_address(plan, p->loss), batch * sizeof(float));
    if (logits)
        memcpy(logits, buffer_address(plan, p->logits), rows);
    if (input_grad)
        memcpy(input_grad, buffer_address(plan, p->input_grad), input_bytes);
    return SL_OK;
}

void sl_plan_draw(sl_plan *plan, uint64_t key)
{
    sl_program_draw(&plan->program, key, plan->draws);
}

/* Coefficients which (0: alpha, 1: beta) of shake block b. */
static float *shake_weights(sl_plan *plan, int b, int which)
{
    const sl_program *p = &plan->program;
    for (size_t i = 0; i < p->n_groups && p->options.mode == SL_MODE_TRAIN; i++) {
        if (p->groups[i].kind == SL_NODE_SHAKE && b-- == 0)
            return buffer_address(plan, p->groups[i].draws[which]);
    }
    return NULL;
}

float *sl_plan_shake_alpha(sl_plan *plan, int b)
{
    return shake_weights(plan, b, 0);
}

float *sl_plan_shake_beta(sl_plan *plan, int b)
{
    return shake_weights(plan, b, 1);
}

float *sl_plan_gradients(sl_plan *plan)
{
    return plan->gradients;
}

size_t sl_plan_arena_bytes(const sl_plan *plan)
{
    return plan->program.arena_bytes;
}

void sl_plan_profile(sl_plan *plan, bool on)
{
    plan->profiling = on;
    for (size_t i = 0; i < plan->program.n_steps; i++)
        plan->program.steps[i].seconds = 0;
}

void sl_plan_profile_report(const sl_plan *plan, void (*emit)(void *user, const char *line),
                            void *user)
{
    const sl_program *p = &plan->program;
    double total = 0;
    for (size_t i = 0; i < p->n_steps; i++)
        total += p->steps[i].seconds;
    for (size_t i = 0; i < p->n_steps; i++) {
        char text[96], line[160];
        snprintf(line, sizeof line, "%9.3f ms %5.1f %%  %s", 1e3 * p->steps[i].seconds,
                 total > 0 ? 100 * p->steps[i].seconds / total : 0,
                 sl_op_text(&p->steps[i].op, text, sizeof text));
        emit(user, line);
    }
}
