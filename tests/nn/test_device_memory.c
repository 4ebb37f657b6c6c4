/* A device with memory of its own gives the very bits of one that works in the host's: training
 * with dropout and shake, evaluation with folded norms and short batches, attacks' input gradients.
 * And the host never touches that memory but through the device. */
#include "nn/plan.h"

#include "nn/guarded_device.h"
#include "nn/random_problem.h"
#include "nn/region.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH = 3, STEPS = 4, GRAPHS = 6 };

static sl_device *cpu, *guarded;

/* All that training leaves, one after another: losses and logits of every step, input gradient,
 * values, running statistics, gradients, the optimizer's state. */
static float *train(random_problem *p, sl_device *dev, const sl_optimizer_options *with, size_t *n)
{
    const sl_plan_options options = { .batch = BATCH, .mode = SL_MODE_TRAIN, .input_grad = true };
    sl_plan *plan = NULL;
    sl_optimizer *optimizer = NULL;
    sl_error err;
    *n = STEPS * (BATCH + p->logits + p->input) + 4 * p->values + p->buffers;
    float *all = floats(*n), *at = all;
    must(sl_plan_create(&plan, p->graph, p->params, dev, &options, &err), &err);
    must(sl_optimizer_create(&optimizer, with, p->values, &err), &err);
    for (uint64_t t = 0; t < STEPS; t++) {
        sl_plan_draw(plan, t);
        must(
            sl_plan_step(plan, p->images, p->targets, at, at + BATCH, at + BATCH + p->logits, &err),
            &err);
        must(sl_plan_update(plan, optimizer, 0.01, &err), &err);
        at += BATCH + p->logits + p->input;
        if (t == 1) { /* as when a saved state is read: the host's numbers count again */
            must(sl_plan_fetch(plan, &err), &err);
            p->params->values[0] += 0.125f;
            optimizer->state[0][0] += 0.25f;
            must(sl_plan_reload(plan, &err), &err);
        }
    }
    must(sl_plan_fetch(plan, &err), &err);
    const float *left[] = { p->params->values, sl_plan_gradients(plan), optimizer->state[0],
                            optimizer->state[1] };
    for (int i = 0; i < 4; i++, at += p->values) {
        if (left[i])
            memcpy(at, left[i], p->values * sizeof(float));
    }
    memcpy(at, p->params->buffers, p->buffers * sizeof(float));
    sl_plan_destroy(plan);
    sl_optimizer_destroy(optimizer);
    return all;
}

static void training_gives_the_same_bits(void **state)
{
    const sl_optimizer_options optimizers[] = { sl_optimizer_sgd(0.9, true, 1e-3),
                                                sl_optimizer_adam(1e-3) };
    const guarded_counts before = guarded_device_counts(guarded);
    (void)state;
    for (uint64_t seed = 0; seed < GRAPHS; seed++) {
        random_problem p = random_problem_create(seed, 3, BATCH, 0),
                       q = random_problem_create(seed, 3, BATCH, 0);
        size_t n = 0;
        float *want = train(&p, cpu, &optimizers[seed % 2], &n);
        float *got = train(&q, guarded, &optimizers[seed % 2], &n);
        assert_memory_equal(got, want, n * sizeof(float));
        test_free(want);
        test_free(got);
        random_problem_release(&p);
        random_problem_release(&q);
    }
    assert_int_equal(guarded_device_counts(guarded).replays - before.replays, GRAPHS * (STEPS - 1));
    assert_int_equal(guarded_device_counts(guarded).allocations, 0);
}

/* Logits of a batch, of a short one, and of a batch after the parameters changed. */
static float *evaluate(random_problem *p, sl_device *dev)
{
    const sl_plan_options options = { .batch = BATCH, .mode = SL_MODE_EVAL };
    sl_plan *plan = NULL;
    sl_error err;
    float *logits = floats(3 * p->logits);
    must(sl_plan_create(&plan, p->graph, p->params, dev, &options, &err), &err);
    must(sl_plan_forward(plan, p->images, BATCH, logits, &err), &err);
    must(sl_plan_forward(plan, p->images, 1, logits + p->logits, &err), &err);
    for (size_t i = 0; i < p->values; i++)
        p->params->values[i] *= 0.75f;
    must(sl_plan_reload(plan, &err), &err);
    must(sl_plan_forward(plan, p->images, BATCH, logits + 2 * p->logits, &err), &err);
    sl_plan_destroy(plan);
    return logits;
}

static void evaluation_gives_the_same_bits(void **state)
{
    const guarded_counts before = guarded_device_counts(guarded);
    (void)state;
    for (uint64_t seed = 0; seed < GRAPHS; seed++) {
        random_problem p = random_problem_create(seed, 3, BATCH, 0),
                       q = random_problem_create(seed, 3, BATCH, 0);
        float *want = evaluate(&p, cpu), *got = evaluate(&q, guarded);
        assert_memory_equal(got, want, 3 * p.logits * sizeof(float));
        assert_memory_not_equal(got, got + 2 * p.logits, p.logits * sizeof(float));
        test_free(want);
        test_free(got);
        random_problem_release(&p);
        random_problem_release(&q);
    }
    assert_true(guarded_device_counts(guarded).replays > before.replays);
    assert_int_equal(guarded_device_counts(guarded).allocations, 0);
}

typedef struct {
    double ms; /* of a pass, as the report begins */
    int steps; /* summed over the kinds */
    bool in_kinds;
} seen;

static void read_line(void *user, const char *line)
{
    seen *s = user;
    double share = 0, ms = 0;
    int steps = 0;
    if (sscanf(line, "by kind, of one pass (%lf ms):", &s->ms) == 1)
        s->in_kinds = true;
    else if (strcmp(line, "by operation:") == 0)
        s->in_kinds = false;
    else if (s->in_kinds && sscanf(line, "%lf ms %lf %% %d x", &ms, &share, &steps) == 3)
        s->steps += steps;
}

static seen profile(sl_device *dev)
{
    const sl_plan_options options = { .batch = BATCH, .mode = SL_MODE_TRAIN };
    random_problem p = random_problem_create(1, 3, BATCH, 0);
    sl_plan *plan = NULL;
    sl_error err;
    seen s = { 0 };
    must(sl_plan_create(&plan, p.graph, p.params, dev, &options, &err), &err);
    must(sl_plan_step(plan, p.images, p.targets, NULL, NULL, NULL, &err), &err);
    must(sl_plan_profile(plan, &err), &err);
    for (int i = 0; i < STEPS; i++)
        must(sl_plan_step(plan, p.images, p.targets, NULL, NULL, NULL, &err), &err);
    sl_plan_profile_report(plan, read_line, &s);
    sl_plan_destroy(plan);
    random_problem_release(&p);
    return s;
}

/* The stand-in's clock goes a second a mark: one for the packing, one for each step, and it runs
 * all of them one by one instead of replaying what it recorded. */
static void a_profile_reads_the_devices_clock(void **state)
{
    const guarded_counts before = guarded_device_counts(guarded);
    (void)state;
    seen s = profile(guarded), host = profile(cpu);
    assert_true(s.steps > 10 && s.steps == host.steps);
    assert_true(s.ms == 1000.0 * (s.steps + 1));
    assert_true(host.ms > 0 && host.ms < s.ms);
    assert_int_equal(guarded_device_counts(guarded).replays, before.replays);
    assert_int_equal(guarded_device_counts(guarded).marks, 0);
}

static void the_most_bytes_are_remembered(void **state)
{
    sl_region a = { 0 }, b = { 0 };
    sl_device *dev = NULL;
    sl_error err;
    (void)state;
    must(guarded_device_open(&dev, 1, &err), &err);
    assert_int_equal(sl_device_most_bytes(dev), 0);
    must(sl_region_create_inside(&a, dev, 1000, &err), &err);
    must(sl_region_create_inside(&b, dev, 500, &err), &err);
    sl_region_release(&a);
    must(sl_region_create_inside(&a, dev, 200, &err), &err);
    assert_int_equal(sl_device_most_bytes(dev), 1500);
    sl_region_release(&a);
    sl_region_release(&b);
    sl_device_close(dev);
    assert_int_equal(sl_device_most_bytes(cpu), 0);
}

static int open_devices(void **state)
{
    sl_error err;
    (void)state;
    must(sl_device_open(&cpu, "cpu", 1, &err), &err);
    must(guarded_device_open(&guarded, 1, &err), &err);
    return 0;
}

static int close_devices(void **state)
{
    (void)state;
    sl_device_close(cpu);
    sl_device_close(guarded);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_gives_the_same_bits),
        cmocka_unit_test(evaluation_gives_the_same_bits),
        cmocka_unit_test(a_profile_reads_the_devices_clock),
        cmocka_unit_test(the_most_bytes_are_remembered),
    };
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
