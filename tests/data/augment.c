/* Crop, flip, normalisation and cutout against the definition, pixel by pixel; mixup; draws against
 * their distributions. All draws are of fixed seeds: what passes once passes always. */
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

/* A fixed number within 5 sd of its mean, said with both. */
static void expect_near(double got, double mean, double sd, const char *what)
{
    if (!(fabs(got - mean) <= 5 * sd))
        fail_msg("%s: got %.9g, expected %.9g +- %.3g", what, got, mean, 5 * sd);
}

static int area(sl_square s)
{
    return (s.bottom - s.top) * (s.right - s.left);
}

/* A square of 16 on 32 x 32 with its centre at one of the 33 x 33 corners: at the border 8 rows of
 * it are left, then 9, .. up to 16 for the 17 places in the middle, and so on down again:
 * (2 (8 + .. + 15) + 17 16) / 33 = 456 / 33 rows in the mean, (2 1100 + 17 256) / 33 = 6552 / 33
 * of their squares. */
static void test_squares_hang_over_the_border(void **state)
{
    (void)state;
    enum { IMAGES = 33 * 600 };
    const double rows = 456.0 / 33, squares = 6552.0 / 33, mean = rows * rows;
    int tops[33] = { 0 }, smallest = 1024, largest = 0; /* by centre */
    double sum = 0;
    for (uint32_t image = 0; image < IMAGES; image++) {
        const sl_square s = sl_square_draw(16, 32, 32, 3, 1, image);
        assert_true(s.top >= 0 && s.bottom <= 32 && s.left >= 0 && s.right <= 32);
        tops[s.top > 0 ? s.top + 8 : s.bottom - 8]++;
        sum += area(s);
        smallest = area(s) < smallest ? area(s) : smallest;
        largest = area(s) > largest ? area(s) : largest;
    }
    assert_int_equal(smallest, 8 * 8);
    assert_int_equal(largest, 16 * 16);
    expect_near(sum / IMAGES, mean, sqrt((squares * squares - mean * mean) / IMAGES), "area");
    for (int y = 0; y < 33; y++)
        expect_near(tops[y], 600, sqrt(600), "images with their centre in one row of corners");
}

/* An odd square is centred on a pixel: of 3 on 5 x 7, two rows are left at the border. */
static void test_odd_squares(void **state)
{
    (void)state;
    int heights[4] = { 0 }, widths[4] = { 0 };
    for (uint32_t image = 0; image < 3500; image++) {
        const sl_square s = sl_square_draw(3, H, W, 3, 1, image);
        assert_in_range(s.bottom - s.top, 2, 3);
        assert_in_range(s.right - s.left, 2, 3);
        heights[s.bottom - s.top]++;
        widths[s.right - s.left]++;
    }
    expect_near(heights[2], 3500 * 2 / 5.0, sqrt(3500 * 0.4 * 0.6), "two rows");
    expect_near(widths[2], 3500 * 2 / 7.0, sqrt(3500 * 10 / 49.0), "two columns");
}

static void test_cut_is_zero_inside_only(void **state)
{
    (void)state;
    static const sl_square squares[] = { { 0, 2, 5, 7 }, { 1, 4, 2, 5 }, { 0, 5, 0, 7 } };
    for (size_t i = 0; i < sizeof squares / sizeof *squares; i++) {
        const sl_square s = squares[i];
        float image[3][H][W];
        for (int j = 0; j < 3 * H * W; j++)
            (&image[0][0][0])[j] = (float)(j + 1);
        sl_image_cut(&image[0][0][0], H, W, s);
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < H; y++)
                for (int x = 0; x < W; x++) {
                    const bool inside = y >= s.top && y < s.bottom && x >= s.left && x < s.right;
                    assert_true(image[c][y][x] == (inside ? 0 : (float)((c * H + y) * W + x + 1)));
                }
    }
}

static void test_sampled_labels_follow_the_distribution(void **state)
{
    (void)state;
    enum { K = 10, EPOCHS = 20000 };
    static const double rows[][K] = {
        { 0, 0.5, 0, 0.25, 0.125, 0, 0.125, 0, 0, 0 },
        { 2 / 51.0, 0, 0, 40 / 51.0, 1 / 51.0, 7 / 51.0, 0, 0, 0, 1 / 51.0 },
        { 0.33333, 0.33333, 0.33333, 0 }, /* rounding mustn't reach the impossible classes */
        { 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 },
    };
    for (uint32_t image = 0; image < 4; image++) {
        const double *p = rows[image];
        int n[K] = { 0 };
        for (uint32_t epoch = 0; epoch < EPOCHS; epoch++)
            n[sl_label_draw(p, K, 9, epoch, image)]++;
        for (int k = 0; k < K; k++)
            expect_near(n[k], p[k] * EPOCHS, sqrt(p[k] * (1 - p[k]) * EPOCHS), "labels of a class");
    }
}

/* Beta(a, a): mean 1/2, variance 1 / (4 (2 a + 1)). The variance's own sd is below that of any
 * variable whose squared distance from 1/2 is in [0, 1/4]. */
static void test_lambda_is_of_the_beta_distribution(void **state)
{
    (void)state;
    enum { BATCHES = 20000 };
    static const double alphas[] = { 0.001, 0.2, 1, 4, 1000 };
    for (size_t i = 0; i < sizeof alphas / sizeof *alphas; i++) {
        const double variance = 1 / (4 * (2 * alphas[i] + 1));
        double sum = 0, squares = 0;
        for (uint32_t batch = 0; batch < BATCHES; batch++) {
            uint32_t partner[2];
            const double lambda = (double)sl_mixup_draw(alphas[i], 4, 0, batch, partner, 2);
            assert_true(lambda >= 0 && lambda <= 1);
            sum += lambda;
            squares += (lambda - 0.5) * (lambda - 0.5);
        }
        expect_near(sum / BATCHES, 0.5, sqrt(variance / BATCHES), "mean lambda");
        expect_near(squares / BATCHES, variance, 0.125 / sqrt(BATCHES), "variance of lambda");
    }
}

static void test_partners_are_a_permutation(void **state)
{
    (void)state;
    enum { N = 6, BATCHES = 6000 };
    int pairs[N][N] = { 0 };
    for (uint32_t batch = 0; batch < BATCHES; batch++) {
        uint32_t partner[N];
        int seen[N] = { 0 };
        (void)sl_mixup_draw(1, 4, 2, batch, partner, N);
        for (int i = 0; i < N; i++) {
            assert_in_range(partner[i], 0, N - 1);
            seen[partner[i]]++;
            pairs[i][partner[i]]++;
        }
        for (int i = 0; i < N; i++)
            assert_int_equal(seen[i], 1);
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            expect_near(pairs[i][j], BATCHES / 6.0, sqrt(BATCHES * 5 / 36.0), "times a partner");
}

/* By hand: a quarter of the row itself and three quarters of its partner. */
static void test_mix(void **state)
{
    (void)state;
    const float rows[3][2] = { { 4, 0 }, { 8, -4 }, { 0, 16 } };
    const uint32_t partner[] = { 1, 0, 2 };
    const float want[3][2] = { { 7, -3 }, { 5, -1 }, { 0, 16 } };
    float out[3][2];
    sl_rows_mix(&rows[0][0], partner, 0.25f, 3, 2, &out[0][0]);
    assert_memory_equal(out, want, sizeof want);
}

/* The same for what was added later, of seed 7, epoch 3. */
static void test_later_draws_stay(void **state)
{
    (void)state;
    static const sl_square squares[] = {
        { 20, 32, 6, 22 }, { 2, 18, 7, 23 }, { 0, 12, 13, 29 }, { 0, 13, 8, 24 }
    };
    static const int labels[] = { 3, 1, 2, 2 };
    static const double p[4] = { 0.1, 0.2, 0.3, 0.4 };
    static const uint32_t partners[5] = { 3, 4, 0, 1, 2 };
    uint32_t partner[5];
    for (uint32_t i = 0; i < 4; i++) {
        const sl_square s = sl_square_draw(16, 32, 32, 7, 3, i);
        assert_memory_equal(&s, &squares[i], sizeof s);
        assert_int_equal(sl_label_draw(p, 4, 7, 3, i), labels[i]);
    }
    const double lambda = (double)sl_mixup_draw(1, 7, 3, 2, partner, 5);
    if (!(fabs(lambda - 0.488675177) <=
          1e-9 + 4 * FLT_EPSILON)) /* logarithms may differ a little */
        fail_msg("lambda is %.9g", lambda);
    assert_memory_equal(partner, partners, sizeof partners);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_placement),
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_draws_stay),
        cmocka_unit_test(test_parts_can_be_off),
        cmocka_unit_test(test_squares_hang_over_the_border),
        cmocka_unit_test(test_odd_squares),
        cmocka_unit_test(test_cut_is_zero_inside_only),
        cmocka_unit_test(test_sampled_labels_follow_the_distribution),
        cmocka_unit_test(test_lambda_is_of_the_beta_distribution),
        cmocka_unit_test(test_partners_are_a_permutation),
        cmocka_unit_test(test_mix),
        cmocka_unit_test(test_later_draws_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
