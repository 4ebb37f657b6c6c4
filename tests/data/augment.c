/* Crop, flip and normalisation against the definition, pixel by pixel. */
#include "data/augment.h"
#include "base/random.h"
#include "fixture.h"
#include <float.h>
#include <math.h>

enum { H = 5, W = 7 }; /* not square, so that h and w can't be mixed up */

/* The output's pixel, straight from the definition. */
static double expected(const uint8_t *pixels, sl_placement p, int c, int y, int x)
{
    const sl_normalization *n = &sl_normalization_cifar10;
    const int sy = y + p.dy, sx = (p.flip ? W - 1 - x : x) + p.dx;
    const bool inside = sy >= 0 && sy < H && sx >= 0 && sx < W;
    const double v = inside ? pixels[(c * H + sy) * W + sx] / 255.0 : 0;
    return (v - (double)n->mean[c]) / (double)n->std[c];
}

static void test_every_placement(void **state)
{
    (void)state;
    uint8_t pixels[3 * H * W];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 37 + 11);
    sl_pixel_table table;
    sl_pixel_table_init(&table, &sl_normalization_cifar10);
    for (int dy = -H - 1; dy <= H + 1; dy++)
        for (int dx = -W - 1; dx <= W + 1; dx++)
            for (int flip = 0; flip < 2; flip++) {
                const sl_placement p = { dy, dx, flip };
                float out[3][H][W];
                sl_image_place(&table, pixels, H, W, p, &out[0][0][0]);
                for (int c = 0; c < 3; c++)
                    for (int y = 0; y < H; y++)
                        for (int x = 0; x < W; x++)
                            assert_true(out[c][y][x] == (float)expected(pixels, p, c, y, x));
            }
}

/* Values of the paper's normaliser, worked out by hand. */
static void test_known_values(void **state)
{
    (void)state;
    sl_pixel_table table;
    sl_pixel_table_init(&table, &sl_normalization_cifar10);
    static const struct {
        int channel, byte;
        double value;
    } cases[] = {
        { 0, 0, -1.98947368 },  /* -0.4914 / 0.2470 */
        { 1, 255, 2.12648871 }, /* 0.5178 / 0.2435 */
        { 2, 51, -0.94227829 }, /* (0.2 - 0.4465) / 0.2616 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double got = (double)table.value[cases[i].channel][cases[i].byte];
        if (!(fabs(got - cases[i].value) <= 4 * FLT_EPSILON * fabs(cases[i].value)))
            fail_msg("byte %d of channel %d: got %.9g, expected %.9g", cases[i].byte,
                     cases[i].channel, got, cases[i].value);
    }
}

static void test_draws(void **state)
{
    (void)state;
    enum { IMAGES = 16200 };
    const sl_augmentation paper = sl_augmentation_paper();
    int places[9][9] = { 0 }, flips = 0;
    for (uint32_t image = 0; image < IMAGES; image++) {
        const sl_placement p = sl_placement_draw(&paper, 1, 2, image);
        const sl_placement again = sl_placement_draw(&paper, 1, 2, image);
        assert_true(p.dy == again.dy && p.dx == again.dx && p.flip == again.flip);
        assert_in_range(p.dy + 4, 0, 8);
        assert_in_range(p.dx + 4, 0, 8);
        places[p.dy + 4][p.dx + 4]++;
        flips += p.flip;
    }
    for (int y = 0; y < 9; y++) /* 200 expected a place, sd 14: 6 sd either way */
        for (int x = 0; x < 9; x++)
            assert_in_range(places[y][x], 200 - 85, 200 + 85);
    assert_in_range(flips, IMAGES / 2 - 382, IMAGES / 2 + 382); /* sd 64 */
}

/* What a seed means must not change: these are the first placements of seed 7, epoch 3. */
static void test_draws_stay(void **state)
{
    (void)state;
    const sl_augmentation paper = sl_augmentation_paper();
    static const sl_placement want[] = { { 0, -2, 0 }, { 0, -1, 1 }, { -3, -2, 0 },
                                         { 3, 4, 0 },  { 2, 2, 1 },  { 0, -3, 1 } };
    for (uint32_t image = 0; image < sizeof want / sizeof *want; image++) {
        const sl_placement p = sl_placement_draw(&paper, 7, 3, image);
        if (p.dy != want[image].dy || p.dx != want[image].dx || p.flip != want[image].flip)
            fail_msg("image %u: { %d, %d, %d }", image, p.dy, p.dx, p.flip);
    }
}

static void test_parts_can_be_off(void **state)
{
    (void)state;
    const sl_augmentation none = sl_augmentation_none(), flip = { .flip = true },
                          crop = { .crop = true, .crop_pad = 2 };
    int flips = 0, moves = 0;
    for (uint32_t image = 0; image < 64; image++) {
        const sl_placement a = sl_placement_draw(&none, 1, 0, image);
        const sl_placement b = sl_placement_draw(&flip, 1, 0, image);
        const sl_placement c = sl_placement_draw(&crop, 1, 0, image);
        assert_true(a.dy == 0 && a.dx == 0 && !a.flip);
        assert_true(b.dy == 0 && b.dx == 0);
        assert_false(c.flip);
        assert_in_range(c.dy + 2, 0, 4);
        flips += b.flip;
        moves += c.dy != 0;
    }
    assert_in_range(flips, 1, 63);
    assert_in_range(moves, 1, 63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_placement),
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_draws_stay),
        cmocka_unit_test(test_parts_can_be_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
