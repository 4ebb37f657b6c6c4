/* The loader's batches against what (seed, epoch, image or batch) say, whatever the threads and the
 * start. */
#include "data/loader.h"
#include "base/memory.h"
#include "data/augment.h"
#include "fixture.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 103, BATCH = 8, CLASSES = 10 };

typedef struct {
    char *dir;
    sl_dataset *set;
    sl_targets *targets, *soft; /* one-hot; and for sampling */
} fixture;

static int setup(void **state)
{
    static fixture f;
    sl_error err;
    void *dir;
    if (fixture_setup(&dir))
        return -1;
    f.dir = dir;
    f.set = fixture_dataset(dir, N);
    expect_ok(sl_targets_from_labels(&f.targets, f.set, &err), &err);
    expect_ok(sl_targets_smooth(&f.soft, f.targets, 0.5, &err), &err);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    void *dir = f->dir;
    sl_targets_destroy(f->soft);
    sl_targets_destroy(f->targets);
    sl_dataset_destroy(f->set);
    return fixture_teardown(&dir);
}

static sl_loader_options training(int threads)
{
    return (sl_loader_options){ .batch_size = BATCH,
                                .shuffle = true,
                                .drop_last = true,
                                .augmentation = sl_augmentation_paper(),
                                .normalization = sl_normalization_cifar10,
                                .seed = 5,
                                .threads = threads };
}

/* Everything that can be switched on. */
static sl_loader_options all_of_it(int threads)
{
    sl_loader_options o = training(threads);
    o.augmentation.cutout = 16;
    o.mixup = 1;
    o.sample_labels = true;
    return o;
}

static sl_loader *create(const fixture *f, const int64_t *indices, size_t n,
                         const sl_loader_options *options)
{
    sl_error err;
    sl_loader *loader;
    const sl_targets *targets = options->sample_labels ? f->soft : f->targets;
    expect_ok(sl_loader_create(&loader, f->set, targets, indices, n, options, &err), &err);
    return loader;
}

static void start(sl_loader *loader, uint32_t epoch, size_t batch)
{
    sl_error err;
    expect_ok(sl_loader_start(loader, epoch, batch, &err), &err);
}

static const sl_batch *next(sl_loader *loader)
{
    sl_error err;
    const sl_batch *batch;
    expect_ok(sl_loader_next(loader, &batch, &err), &err);
    return batch;
}

/* That the batch's rows are the images that its index names, as they are to be in that epoch. */
static void check_batch(const fixture *f, const sl_loader_options *o, uint32_t epoch,
                        const sl_batch *batch)
{
    sl_pixel_table table;
    sl_pixel_table_init(&table, &o->normalization);
    for (size_t i = 0; i < batch->n; i++) {
        float want[3072];
        const uint32_t image = batch->index[i];
        assert_in_range(image, 0, N - 1);
        sl_image_place(&table, f->set->pixels + image * 3072u, 32, 32,
                       sl_placement_draw(&o->augmentation, o->seed, epoch, image), want);
        assert_memory_equal(batch->images + i * 3072, want, sizeof want);
        assert_memory_equal(batch->targets + i * CLASSES, f->targets->p + image * CLASSES,
                            CLASSES * sizeof(float));
    }
}

static void test_in_order_with_a_short_end(void **state)
{
    const fixture *f = *state;
    sl_loader_options o = training(2);
    o.shuffle = o.drop_last = false;
    o.augmentation = sl_augmentation_none();
    sl_loader *loader = create(f, NULL, 0, &o);
    assert_int_equal(sl_loader_batches(loader), 13);
    assert_null(next(loader)); /* nothing before a start */
    start(loader, 0, 0);
    size_t seen = 0;
    for (const sl_batch *b; (b = next(loader)); seen += b->n) {
        assert_int_equal(b->n, seen + BATCH <= N ? BATCH : N % BATCH);
        for (size_t i = 0; i < b->n; i++)
            assert_int_equal(b->index[i], seen + i);
        check_batch(f, &o, 0, b);
    }
    assert_int_equal(seen, N);
    assert_null(next(loader)); /* and nothing behind the end */
    sl_loader_destroy(loader);
}

static void test_epoch_is_a_permutation(void **state)
{
    const fixture *f = *state;
    sl_loader_options o = training(2);
    o.drop_last = false;
    sl_loader *loader = create(f, NULL, 0, &o);
    uint32_t order[2][N];
    for (uint32_t epoch = 0; epoch < 2; epoch++) {
        int seen[N] = { 0 };
        size_t n = 0;
        start(loader, epoch, 0);
        for (const sl_batch *b; (b = next(loader)); n += b->n) {
            check_batch(f, &o, epoch, b);
            memcpy(order[epoch] + n, b->index, b->n * sizeof *b->index);
            for (size_t i = 0; i < b->n; i++)
                seen[b->index[i]]++;
        }
        for (int i = 0; i < N; i++)
            assert_int_equal(seen[i], 1);
    }
    assert_memory_not_equal(order[0], order[1], sizeof order[0]);
    sl_loader_destroy(loader);
}

static void test_chosen_images(void **state)
{
    const fixture *f = *state;
    const int64_t chosen[] = { 99, 3, 57, 3, 0, 102, 41, 8, 16, 20 };
    sl_loader_options o = training(1);
    o.shuffle = false;
    o.batch_size = 4;
    sl_loader *loader = create(f, chosen, 10, &o);
    assert_int_equal(sl_loader_batches(loader), 2);
    start(loader, 9, 0);
    for (size_t b = 0; b < 2; b++) {
        const sl_batch *batch = next(loader);
        assert_int_equal(batch->n, 4);
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(batch->index[i], chosen[b * 4 + i]);
        check_batch(f, &o, 9, batch);
    }
    assert_null(next(loader)); /* the other two are dropped */
    sl_loader_destroy(loader);
}

/* Whole batches of an epoch. */
typedef struct {
    float images[12 * BATCH][3072], targets[12 * BATCH][CLASSES];
    uint32_t index[12 * BATCH];
} recording;

/* Reads epoch from batch on. */
static void record(sl_loader *loader, uint32_t epoch, size_t batch, recording *r)
{
    start(loader, epoch, batch);
    for (const sl_batch *b; (b = next(loader)); batch++) {
        memcpy(r->images[batch * BATCH], b->images, sizeof r->images / 12);
        memcpy(r->targets[batch * BATCH], b->targets, sizeof r->targets / 12);
        memcpy(r->index + batch * BATCH, b->index, sizeof r->index / 12);
    }
    assert_int_equal(batch, 12);
}

static void check_threads_and_resume(const fixture *f, sl_loader_options o)
{
    recording *want = malloc(sizeof *want), *got = malloc(sizeof *got);
    assert_non_null(want);
    assert_non_null(got);
    sl_loader *loader = create(f, NULL, 0, &o);
    record(loader, 4, 0, want);
    sl_loader_destroy(loader);
    for (o.threads = 1; o.threads <= 5; o.threads += 2) {
        loader = create(f, NULL, 0, &o);
        for (size_t first = 0; first <= 12; first += 3) {
            start(loader, 2, 1); /* another epoch, left in the middle */
            assert_non_null(next(loader));
            memset(got, 0, sizeof *got);
            memcpy(got->images, want->images, first * sizeof got->images / 12);
            memcpy(got->targets, want->targets, first * sizeof got->targets / 12);
            memcpy(got->index, want->index, first * sizeof got->index / 12);
            record(loader, 4, first, got);
            assert_memory_equal(got, want, sizeof *got);
        }
        sl_loader_destroy(loader);
    }
    free(want);
    free(got);
}

static void test_same_for_any_threads_and_resume(void **state)
{
    check_threads_and_resume(*state, training(1));
    check_threads_and_resume(*state, all_of_it(1));
}

/* A batch that was given stays as it is while the threads go on. */
static void test_batch_is_the_readers(void **state)
{
    const fixture *f = *state;
    sl_loader_options o = training(3);
    sl_loader *loader = create(f, NULL, 0, &o);
    for (uint32_t epoch = 0; epoch < 20; epoch++) {
        start(loader, epoch, 0);
        for (const sl_batch *b; (b = next(loader));)
            check_batch(f, &o, epoch, b);
    }
    start(loader, 0, 0); /* destroyed in the middle of its work */
    sl_loader_destroy(loader);
}

/* Cutout and sampled labels, image by image, as augment.h defines them. */
static void test_cutout_and_sampled_labels(void **state)
{
    const fixture *f = *state;
    sl_loader_options o = all_of_it(2);
    o.mixup = 0;
    sl_pixel_table table;
    sl_pixel_table_init(&table, &o.normalization);
    sl_loader *loader = create(f, NULL, 0, &o);
    start(loader, 6, 0);
    for (const sl_batch *b; (b = next(loader));)
        for (size_t i = 0; i < b->n; i++) {
            float want[3072];
            const uint32_t image = b->index[i];
            sl_image_place(&table, f->set->pixels + image * 3072u, 32, 32,
                           sl_placement_draw(&o.augmentation, o.seed, 6, image), want);
            sl_image_cut(want, 32, 32, sl_square_draw(16, 32, 32, o.seed, 6, image));
            assert_memory_equal(b->images + i * 3072, want, sizeof want);
            const int label =
                sl_label_draw(f->soft->p64 + image * CLASSES, CLASSES, o.seed, 6, image);
            for (int k = 0; k < CLASSES; k++)
                assert_true(b->targets[i * CLASSES + (size_t)k] == (k == label ? 1 : 0));
        }
    sl_loader_destroy(loader);
}

/* got against lambda x + (1 - lambda) y in float64. In float32, 1 - lambda, two products and their
 * sum are rounded, each by FLT_EPSILON / 2 of a term at most. */
static void expect_mixed(const float *got, const float *rows, const uint32_t *partner,
                         double lambda, size_t width)
{
    for (size_t i = 0; i < BATCH; i++)
        for (size_t j = 0; j < width; j++) {
            const double x = lambda * (double)rows[i * width + j];
            const double y = (1 - lambda) * (double)rows[partner[i] * width + j];
            const double g = (double)got[i * width + j];
            if (!(fabs(g - (x + y)) <= 2 * FLT_EPSILON * (fabs(x) + fabs(y))))
                fail_msg("row %zu, column %zu: got %.9g, expected %.9g", i, j, g, x + y);
        }
}

/* Mixed batches against the same batches without mixup, with cutout and sampling on. */
static void test_mixup(void **state)
{
    const fixture *f = *state;
    const sl_loader_options o = all_of_it(2);
    sl_loader_options unmixed = o;
    unmixed.mixup = 0;
    sl_loader *mixed = create(f, NULL, 0, &o), *plain = create(f, NULL, 0, &unmixed);
    start(mixed, 3, 0);
    start(plain, 3, 0);
    for (uint32_t batch = 0; batch < 12; batch++) {
        const sl_batch *m = next(mixed), *p = next(plain);
        uint32_t partner[BATCH];
        const double lambda = (double)sl_mixup_draw(1, o.seed, 3, batch, partner, BATCH);
        assert_memory_equal(m->index, p->index, BATCH * sizeof *m->index);
        expect_mixed(m->images, p->images, partner, lambda, 3072);
        expect_mixed(m->targets, p->targets, partner, lambda, CLASSES);
    }
    sl_loader_destroy(mixed);
    sl_loader_destroy(plain);
}

/* What a device would make of a batch's recipes: row i. */
static void follow(const fixture *f, const sl_loader_options *o, const sl_batch *b, size_t i,
                   float *out)
{
    sl_pixel_table table;
    sl_pixel_table_init(&table, &o->normalization);
    const sl_assembly assembly = { .table = &table,
                                   .pixels = f->set->pixels,
                                   .recipes = b->recipes,
                                   .partner = b->partner,
                                   .lambda = b->lambda,
                                   .n = (int)b->n,
                                   .h = 32,
                                   .w = 32 };
    for (size_t j = 0; j < 3072; j++)
        out[j] = sl_assembly_number(&assembly, i * 3072 + j);
}

/* The rows of some parts of an epoch's batches, put together. */
static void record_parts(const fixture *f, sl_loader_options o, const size_t *ends, recording *r)
{
    for (size_t first = 0; first < BATCH; first = *ends++) {
        o.first_row = first;
        o.rows = *ends - first;
        sl_loader *loader = create(f, NULL, 0, &o);
        size_t at = first;
        start(loader, 4, 0);
        for (const sl_batch *b; (b = next(loader)); at += BATCH) {
            assert_int_equal(b->n, o.rows);
            memcpy(r->targets[at], b->targets, b->n * sizeof r->targets[0]);
            memcpy(r->index + at, b->index, b->n * sizeof *r->index);
            for (size_t i = 0; i < b->n; i++) {
                if (o.recipes)
                    follow(f, &o, b, i, r->images[at + i]);
                else
                    memcpy(r->images[at + i], b->images + i * 3072, sizeof r->images[0]);
            }
        }
        sl_loader_destroy(loader);
    }
}

/* However a batch is divided among processes, its rows are the same; as recipes, too. */
static void test_parts_of_a_batch(void **state)
{
    const fixture *f = *state;
    static const size_t parts[][4] = { { 4, 8 }, { 1, 8 }, { 2, 5, 8 }, { 7, 8 } };
    recording *want = calloc(1, sizeof *want), *got = malloc(sizeof *got);
    assert_non_null(want);
    assert_non_null(got);
    for (int way = 0; way < 4; way++) {
        sl_loader_options o = way & 1 ? all_of_it(2) : training(2);
        sl_loader *loader = create(f, NULL, 0, &o);
        record(loader, 4, 0, want);
        sl_loader_destroy(loader);
        o.recipes = way & 2;
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            memset(got, 0, sizeof *got);
            record_parts(f, o, parts[i], got);
            assert_memory_equal(got, want, sizeof *got);
        }
    }
    free(want);
    free(got);
}

/* The first part has the images that there are, the second none. */
static void test_parts_of_a_short_batch(void **state)
{
    const fixture *f = *state;
    sl_loader_options o = all_of_it(1);
    o.drop_last = false;
    for (o.first_row = 0; o.first_row < BATCH; o.first_row += 7) {
        o.rows = o.first_row ? 1 : 7;
        sl_loader *loader = create(f, NULL, 0, &o);
        start(loader, 1, N / BATCH);
        const sl_batch *b = next(loader);
        assert_int_equal(b->n, o.first_row ? 0 : N % BATCH);
        assert_null(next(loader));
        sl_loader_destroy(loader);
    }
}

static unsigned long allocations(const fixture *f, const sl_loader_options *o)
{
    sl_loader *loader = NULL;
    sl_error err;
    unsigned long n = 0;
    while (!loader) {
        sl_alloc_fail_at(++n);
        sl_status st = sl_loader_create(&loader, f->set, f->soft, NULL, 0, o, &err);
        sl_alloc_fail_at(0);
        assert_true(st == SL_OK || st == SL_ENOMEM);
    }
    sl_loader_destroy(loader);
    return n - 1;
}

/* What mixup needs beside isn't there without it: four more arrays in each of three slots. */
static void test_costs_nothing_when_off(void **state)
{
    const fixture *f = *state;
    sl_loader_options plain = training(1), mixed = training(1), others = all_of_it(1);
    mixed.mixup = 1;
    others.mixup = 0;
    const unsigned long n = allocations(f, &plain);
    assert_int_equal(allocations(f, &others), n);
    assert_int_equal(allocations(f, &mixed), n + 12);
}

static void test_refuses(void **state)
{
    const fixture *f = *state;
    sl_error err;
    sl_loader *loader;
    const int64_t bad[] = { 0, N }, negative[] = { -1 };
    sl_loader_options o = training(1);
    expect_error(sl_loader_create(&loader, f->set, f->targets, bad, 2, &o, &err), SL_EINVAL, &err,
                 "index 1 is 103, but the set has 103 images");
    assert_null(loader);
    expect_error(sl_loader_create(&loader, f->set, f->targets, negative, 1, &o, &err), SL_EINVAL,
                 &err, "index 0 is -1");
    expect_error(sl_loader_create(&loader, f->set, f->targets, bad, 1, &o, &err), SL_EINVAL, &err,
                 "1 images don't fill one batch of 8");
    o.first_row = 7;
    o.rows = 2;
    expect_error(sl_loader_create(&loader, f->set, f->targets, NULL, 0, &o, &err), SL_EINVAL, &err,
                 "rows 7 to 9 of a batch of 8");
    o = training(1);
    o.threads = 0;
    expect_error(sl_loader_create(&loader, f->set, f->targets, NULL, 0, &o, &err), SL_EINVAL, &err,
                 "threads 0");
    o = training(1);
    o.batch_size = 0;
    expect_error(sl_loader_create(&loader, f->set, f->targets, NULL, 0, &o, &err), SL_EINVAL, &err,
                 "batch size is 0");
    o = training(1);
    o.augmentation.crop_pad = 32;
    expect_error(sl_loader_create(&loader, f->set, f->targets, NULL, 0, &o, &err), SL_EINVAL, &err,
                 "crop pad is 32");
    static const int cutouts[] = { -1, 33 };
    static const double alphas[] = { -1, 1e-4, 1e4, NAN, INFINITY };
    for (size_t i = 0; i < sizeof cutouts / sizeof *cutouts; i++) {
        o = training(1);
        o.augmentation.cutout = cutouts[i];
        expect_error(sl_loader_create(&loader, f->set, f->targets, NULL, 0, &o, &err), SL_EINVAL,
                     &err, "cutout of side");
    }
    for (size_t i = 0; i < sizeof alphas / sizeof *alphas; i++) {
        o = training(1);
        o.mixup = alphas[i];
        expect_error(sl_loader_create(&loader, f->set, f->targets, NULL, 0, &o, &err), SL_EINVAL,
                     &err, "mixup's alpha");
    }
    o = training(1);
    o.normalization.std[1] = 0;
    expect_error(sl_loader_create(&loader, f->set, f->targets, NULL, 0, &o, &err), SL_EINVAL, &err,
                 "deviation of channel 1 is 0");
    o = training(1);
    sl_dataset *other = fixture_dataset(f->dir, 9);
    expect_error(sl_loader_create(&loader, other, f->targets, NULL, 0, &o, &err), SL_EMISMATCH,
                 &err, "targets are 103 rows");
    sl_dataset_destroy(other);
    loader = create(f, NULL, 0, &o);
    expect_error(sl_loader_start(loader, 0, 13, &err), SL_EINVAL, &err, "can't start at 13");
    sl_loader_destroy(loader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order_with_a_short_end),
        cmocka_unit_test(test_epoch_is_a_permutation),
        cmocka_unit_test(test_chosen_images),
        cmocka_unit_test(test_same_for_any_threads_and_resume),
        cmocka_unit_test(test_batch_is_the_readers),
        cmocka_unit_test(test_cutout_and_sampled_labels),
        cmocka_unit_test(test_mixup),
        cmocka_unit_test(test_parts_of_a_batch),
        cmocka_unit_test(test_parts_of_a_short_batch),
        cmocka_unit_test(test_costs_nothing_when_off),
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
