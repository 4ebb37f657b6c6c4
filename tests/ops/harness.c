#include "ops/harness.h"

#include "base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a slot holds. */
typedef enum {
    NOTHING,
    X,         /* activation of the shape of op.x */
    Y,         /* activation of the shape of op.y */
    WEIGHT,    /* parameter (k,c,r,r) or (k,c) */
    VECTOR,    /* parameter, a number a channel (out) */
    STATISTIC, /* a number a channel, no parameter */
    LOSS,      /* a number an image */
} content;

typedef struct {
    unsigned char in[SL_OP_MAX_IN], out[SL_OP_MAX_OUT]; /* content */
} slots;

/* In the order of the slots in nn/backend.h. */
static const slots slots_of[SL_OP_COUNT] = {
    [SL_OP_CONV] = { { X, WEIGHT, VECTOR, Y }, { Y } },
    [SL_OP_CONV_BWD_DATA] = { { Y, WEIGHT }, { X } },
    [SL_OP_CONV_BWD_WEIGHTS] = { { X, Y }, { WEIGHT, VECTOR } },
    [SL_OP_NORM] = { { X, Y, VECTOR, VECTOR, VECTOR, VECTOR }, { Y, STATISTIC, STATISTIC } },
    [SL_OP_NORM_BWD] = { { Y, Y, X, Y, VECTOR, STATISTIC, STATISTIC, X },
                         { X, Y, VECTOR, VECTOR } },
    [SL_OP_RELU] = { { X }, { Y } },
    [SL_OP_RELU_BWD] = { { Y, Y, Y }, { X } },
    [SL_OP_ADD] = { { X, X }, { Y } },
    [SL_OP_GLOBAL_POOL] = { { X }, { Y } },
    [SL_OP_GLOBAL_POOL_BWD] = { { Y }, { X } },
    [SL_OP_LINEAR] = { { X, WEIGHT, VECTOR }, { Y } },
    [SL_OP_LINEAR_BWD] = { { X, Y, WEIGHT }, { X, WEIGHT, VECTOR } },
    [SL_OP_XENT] = { { X, X }, { LOSS, X } },
};

static content in_content(const sl_op *op, int slot)
{
    return op->has_in[slot] ? (content)slots_of[op->kind].in[slot] : NOTHING;
}

static content out_content(const sl_op *op, int slot)
{
    return op->has_out[slot] ? (content)slots_of[op->kind].out[slot] : NOTHING;
}

static size_t activation_count(const sl_desc *d)
{
    return (size_t)d->n * (size_t)d->c * (size_t)d->h * (size_t)d->w;
}

static size_t content_count(const sl_op *op, content what)
{
    size_t taps = op->kernel ? (size_t)op->kernel * (size_t)op->kernel : 1;
    switch (what) {
    case NOTHING:
        return 0;
    case X:
        return activation_count(&op->x);
    case Y:
        return activation_count(&op->y);
    case WEIGHT:
        return (size_t)op->y.c * (size_t)op->x.c * taps;
    case VECTOR:
    case STATISTIC:
        return (size_t)op->y.c;
    case LOSS:
        return (size_t)op->x.n;
    }
    return 0;
}

size_t op_in_count(const sl_op *op, int slot)
{
    return content_count(op, in_content(op, slot));
}

size_t op_out_count(const sl_op *op, int slot)
{
    return content_count(op, out_content(op, slot));
}

static double uniform(sl_random *r, double low, double high)
{
    return low + (high - low) * sl_random_unit(r);
}

static void fill(float *a, size_t n, sl_random *r, double low, double high)
{
    for (size_t i = 0; i < n; i++)
        a[i] = (float)uniform(r, low, high);
}

/* -1..-0.5 and 0.5..1 in turns, within a plane and from image to image. */
static void fill_two_clusters(float *a, const sl_desc *d, sl_random *r)
{
    size_t plane = (size_t)d->h * (size_t)d->w, image = (size_t)d->c * plane;
    for (size_t i = 0; i < activation_count(d); i++) {
        double size = uniform(r, 0.5, 1);
        a[i] = (float)((i / image + i % plane) % 2 ? size : -size);
    }
}

/* What ReLU leaves: zeros and positive numbers. */
static void fill_rectified(float *a, size_t n, sl_random *r)
{
    for (size_t i = 0; i < n; i++)
        a[i] = (float)fmax(0, uniform(r, -1, 1));
}

/* Rows that sum to 1, with zeros in them. */
static void fill_distributions(float *a, size_t rows, size_t classes, sl_random *r)
{
    for (size_t n = 0; n < rows; n++, a += classes) {
        double sum = 0;
        fill_rectified(a, classes, r);
        a[sl_random_below(r, (uint32_t)classes)] += 1;
        for (size_t k = 0; k < classes; k++)
            sum += (double)a[k];
        for (size_t k = 0; k < classes; k++)
            a[k] = (float)((double)a[k] / sum);
    }
}

/* NORM_BWD's mean and inv_std as NORM left them for this x. */
static void fill_statistics(const sl_op *op, const float *x, float *mean, float *inv_std)
{
    size_t plane = (size_t)op->x.h * (size_t)op->x.w, channels = (size_t)op->x.c;
    double m = (double)op->x.n * (double)plane;
    for (size_t c = 0; c < channels; c++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < activation_count(&op->x); i++) {
            double v = i / plane % channels == c ? (double)x[i] : 0;
            sum += v;
            squares += v * v;
        }
        mean[c] = (float)(sum / m);
        inv_std[c] = (float)(1 / sqrt(squares / m - sum / m * (sum / m) + (double)SL_NORM_EPS));
    }
}

static void fill_input(const sl_op *op, int slot, float *a, uint64_t seed)
{
    sl_random r = sl_random_stream(seed, SL_RANDOM_TEST, (uint32_t)op->kind, (uint32_t)slot);
    size_t n = op_in_count(op, slot);
    bool norm = op->kind == SL_OP_NORM, norm_bwd = op->kind == SL_OP_NORM_BWD;
    if ((norm && slot == SL_NORM_X) || (norm_bwd && slot == SL_NORM_BWD_X))
        fill_two_clusters(a, &op->x, &r);
    else if ((norm && (slot == SL_NORM_WEIGHT || slot == SL_NORM_RUNNING_VAR)) ||
             (norm_bwd && (slot == SL_NORM_BWD_WEIGHT || slot == SL_NORM_BWD_INV_STD)))
        fill(a, n, &r, 0.5, 1.5);
    else if ((norm_bwd && slot == SL_NORM_BWD_Y) ||
             (op->kind == SL_OP_RELU_BWD && slot == SL_RELU_BWD_Y))
        fill_rectified(a, n, &r);
    else if (op->kind == SL_OP_XENT && slot == SL_XENT_LOGITS)
        fill(a, n, &r, -5, 5);
    else if (op->kind == SL_OP_XENT)
        fill_distributions(a, (size_t)op->x.n, (size_t)op->x.c, &r);
    else
        fill(a, n, &r, -1, 1);
}

sl_status op_data_init(op_data *data, const sl_op *op, uint64_t seed, sl_error *err)
{
    *data = (op_data){ .op = *op };
    sl_status st = SL_OK;
    for (int i = 0; i < SL_OP_MAX_IN && !st; i++) {
        if (op->has_in[i])
            st = sl_alloc(&data->in[i], op_in_count(op, i), sizeof(float), err);
        if (data->in[i])
            fill_input(op, i, data->in[i], seed);
    }
    for (int i = 0; i < SL_OP_MAX_OUT && !st; i++) {
        if (op->has_out[i])
            st = sl_alloc(&data->out[i], op_out_count(op, i), sizeof(float), err);
    }
    if (st)
        op_data_release(data);
    else if (op->kind == SL_OP_NORM_BWD && op->batch_stats)
        fill_statistics(op, data->in[SL_NORM_BWD_X], data->in[SL_NORM_BWD_MEAN],
                        data->in[SL_NORM_BWD_INV_STD]);
    return st;
}

void op_data_release(op_data *data)
{
    for (int i = 0; i < SL_OP_MAX_IN; i++)
        free(data->in[i]);
    for (int i = 0; i < SL_OP_MAX_OUT; i++)
        free(data->out[i]);
    *data = (op_data){ 0 };
}

static sl_layout layout_of(const sl_device *dev, const sl_desc *d)
{
    if (d->h == 1 && d->w == 1)
        return SL_LAYOUT_PLAIN; /* pooled vectors, logits */
    return sl_device_backend(dev)->layout(dev, d->c, d->h, d->w);
}

sl_op op_lay_out(const sl_device *dev, const sl_op *op, unsigned variant)
{
    sl_op laid_out = *op;
    if (!(variant & OP_CASE_PLAIN_X))
        laid_out.x.layout = layout_of(dev, &op->x);
    laid_out.y.layout = layout_of(dev, &op->y);
    return laid_out;
}

/* The layout of a slot's tensor on the device; NULL where it is a plain array of floats. */
static const sl_desc *desc_of(const sl_op *op, content what)
{
    return what == X ? &op->x : what == Y ? &op->y : NULL;
}

/* Zeroed memory for one tensor on the device. */
static sl_status alloc_tensor(void **out, const sl_op *op, content what, sl_error *err)
{
    const sl_desc *desc = desc_of(op, what);
    if (desc)
        return sl_alloc_aligned(out, 1, sl_desc_bytes(desc), err);
    return sl_alloc_aligned(out, content_count(op, what), sizeof(float), err);
}

static size_t tensor_bytes(const sl_op *op, content what)
{
    const sl_desc *desc = desc_of(op, what);
    return desc ? sl_desc_bytes(desc) : content_count(op, what) * sizeof(float);
}

static void pack(const sl_op *op, content what, const float *plain, void *packed)
{
    const sl_desc *desc = desc_of(op, what);
    if (desc)
        sl_activation_pack(desc, plain, packed);
    else
        memcpy(packed, plain, content_count(op, what) * sizeof(float));
}

static void unpack(const sl_op *op, content what, const void *packed, float *plain)
{
    const sl_desc *desc = desc_of(op, what);
    if (desc)
        sl_activation_unpack(desc, packed, plain);
    else
        memcpy(plain, packed, content_count(op, what) * sizeof(float));
}

static sl_status alloc_tensors(op_exec *exec, const op_data *data, sl_error *err)
{
    const sl_op *op = &exec->op;
    sl_status st = SL_OK;
    for (int i = 0; i < SL_OP_MAX_IN && !st; i++) {
        content what = in_content(op, i);
        if (!what)
            continue;
        st = alloc_tensor(&exec->in[i], op, what, err);
        if (!st)
            pack(op, what, data->in[i], exec->in[i]);
    }
    for (int i = 0; i < SL_OP_MAX_OUT && !st; i++) {
        content what = out_content(op, i);
        if (!what)
            continue;
        st = alloc_tensor(&exec->own_out[i], op, what, err);
        exec->out[i] = exec->own_out[i];
        if (!st)
            memset(exec->out[i], 0xff, tensor_bytes(op, what)); /* NaN */
    }
    return st;
}

static sl_status load_parameters(op_exec *exec, sl_error *err)
{
    const void *parameters[SL_OP_MAX_IN] = { NULL };
    for (int i = 0; i < SL_OP_MAX_IN; i++) {
        content what = in_content(&exec->op, i);
        if (what == WEIGHT || what == VECTOR)
            parameters[i] = exec->in[i];
    }
    return exec->backend->load ? exec->backend->load(exec->kernel, parameters, err) : SL_OK;
}

sl_status op_exec_init(op_exec *exec, sl_device *dev, const op_data *data, const sl_op *laid_out,
                       sl_error *err)
{
    *exec = (op_exec){ .op = *laid_out, .backend = sl_device_backend(dev) };
    size_t scratch_bytes = 0;
    sl_status st = alloc_tensors(exec, data, err);
    if (st)
        goto done;
    st = exec->backend->plan(dev, laid_out, &exec->kernel, &scratch_bytes, err);
    if (st)
        goto done;
    st = sl_alloc_aligned(&exec->scratch, 1, scratch_bytes, err);
    if (st)
        goto done;
    st = load_parameters(exec, err);
done:
    if (st)
        op_exec_release(exec);
    return st;
}

void op_exec_share(op_exec *exec, int out, int in)
{
    exec->out[out] = exec->in[in];
}

sl_status op_exec_run(op_exec *exec, sl_error *err)
{
    const void *in[SL_OP_MAX_IN];
    for (int i = 0; i < SL_OP_MAX_IN; i++)
        in[i] = exec->in[i];
    return exec->backend->run(exec->kernel, in, exec->out, exec->scratch, err);
}

void op_exec_read(const op_exec *exec, op_data *data)
{
    for (int i = 0; i < SL_OP_MAX_IN; i++) {
        if (exec->in[i])
            unpack(&exec->op, in_content(&exec->op, i), exec->in[i], data->in[i]);
    }
    for (int i = 0; i < SL_OP_MAX_OUT; i++) {
        if (exec->out[i])
            unpack(&exec->op, out_content(&exec->op, i), exec->out[i], data->out[i]);
    }
}

/* A blocked tensor is what packing its own channels again gives: the padding is zero then. */
static bool padding_is_zero(const sl_desc *desc, const void *packed)
{
    float *plain = NULL;
    void *again = NULL;
    bool zero = false;
    if (!sl_alloc(&plain, activation_count(desc), sizeof *plain, NULL) &&
        !sl_alloc(&again, 1, sl_desc_bytes(desc), NULL)) {
        sl_activation_unpack(desc, packed, plain);
        sl_activation_pack(desc, plain, again);
        zero = memcmp(packed, again, sl_desc_bytes(desc)) == 0;
    }
    free(plain);
    free(again);
    return zero;
}

bool op_exec_padding_is_zero(const op_exec *exec)
{
    for (int i = 0; i < SL_OP_MAX_OUT; i++) {
        const sl_desc *desc = desc_of(&exec->op, out_content(&exec->op, i));
        if (desc && !padding_is_zero(desc, exec->out[i]))
            return false;
    }
    return true;
}

void op_exec_release(op_exec *exec)
{
    if (exec->kernel)
        exec->backend->unplan(exec->kernel);
    for (int i = 0; i < SL_OP_MAX_IN; i++)
        free(exec->in[i]);
    for (int i = 0; i < SL_OP_MAX_OUT; i++)
        free(exec->own_out[i]);
    free(exec->scratch);
    *exec = (op_exec){ 0 };
}

sl_status op_run(op_data *data, sl_device *dev, unsigned variant, sl_error *err)
{
    op_exec exec;
    sl_op laid_out = op_lay_out(dev, &data->op, variant);
    sl_status st = op_exec_init(&exec, dev, data, &laid_out, err);
    if (st)
        return st;
    st = op_exec_run(&exec, err);
    if (!st)
        op_exec_read(&exec, data);
    op_exec_release(&exec);
    return st;
}
