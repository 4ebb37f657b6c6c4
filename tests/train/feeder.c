/* A device that keeps the data set trains on the very images that the loader makes. */
#include "train/feeder.h"

#include "base/random.h"
#include "nn/guarded_device.h"
#include "nn/random_problem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { N = 37, SIDE = 9, CLASSES = 4, BATCH = 8, EPOCHS = 2, STEPS = N / BATCH };

typedef struct {
    uint8_t pixels[N * 3 * SIDE * SIDE];
    float p[N * CLASSES];
    double p64[N * CLASSES];
    sl_dataset set;
    sl_targets targets;
} data;

static data *data_create(void)
{
    data *d = test_calloc(1, sizeof *d);
    sl_random r = sl_random_stream(3, SL_RANDOM_TEST, 0, 0);
    for (size_t i = 0; i < sizeof d->pixels; i++)
        d->pixels[i] = (uint8_t)sl_random_below(&r, 256);
    for (size_t i = 0; i < N; i++) {
        double share = sl_random_unit(&r);
        d->p64[i * CLASSES + i % CLASSES] = share;
        d->p64[i * CLASSES + (i + 1) % CLASSES] = 1 - share;
    }
    for (size_t i = 0; i < N * CLASSES; i++)
        d->p[i] = (float)d->p64[i];
    d->set = (sl_dataset){ .name = "noise",
                           .n = N,
                           .channels = 3,
                           .height = SIDE,
                           .width = SIDE,
                           .classes = CLASSES,
                           .pixels = d->pixels };
    d->targets = (sl_targets){ .n = N, .classes = CLASSES, .p = d->p, .p64 = d->p64 };
    return d;
}

static void make_network(sl_graph **graph, sl_params **params)
{
    sl_error err;
    must(sl_graph_create(graph, &err), &err);
    sl_value x = sl_graph_input(*graph, 3, SIDE, SIDE);
    x = sl_graph_relu(
        *graph, sl_graph_norm(*graph, sl_graph_conv(*graph, x, "conv", 5, 3, 1, 1, 0), "norm"));
    x = sl_graph_linear(*graph, sl_graph_global_pool(*graph, x), "classifier", CLASSES);
    must(sl_graph_finish(*graph, x, &err), &err);
    must(sl_params_create(params, *graph, &err), &err);
    sl_params_init(*params, SL_INIT_FAN_OUT, 1);
}

static void count_hits(sl_tally *tally, const float *losses, const float *logits,
                       const float *targets)
{
    for (size_t i = 0; i < BATCH; i++) {
        size_t said = 0, true_class = 0;
        for (size_t k = 1; k < CLASSES; k++) {
            said = logits[i * CLASSES + k] > logits[i * CLASSES + said] ? k : said;
            true_class =
                targets[i * CLASSES + k] > targets[i * CLASSES + true_class] ? k : true_class;
        }
        tally->loss += (double)losses[i];
        tally->hits += said == true_class;
    }
}

/* Losses and gradients of every batch of some epochs. The tally, kept where the device works, must
 * be what the host counts. */
static float *feed(const data *d, sl_device *device, const sl_loader_options *o, bool kept)
{
    const sl_plan_options options = { .batch = BATCH, .mode = SL_MODE_TRAIN };
    sl_graph *graph = NULL;
    sl_params *params = NULL;
    sl_plan *plan = NULL;
    sl_feeder *feeder = NULL;
    sl_error err;
    make_network(&graph, &params);
    size_t values = sl_graph_value_floats(graph);
    float *all = floats(EPOCHS * STEPS * (BATCH + values)), *at = all, logits[BATCH * CLASSES];
    sl_tally want = { 0.5, 3 }, got;
    must(sl_plan_create(&plan, graph, params, device, &options, &err), &err);
    must(sl_feeder_create(&feeder, &d->set, &d->targets, NULL, 0, o, plan, device, &err), &err);
    assert_int_equal(sl_feeder_batches(feeder), STEPS);
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        const sl_batch *batch;
        must(sl_feeder_start(feeder, epoch, 0, &err), &err);
        must(sl_plan_set_tally(plan, &want, &err), &err);
        for (;;) {
            must(sl_feeder_next(feeder, &batch, &err), &err);
            if (!batch)
                break;
            assert_int_equal(batch->images == NULL, kept);
            must(sl_plan_step(plan, batch->images, batch->targets, at, logits, NULL, &err), &err);
            must(sl_plan_add_to_tally(plan, &err), &err);
            count_hits(&want, at, logits, batch->targets);
            must(sl_plan_fetch(plan, &err), &err);
            memcpy(at + BATCH, sl_plan_gradients(plan), values * sizeof(float));
            at += (size_t)BATCH + values;
        }
        must(sl_plan_read_tally(plan, &got, &err), &err);
        assert_true(got.loss == want.loss);
        assert_int_equal(got.hits, want.hits);
    }
    assert_true(at == all + EPOCHS * STEPS * (BATCH + values));
    sl_feeder_destroy(feeder);
    sl_plan_destroy(plan);
    sl_params_destroy(params);
    sl_graph_destroy(graph);
    return all;
}

static void both_ways_give_the_same_bits(void **state)
{
    sl_device *cpu = NULL, *guarded = NULL;
    data *d = data_create();
    sl_graph *graph = NULL;
    sl_params *params = NULL;
    sl_error err;
    (void)state;
    make_network(&graph, &params);
    const size_t n = EPOCHS * STEPS * (BATCH + sl_graph_value_floats(graph));
    sl_params_destroy(params);
    sl_graph_destroy(graph);
    must(sl_device_open(&cpu, "cpu", 1, &err), &err);
    must(guarded_device_open(&guarded, 1, &err), &err);
    for (int way = 0; way < 8; way++) { /* augmented or not, cut or not, mixed or not */
        sl_loader_options o = { .batch_size = BATCH,
                                .shuffle = true,
                                .drop_last = true,
                                .normalization = sl_normalization_cifar10,
                                .seed = 5,
                                .threads = 2 };
        if (way & 1)
            o.augmentation = sl_augmentation_paper();
        o.augmentation.cutout = way & 2 ? 4 : 0;
        o.mixup = way & 4 ? 1 : 0;
        o.sample_labels = way & 1;
        float *want = feed(d, cpu, &o, false), *got = feed(d, guarded, &o, true);
        assert_memory_equal(got, want, n * sizeof(float));
        test_free(want);
        test_free(got);
    }
    assert_int_equal(guarded_device_counts(guarded).allocations, 0);
    sl_device_close(cpu);
    sl_device_close(guarded);
    test_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(both_ways_give_the_same_bits) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
