/* Operations whose results were worked out by hand, on every backend: what anchors the reference,
 * which the other tests of this folder compare with. */
#include "ops/cases.h"
#include "ops/harness.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void must(sl_status st, const sl_error *err)
{
    char text[700];
    if (st)
        fail_msg("%s", sl_error_text(err, text, sizeof text));
}

/* The case's i-th operation: 0 is the forward one. */
static op_data make_op(const op_case *c, int i)
{
    sl_op ops[3];
    op_data data;
    sl_error err;
    op_case_ops(c, ops);
    must(op_data_init(&data, &ops[i], 0, &err), &err);
    return data;
}

static op_data make(const op_case *c)
{
    return make_op(c, 0);
}

/* Runs data on the device that the test was given. */
static void run(void **state, op_data *data)
{
    sl_device *dev = NULL;
    sl_error err;
    must(sl_device_open(&dev, *state, 1, &err), &err);
    must(op_run(data, dev, 0, &err), &err);
    sl_device_close(dev);
}

static void set(float *to, const float *from, size_t n)
{
    memcpy(to, from, n * sizeof *to);
}

static void expect(const char *what, const float *got, const double *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!(fabs((double)got[i] - want[i]) <= 4 * (double)FLT_EPSILON * fmax(1, fabs(want[i]))))
            fail_msg("%s[%zu] is %.9g, expected %.9g", what, i, (double)got[i], want[i]);
    }
}

/* Each output takes part of the kernel: at the top left, only taps (1,1), (1,2), (2,1), (2,2). */
static void convolution(void **state)
{
    const op_case c = { .kind = SL_OP_CONV,
                        .n = 1,
                        .c = 1,
                        .h = 3,
                        .w = 3,
                        .k = 1,
                        .kernel = 3,
                        .stride = 2,
                        .pad = 1,
                        .variant = OP_CASE_BIAS | OP_CASE_RESIDUAL | OP_CASE_RELU };
    const float x[9] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 }, weight[9] = { 1, 0, 2, 0, 3, 0, 4, 0, 0 };
    const float bias[1] = { 0.5f }, residual[4] = { -10, 1, 0, -40 };
    /* convolution 3, 3*3 + 4*5 = 29, 2*5 + 3*7 = 31, 5 + 3*9 = 32 */
    const double y[4] = { 0, 30.5, 31.5, 0 };
    op_data data = make(&c);
    set(data.in[SL_CONV_X], x, 9);
    set(data.in[SL_CONV_WEIGHT], weight, 9);
    set(data.in[SL_CONV_BIAS], bias, 1);
    set(data.in[SL_CONV_RESIDUAL], residual, 4);
    run(state, &data);
    expect("y", data.out[0], y, 4);
    op_data_release(&data);
}

/* One channel, two images: 1, 3 and 5, 7. Mean 4, biased variance 5, unbiased 20/3. */
static void batch_norm(void **state)
{
    const op_case c = { .kind = SL_OP_NORM,
                        .n = 2,
                        .c = 1,
                        .h = 1,
                        .w = 2,
                        .variant = OP_CASE_BATCH_STATS | OP_CASE_RELU };
    const float x[4] = { 1, 3, 5, 7 }, weight[1] = { 2 }, bias[1] = { 1 };
    const float running_mean[1] = { 1 }, running_var[1] = { 2 };
    const double s = 1 / sqrt(5 + 1e-5), mean[1] = { 4 }, inv_std[1] = { s };
    const double y[4] = { 0, 1 - 2 * s, 1 + 2 * s, 1 + 6 * s };
    const double new_mean[1] = { 0.9 * 1 + 0.1 * 4 }, new_var[1] = { 0.9 * 2 + 0.1 * 20 / 3 };
    op_data data = make(&c);
    set(data.in[SL_NORM_X], x, 4);
    set(data.in[SL_NORM_WEIGHT], weight, 1);
    set(data.in[SL_NORM_BIAS], bias, 1);
    set(data.in[SL_NORM_RUNNING_MEAN], running_mean, 1);
    set(data.in[SL_NORM_RUNNING_VAR], running_var, 1);
    run(state, &data);
    expect("y", data.out[SL_NORM_Y], y, 4);
    expect("mean", data.out[SL_NORM_MEAN], mean, 1);
    expect("inv_std", data.out[SL_NORM_INV_STD], inv_std, 1);
    expect("running mean", data.in[SL_NORM_RUNNING_MEAN], new_mean, 1);
    expect("running variance", data.in[SL_NORM_RUNNING_VAR], new_var, 1);
    op_data_release(&data);
}

/* Sets one input, runs, and compares the first output. */
static void check_unary(void **state, op_data *data, const float *x, size_t n, const double *y,
                        size_t m)
{
    set(data->in[0], x, n);
    run(state, data);
    expect("y", data->out[0], y, m);
    op_data_release(data);
}

/* The last row and column belong to no window; of two sevens the first has the gradient. */
static void max_pooling(void **state)
{
    const op_case c = { .kind = SL_OP_MAX_POOL, .n = 1, .c = 1, .h = 3, .w = 5 };
    const float x[15] = { 1, 2, 3, 4, 9, 5, 0, 7, 7, 9, 9, 9, 9, 9, 9 }, dy[2] = { 10, 20 };
    const double y[2] = { 5, 7 }, dx[15] = { [5] = 10, [7] = 20 };
    op_data forward = make(&c), backward = make_op(&c, 1);
    check_unary(state, &forward, x, 15, y, 2);
    set(backward.in[SL_MAX_POOL_BWD_X], x, 15);
    check_unary(state, &backward, dy, 2, dx, 15);
}

static void average_pooling(void **state)
{
    const op_case c = { .kind = SL_OP_AVG_POOL, .n = 1, .c = 1, .h = 2, .w = 3 };
    const float x[6] = { 1, 2, 100, 3, 6, 100 }, dy[1] = { 8 };
    const double y[1] = { 3 }, dx[6] = { 2, 2, 0, 2, 2, 0 };
    op_data forward = make(&c), backward = make_op(&c, 1);
    check_unary(state, &forward, x, 6, y, 1);
    check_unary(state, &backward, dy, 1, dx, 6);
}

/* From pixel (1, 1) on: of three rows and columns, only the second; y has zeros beyond. */
static void subsampling(void **state)
{
    const op_case c = { .kind = SL_OP_SUBSAMPLE, .n = 1, .c = 1, .h = 3, .w = 3, .pad = 1 };
    const float x[9] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 }, dy[4] = { 1, 2, 3, 4 };
    const double y[4] = { 5, 0, 0, 0 }, dx[9] = { [4] = 1 };
    op_data forward = make(&c), backward = make_op(&c, 1);
    check_unary(state, &forward, x, 9, y, 4);
    check_unary(state, &backward, dy, 4, dx, 9);
}

static void shake(void **state)
{
    const op_case c = {
        .kind = SL_OP_SHAKE, .n = 2, .c = 1, .h = 1, .w = 1, .variant = OP_CASE_RESIDUAL
    };
    const float a[2] = { 4, 8 }, b[2] = { 8, 4 }, share[2] = { 0.25f, 1 }, residual[2] = { 1, -1 };
    const float dy[2] = { 4, 2 };
    const double y[2] = { 1 + 6 + 1, 8 + 0 - 1 }, da[2] = { 1, 2 }, db[2] = { 3, 0 };
    op_data forward = make(&c), backward = make_op(&c, 1);
    set(forward.in[SL_SHAKE_B], b, 2);
    set(forward.in[SL_SHAKE_ALPHA], share, 2);
    set(forward.in[SL_SHAKE_RESIDUAL], residual, 2);
    check_unary(state, &forward, a, 2, y, 2);
    set(backward.in[SL_SHAKE_BWD_DY], dy, 2);
    set(backward.in[SL_SHAKE_BWD_BETA], share, 2);
    run(state, &backward);
    expect("da", backward.out[SL_SHAKE_BWD_DA], da, 2);
    expect("db", backward.out[SL_SHAKE_BWD_DB], db, 2);
    op_data_release(&backward);
}

/* SplitMix64's first five numbers from seed 0 begin with E2, 6E, 06, F8, 1B: half of 256 keeps the
 * first and the fourth. Numbers are counted in plain order, whatever the layout. */
static void dropout(void **state)
{
    const op_case c = { .kind = SL_OP_DROPOUT, .n = 1, .c = 5, .h = 1, .w = 1 };
    const float x[5] = { 1, 2, 3, 4, 5 }, key[2] = { 0 };
    const double y[5] = { 2, 0, 0, 8, 0 };
    for (int i = 0; i < 2; i++) { /* the way back is the same */
        op_data data = make_op(&c, i);
        data.op.rate = 0.5f;
        set(data.in[SL_DROPOUT_KEY], key, 2);
        check_unary(state, &data, x, 5, y, 5);
    }
}

/* b has the first of two channels. */
static void sum_with_fewer_channels(void **state)
{
    const op_case c = {
        .kind = SL_OP_ADD, .n = 1, .c = 2, .h = 1, .w = 2, .variant = OP_CASE_NARROW | OP_CASE_RELU
    };
    const float a[4] = { 1, 2, -3, 4 }, b[2] = { 10, -20 };
    const double y[4] = { 11, 0, 0, 4 };
    op_data data = make(&c);
    set(data.in[1], b, 2);
    check_unary(state, &data, a, 4, y, 4);
}

static op_data make_xent(int n, int classes, const float *logits, const float *target)
{
    const op_case c = { .kind = SL_OP_XENT, .n = n, .c = classes, .h = 1, .w = 1 };
    op_data data = make(&c);
    set(data.in[SL_XENT_LOGITS], logits, (size_t)n * (size_t)classes);
    set(data.in[SL_XENT_TARGET], target, (size_t)n * (size_t)classes);
    return data;
}

/* Gradients are of the mean over the batch, losses are not. */
static void cross_entropy(void **state)
{
    const float logits[6] = { 0, 0, 0, 1, 2, 3 };
    const float target[6] = { 1, 0, 0, 0.25f, 0.25f, 0.5f };
    const double e = exp(1), z = 1 + e + e * e, log_z = 1 + log(z);
    const double loss[2] = { log(3), log_z - (0.25 * 1 + 0.25 * 2 + 0.5 * 3) };
    const double d_logits[6] = {
        (1.0 / 3 - 1) / 2,    1.0 / 6, 1.0 / 6, (1 / z - 0.25) / 2, (e / z - 0.25) / 2,
        (e * e / z - 0.5) / 2
    };
    op_data data = make_xent(2, 3, logits, target);
    run(state, &data);
    expect("loss", data.out[SL_XENT_LOSS], loss, 2);
    expect("d_logits", data.out[SL_XENT_D_LOGITS], d_logits, 6);
    op_data_release(&data);
}

/* exp(1e4) and exp(-1e4) are out of any float's range. */
static void cross_entropy_of_huge_logits(void **state)
{
    const float logits[8] = { 1e4f, 0, 1e4f, 0, -1e4f, -1e4f, 1e38f, -1e38f };
    const float target[8] = { 1, 0, 0, 1, 0.5f, 0.5f, 0, 1 };
    const double loss[4] = { 0, 1e4, log(2), 2e38 };
    const double d_logits[8] = { 0, 0, 0.25, -0.25, 0, 0, 0.25, -0.25 };
    op_data data = make_xent(4, 2, logits, target);
    run(state, &data);
    expect("loss", data.out[SL_XENT_LOSS], loss, 4);
    expect("d_logits", data.out[SL_XENT_D_LOGITS], d_logits, 8);
    op_data_release(&data);
}

/* A row without any mass weighs nothing; one of mass 2 counts twice. */
static void cross_entropy_of_rows_of_other_mass(void **state)
{
    const float logits[4] = { 3, -1, 0, 0 }, target[4] = { 0, 0, 2, 0 };
    const double loss[2] = { 0, 2 * log(2) }, d_logits[4] = { 0, 0, -0.5, 0.5 };
    op_data data = make_xent(2, 2, logits, target);
    run(state, &data);
    expect("loss", data.out[SL_XENT_LOSS], loss, 2);
    expect("d_logits", data.out[SL_XENT_D_LOGITS], d_logits, 4);
    op_data_release(&data);
}

/* Evaluation wants losses only. */
static void cross_entropy_without_gradient(void **state)
{
    const float logits[2] = { 0, 0 }, target[2] = { 0.5f, 0.5f };
    const double loss[1] = { log(2) };
    op_data data = make_xent(1, 2, logits, target);
    data.op.has_out[SL_XENT_D_LOGITS] = false;
    run(state, &data);
    expect("loss", data.out[SL_XENT_LOSS], loss, 1);
    op_data_release(&data);
}

#define ON(test, device)                              \
    {                                                 \
#test " on " device, test, NULL, NULL, device \
    }
#define ON_BOTH(test) ON(test, "ref"), ON(test, "cpu")

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(convolution),
        ON_BOTH(batch_norm),
        ON_BOTH(max_pooling),
        ON_BOTH(average_pooling),
        ON_BOTH(subsampling),
        ON_BOTH(shake),
        ON_BOTH(dropout),
        ON_BOTH(sum_with_fewer_channels),
        ON_BOTH(cross_entropy),
        ON_BOTH(cross_entropy_of_huge_logits),
        ON_BOTH(cross_entropy_of_rows_of_other_mass),
        ON_BOTH(cross_entropy_without_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
