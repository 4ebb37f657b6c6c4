/* The loader's batches against what (seed, epoch, image) say, whatever the threads and the start.
 */
#include "data/loader.h"
#include "data/augment.h"
#include "fixture.h"
#include <stdlib.h>
#include <string.h>

enum { N = 103, BATCH = 8, CLASSES = 10 };

typedef struct {
    char *dir;
    sl_dataset *set;
    sl_targets *targets;
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
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    void *dir = f->dir;
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

static sl_loader *create(const fixture *f, const int64_t *indices, size_t n,
                         const sl_loader_options *options)
{
    sl_error err;
    sl_loader *loader;
    expect_ok(sl_loader_create(&loader, f->set, f->targets, indices, n, options, &err), &err);
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

/* Reads epoch from batch on, into images and index (12 batches of BATCH). */
static void record(sl_loader *loader, uint32_t epoch, size_t batch, float *images, uint32_t *index)
{
    start(loader, epoch, batch);
    for (const sl_batch *b; (b = next(loader)); batch++) {
        memcpy(images + batch * BATCH * 3072, b->images, BATCH * 3072 * sizeof *images);
        memcpy(index + batch * BATCH, b->index, BATCH * sizeof *index);
    }
    assert_int_equal(batch, 12);
}

static void test_same_for_any_threads_and_resume(void **state)
{
    const fixture *f = *state;
    const size_t floats = 12 * BATCH * 3072, images = 12 * BATCH;
    float *want = calloc(floats, sizeof *want), *got = calloc(floats, sizeof *got);
    uint32_t want_index[12 * BATCH], got_index[12 * BATCH];
    sl_loader_options o = training(1);
    sl_loader *loader = create(f, NULL, 0, &o);
    record(loader, 4, 0, want, want_index);
    sl_loader_destroy(loader);
    for (int threads = 1; threads <= 5; threads += 2) {
        o.threads = threads;
        loader = create(f, NULL, 0, &o);
        for (size_t first = 0; first <= 12; first += 3) {
            start(loader, 2, 1); /* another epoch, left in the middle */
            assert_non_null(next(loader));
            memcpy(got, want, first * BATCH * 3072 * sizeof *got);
            memcpy(got_index, want_index, first * BATCH * sizeof *got_index);
            record(loader, 4, first, got, got_index);
            assert_memory_equal(got_index, want_index, images * sizeof *got_index);
            assert_memory_equal(got, want, floats * sizeof *got);
            memset(got, 0, floats * sizeof *got);
        }
        sl_loader_destroy(loader);
    }
    free(want);
    free(got);
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
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
