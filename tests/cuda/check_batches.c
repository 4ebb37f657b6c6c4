#include "cuda/check_batches.h"

#include "base/random.h"
#include "nn/device_images.h"
#include "nn/random_problem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { N = 50, H = 9, W = 7, BATCH = 33, CLASSES = 5 };

static int between(sl_random *r, int low, int high)
{
    return low + (int)sl_random_below(r, (uint32_t)(high - low + 1));
}

static sl_image_recipe draw_recipe(sl_random *r)
{
    sl_image_recipe recipe = { .image = sl_random_below(r, N) };
    recipe.placement = (sl_placement){ between(r, -4, 4), between(r, -4, 4), between(r, 0, 1) };
    recipe.cut.top = between(r, 0, H);
    recipe.cut.left = between(r, 0, W);
    recipe.cut.bottom = between(r, recipe.cut.top, H);
    recipe.cut.right = between(r, recipe.cut.left, W);
    return recipe;
}

void check_batches(sl_device *device)
{
    const size_t count = (size_t)BATCH * 3 * H * W;
    uint8_t *pixels = test_calloc((size_t)N * 3 * H * W, 1);
    sl_pixel_table table;
    sl_image_recipe recipes[BATCH];
    uint32_t partner[BATCH];
    sl_device_images *images = NULL;
    sl_region out = { 0 };
    sl_error err;
    sl_random r = sl_random_stream(1, SL_RANDOM_TEST, 6, 0);
    for (size_t i = 0; i < (size_t)N * 3 * H * W; i++)
        pixels[i] = (uint8_t)sl_random_below(&r, 256);
    for (size_t i = 0; i < 3 * 256; i++)
        table.value[i / 256][i % 256] = (float)(4 * sl_random_unit(&r) - 2);
    for (size_t i = 0; i < BATCH; i++) {
        recipes[i] = draw_recipe(&r);
        partner[i] = sl_random_below(&r, BATCH);
    }
    float *want = floats(count), *got = floats(count);
    must(sl_region_create_inside(&out, device, count * sizeof(float), &err), &err);
    must(sl_device_images_create(&images, device, pixels, N, H, W, &table, BATCH, &err), &err);
    for (int mixed = 0; mixed < 2; mixed++) {
        const sl_assembly assembly = { &table, pixels, recipes, mixed ? partner : NULL, 0.3f, BATCH,
                                       H,      W,      want };
        for (size_t i = 0; i < count; i++)
            want[i] = sl_assembly_number(&assembly, i);
        must(sl_device_images_assemble(images, recipes, BATCH, assembly.partner, 0.3f, BATCH,
                                       (float *)(void *)out.device, &err),
             &err);
        must(sl_device_get(device, got, out.device, count * sizeof(float), &err), &err);
        assert_memory_equal(got, want, count * sizeof(float));
    }
    sl_device_images_destroy(images);
    sl_region_release(&out);
    test_free(want);
    test_free(got);
    test_free(pixels);
}

/* loss, then logits, then target, then the tally. */
void check_tally(sl_device *device)
{
    const size_t rows = (size_t)BATCH * CLASSES, n = BATCH + 2 * rows;
    sl_tally want = { 0.5, 3 }, got = want;
    sl_region numbers = { 0 }, tally = { 0 };
    sl_error err;
    must(sl_region_create(&numbers, device, n * sizeof(float), &err), &err);
    must(sl_region_create_inside(&tally, device, sizeof(sl_tally), &err), &err);
    float *host = (float *)(void *)numbers.host, *there = (float *)(void *)numbers.device;
    sl_random r = sl_random_stream(1, SL_RANDOM_TEST, 7, 0);
    for (size_t i = 0; i < n; i++)
        host[i] = (float)sl_random_unit(&r);
    const sl_tally_step on_host = {
        host, host + BATCH, host + BATCH + rows, BATCH, CLASSES, &want
    };
    const sl_tally_step on_device = { there, there + BATCH, there + BATCH + rows,
                                      BATCH, CLASSES,       (sl_tally *)(void *)tally.device };
    must(sl_region_push(&numbers, &err), &err);
    must(sl_device_put(device, tally.device, &got, sizeof got, &err), &err);
    for (int step = 0; step < 3; step++) {
        sl_tally_add(&on_host);
        must(sl_device_backend(device)->memory->tally(device, &on_device, &err), &err);
    }
    must(sl_device_get(device, &got, tally.device, sizeof got, &err), &err);
    assert_true(got.loss == want.loss);
    assert_int_equal(got.hits, want.hits);
    sl_region_release(&numbers);
    sl_region_release(&tally);
}
