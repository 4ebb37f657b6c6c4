/* Tolerances. Wrong indices, lanes or signs give errors of the size of the numbers themselves; what
 * is allowed is rounding: in float32 1e-5 of the greatest number of a result (sums of up to some
 * thousand terms in float32, in another order than the reference's), in bfloat16, whose inputs are
 * rounded alike on both sides, 2^-7 (its own last place, and an activation rounded in between). */
#include "cuda/against_ref.h"

#include "nn/plan.h"
#include "nn/random_problem.h"
#include "ops/cases.h"
#include "ops/harness.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RANDOM_CASES = 150, GRAPHS = 12, BATCH = 3 };

static sl_device *ref, *device;

static double greatest(const float *a, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)a[i]));
    return most;
}

/* The greatest difference as a share of the greatest number; infinite with a NaN. */
static double off_by(const float *got, const float *want, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - (double)want[i]);
        if (!(d <= most))
            most = isnan(d) ? INFINITY : d;
    }
    return most /
           fmax(greatest(want, n), 0.1); /* inputs are up to 1; what cancels leaves rounding */
}

static void check_out(const sl_op *op, const char *why, int slot, const op_data *got,
                      const op_data *want, double allowed)
{
    char text[100];
    size_t n = op_out_count(op, slot);
    double off = off_by(got->out[slot], want->out[slot], n);
    if (!(off <= allowed))
        fail_msg("%s (%s): output %d is off by %g, %g is allowed",
                 sl_op_text(op, text, sizeof text), why, slot, off, allowed);
}

static void check_op(const op_case *c, const sl_op *op, uint64_t seed, bool bf16)
{
    char text[100];
    unsigned variant = c->variant | (bf16 ? OP_CASE_BF16 : 0);
    op_data want, got;
    op_exec exec = { 0 };
    sl_error err;
    sl_op laid_out = op_lay_out(device, op, variant & ~(unsigned)OP_CASE_PLAIN_X);
    if (!sl_device_backend(device)->supports(device, &laid_out)) {
        if (!op_is_optional(op))
            fail_msg("%s (%s) isn't supported", sl_op_text(op, text, sizeof text), c->why);
        return;
    }
    must(op_data_init(&want, op, seed, &err), &err);
    must(op_data_init(&got, op, seed, &err), &err);
    if (bf16) {
        want.op = got.op = laid_out;
        op_data_round(&want);
        op_data_round(&got);
        want.op = got.op = *op;
    }
    must(op_run(&want, ref, 0, &err), &err);
    must(op_exec_init(&exec, device, &got, &laid_out, &err), &err);
    must(op_exec_run(&exec, &err), &err);
    must(op_exec_read(&exec, &got, &err), &err);
    if (!op_exec_others_are_right(&exec))
        fail_msg("%s (%s): padding or other channels", sl_op_text(op, text, sizeof text), c->why);
    for (int i = 0; i < SL_OP_MAX_OUT; i++) {
        if (op->has_out[i])
            check_out(op, c->why, i, &got, &want, bf16 ? 0x1p-7 : 1e-5);
    }
    op_exec_release(&exec);
    op_data_release(&want);
    op_data_release(&got);
}

/* The linear layer and the loss are float32 always. */
static bool has_bf16(sl_op_kind kind)
{
    return kind != SL_OP_LINEAR && kind != SL_OP_LINEAR_BWD && kind != SL_OP_XENT;
}

static void check_case(const op_case *c, uint64_t seed)
{
    sl_op ops[3];
    int n = op_case_ops(c, ops);
    for (int i = 0; i < n; i++) {
        check_op(c, &ops[i], seed, false);
        if (has_bf16(ops[i].kind))
            check_op(c, &ops[i], seed, true);
    }
}

void check_listed_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < op_case_count; i++)
        check_case(&op_cases[i], i);
}

void check_random_cases(void **state)
{
    sl_random r = sl_random_stream(1, SL_RANDOM_TEST, 4, 0);
    (void)state;
    for (uint64_t i = 0; i < RANDOM_CASES; i++) {
        op_case c = op_case_random(&r);
        check_case(&c, i);
    }
}

/* A step's losses, gradients and running statistics, one after another, on a device. */
static float *step(uint64_t seed, sl_device *dev, size_t *n)
{
    const sl_plan_options options = { .batch = BATCH, .mode = SL_MODE_TRAIN, .input_grad = true };
    random_problem p = random_problem_create(seed, 3, BATCH, 0);
    sl_plan *plan = NULL;
    sl_error err;
    must(sl_plan_create(&plan, p.graph, p.params, dev, &options, &err), &err);
    *n = BATCH + p.input + p.values + p.buffers;
    float *all = floats(*n), *gradients = all + BATCH + p.input;
    sl_plan_draw(plan, seed);
    must(sl_plan_step(plan, p.images, p.targets, all, NULL, all + BATCH, &err), &err);
    must(sl_plan_fetch(plan, &err), &err);
    memcpy(gradients, sl_plan_gradients(plan), p.values * sizeof(float));
    memcpy(gradients + p.values, p.params->buffers, p.buffers * sizeof(float));
    sl_plan_destroy(plan);
    random_problem_release(&p);
    return all;
}

void check_whole_networks(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < GRAPHS; seed++) {
        size_t n = 0;
        float *want = step(seed, ref, &n), *got = step(seed, device, &n);
        double off = off_by(got, want, n);
        if (!(off <= 1e-4)) /* rounding grows from layer to layer */
            fail_msg("graph %d: a step is off by %g", (int)seed, off);
        test_free(want);
        test_free(got);
    }
}

int open_devices(sl_device *tested)
{
    sl_error err;
    device = tested;
    return sl_device_open(&ref, "ref", 1, &err) ? -1 : 0;
}

int close_devices(void **state)
{
    (void)state;
    sl_device_close(ref);
    sl_device_close(device);
    return 0;
}
