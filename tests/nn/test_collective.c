/* Passes of several processes, each over its part of a batch, that end with sums. Started by
 * mpirun; skipped where one process is alone. An argument names a device to take instead of those
 * in the host's memory: scripts/gpu-check has it sum on GPUs. */
#include "nn/collective.h"

#include "nn/guarded_device.h"
#include "nn/plan.h"
#include "nn/random_problem.h"
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { SKIPPED = 77, BATCH = 7, PASSES = 3 }; /* the third is the second's recording */

static sl_processes *together;
static const char *named_device;

/* What a process has: a part of the problem's batch. */
typedef struct {
    size_t first, rows;
    float share;
    sl_params *params;
    sl_plan *plan;
} part;

static part part_create(const random_problem *p, sl_device *device, int rank)
{
    const size_t n = (size_t)sl_processes_size(together), r = (size_t)rank;
    part own = { .first = BATCH * r / n };
    sl_error err;
    own.rows = BATCH * (r + 1) / n - own.first;
    own.share = (float)own.rows / BATCH;
    const sl_plan_options options = { .batch = (int)own.rows, .mode = SL_MODE_TRAIN };
    must(sl_params_create(&own.params, p->graph, &err), &err);
    must(sl_params_copy(own.params, p->params, &err), &err);
    must(sl_plan_create(&own.plan, p->graph, own.params, device, &options, &err), &err);
    return own;
}

static void part_release(part *own)
{
    sl_plan_destroy(own->plan);
    sl_params_destroy(own->params);
}

static void pass(const random_problem *p, part *own)
{
    sl_error err;
    must(sl_plan_step(own->plan, p->images + own->first * p->input / BATCH,
                      p->targets + own->first * p->logits / BATCH, NULL, NULL, NULL, &err),
         &err);
    must(sl_plan_fetch(own->plan, &err), &err);
}

/* to += share from; sizes += |share from| */
static void add(float *to, float *sizes, const float *from, size_t n, float share)
{
    for (size_t i = 0; i < n; i++) {
        to[i] += share * from[i];
        sizes[i] += fabsf(share * from[i]);
    }
}

/* Two numbers have one sum; of more, the order is the library's, and so the rounding. */
static void expect_sum(const float *got, const float *want, const float *sizes, size_t n)
{
    const bool exact = sl_processes_size(together) == 2 && !named_device;
    const float eps = exact ? 0 : 16 * FLT_EPSILON;
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(got[i] - want[i]) <= eps * sizes[i]))
            fail_msg("number %zu: %.9g, expected %.9g", i, (double)got[i], (double)want[i]);
}

/* This process's passes against those of all parts, one after another, without any sums. */
static void check_problem(const random_problem *p, sl_device *device)
{
    const int n = sl_processes_size(together);
    part own = part_create(p, device, sl_processes_rank(together)), parts[8];
    float *gradients = floats(p->values), *statistics = floats(p->buffers);
    float *sizes = floats(p->values + p->buffers);
    sl_collective *collective = NULL;
    sl_error err;
    must(sl_collective_open(&collective, device, together, own.share, &err), &err);
    sl_plan_sum_over(own.plan, collective);
    for (int i = 0; i < n; i++)
        parts[i] = part_create(p, device, i);
    memcpy(statistics, p->params->buffers, p->buffers * sizeof(float));
    for (int pass_number = 0; pass_number < PASSES; pass_number++) {
        pass(p, &own);
        for (int i = 0; i < n; i++) {
            memcpy(parts[i].params->buffers, statistics, p->buffers * sizeof(float));
            must(sl_plan_reload(parts[i].plan, &err), &err);
            pass(p, &parts[i]);
        }
        memset(gradients, 0, p->values * sizeof(float));
        memset(statistics, 0, p->buffers * sizeof(float));
        memset(sizes, 0, (p->values + p->buffers) * sizeof(float));
        for (int i = 0; i < n; i++) {
            add(gradients, sizes, sl_plan_gradients(parts[i].plan), p->values, parts[i].share);
            add(statistics, sizes + p->values, parts[i].params->buffers, p->buffers,
                parts[i].share);
        }
        expect_sum(sl_plan_gradients(own.plan), gradients, sizes, p->values);
        expect_sum(own.params->buffers, statistics, sizes + p->values, p->buffers);
    }
    for (int i = 0; i < n; i++)
        part_release(&parts[i]);
    part_release(&own);
    sl_collective_close(collective);
    test_free(gradients);
    test_free(statistics);
    test_free(sizes);
}

static sl_status open_device(sl_device **out, sl_error *err)
{
    return sl_device_open_local(out, named_device ? named_device : "cpu", 1, together, err);
}

static void gradients_are_those_of_all_parts(void **state)
{
    sl_device *devices[2] = { NULL };
    sl_error err;
    (void)state;
    must(open_device(&devices[0], &err), &err);
    if (!named_device)
        must(guarded_device_open(&devices[1], 1, &err), &err);
    for (int d = 0; d < 2 && devices[d]; d++) {
        for (uint64_t seed = 0; seed < 3; seed++) {
            random_problem p = random_problem_create(seed, 3, BATCH, 0);
            check_problem(&p, devices[d]);
            random_problem_release(&p);
        }
        sl_device_close(devices[d]);
    }
}

/* Without norms, which see their part alone, the parts' gradient is that of the whole batch. */
static void gradients_are_those_of_the_batch(void **state)
{
    const sl_plan_options options = { .batch = BATCH, .mode = SL_MODE_TRAIN };
    random_problem p = { .batch = BATCH, .input = BATCH * 3 * 64, .logits = BATCH * 5 };
    sl_device *device = NULL;
    sl_collective *collective = NULL;
    sl_plan *whole = NULL;
    sl_error err;
    (void)state;
    must(sl_graph_create(&p.graph, &err), &err);
    sl_value x = sl_graph_input(p.graph, 3, 8, 8);
    x = sl_graph_relu(p.graph, sl_graph_conv(p.graph, x, "conv", 6, 3, 1, 1, 1));
    x = sl_graph_linear(p.graph, sl_graph_global_pool(p.graph, x), "classifier", 5);
    must(sl_graph_finish(p.graph, x, &err), &err);
    must(sl_params_create(&p.params, p.graph, &err), &err);
    sl_params_init(p.params, SL_INIT_FAN_OUT, 1);
    p.values = sl_graph_value_floats(p.graph);
    p.images = floats(p.input);
    p.targets = floats(p.logits);
    for (size_t i = 0; i < p.input; i++)
        p.images[i] = (float)((i * 7919) % 101) / 50 - 1;
    for (size_t i = 0; i < BATCH; i++)
        p.targets[i * 5 + i % 5] = 1;
    must(open_device(&device, &err), &err);
    part own = part_create(&p, device, sl_processes_rank(together));
    must(sl_collective_open(&collective, device, together, own.share, &err), &err);
    sl_plan_sum_over(own.plan, collective);
    pass(&p, &own);
    must(sl_plan_create(&whole, p.graph, p.params, device, &options, &err), &err);
    must(sl_plan_step(whole, p.images, p.targets, NULL, NULL, NULL, &err), &err);
    const float *want = sl_plan_gradients(whole), *got = sl_plan_gradients(own.plan);
    float largest = 0;
    for (size_t i = 0; i < p.values; i++)
        largest = fmaxf(largest, fabsf(want[i]));
    for (size_t i = 0; i < p.values; i++) /* sums over 64 pixels of 7 images in another order */
        if (!(fabsf(got[i] - want[i]) <= 64 * FLT_EPSILON * largest))
            fail_msg("number %zu: %.9g, expected %.9g", i, (double)got[i], (double)want[i]);
    sl_plan_destroy(whole);
    part_release(&own);
    sl_collective_close(collective);
    sl_device_close(device);
    sl_params_destroy(p.params);
    sl_graph_destroy(p.graph);
    test_free(p.images);
    test_free(p.targets);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_those_of_all_parts),
        cmocka_unit_test(gradients_are_those_of_the_batch),
    };
    sl_error err;
    if (sl_processes_launched(NULL) == 1) {
        printf("skipped: needs mpirun, and a build with MPI\n");
        return SKIPPED;
    }
    if (argc > 1)
        named_device = argv[1];
    must(sl_processes_open(&together, &err), &err);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sl_processes_close(together);
    return failed;
}
