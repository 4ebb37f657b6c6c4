#include "ops/harness.h"

#include "base/memory.h"
#include "nn/bf16.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a slot holds. */
typedef enum {
    NOTHING,
    X,         /* activation of the shape of op.x */
    Y,         /* activation of the shape of op.y */
    RESIDUAL,  /* the same with residual_c channels */
    WEIGHT,    /* parameter (k,c,r,r) or (k,c) */
    VECTOR,    /* parameter, a number a channel (out) */
    STATISTIC, /* a number a channel, no parameter */
    LOSS,      /* a number an image */
    SHARE,     /* the same, a weight */
    KEY,       /* 64 bits, as two floats of any bits */
} content;

typedef struct {
    unsigned char in[SL_OP_MAX_IN], out[SL_OP_MAX_OUT]; /* content */
} slots;

/* In the order of the slots in nn/backend.h. */
static const slots slots_of[SL_OP_COUNT] = {
    [SL_OP_CONV] = { { X, WEIGHT, VECTOR, RESIDUAL }, { Y } },
    [SL_OP_CONV_BWD_DATA] = { { Y, WEIGHT }, { X } },
    [SL_OP_CONV_BWD_WEIGHTS] = { { X, Y }, { WEIGHT, VECTOR } },
    [SL_OP_NORM] = { { X, RESIDUAL, VECTOR, VECTOR, VECTOR, VECTOR, STATISTIC, STATISTIC },
                     { Y, STATISTIC, STATISTIC, STATISTIC } },
    [SL_OP_NORM_AGAIN] = { { X, VECTOR, VECTOR, STATISTIC, STATISTIC, RESIDUAL }, { Y } },
    [SL_OP_NORM_BWD] = { { Y, Y, X, Y, VECTOR, STATISTIC, STATISTIC, X, VECTOR, STATISTIC,
                           STATISTIC },
                         { X, RESIDUAL, VECTOR, VECTOR, STATISTIC, STATISTIC } },
    [SL_OP_RELU] = { { X }, { Y } },
    [SL_OP_RELU_BWD] = { { Y, Y, Y }, { X } },
    [SL_OP_ADD] = { { X, RESIDUAL }, { Y } },
    [SL_OP_MAX_POOL] = { { X }, { Y } },
    [SL_OP_MAX_POOL_BWD] = { { Y, X }, { X } },
    [SL_OP_AVG_POOL] = { { X }, { Y } },
    [SL_OP_AVG_POOL_BWD] = { { Y }, { X } },
    [SL_OP_SUBSAMPLE] = { { X }, { Y } },
    [SL_OP_SUBSAMPLE_BWD] = { { Y }, { X } },
    [SL_OP_SHAKE] = { { X, X, SHARE, RESIDUAL }, { Y } },
    [SL_OP_SHAKE_BWD] = { { Y, SHARE }, { X, X } },
    [SL_OP_DROPOUT] = { { X, KEY }, { Y } },
    [SL_OP_DROPOUT_BWD] = { { Y, KEY }, { X } },
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

/* Of a slot that holds an activation; false for plain arrays of floats. */
static bool activation_desc(const sl_op *op, content what, sl_desc *out)
{
    *out = what == X ? op->x : op->y;
    if (what == RESIDUAL)
        out->c = sl_op_residual_c(op);
    return what == X || what == Y || what == RESIDUAL;
}

static size_t activation_count(const sl_desc *d)
{
    return (size_t)d->n * (size_t)d->c * (size_t)d->h * (size_t)d->w;
}

static size_t content_count(const sl_op *op, content what)
{
    size_t taps = op->kernel ? (size_t)op->kernel * (size_t)op->kernel : 1;
    sl_desc desc;
    switch (what) {
    case NOTHING:
        return 0;
    case X:
    case Y:
    case RESIDUAL:
        activation_desc(op, what, &desc);
        return activation_count(&desc);
    case WEIGHT:
        return (size_t)op->y.c * (size_t)op->x.c * taps;
    case VECTOR:
    case STATISTIC:
        return (size_t)op->y.c;
    case LOSS:
    case SHARE:
        return (size_t)op->x.n;
    case KEY:
        return sizeof(uint64_t) / sizeof(float);
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
    bool again = op->kind == SL_OP_NORM_AGAIN;
    if ((again && slot == SL_NORM_AGAIN_X) || (norm && slot == SL_NORM_X) ||
        (norm_bwd && slot == SL_NORM_BWD_X))
        fill_two_clusters(a, &op->x, &r);
    else if ((norm && (slot == SL_NORM_WEIGHT || slot == SL_NORM_RUNNING_VAR ||
                       slot == SL_NORM_KNOWN_VAR)) ||
             (again && (slot == SL_NORM_AGAIN_WEIGHT || slot == SL_NORM_AGAIN_INV_STD)) ||
             (norm_bwd && (slot == SL_NORM_BWD_WEIGHT || slot == SL_NORM_BWD_INV_STD)))
        fill(a, n, &r, 0.5, 1.5);
    else if ((norm_bwd && slot == SL_NORM_BWD_Y) ||
             (op->kind == SL_OP_RELU_BWD && slot == SL_RELU_BWD_Y))
        fill_rectified(a, n, &r);
    else if (in_content(op, slot) == SHARE)
        fill(a, n, &r, 0, 1);
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

/* The classifier at the end works on plain float32: what is pooled, logits, targets. */
static bool is_plain(const sl_op *op, content what)
{
    bool pool = op->kind == SL_OP_GLOBAL_POOL || op->kind == SL_OP_GLOBAL_POOL_BWD;
    bool classifier =
        op->kind == SL_OP_LINEAR || op->kind == SL_OP_LINEAR_BWD || op->kind == SL_OP_XENT;
    return classifier || (pool && what == Y);
}

sl_op op_lay_out(const sl_device *dev, const sl_op *op, unsigned variant)
{
    sl_op laid_out = *op;
    sl_desc *const descs[2] = { &laid_out.x, &laid_out.y };
    for (int i = 0; i < 2; i++) {
        sl_desc *d = descs[i];
        content what = i == 0 ? X : Y;
        if (is_plain(op, what))
            continue;
        if (what == Y || !(variant & OP_CASE_PLAIN_X))
            d->layout = sl_device_backend(dev)->layout(dev, d->c, d->h, d->w);
        if (variant & OP_CASE_BF16)
            d->dtype = SL_DTYPE_BF16;
    }
    return laid_out;
}

static bool reads_weights(const sl_op *op)
{
    return op->kind == SL_OP_CONV || op->kind == SL_OP_CONV_BWD_DATA;
}

void op_data_round(op_data *data)
{
    const sl_op *op = &data->op;
    for (int i = 0; i < SL_OP_MAX_IN; i++) {
        content what = in_content(op, i);
        sl_desc desc;
        bool rounded = activation_desc(op, what, &desc) ? !is_plain(op, what)
                                                        : what == WEIGHT && reads_weights(op);
        for (size_t j = 0; rounded && j < op_in_count(op, i); j++)
            data->in[i][j] = sl_bf16_to_float(sl_bf16_from_float(data->in[i][j]));
    }
}

static size_t tensor_bytes(const sl_op *op, content what)
{
    sl_desc desc;
    return activation_desc(op, what, &desc) ? sl_desc_bytes(&desc)
                                            : content_count(op, what) * sizeof(float);
}

bool op_out_is_bf16(const sl_op *op, int slot)
{
    sl_desc desc;
    return activation_desc(op, out_content(op, slot), &desc) && desc.dtype == SL_DTYPE_BF16;
}

bool op_is_optional(const sl_op *op)
{
    return (op->kind == SL_OP_NORM && op->has_out[SL_NORM_VAR]) ||
           (op->kind == SL_OP_NORM_BWD && op->has_out[SL_NORM_BWD_SLOPE_OUT]);
}

bool op_may_share(const sl_op *op, int out, int in)
{
    return op->has_out[out] && op->has_in[in] && sl_op_may_alias(op, out, in) &&
           tensor_bytes(op, out_content(op, out)) == tensor_bytes(op, in_content(op, in));
}

static void pack(const sl_op *op, content what, const float *plain, void *packed)
{
    sl_desc desc;
    if (activation_desc(op, what, &desc))
        sl_activation_pack(&desc, plain, packed);
    else
        memcpy(packed, plain, content_count(op, what) * sizeof(float));
}

static void unpack(const sl_op *op, content what, const void *packed, float *plain)
{
    sl_desc desc;
    if (activation_desc(op, what, &desc))
        sl_activation_unpack(&desc, packed, plain);
    else
        memcpy(plain, packed, content_count(op, what) * sizeof(float));
}

/* What lies in memory before a tensor is written to it: a wider activation's other channels hold
 * some number, outputs NaN, as float32 and as bfloat16. */
enum { OTHERS = 0x3f, NANS = 0xff };

static sl_status alloc_tensors(op_exec *exec, sl_device *dev, const op_data *data, sl_error *err)
{
    const sl_op *op = &exec->op;
    sl_status st = SL_OK;
    for (int i = 0; i < SL_OP_MAX_IN && !st; i++) {
        content what = in_content(op, i);
        if (!what)
            continue;
        st = sl_region_create(&exec->in[i], dev, tensor_bytes(op, what), err);
        if (st)
            break;
        memset(exec->in[i].host, OTHERS, tensor_bytes(op, what));
        pack(op, what, data->in[i], exec->in[i].host);
        st = sl_region_push(&exec->in[i], err);
    }
    for (int i = 0; i < SL_OP_MAX_OUT && !st; i++) {
        content what = out_content(op, i);
        if (!what)
            continue;
        st = sl_region_create(&exec->own_out[i], dev, tensor_bytes(op, what), err);
        exec->out[i] = &exec->own_out[i];
        if (st)
            break;
        memset(exec->own_out[i].host, NANS, tensor_bytes(op, what));
        st = sl_region_push(&exec->own_out[i], err);
    }
    return st;
}

static sl_status load_parameters(op_exec *exec, sl_error *err)
{
    const void *parameters[SL_OP_MAX_IN] = { NULL };
    for (int i = 0; i < SL_OP_MAX_IN; i++) {
        content what = in_content(&exec->op, i);
        if (what == WEIGHT || what == VECTOR)
            parameters[i] = exec->in[i].device;
    }
    return exec->backend->load ? exec->backend->load(exec->kernel, parameters, err) : SL_OK;
}

sl_status op_exec_init(op_exec *exec, sl_device *dev, const op_data *data, const sl_op *laid_out,
                       sl_error *err)
{
    *exec = (op_exec){ .op = *laid_out, .backend = sl_device_backend(dev) };
    size_t scratch_bytes = 0;
    sl_status st = alloc_tensors(exec, dev, data, err);
    if (st)
        goto done;
    st = exec->backend->plan(dev, laid_out, &exec->kernel, &scratch_bytes, err);
    if (st)
        goto done;
    st = sl_region_create_inside(&exec->scratch, dev, scratch_bytes, err);
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
    exec->out[out] = &exec->in[in];
}

sl_status op_exec_run(op_exec *exec, sl_error *err)
{
    const void *in[SL_OP_MAX_IN];
    void *out[SL_OP_MAX_OUT];
    for (int i = 0; i < SL_OP_MAX_IN; i++)
        in[i] = exec->in[i].device;
    for (int i = 0; i < SL_OP_MAX_OUT; i++)
        out[i] = exec->out[i] ? exec->out[i]->device : NULL;
    return exec->backend->run(exec->kernel, in, out, exec->scratch.device, err);
}

sl_status op_exec_read(const op_exec *exec, op_data *data, sl_error *err)
{
    sl_status st = SL_OK;
    for (int i = 0; i < SL_OP_MAX_IN && !st; i++) {
        if (!exec->in[i].host)
            continue;
        st = sl_region_pull(&exec->in[i], err);
        unpack(&exec->op, in_content(&exec->op, i), exec->in[i].host, data->in[i]);
    }
    for (int i = 0; i < SL_OP_MAX_OUT && !st; i++) {
        if (!exec->out[i])
            continue;
        st = sl_region_pull(exec->out[i], err);
        unpack(&exec->op, out_content(&exec->op, i), exec->out[i]->host, data->out[i]);
    }
    return st;
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

/* Of what else memory holds of a wider activation, whole blocks (plain: channels) are as they were,
 * and the rest of the last block is no NaN. */
static bool others_are_left(const sl_desc *desc, const void *packed, int before)
{
    sl_desc all = *desc;
    all.c = sl_desc_stored(desc);
    all.stored = 0;
    float *plain = NULL;
    size_t pixels = (size_t)all.h * (size_t)all.w, c0 = (size_t)desc->c, c1 = (size_t)all.c;
    size_t block = (size_t)sl_layout_block(desc->layout);
    size_t untouched = (c0 + block - 1) / block * block;
    bool left = !sl_alloc(&plain, activation_count(&all), sizeof *plain, NULL);
    if (left)
        sl_activation_unpack(&all, packed, plain);
    for (size_t i = 0; left && i < activation_count(&all); i++) {
        size_t c = i / pixels % c1;
        uint32_t bits;
        memcpy(&bits, &plain[i], sizeof bits);
        if (c >= untouched)
            left = (int)(bits >> 16 & 0xff) == before;
        else if (c >= c0)
            left = !isnan(plain[i]);
    }
    free(plain);
    return left;
}

bool op_exec_others_are_right(const op_exec *exec)
{
    for (int i = 0; i < SL_OP_MAX_OUT; i++) {
        sl_desc desc;
        if (!activation_desc(&exec->op, out_content(&exec->op, i), &desc))
            continue;
        bool own = exec->out[i] == &exec->own_out[i];
        const void *packed = exec->out[i]->host;
        bool right = sl_desc_stored(&desc) == desc.c
                         ? padding_is_zero(&desc, packed)
                         : others_are_left(&desc, packed, own ? NANS : OTHERS);
        if (!right)
            return false;
    }
    return true;
}

void op_exec_release(op_exec *exec)
{
    if (exec->kernel)
        exec->backend->unplan(exec->kernel);
    for (int i = 0; i < SL_OP_MAX_IN; i++)
        sl_region_release(&exec->in[i]);
    for (int i = 0; i < SL_OP_MAX_OUT; i++)
        sl_region_release(&exec->own_out[i]);
    sl_region_release(&exec->scratch);
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
        st = op_exec_read(&exec, data, err);
    op_exec_release(&exec);
    return st;
}
