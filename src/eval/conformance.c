/* softlabel-conformance-1: one network, filled by the rule of fill.h.
 * Source: conformance/README, "A model's file" and "Passing". */
#include "eval/conformance_bounds.h"
#include "eval/fill.h"
#include "eval/verify.h"
#include "models/model.h"
#include "nn/plan.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GRAD_FLOOR 1e-3 /* share of all gradients' norm in a gradient's scale */

#define MAX_BATCH 1024

typedef struct {
    const json_t *file;
    const char *salt;
    sl_dtype dtype;
    sl_conformance_bounds bounds;
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
                            const char *group, double bound, sl_error *err)
{
    double want, sum = 0;
    sl_status st = sl_json_get_number(part, "loss", &want, err);
    if (st)
        return st;
    for (int i = 0; i < c->batch; i++)
        sum += (double)c->losses[i];
    return sl_verify_add(report, group, "relative",
                         sl_verify_relative(sum / c->batch, want, fabs(want)), bound, err, "%s",
                         "");
}

/* Figures of [norm, probe] in one group. */
typedef struct {
    const char *group, *all; /* all: of figures over all tensors */
    double scale_floor;      /* added to the norm: both are relative to that */
    const sl_pair_bounds *bounds;
} pair_group;

/* A tensor's [norm, probe] against the file's; *got is the deviations. */
static sl_status check_pair(const check *c, sl_verify_report *report, const json_t *wanted,
                            const char *name, const float *a, size_t n, const pair_group *group,
                            double got[2], sl_error *err)
{
    double want[2];
    sl_status st = sl_json_numbers(wanted, 2, want, err);
    if (st)
        return sl_error_at(err, st, "%s, '%s'", group->group, name);
    const double scale = want[0] + group->scale_floor;
    got[0] = sl_verify_relative(norm(a, n), want[0], scale);
    got[1] = sl_verify_relative(sl_fill_probe(c->salt, name, a, n), want[1], scale);
    st = sl_verify_add(report, group->group, "relative", got[0], group->bounds->norm, err,
                       "%s norm", name);
    if (st)
        return st;
    return sl_verify_add(report, group->group, "relative", got[1], group->bounds->probe, err,
                         "%s probe", name);
}

static sl_status check_rms(sl_verify_report *report, const pair_group *group,
                           const double squares[2], size_t n, sl_error *err)
{
    const sl_pair_bounds *bounds = group->bounds;
    if (n == 0 || !isfinite(bounds->norm_rms))
        return SL_OK;
    sl_status st = sl_verify_add(report, group->all, "rms", sqrt(squares[0] / (double)n),
                                 bounds->norm_rms, err, "norm");
    if (st)
        return st;
    return sl_verify_add(report, group->all, "rms", sqrt(squares[1] / (double)n), bounds->probe_rms,
                         err, "probe");
}

/* Every tensor of one sort (trained: gradients; else: running statistics) against part's object;
 * values is laid out as the parameters' arrays are. */
static sl_status check_pairs(const check *c, sl_verify_report *report, const json_t *wanted,
                             bool trained, const float *values, const pair_group *group,
                             sl_error *err)
{
    size_t n = 0;
    double squares[2] = { 0 };
    for (int i = 0; i < sl_graph_tensors(c->graph); i++) {
        const sl_tensor *t = sl_graph_tensor(c->graph, i);
        if (t->trained != trained)
            continue;
        json_t *pair;
        double got[2];
        sl_status st = sl_json_get(wanted, t->name, &pair, err);
        if (st)
            return sl_error_at(err, st, "%s", group->group);
        st = check_pair(c, report, pair, t->name, values + t->offset, t->count, group, got, err);
        if (st)
            return st;
        squares[0] += got[0] * got[0];
        squares[1] += got[1] * got[1];
        n++;
    }
    if (json_object_size(wanted) != n)
        return sl_error_set(err, SL_EMISMATCH, "%s: %zu tensors in the file, %zu in the network",
                            group->group, json_object_size(wanted), n);
    return check_rms(report, group, squares, n, err);
}

/* ---- the three passes ---- */

static sl_status check_eval(check *c, sl_verify_report *report, sl_device *device, sl_error *err)
{
    json_t *part;
    sl_plan *plan = NULL;
    const sl_plan_options options = { .batch = c->batch, .mode = SL_MODE_EVAL, .dtype = c->dtype };
    sl_status st = sl_json_get(c->file, "eval", &part, err);
    if (!st)
        st = sl_plan_create(&plan, c->graph, c->params, device, &options, err);
    if (!st)
        st = sl_plan_forward(plan, c->input, c->batch, c->logits, err);
    if (!st)
        st = check_logits(c, report, part, "eval logits", c->bounds.eval_logits, err);
    sl_plan_destroy(plan);
    return st;
}

static sl_status check_eval_grad(check *c, sl_verify_report *report, sl_device *device,
                                 sl_error *err)
{
    json_t *part, *input_grad;
    sl_plan *plan = NULL;
    const sl_plan_options options = {
        .batch = c->batch, .mode = SL_MODE_EVAL_GRAD, .input_grad = true, .dtype = c->dtype
    };
    const pair_group group = { "eval input_grad", "", 0, &c->bounds.input_grad };
    double got[2];
    sl_status st = sl_json_get(c->file, "eval", &part, err);
    if (!st)
        st = sl_json_get(part, "input_grad", &input_grad, err);
    if (!st)
        st = sl_plan_create(&plan, c->graph, c->params, device, &options, err);
    if (!st)
        st = sl_plan_step(plan, c->input, c->target, c->losses, c->logits, c->input_grad, err);
    if (!st)
        st = check_logits(c, report, part, "eval logits, not folded", c->bounds.eval_logits, err);
    if (!st)
        st = check_loss(c, report, part, "eval loss", c->bounds.eval_loss, err);
    if (!st)
        st = check_pair(c, report, input_grad, "input", c->input_grad, c->input_floats, &group, got,
                        err);
    sl_plan_destroy(plan);
    return st;
}

static sl_status check_buffers(const check *c, sl_verify_report *report, const json_t *part,
                               sl_error *err)
{
    json_t *buffers;
    const pair_group group = { "train buffers", "", 0, &c->bounds.buffers };
    sl_status st = sl_json_get(part, "buffers", &buffers, err);
    return st ? st : check_pairs(c, report, buffers, false, c->params->buffers, &group, err);
}

/* moves: see settle_gradients. */
static sl_status check_gradients(const check *c, sl_verify_report *report, const json_t *part,
                                 const float *gradients, int moves, sl_error *err)
{
    json_t *grads, *pair;
    const char *name;
    double squares = 0, want[2];
    sl_status st = sl_json_get(part, "grads", &grads, err);
    if (st)
        return st;
    json_object_foreach(grads, name, pair)
    {
        st = sl_json_numbers(pair, 2, want, err);
        if (st)
            return sl_error_at(err, st, "gradient '%s'", name);
        squares += want[0] * want[0];
    }
    const pair_group group = { moves ? "train gradients (moved)" : "train gradients",
                               "train gradients, all", GRAD_FLOOR * sqrt(squares),
                               &c->bounds.grads };
    return check_pairs(c, report, grads, true, gradients, &group, err);
}

/* Block b's weights, alpha or beta: unit(n) for image n, or unit(0) for all of a batch that shares
 * them; one half where they aren't random. */
static void fill_shake_weights(const check *c, const char *prefix, int b, bool random,
                               bool per_image, float *weights)
{
    char name[32];
    snprintf(name, sizeof name, "%d", b);
    const sl_fill fill = sl_fill_named(c->salt, prefix, name);
    for (int n = 0; n < c->batch; n++)
        weights[n] = random ? (float)sl_fill_unit(fill, per_image ? (size_t)n : 0) : 0.5f;
}

static void fill_shake(const check *c, sl_plan *plan)
{
    for (int i = 0, b = 0; i < sl_graph_nodes(c->graph); i++) {
        const sl_node *node = sl_graph_node(c->graph, i);
        if (node->kind != SL_NODE_SHAKE)
            continue;
        const sl_shake s = node->shake;
        fill_shake_weights(c, "shake.alpha.", b, s.forward, s.image, sl_plan_shake_alpha(plan, b));
        fill_shake_weights(c, "shake.beta.", b, s.backward, s.image, sl_plan_shake_beta(plan, b));
        b++;
    }
}

/* Every number to a neighbouring float32, up or down: in another way for each move. */
static void move_images(check *c, int move)
{
    char name[32];
    snprintf(name, sizeof name, "%d", move);
    const sl_fill fill = sl_fill_named(c->salt, "move.", name);
    sl_fill_input(c->input, c->input_floats, c->salt);
    for (size_t i = 0; i < c->input_floats; i++)
        c->input[i] = nextafterf(c->input[i], sl_fill_unit(fill, i) < 0.5 ? -INFINITY : INFINITY);
}

/* Where a ReLU's input is within rounding of 0, it is luck on which side of the kink an arithmetic
 * finds it, and a gradient may be off by one image's share of one channel though it is right. In
 * float32, gradients that fail are therefore computed again, up to MOVES times, of images moved by
 * a unit in the last place, which changes nothing but luck: what is wrong stays wrong. */
static sl_status settle_gradients(check *c, sl_verify_report *report, const json_t *part,
                                  sl_plan *plan, sl_error *err)
{
    enum { MOVES = 4 };
    sl_status st = SL_OK;
    for (int moves = 0;; moves++) {
        sl_verify_report trial = { 0 };
        st = check_gradients(c, &trial, part, sl_plan_gradients(plan), moves, err);
        const bool settled = trial.n_bad == 0 || moves == MOVES || c->dtype != SL_DTYPE_F32;
        sl_verify_report_release(&trial);
        if (st)
            return st;
        if (settled)
            return check_gradients(c, report, part, sl_plan_gradients(plan), moves, err);
        move_images(c, moves + 1);
        st = sl_plan_step(plan, c->input, c->target, c->losses, c->logits, NULL, err);
        if (!st)
            st = sl_plan_fetch(plan, err);
        if (st)
            return st;
    }
}

/* Comes last: it moves the running statistics, and perhaps the images. */
static sl_status check_train(check *c, sl_verify_report *report, sl_device *device, sl_error *err)
{
    json_t *part;
    sl_plan *plan = NULL;
    const sl_plan_options options = { .batch = c->batch, .mode = SL_MODE_TRAIN, .dtype = c->dtype };
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
        st = check_logits(c, report, part, "train logits", c->bounds.train_logits, err);
    if (!st)
        st = check_loss(c, report, part, "train loss", c->bounds.train_loss, err);
    if (!st)
        st = check_buffers(c, report, part, err);
    if (!st)
        st = settle_gradients(c, report, part, plan, err);
    sl_plan_destroy(plan);
    return st;
}

sl_status sl_verify_conformance(sl_verify_report *report, const json_t *file,
                                const sl_verify_options *options, sl_error *err)
{
    check c = { .file = file, .dtype = options->dtype };
    const char *name;
    sl_status st = sl_json_get_string(file, "name", &name, err);
    if (!st)
        st = sl_arena_strdup(&report->memory, &report->name, name, err);
    if (!st)
        st = prepare(&c, err);
    if (!st)
        st = sl_conformance_bounds_find(&c.bounds, c.dtype, c.graph,
                                        json_object_get(file, "float32_deviation"), err);
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
