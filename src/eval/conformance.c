/* softlabel-conformance-1: one network, filled by the rule of fill.h.
 * Source: conformance/README, "A model's file" and "Passing". */
#include "eval/fill.h"
#include "eval/verify.h"
#include "models/model.h"
#include "nn/plan.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The README's bounds, for float32. */
#define BOUND_EVAL_LOGITS 1e-4
#define BOUND_TRAIN_LOGITS 1e-3
#define BOUND_LOSS 1e-4
#define BOUND_INPUT_GRAD 1e-2
#define BOUND_BUFFERS 1e-4
#define BOUND_GRADS 5e-3
#define DEVIATION_FACTOR 5 /* .. or so many times what the reference itself moves in float32 */
#define GRAD_FLOOR 1e-3    /* share of all gradients' norm in a gradient's scale */

#define MAX_BATCH 1024

typedef struct {
    const json_t *file;
    const char *salt;
    int batch, classes;
    size_t input_floats; /* of the whole batch */
    sl_model *model;
    sl_params *params;      /* the model's */
    const sl_graph *graph;  /* the model's */
    float *input, *target;  /* (batch,3,32,32), (batch,classes) */
    float *logits, *losses; /* (batch,classes), (batch): computed */
    float *input_grad;      /* (batch,3,32,32): computed */
    double *want;           /* (batch,classes): the file's logits */
} check;

static void release(check *c)
{
    sl_model_destroy(c->model);
    free(c->input);
    free(c->target);
    free(c->logits);
    free(c->losses);
    free(c->input_grad);
    free(c->want);
}

/* ---- the network ---- */

static sl_status read_sizes(check *c, sl_error *err)
{
    int64_t batch;
    json_t *eval, *logits;
    sl_status st = sl_json_get_int(c->file, "batch", 1, MAX_BATCH, &batch, err);
    if (!st)
        st = sl_json_get_string(c->file, "salt", &c->salt, err);
    if (!st)
        st = sl_json_get(c->file, "eval", &eval, err);
    if (!st)
        st = sl_json_get(eval, "logits", &logits, err);
    if (st)
        return st;
    size_t n = json_array_size(logits);
    if (n == 0 || n % (size_t)batch != 0 || n / (size_t)batch > 1000)
        return sl_error_set(err, SL_EFORMAT, "%zu eval logits don't fit a batch of %d", n,
                            (int)batch);
    c->batch = (int)batch;
    c->classes = (int)(n / (size_t)batch);
    return SL_OK;
}

static sl_status create_model(check *c, sl_error *err)
{
    json_t *arch;
    sl_status st = sl_json_get(c->file, "arch", &arch, err);
    if (st)
        return st;
    char *text = json_is_object(arch) ? json_dumps(arch, JSON_COMPACT) : NULL;
    if (!text)
        return sl_error_set(err, SL_EFORMAT, "'arch' isn't an object");
    st = sl_model_create(&c->model, text, c->classes, err);
    free(text);
    if (st == SL_EINVAL && err) /* impossible numbers, but they are the file's, not the caller's */
        st = err->code = SL_EFORMAT;
    if (st)
        return st;
    c->graph = sl_model_graph(c->model);
    c->params = sl_model_params(c->model);
    return SL_OK;
}

static sl_status prepare(check *c, sl_error *err)
{
    sl_status st = read_sizes(c, err);
    if (!st)
        st = create_model(c, err);
    if (st)
        return st;
    const sl_shape image = sl_graph_shape(c->graph, sl_graph_node(c->graph, 0)->output);
    const size_t rows = (size_t)c->batch, logits = rows * (size_t)c->classes;
    c->input_floats = rows * (size_t)(image.c * image.h * image.w);
    st = sl_alloc_aligned(&c->input, c->input_floats, sizeof(float), err);
    if (!st)
        st = sl_alloc_aligned(&c->input_grad, c->input_floats, sizeof(float), err);
    if (!st)
        st = sl_alloc_aligned(&c->target, logits, sizeof(float), err);
    if (!st)
        st = sl_alloc_aligned(&c->logits, logits, sizeof(float), err);
    if (!st)
        st = sl_alloc_aligned(&c->losses, rows, sizeof(float), err);
    if (!st)
        st = sl_alloc(&c->want, logits, sizeof(double), err);
    if (st)
        return st;
    sl_fill_params(c->params, c->salt);
    sl_fill_input(c->input, c->input_floats, c->salt);
    sl_fill_target(c->target, rows, c->classes, c->salt);
    return SL_OK;
}

/* ---- names, shapes, number of parameters ---- */

static bool same_shape(const sl_tensor *t, const json_t *shape)
{
    if (json_array_size(shape) != (size_t)t->n_dims)
        return false;
    for (int i = 0; i < t->n_dims; i++)
        if (json_integer_value(json_array_get(shape, (size_t)i)) != t->dims[i])
            return false;
    return true;
}

static sl_status check_tensors(const check *c, sl_verify_report *report, sl_error *err)
{
    char why[200] = "";
    json_t *tensors, *shape;
    int64_t parameters;
    const char *name;
    sl_status st = sl_json_get(c->file, "tensors", &tensors, err);
    if (!st)
        st = sl_json_get_int(c->file, "parameters", 0, INT64_MAX, &parameters, err);
    if (st)
        return st;

    int i = 0, n = sl_graph_tensors(c->graph);
    json_object_foreach(tensors, name, shape)
    {
        const sl_tensor *t = i < n ? sl_graph_tensor(c->graph, i) : NULL;
        if (!t || strcmp(t->name, name) != 0 || !same_shape(t, shape)) {
            snprintf(why, sizeof why, "tensor %d is '%s' in the file, here '%s'%s", i + 1, name,
                     t ? t->name : "missing",
                     t && strcmp(t->name, name) == 0 ? " of another shape" : "");
            break;
        }
        i++;
    }
    if (!*why && i != n)
        snprintf(why, sizeof why, "%d tensors in the file, %d here", i, n);
    st = sl_verify_add_equal(report, "tensors", "names, order, shapes", *why ? why : NULL, err);
    if (st)
        return st;
    size_t got = sl_graph_parameters(c->graph);
    snprintf(why, sizeof why, "%lld in the file, %zu here", (long long)parameters, got);
    return sl_verify_add_equal(report, "parameters", "", (uint64_t)parameters == got ? NULL : why,
                               err);
}

/* ---- figures ---- */

static double norm(const float *a, size_t n)
{
    double sum = 0;
    for (size_t k = 0; k < n; k++)
        sum += (double)a[k] * (double)a[k];
    return sqrt(sum);
}

/* By the largest |logit|, as the README measures them: a deep network's run into the thousands. */
static sl_status check_logits(check *c, sl_verify_report *report, const json_t *part,
                              const char *group, double bound, sl_error *err)
{
    json_t *logits;
    const size_t n = (size_t)c->batch * (size_t)c->classes;
    sl_status st = sl_json_get(part, "logits", &logits, err);
    if (!st)
        st = sl_json_numbers(logits, n, c->want, err);
    if (st)
        return sl_error_at(err, st, "'logits'");
    double largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(c->want[i]));
    double difference = sl_verify_max_difference(c->logits, c->want, n);
    return sl_verify_add(report, group, "relative", sl_verify_relative(difference, 0, largest),
                         bound, err, "%s", "");
}

static sl_status check_loss(const check *c, sl_verify_report *report, const json_t *part,
                            const char *group, sl_error *err)
{
    double want, sum = 0;
    sl_status st = sl_json_get_number(part, "loss", &want, err);
    if (st)
        return st;
    for (int i = 0; i < c->batch; i++)
        sum += (double)c->losses[i];
    return sl_verify_add(report, group, "relative",
                         sl_verify_relative(sum / c->batch, want, fabs(want)), BOUND_LOSS, err,
                         "%s", "");
}

/* A tensor's [norm, probe] against the file's, both relative to scale(want norm). */
typedef struct {
    const char *group;
    double scale_floor; /* added to the norm */
    double norm_bound, probe_bound;
} pair_bounds;

static sl_status check_pair(const check *c, sl_verify_report *report, const json_t *wanted,
                            const char *name, const float *a, size_t n, const pair_bounds *bounds,
                            sl_error *err)
{
    double want[2]; /* norm, probe */
    sl_status st = sl_json_numbers(wanted, 2, want, err);
    if (st)
        return sl_error_at(err, st, "%s, '%s'", bounds->group, name);
    const double scale = want[0] + bounds->scale_floor;
    st = sl_verify_add(report, bounds->group, "relative",
                       sl_verify_relative(norm(a, n), want[0], scale), bounds->norm_bound, err,
                       "%s norm", name);
    if (st)
        return st;
    return sl_verify_add(report, bounds->group, "relative",
                         sl_verify_relative(sl_fill_probe(c->salt, name, a, n), want[1], scale),
                         bounds->probe_bound, err, "%s probe", name);
}

/* Every tensor of one sort (trained: gradients; else: running statistics) against part's object;
 * values is laid out as the parameters' arrays are. */
static sl_status check_pairs(const check *c, sl_verify_report *report, const json_t *wanted,
                             bool trained, const float *values, const pair_bounds *bounds,
                             sl_error *err)
{
    size_t n = 0;
    for (int i = 0; i < sl_graph_tensors(c->graph); i++) {
        const sl_tensor *t = sl_graph_tensor(c->graph, i);
        if (t->trained != trained)
            continue;
        n++;
        json_t *pair;
        sl_status st = sl_json_get(wanted, t->name, &pair, err);
        if (st)
            return sl_error_at(err, st, "%s", bounds->group);
        st = check_pair(c, report, pair, t->name, values + t->offset, t->count, bounds, err);
        if (st)
            return st;
    }
    if (json_object_size(wanted) != n)
        return sl_error_set(err, SL_EMISMATCH, "%s: %zu tensors in the file, %zu in the network",
                            bounds->group, json_object_size(wanted), n);
    return SL_OK;
}

/* ---- the three passes ---- */

static sl_status check_eval(check *c, sl_verify_report *report, sl_device *device, sl_error *err)
{
    json_t *part;
    sl_plan *plan = NULL;
    const sl_plan_options options = { .batch = c->batch, .mode = SL_MODE_EVAL };
    sl_status st = sl_json_get(c->file, "eval", &part, err);
    if (!st)
        st = sl_plan_create(&plan, c->graph, c->params, device, &options, err);
    if (!st)
        st = sl_plan_forward(plan, c->input, c->batch, c->logits, err);
    if (!st)
        st = check_logits(c, report, part, "eval logits", BOUND_EVAL_LOGITS, err);
    sl_plan_destroy(plan);
    return st;
}

static sl_status check_eval_grad(check *c, sl_verify_report *report, sl_device *device,
                                 sl_error *err)
{
    json_t *part, *input_grad;
    sl_plan *plan = NULL;
    const sl_plan_options options = { .batch = c->batch,
                                      .mode = SL_MODE_EVAL_GRAD,
                                      .input_grad = true };
    const pair_bounds bounds = { "eval input_grad", 0, BOUND_INPUT_GRAD, BOUND_INPUT_GRAD };
    sl_status st = sl_json_get(c->file, "eval", &part, err);
    if (!st)
        st = sl_json_get(part, "input_grad", &input_grad, err);
    if (!st)
        st = sl_plan_create(&plan, c->graph, c->params, device, &options, err);
    if (!st)
        st = sl_plan_step(plan, c->input, c->target, c->losses, c->logits, c->input_grad, err);
    if (!st)
        st = check_logits(c, report, part, "eval logits, not folded", BOUND_EVAL_LOGITS, err);
    if (!st)
        st = check_loss(c, report, part, "eval loss", err);
    if (!st)
        st = check_pair(c, report, input_grad, "input", c->input_grad, c->input_floats, &bounds,
                        err);
    sl_plan_destroy(plan);
    return st;
}

/* max(5e-3, 5 x the reference's own deviation), if the file states one. */
static double grad_bound(const check *c, const char *key)
{
    const json_t *deviation = json_object_get(json_object_get(c->file, "float32_deviation"), key);
    return fmax(BOUND_GRADS, DEVIATION_FACTOR * json_number_value(deviation));
}

static sl_status check_train_tensors(const check *c, sl_verify_report *report, const json_t *part,
                                     const float *gradients, sl_error *err)
{
    json_t *grads, *buffers, *pair;
    const char *name;
    double squares = 0, want[2];
    sl_status st = sl_json_get(part, "grads", &grads, err);
    if (!st)
        st = sl_json_get(part, "buffers", &buffers, err);
    if (st)
        return st;
    json_object_foreach(grads, name, pair)
    {
        st = sl_json_numbers(pair, 2, want, err);
        if (st)
            return sl_error_at(err, st, "gradient '%s'", name);
        squares += want[0] * want[0];
    }
    const pair_bounds grad_bounds = { "train gradients", GRAD_FLOOR * sqrt(squares),
                                      grad_bound(c, "train.grads.norm"),
                                      grad_bound(c, "train.grads.probe") };
    const pair_bounds buffer_bounds = { "train buffers", 0, BOUND_BUFFERS, BOUND_BUFFERS };
    st = check_pairs(c, report, grads, true, gradients, &grad_bounds, err);
    if (st)
        return st;
    return check_pairs(c, report, buffers, false, c->params->buffers, &buffer_bounds, err);
}

/* Shake-shake's weights, block by block in execution order, image n: unit(n). */
static void fill_shake(const check *c, sl_plan *plan)
{
    float *alpha, *beta;
    for (int b = 0; (alpha = sl_plan_shake_alpha(plan, b)); b++) {
        char name[32];
        beta = sl_plan_shake_beta(plan, b);
        snprintf(name, sizeof name, "%d", b);
        sl_fill alphas = sl_fill_named(c->salt, "shake.alpha.", name);
        sl_fill betas = sl_fill_named(c->salt, "shake.beta.", name);
        for (int n = 0; n < c->batch; n++) {
            alpha[n] = (float)sl_fill_unit(alphas, (size_t)n);
            beta[n] = (float)sl_fill_unit(betas, (size_t)n);
        }
    }
}

/* Comes last: it moves the running statistics. */
static sl_status check_train(check *c, sl_verify_report *report, sl_device *device, sl_error *err)
{
    json_t *part;
    sl_plan *plan = NULL;
    const sl_plan_options options = { .batch = c->batch, .mode = SL_MODE_TRAIN };
    sl_status st = sl_json_get(c->file, "train", &part, err);
    if (!st)
        st = sl_plan_create(&plan, c->graph, c->params, device, &options, err);
    if (!st)
        fill_shake(c, plan);
    if (!st)
        st = sl_plan_step(plan, c->input, c->target, c->losses, c->logits, NULL, err);
    if (!st)
        st = sl_plan_fetch(plan, err); /* gradients and running statistics */
    if (!st)
        st = check_logits(c, report, part, "train logits", BOUND_TRAIN_LOGITS, err);
    if (!st)
        st = check_loss(c, report, part, "train loss", err);
    if (!st)
        st = check_train_tensors(c, report, part, sl_plan_gradients(plan), err);
    sl_plan_destroy(plan);
    return st;
}

sl_status sl_verify_conformance(sl_verify_report *report, const json_t *file,
                                const sl_verify_options *options, sl_error *err)
{
    check c = { .file = file };
    const char *name;
    sl_status st = sl_json_get_string(file, "name", &name, err);
    if (!st)
        st = sl_arena_strdup(&report->memory, &report->name, name, err);
    if (!st)
        st = prepare(&c, err);
    if (!st)
        st = check_tensors(&c, report, err);
    if (st || report->n_bad) /* another network: its figures would say nothing */
        goto done;
    st = check_eval(&c, report, options->device, err);
    if (!st)
        st = check_eval_grad(&c, report, options->device, err);
    if (!st)
        st = check_train(&c, report, options->device, err);
done:
    release(&c);
    return st;
}
