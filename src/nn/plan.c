#include "nn/plan.h"

#include "base/memory.h"
#include "nn/program.h"
#include "nn/region.h"
#include "nn/stopwatch.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sl_plan {
    sl_program program; /* its batch is what one pass takes */
    int batch;          /* what the caller may give at once */
    sl_params *params;  /* borrowed */
    sl_region places[SL_PLACE_COUNT], scratch, tally;
    sl_region state[2];        /* around the optimizer's arrays, from the first update on */
    bool state_pushed;         /* the device has what the host has, or newer */
    sl_collective *collective; /* or NULL; borrowed */
    sl_recording *recording;
    bool warm;           /* has run once, so that nothing is set up while a recording is made */
    sl_stopwatch *watch; /* while profiling: marks before what is loaded, then around each step */
};

static const sl_backend *backend_of(const sl_plan *plan)
{
    return sl_device_backend(plan->program.dev);
}

/* Where operations find a buffer, and where the host does. */
static void *device_address(const sl_plan *plan, int b)
{
    const sl_buffer *buffer = &plan->program.buffers[b];
    return plan->places[buffer->place].device + buffer->offset;
}

static void *host_address(const sl_plan *plan, int b)
{
    const sl_buffer *buffer = &plan->program.buffers[b];
    return plan->places[buffer->place].host + buffer->offset;
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
            st = sl_error_set(err, SL_EUNSUPPORTED, "device '%s' can't compute this%s",
                              backend_of(plan)->name,
                              p->options.dtype == SL_DTYPE_BF16 ? " in bf16; 'cpu' does" : "");
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
    size_t values = sl_graph_value_floats(p->graph) * sizeof(float);
    size_t buffers = sl_graph_buffer_floats(p->graph) * sizeof(float);
    size_t gradients = p->options.mode == SL_MODE_EVAL ? 0 : values;
    sl_region *at = plan->places;
    sl_status st = sl_region_create_inside(&at[SL_PLACE_ARENA], p->dev, p->arena_bytes, err);
    if (!st)
        st = sl_region_create_inside(&plan->scratch, p->dev, p->scratch_bytes, err);
    if (!st)
        st = sl_region_create_inside(&plan->tally, p->dev, sizeof(sl_tally), err);
    if (!st)
        st = sl_region_create(&at[SL_PLACE_FOLDED], p->dev, p->folded_bytes, err);
    if (!st)
        st = sl_region_create(&at[SL_PLACE_DRAWS], p->dev, p->draws_bytes, err);
    if (!st)
        st = sl_region_create(&at[SL_PLACE_GRADIENTS], p->dev, gradients, err);
    if (!st)
        st = sl_region_create_around(&at[SL_PLACE_VALUES], p->dev, plan->params->values, values,
                                     err);
    if (!st)
        st = sl_region_create_around(&at[SL_PLACE_BUFFERS], p->dev, plan->params->buffers, buffers,
                                     err);
    return st;
}

/* Images that evaluation takes through the network at once on a processor: a thread's share of them
 * stays in its cache from layer to layer, which gains 5 % over whole batches on resnet_basic_20. */
enum { EVAL_IMAGES_PER_THREAD = 16 };

static int images_per_pass(const sl_plan_options *options, const sl_device *dev)
{
    int most = EVAL_IMAGES_PER_THREAD * ((const sl_device_base *)(const void *)dev)->threads;
    bool passes = options->mode == SL_MODE_EVAL && !sl_device_backend(dev)->memory;
    return passes && options->batch > most ? most : options->batch;
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
    if (plan->recording) /* what it asked for is done then */
        backend_of(plan)->memory->forget(plan->recording);
    for (size_t i = 0; i < plan->program.n_steps; i++) {
        if (plan->program.steps[i].kernel)
            backend_of(plan)->unplan(plan->program.steps[i].kernel);
    }
    sl_stopwatch_destroy(plan->watch);
    sl_program_release(&plan->program);
    for (int i = 0; i < SL_PLACE_COUNT; i++)
        sl_region_release(&plan->places[i]);
    sl_region_release(&plan->scratch);
    sl_region_release(&plan->tally);
    sl_region_release(&plan->state[0]);
    sl_region_release(&plan->state[1]);
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
    float *to_weight = host_address(plan, fold->weight), *to_bias = host_address(plan, fold->bias);
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
        in[i] = is_parameter(plan, step->in[i]) ? device_address(plan, step->in[i]) : NULL;
    return backend_of(plan)->load ? backend_of(plan)->load(step->kernel, in, err) : SL_OK;
}

/* All but what load_folded has loaded. */
static sl_status load_steps(const sl_plan *plan, sl_error *err)
{
    const sl_program *p = &plan->program;
    sl_status st = SL_OK;
    for (size_t i = 0, fold = 0; i < p->n_steps && !st; i++) {
        bool folded = fold < p->n_folds && p->folds[fold].step == i; /* they are in order */
        fold += folded;
        if (!folded || !backend_of(plan)->takes_weights)
            st = load_step(plan, &p->steps[i], err);
    }
    return st;
}

/* Folds, and has each folded weight taken before the next one is written over it where the backend
 * takes weights. */
static sl_status load_folded(sl_plan *plan, sl_error *err)
{
    const sl_program *p = &plan->program;
    sl_status st = SL_OK;
    for (size_t i = 0; i < p->n_folds && !st; i++) {
        fold_norm(plan, &p->folds[i]);
        if (backend_of(plan)->takes_weights)
            st = load_step(plan, &p->steps[p->folds[i].step], err);
    }
    return st;
}

sl_status sl_plan_reload(sl_plan *plan, sl_error *err)
{
    sl_status st = load_folded(plan, err);
    plan->state_pushed = false;
    if (!st)
        st = sl_region_push(&plan->places[SL_PLACE_FOLDED], err);
    if (!st)
        st = sl_region_push(&plan->places[SL_PLACE_VALUES], err);
    if (!st)
        st = sl_region_push(&plan->places[SL_PLACE_BUFFERS], err);
    return st ? st : load_steps(plan, err);
}

static sl_status run_step(sl_plan *plan, sl_step *step, sl_error *err)
{
    const sl_backend *backend = backend_of(plan);
    const void *in[SL_OP_MAX_IN];
    void *out[SL_OP_MAX_OUT];
    for (int i = 0; i < SL_OP_MAX_IN; i++)
        in[i] = step->in[i] >= 0 ? device_address(plan, step->in[i]) : NULL;
    for (int i = 0; i < SL_OP_MAX_OUT; i++)
        out[i] = step->out[i] >= 0 ? device_address(plan, step->out[i]) : NULL;
    return backend->run(step->kernel, in, out, plan->scratch.device, err);
}

static sl_status mark(const sl_plan *plan, size_t i, sl_error *err)
{
    return plan->watch ? sl_stopwatch_mark(plan->watch, i, err) : SL_OK;
}

/* Adds what the watch shows of a pass. */
static sl_status read_watch(sl_plan *plan, sl_error *err)
{
    sl_program *p = &plan->program;
    double seconds = 0;
    sl_status st = sl_stopwatch_lap(plan->watch, 0, &seconds, err);
    p->load_seconds += seconds;
    for (size_t i = 0; i < p->n_steps && !st; i++) {
        st = sl_stopwatch_lap(plan->watch, i + 1, &seconds, err);
        p->steps[i].seconds += seconds;
    }
    p->timed_runs++;
    return st;
}

/* What a part of the batch has found becomes what the whole has. */
static sl_status sum_over_processes(sl_plan *plan, sl_error *err)
{
    const sl_place places[] = { SL_PLACE_GRADIENTS, SL_PLACE_BUFFERS };
    const int n = plan->program.options.mode == SL_MODE_TRAIN ? 2 : 1;
    sl_status st = SL_OK;
    for (int i = 0; i < n && !st; i++) {
        const sl_region *at = &plan->places[places[i]];
        st = sl_collective_sum(plan->collective, (float *)(void *)at->device,
                               at->bytes / sizeof(float), err);
    }
    return st ? sl_error_at(err, st, "sum over processes") : SL_OK;
}

/* All steps once; in gradient modes, whose parameters change from pass to pass, with what they
 * have packed of them. */
static sl_status pass(sl_plan *plan, sl_error *err)
{
    sl_status st = mark(plan, 0, err);
    if (!st && plan->program.options.mode != SL_MODE_EVAL)
        st = load_steps(plan, err);
    if (!st)
        st = mark(plan, 1, err);
    for (size_t i = 0; i < plan->program.n_steps && !st; i++) {
        char text[96];
        st = run_step(plan, &plan->program.steps[i], err);
        if (st)
            sl_error_at(err, st, "%s", sl_op_text(&plan->program.steps[i].op, text, sizeof text));
        else
            st = mark(plan, i + 2, err);
    }
    if (!st && plan->collective)
        st = sum_over_processes(plan, err);
    return st || !plan->watch ? st : read_watch(plan, err);
}

static sl_status record(sl_plan *plan, sl_error *err)
{
    const sl_device_memory *memory = backend_of(plan)->memory;
    sl_status st = memory->record_begin(plan->program.dev, err);
    if (st)
        return st;
    sl_error ignored;
    st = pass(plan, err);
    sl_status ended = memory->record_end(plan->program.dev, &plan->recording, st ? &ignored : err);
    return st ? st : ended;
}

/* A pass with what was drawn for it; from the second on a replay, on devices that can record. */
static sl_status run(sl_plan *plan, sl_error *err)
{
    sl_status st = sl_region_push(&plan->places[SL_PLACE_DRAWS], err);
    if (st)
        return st;
    const sl_device_memory *memory = backend_of(plan)->memory;
    bool replays = memory && memory->record_begin && !plan->watch && plan->warm;
    if (!replays) {
        plan->warm = true;
        return pass(plan, err);
    }
    st = plan->recording ? SL_OK : record(plan, err);
    return st ? st : memory->replay(plan->recording, err);
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

/* count floats to or from the beginning of a buffer. */
static sl_status put(sl_plan *plan, int buffer, const float *from, size_t count, sl_error *err)
{
    return sl_device_put(plan->program.dev, device_address(plan, buffer), from,
                         count * sizeof(float), err);
}

static sl_status get(sl_plan *plan, int buffer, float *to, size_t count, sl_error *err)
{
    return sl_device_get(plan->program.dev, to, device_address(plan, buffer), count * sizeof(float),
                         err);
}

sl_status sl_plan_forward(sl_plan *plan, const float *images, int n, float *logits, sl_error *err)
{
    const sl_program *p = &plan->program;
    if (p->options.mode != SL_MODE_EVAL)
        return sl_error_set(err, SL_EINVAL, "a forward pass alone needs an evaluation plan");
    if (n < 1 || n > plan->batch)
        return sl_error_set(err, SL_EINVAL, "%d images, expected 1 to %d", n, plan->batch);
    size_t floats = input_floats(plan), pass_size = (size_t)p->options.batch, left = (size_t)n;
    sl_status st = SL_OK;
    while (left > 0 && !st) { /* what a short pass has behind its images is computed and dropped */
        size_t count = left < pass_size ? left : pass_size;
        st = images ? put(plan, p->input, images, count * floats, err) : SL_OK;
        if (!st)
            st = run(plan, err);
        if (!st)
            st = get(plan, p->logits, logits, count * classes(plan), err);
        images = images ? images + count * floats : NULL;
        logits += count * classes(plan);
        left -= count;
    }
    return st;
}

void sl_plan_sum_over(sl_plan *plan, sl_collective *collective)
{
    plan->collective = collective;
}

sl_status sl_plan_assemble(sl_plan *plan, sl_device_images *images, const sl_image_recipe *recipes,
                           size_t n_recipes, const uint32_t *partner, float lambda, int n,
                           sl_error *err)
{
    const sl_program *p = &plan->program;
    if (n < 1 || n > p->options.batch)
        return sl_error_set(err, SL_EINVAL, "%d images, expected 1 to %d", n, p->options.batch);
    return sl_device_images_assemble(images, recipes, n_recipes, partner, lambda, (size_t)n,
                                     device_address(plan, p->input), err);
}

sl_status sl_plan_step(sl_plan *plan, const float *images, const float *targets, float *losses,
                       float *logits, float *input_grad, sl_error *err)
{
    const sl_program *p = &plan->program;
    size_t batch = (size_t)p->options.batch, rows = batch * classes(plan);
    size_t input = batch * input_floats(plan);
    if (p->options.mode == SL_MODE_EVAL)
        return sl_error_set(err, SL_EINVAL, "gradients need a gradient mode");
    if (input_grad && p->input_grad < 0)
        return sl_error_set(err, SL_EINVAL, "this plan makes no input gradient");
    sl_status st = images ? put(plan, p->input, images, input, err) : SL_OK;
    if (!st)
        st = put(plan, p->target, targets, rows, err);
    if (!st)
        st = run(plan, err);
    if (!st && losses)
        st = get(plan, p->loss, losses, batch, err);
    if (!st && logits)
        st = get(plan, p->logits, logits, rows, err);
    if (!st && input_grad)
        st = get(plan, p->input_grad, input_grad, input, err);
    return st;
}

sl_status sl_plan_set_tally(sl_plan *plan, const sl_tally *tally, sl_error *err)
{
    return sl_device_put(plan->program.dev, plan->tally.device, tally, sizeof *tally, err);
}

sl_status sl_plan_add_to_tally(sl_plan *plan, sl_error *err)
{
    const sl_program *p = &plan->program;
    const sl_tally_step step = { .loss = device_address(plan, p->loss),
                                 .logits = device_address(plan, p->logits),
                                 .target = device_address(plan, p->target),
                                 .n = p->options.batch,
                                 .classes = (int)classes(plan),
                                 .tally = (sl_tally *)(void *)plan->tally.device };
    if (backend_of(plan)->memory)
        return backend_of(plan)->memory->tally(p->dev, &step, err);
    sl_tally_add(&step);
    return SL_OK;
}

sl_status sl_plan_read_tally(sl_plan *plan, sl_tally *out, sl_error *err)
{
    return sl_device_get(plan->program.dev, out, plan->tally.device, sizeof *out, err);
}

/* The optimizer's arrays beside the parameters, as new as the host's. */
static sl_status push_state(sl_plan *plan, const sl_optimizer *optimizer, sl_error *err)
{
    sl_status st = SL_OK;
    for (int i = 0; i < optimizer->n_state && !st; i++) {
        sl_region *at = &plan->state[i];
        if (!at->dev)
            st = sl_region_create_around(at, plan->program.dev, optimizer->state[i],
                                         optimizer->n * sizeof(float), err);
        if (!st)
            st = sl_region_push(at, err);
    }
    plan->state_pushed = !st;
    return st;
}

sl_status sl_plan_update(sl_plan *plan, sl_optimizer *optimizer, double lr, sl_error *err)
{
    const sl_device_memory *memory = backend_of(plan)->memory;
    sl_device *dev = plan->program.dev;
    float *values = (float *)(void *)plan->places[SL_PLACE_VALUES].device;
    const float *gradients = (const float *)(const void *)plan->places[SL_PLACE_GRADIENTS].device;
    sl_status st = plan->state_pushed ? SL_OK : push_state(plan, optimizer, err);
    if (st)
        return st;
    float *state[2] = { (float *)(void *)plan->state[0].device,
                        (float *)(void *)plan->state[1].device };
    sl_optimizer_update u = sl_optimizer_next(optimizer, lr);
    if (memory)
        return memory->update(dev, &u, values, gradients, state, optimizer->n, err);
    sl_optimizer_update_run(&u, values, gradients, state, optimizer->n,
                            ((const sl_device_base *)(const void *)dev)->threads);
    return SL_OK;
}

sl_status sl_plan_fetch(sl_plan *plan, sl_error *err)
{
    sl_status st = sl_region_pull(&plan->places[SL_PLACE_VALUES], err);
    if (!st)
        st = sl_region_pull(&plan->places[SL_PLACE_BUFFERS], err);
    if (!st)
        st = sl_region_pull(&plan->places[SL_PLACE_GRADIENTS], err);
    for (int i = 0; i < 2 && plan->state_pushed && !st; i++)
        st = sl_region_pull(&plan->state[i], err);
    return st;
}

void sl_plan_draw(sl_plan *plan, uint64_t key)
{
    sl_program_draw(&plan->program, key, plan->places[SL_PLACE_DRAWS].host);
}

/* Coefficients which (0: alpha, 1: beta) of shake block b. */
static float *shake_weights(sl_plan *plan, int b, int which)
{
    const sl_program *p = &plan->program;
    for (size_t i = 0; i < p->n_groups && p->options.mode == SL_MODE_TRAIN; i++) {
        if (p->groups[i].kind == SL_NODE_SHAKE && b-- == 0)
            return host_address(plan, p->groups[i].draws[which]);
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
    return (float *)(void *)plan->places[SL_PLACE_GRADIENTS].host;
}

size_t sl_plan_arena_bytes(const sl_plan *plan)
{
    return plan->program.arena_bytes;
}

sl_status sl_plan_profile(sl_plan *plan, sl_error *err)
{
    sl_program *p = &plan->program;
    sl_stopwatch_destroy(plan->watch);
    p->timed_runs = 0;
    p->load_seconds = 0;
    for (size_t i = 0; i < p->n_steps; i++)
        p->steps[i].seconds = 0;
    return sl_stopwatch_create(&plan->watch, p->dev, p->n_steps + 2, err);
}

void sl_plan_profile_report(const sl_plan *plan, void (*emit)(void *user, const char *line),
                            void *user)
{
    sl_program_profile(&plan->program, emit, user);
}
