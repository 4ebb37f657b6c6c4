/* Every backward operation of the reference backend against finite differences of its forward one.
 *
 * For a loss L = sum_i p_i y_i with random p, the backward operation fed with dy = p must give
 * dL/dt for each tensor t that goes in. Along a direction v the derivative is approximated by the
 * five-point rule, whose error is of order h^4:
 *
 *     D5 = (8 (L(h) - L(-h)) - (L(2h) - L(-2h))) / 12h        L(a) is the loss at t + a v
 *
 * The tolerance is the sum of what can be wrong with D5 itself:
 *  - y is rounded to float: each y_i that changes with t contributes noise of standard deviation
 *    |p_i y_i| eps/sqrt(12) to each L, and D5 passes on sqrt(130)/12h of it;
 *  - t + a v is rounded to float: the same with the derivative in the place of p;
 *  - truncation: the five-point rule is far closer than the three-point rule D3, so a part of
 *    |D5 - D3| bounds it. It is 0 for all linear operations.
 * ReLU's kink would spoil differences. Fused behind a norm, the loss is taken of the values before
 * it, with p masked as ReLU masks at the point in question; alone, its inputs keep away from 0. So
 * do the differences between the numbers that max pooling compares. */
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

enum {
    COORDINATES = 6,           /* single numbers of a tensor that are tried */
    DIRECTIONS = 2,            /* random directions that move all of a tensor */
    MAX_FORWARD_COST = 300000, /* multiply-adds: the forward pass runs some dozens of times */
};
static const double SIGMAS = 6, TRUNCATION_SHARE = 0.5;

/* Which output of which operation is the gradient of which forward input. */
static const struct {
    sl_op_kind backward;
    int gradient, forward_in;
} gradients[] = {
    { SL_OP_CONV_BWD_DATA, 0, SL_CONV_X },
    { SL_OP_CONV_BWD_WEIGHTS, 0, SL_CONV_WEIGHT },
    { SL_OP_CONV_BWD_WEIGHTS, 1, SL_CONV_BIAS },
    { SL_OP_NORM_BWD, SL_NORM_BWD_DX, SL_NORM_X },
    { SL_OP_NORM_BWD, SL_NORM_BWD_D_RESIDUAL, SL_NORM_RESIDUAL },
    { SL_OP_NORM_BWD, SL_NORM_BWD_D_WEIGHT, SL_NORM_WEIGHT },
    { SL_OP_NORM_BWD, SL_NORM_BWD_D_BIAS, SL_NORM_BIAS },
    { SL_OP_RELU_BWD, 0, 0 },
    { SL_OP_MAX_POOL_BWD, 0, 0 },
    { SL_OP_AVG_POOL_BWD, 0, 0 },
    { SL_OP_SUBSAMPLE_BWD, 0, 0 },
    { SL_OP_SHAKE_BWD, SL_SHAKE_BWD_DA, SL_SHAKE_A },
    { SL_OP_SHAKE_BWD, SL_SHAKE_BWD_DB, SL_SHAKE_B },
    { SL_OP_DROPOUT_BWD, 0, SL_DROPOUT_X },
    { SL_OP_GLOBAL_POOL_BWD, 0, 0 },
    { SL_OP_LINEAR_BWD, SL_LINEAR_BWD_DX, SL_LINEAR_X },
    { SL_OP_LINEAR_BWD, SL_LINEAR_BWD_D_WEIGHT, SL_LINEAR_WEIGHT },
    { SL_OP_LINEAR_BWD, SL_LINEAR_BWD_D_BIAS, SL_LINEAR_BIAS },
    { SL_OP_XENT, SL_XENT_D_LOGITS, SL_XENT_LOGITS },
};

/* Where a backward operation's inputs come from; those not listed are drawn at random. */
static const struct {
    sl_op_kind backward;
    int in;
    bool is_output; /* of the forward operation, else an input */
    int forward;
} sources[] = {
    { SL_OP_CONV_BWD_DATA, SL_CONV_BWD_DATA_WEIGHT, false, SL_CONV_WEIGHT },
    { SL_OP_CONV_BWD_WEIGHTS, SL_CONV_BWD_WEIGHTS_X, false, SL_CONV_X },
    { SL_OP_NORM_BWD, SL_NORM_BWD_X, false, SL_NORM_X },
    { SL_OP_NORM_BWD, SL_NORM_BWD_Y, true, SL_NORM_Y },
    { SL_OP_NORM_BWD, SL_NORM_BWD_WEIGHT, false, SL_NORM_WEIGHT },
    { SL_OP_NORM_BWD, SL_NORM_BWD_BIAS, false, SL_NORM_BIAS },
    { SL_OP_NORM_BWD, SL_NORM_BWD_MEAN, true, SL_NORM_MEAN },
    { SL_OP_NORM_BWD, SL_NORM_BWD_INV_STD, true, SL_NORM_INV_STD },
    { SL_OP_RELU_BWD, SL_RELU_BWD_Y, true, 0 },
    { SL_OP_MAX_POOL_BWD, SL_MAX_POOL_BWD_X, false, 0 },
    { SL_OP_SHAKE_BWD, SL_SHAKE_BWD_BETA, false, SL_SHAKE_ALPHA }, /* else it is no gradient */
    { SL_OP_DROPOUT_BWD, SL_DROPOUT_KEY, false, SL_DROPOUT_KEY },
    { SL_OP_LINEAR_BWD, SL_LINEAR_BWD_X, false, SL_LINEAR_X },
    { SL_OP_LINEAR_BWD, SL_LINEAR_BWD_WEIGHT, false, SL_LINEAR_WEIGHT },
};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static sl_device *ref;

static void must(sl_status st, const sl_error *err)
{
    char text[700];
    if (st)
        fail_msg("%s", sl_error_text(err, text, sizeof text));
}

static void run(op_data *data)
{
    sl_error err;
    must(op_run(data, ref, 0, &err), &err);
}

static op_data make(const sl_op *op, uint64_t seed)
{
    op_data data;
    sl_error err;
    must(op_data_init(&data, op, seed, &err), &err);
    return data;
}

/* The slots that feed a backward operation with the gradient of y. */
static int dy_slot(sl_op_kind backward)
{
    switch (backward) {
    case SL_OP_CONV_BWD_DATA:
        return SL_CONV_BWD_DATA_DY;
    case SL_OP_CONV_BWD_WEIGHTS:
        return SL_CONV_BWD_WEIGHTS_DY;
    case SL_OP_NORM_BWD:
        return SL_NORM_BWD_DY;
    case SL_OP_RELU_BWD:
        return SL_RELU_BWD_DY;
    case SL_OP_LINEAR_BWD:
        return SL_LINEAR_BWD_DY;
    default:
        return 0;
    }
}

static int dy2_slot(sl_op_kind backward)
{
    return backward == SL_OP_NORM_BWD   ? SL_NORM_BWD_DY2
           : backward == SL_OP_RELU_BWD ? SL_RELU_BWD_DY2
                                        : -1;
}

/* p: what L weighs the forward operation's first output with. forward has run. */
static double *projection(const op_data *forward, const op_data *backward)
{
    size_t n = op_out_count(&forward->op, 0);
    double *p = test_calloc(n, sizeof *p);
    if (backward->op.kind == SL_OP_XENT) { /* the mean of the losses */
        for (size_t i = 0; i < n; i++)
            p[i] = 1 / (double)n;
        return p;
    }
    int second = dy2_slot(backward->op.kind);
    const float *dy = backward->in[dy_slot(backward->op.kind)];
    const float *dy2 = second >= 0 ? backward->in[second] : NULL;
    const float *y =
        backward->op.kind == SL_OP_NORM_BWD && backward->op.relu ? forward->out[SL_NORM_Y] : NULL;
    for (size_t i = 0; i < n; i++)
        p[i] = y && y[i] <= 0 ? 0 : (double)dy[i] + (dy2 ? (double)dy2[i] : 0);
    return p;
}

/* The forward outputs with in-slot slot set to t + a v. */
static void forward_at(op_data *forward, int slot, const float *t, const float *v, double a,
                       float *y)
{
    for (size_t i = 0; i < op_in_count(&forward->op, slot); i++)
        forward->in[slot][i] = (float)((double)t[i] + a * (double)v[i]);
    run(forward);
    memcpy(y, forward->out[0], op_out_count(&forward->op, 0) * sizeof *y);
}

/* L(a) - L(-a). Outputs that don't change cancel exactly. *noise grows by the variance of its
 * rounding. */
static double loss_difference(op_data *forward, int slot, const float *t, const float *v, double a,
                              const double *p, double *noise)
{
    size_t n = op_out_count(&forward->op, 0);
    float *plus = test_malloc(n * sizeof *plus), *minus = test_malloc(n * sizeof *minus);
    double difference = 0;
    forward_at(forward, slot, t, v, a, plus);
    forward_at(forward, slot, t, v, -a, minus);
    *noise = 0;
    for (size_t i = 0; i < n; i++) {
        double sd = p[i] * (double)plus[i] * (double)FLT_EPSILON;
        difference += p[i] * ((double)plus[i] - (double)minus[i]);
        *noise += plus[i] != minus[i] ? sd * sd / 12 : 0;
    }
    test_free(plus);
    test_free(minus);
    return difference;
}

typedef struct {
    const op_case *c;
    op_data *forward;
    const double *p;
    const sl_op *backward;
    int slot;          /* forward in-slot */
    const float *t;    /* what it holds */
    const double *got; /* dL/dt as the backward operation has it */
    double h;
} check;

static void check_direction(const check *k, const float *v)
{
    double noise1, noise2, h = k->h, rounding = 0, got = 0;
    double d1 = loss_difference(k->forward, k->slot, k->t, v, h, k->p, &noise1);
    double d2 = loss_difference(k->forward, k->slot, k->t, v, 2 * h, k->p, &noise2);
    double five = (8 * d1 - d2) / (12 * h), three = d1 / (2 * h);
    for (size_t i = 0; i < op_in_count(&k->forward->op, k->slot); i++) {
        double term = k->got[i] * (double)v[i];
        double size = (fabs((double)k->t[i]) + 2 * h) * (double)FLT_EPSILON;
        got += term;
        rounding += v[i] != 0 ? k->got[i] * size * k->got[i] * size / 12 : 0;
    }
    double sd = sqrt(130 * (fmax(noise1, noise2) + rounding)) / (12 * h);
    /* + what the backward operation's own result is rounded by */
    double tolerance = SIGMAS * sd + TRUNCATION_SHARE * fabs(five - three) +
                       4 * (double)FLT_EPSILON * (fabs(got) + 1);
    if (!(fabs(got - five) <= tolerance)) {
        char text[2][120];
        fail_msg("%s (%s): %s has %.9g for input %d, differences give %.9g +- %.2g",
                 sl_op_text(&k->forward->op, text[0], sizeof text[0]), k->c->why,
                 sl_op_text(k->backward, text[1], sizeof text[1]), got, k->slot, five, tolerance);
    }
}

static void check_tensor(const check *k, sl_random *r)
{
    size_t n = op_in_count(&k->forward->op, k->slot);
    float *v = test_calloc(n, sizeof *v);
    for (int i = 0; i < COORDINATES; i++) {
        size_t at = i == 0 ? 0 : i == 1 ? n - 1 : sl_random_below(r, (uint32_t)n);
        v[at] = 1;
        check_direction(k, v);
        v[at] = 0;
    }
    for (int i = 0; i < DIRECTIONS; i++) {
        for (size_t j = 0; j < n; j++)
            v[j] = sl_random_u32(r) & 1 ? 1 : -1;
        check_direction(k, v);
    }
    test_free(v);
}

/* Moves ReLU's inputs so far from 0 that no difference crosses it. */
static void leave_the_kink(op_data *relu, double h)
{
    for (size_t i = 0; i < op_in_count(&relu->op, 0); i++)
        relu->in[0][i] += copysignf((float)(3 * h), relu->in[0][i]);
}

/* Moves the numbers of each 2 x 2 window so far apart that no difference changes their order, the
 * greatest at another place from plane to plane. */
static void part_windows(op_data *pool, double h)
{
    const sl_desc *x = &pool->op.x;
    for (size_t i = 0; i < op_in_count(&pool->op, 0); i++) {
        size_t row = i / (size_t)x->w, plane = row / (size_t)x->h;
        size_t place = (row % (size_t)x->h % 2 * 2 + i % (size_t)x->w % 2 + plane) % 4;
        pool->in[0][i] = (float)(h * (6 * (double)place + 0.5 * (double)pool->in[0][i]));
    }
}

static void take_from_forward(op_data *backward, const op_data *forward)
{
    for (size_t i = 0; i < COUNT(sources); i++) {
        if (sources[i].backward != backward->op.kind || !backward->op.has_in[sources[i].in])
            continue;
        const float *from = sources[i].is_output ? forward->out[sources[i].forward]
                                                 : forward->in[sources[i].forward];
        memcpy(backward->in[sources[i].in], from,
               op_in_count(&backward->op, sources[i].in) * sizeof *from);
    }
}

/* What a batch's statistics add to number i of dx, where dx lacks it. */
static double common_terms(const op_data *norm_bwd, size_t i)
{
    const sl_op *op = &norm_bwd->op;
    if (!op->has_out[SL_NORM_BWD_SLOPE_OUT])
        return 0;
    size_t c = i / ((size_t)op->x.h * (size_t)op->x.w) % (size_t)op->x.c;
    double slope = (double)norm_bwd->out[SL_NORM_BWD_SLOPE_OUT][c];
    double offset = (double)norm_bwd->out[SL_NORM_BWD_OFFSET_OUT][c];
    if (op->has_in[SL_NORM_BWD_SLOPE]) {
        slope -= (double)norm_bwd->in[SL_NORM_BWD_SLOPE][c];
        offset -= (double)norm_bwd->in[SL_NORM_BWD_OFFSET][c];
    }
    double mean = (double)norm_bwd->in[SL_NORM_BWD_MEAN][c];
    return slope * ((double)norm_bwd->in[SL_NORM_BWD_X][i] - mean) + offset;
}

/* The gradient that backward gives, without what it was told to add. */
static double *gradient_of(const op_data *backward, int slot)
{
    size_t n = op_out_count(&backward->op, slot);
    bool norm_dx = backward->op.kind == SL_OP_NORM_BWD && slot == SL_NORM_BWD_DX;
    bool extra = norm_dx && backward->op.has_in[SL_NORM_BWD_EXTRA];
    double *d = test_calloc(n, sizeof *d);
    for (size_t i = 0; i < n; i++)
        d[i] = (double)backward->out[slot][i] -
               (extra ? (double)backward->in[SL_NORM_BWD_EXTRA][i] : 0) +
               (norm_dx ? common_terms(backward, i) : 0);
    return d;
}

/* All gradients that one backward operation writes. forward has run. */
static void check_backward(const op_case *c, op_data *forward, op_data *backward, double h,
                           sl_random *r)
{
    double *p = projection(forward, backward);
    forward->op.relu = false; /* p is masked instead */
    for (size_t i = 0; i < COUNT(gradients); i++) {
        if (gradients[i].backward != backward->op.kind ||
            !backward->op.has_out[gradients[i].gradient])
            continue;
        int slot = gradients[i].forward_in;
        size_t bytes = op_in_count(&forward->op, slot) * sizeof(float);
        float *t = test_malloc(bytes);
        memcpy(t, forward->in[slot], bytes);
        double *got = gradient_of(backward, gradients[i].gradient);
        check k = { c, forward, p, &backward->op, slot, t, got, h };
        check_tensor(&k, r);
        memcpy(forward->in[slot], t, bytes);
        test_free(got);
        test_free(t);
    }
    test_free(p);
}

static double forward_cost(const op_case *c, const sl_op *forward)
{
    double taps = c->kernel ? (double)c->c * c->kernel * c->kernel : c->k ? c->c : 1;
    return taps * forward->y.n * forward->y.c * forward->y.h * forward->y.w;
}

static void check_case(const op_case *c, uint64_t seed)
{
    sl_op ops[3];
    int n = op_case_ops(c, ops);
    if (forward_cost(c, &ops[0]) > MAX_FORWARD_COST)
        return;
    if (c->kind == SL_OP_CONV) { /* what is fused there only exists in evaluation */
        ops[0].relu = false;
        ops[0].has_in[SL_CONV_RESIDUAL] = false;
    }
    ops[0].known = 0; /* or the statistics wouldn't follow x */
    ops[0].has_in[SL_NORM_KNOWN_MEAN] &= c->kind != SL_OP_NORM;
    ops[0].has_in[SL_NORM_KNOWN_VAR] &= c->kind != SL_OP_NORM;
    /* Powers of two, so that h itself is exact; wide where the operation is linear. */
    double h = c->kind == SL_OP_NORM || c->kind == SL_OP_XENT ? 1.0 / 16 : 1.0 / 4;
    sl_random r = sl_random_stream(seed, SL_RANDOM_TEST, SL_OP_COUNT, 0);
    for (int i = c->kind == SL_OP_XENT ? 0 : 1; i < n; i++) {
        op_data forward = make(&ops[0], seed), backward = make(&ops[i], seed);
        if (c->kind == SL_OP_RELU)
            leave_the_kink(&forward, h);
        if (c->kind == SL_OP_MAX_POOL)
            part_windows(&forward, h);
        run(&forward);
        take_from_forward(&backward, &forward);
        if (c->kind == SL_OP_XENT)
            memcpy(backward.in[SL_XENT_TARGET], forward.in[SL_XENT_TARGET],
                   op_in_count(&ops[0], SL_XENT_TARGET) * sizeof(float));
        run(&backward);
        check_backward(c, &forward, &backward, h, &r);
        op_data_release(&forward);
        op_data_release(&backward);
    }
}

static void listed_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < op_case_count; i++)
        check_case(&op_cases[i], i);
}

static void random_cases(void **state)
{
    (void)state;
    enum { CASES = 40 };
    for (uint64_t i = 0; i < CASES; i++) {
        sl_random r = sl_random_stream(1000 + i, SL_RANDOM_TEST, 0, 0);
        op_case c = op_case_random(&r);
        check_case(&c, i);
    }
}

/* The loss's gradient holds for any target row, not only for those that sum to 1. */
static void target_rows_of_any_sum(void **state)
{
    (void)state;
    const op_case c = {
        .why = "target rows of any sum", .kind = SL_OP_XENT, .n = 3, .c = 7, .h = 1, .w = 1
    };
    sl_op ops[3];
    op_case_ops(&c, ops);
    op_data data = make(ops, 1), forward = make(ops, 1);
    for (size_t i = 0; i < op_in_count(ops, SL_XENT_TARGET); i++)
        forward.in[SL_XENT_TARGET][i] = data.in[SL_XENT_TARGET][i] *= (float)(i / 7);
    run(&data);
    sl_random r = sl_random_stream(1, SL_RANDOM_TEST, 0, 0);
    check_backward(&c, &forward, &data, 1.0 / 16, &r);
    op_data_release(&data);
    op_data_release(&forward);
}

static int open_ref(void **state)
{
    (void)state;
    return sl_device_open(&ref, "ref", 1, NULL) ? -1 : 0;
}

static int close_ref(void **state)
{
    (void)state;
    sl_device_close(ref);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listed_cases),
        cmocka_unit_test(random_cases),
        cmocka_unit_test(target_rows_of_any_sum),
    };
    return cmocka_run_group_tests(tests, open_ref, close_ref);
}
