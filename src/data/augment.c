#include "data/augment.h"
#include "base/random.h"
#include <string.h>

const sl_normalization sl_normalization_cifar10 = {
    .mean = { 0.4914f, 0.4822f, 0.4465f },
    .std = { 0.2470f, 0.2435f, 0.2616f },
};

sl_augmentation sl_augmentation_none(void)
{
    return (sl_augmentation){ .crop = false };
}

sl_augmentation sl_augmentation_paper(void)
{
    return (sl_augmentation){ .crop = true, .crop_pad = 4, .flip = true };
}

void sl_pixel_table_init(sl_pixel_table *table, const sl_normalization *normalization)
{
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++)
            table->value[c][v] = (float)((v / 255.0 - (double)normalization->mean[c]) /
                                         (double)normalization->std[c]);
}

sl_placement sl_placement_draw(const sl_augmentation *augmentation, uint64_t seed, uint32_t epoch,
                               uint32_t image)
{
    sl_placement placement = { 0 };
    if (!augmentation->crop && !augmentation->flip)
        return placement;
    sl_random r = sl_random_stream(seed, SL_RANDOM_CROP, epoch, image);
    if (augmentation->crop) {
        const int pad = augmentation->crop_pad;
        const uint32_t places = 2 * (uint32_t)pad + 1;
        placement.dy = (int)sl_random_below(&r, places) - pad;
        placement.dx = (int)sl_random_below(&r, places) - pad;
    }
    if (augmentation->flip)
        placement.flip = sl_random_below(&r, 2) == 1;
    return placement;
}

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

/* One row of w outputs from a row of w bytes: out[x] = value[row[dx + x]], mirrored if asked. */
static void place_row(const float value[256], const uint8_t *row, int w, int dx, bool flip,
                      float *out)
{
    const int first = clamp(-dx, 0, w), last = clamp(w - dx, 0, w); /* inside the image */
    const int step = flip ? -1 : 1;
    float *to = flip ? out + w - 1 : out;
    for (int x = 0; x < first; x++, to += step)
        *to = value[0];
    for (int x = first; x < last; x++, to += step)
        *to = value[row[dx + x]];
    for (int x = last; x < w; x++, to += step)
        *to = value[0];
}

void sl_image_place(const sl_pixel_table *table, const uint8_t *pixels, int h, int w,
                    sl_placement placement, float *out)
{
    for (int c = 0; c < 3; c++) {
        const float *value = table->value[c];
        for (int y = 0; y < h; y++, out += w) {
            const int from = y + placement.dy;
            if (from >= 0 && from < h)
                place_row(value, pixels + (c * h + from) * w, w, placement.dx, placement.flip, out);
            else
                for (int x = 0; x < w; x++)
                    out[x] = value[0];
        }
    }
}

static void clip(int from, int side, int size, int *first, int *end)
{
    *first = clamp(from, 0, size);
    *end = clamp(from + side, 0, size);
}

sl_square sl_square_draw(int side, int h, int w, uint64_t seed, uint32_t epoch, uint32_t image)
{
    const int even = side % 2 == 0;
    sl_random r = sl_random_stream(seed, SL_RANDOM_CUTOUT, epoch, image);
    const int cy = (int)sl_random_below(&r, (uint32_t)(h + even));
    const int cx = (int)sl_random_below(&r, (uint32_t)(w + even));
    sl_square square;
    clip(cy - side / 2, side, h, &square.top, &square.bottom);
    clip(cx - side / 2, side, w, &square.left, &square.right);
    return square;
}

void sl_image_cut(float *image, int h, int w, sl_square square)
{
    const size_t run = (size_t)(square.right - square.left) * sizeof *image;
    for (int c = 0; c < 3; c++)
        for (int y = square.top; y < square.bottom; y++)
            memset(image + (c * h + y) * w + square.left, 0, run);
}

sl_image_recipe sl_recipe_draw(const sl_augmentation *augmentation, int h, int w, uint64_t seed,
                               uint32_t epoch, uint32_t image)
{
    sl_image_recipe recipe = { .image = image };
    recipe.placement = sl_placement_draw(augmentation, seed, epoch, image);
    if (augmentation->cutout)
        recipe.cut = sl_square_draw(augmentation->cutout, h, w, seed, epoch, image);
    return recipe;
}

void sl_recipe_follow(const sl_pixel_table *table, const uint8_t *pixels, int h, int w,
                      const sl_image_recipe *recipe, float *out)
{
    const size_t image_size = 3 * (size_t)h * (size_t)w;
    sl_image_place(table, pixels + recipe->image * image_size, h, w, recipe->placement, out);
    if (recipe->cut.bottom > recipe->cut.top)
        sl_image_cut(out, h, w, recipe->cut);
}

int sl_label_draw(const double *p, int classes, uint64_t seed, uint32_t epoch, uint32_t image)
{
    sl_random r = sl_random_stream(seed, SL_RANDOM_LABEL, epoch, image);
    const double u = sl_random_unit(&r);
    double sum = 0;
    int last = 0; /* of the possible ones: where rounding keeps the sum below u */
    for (int k = 0; k < classes; k++) {
        sum += p[k];
        if (p[k] > 0)
            last = k;
        if (sum > u)
            break;
    }
    return last;
}

float sl_mixup_draw(double alpha, uint64_t seed, uint32_t epoch, uint32_t batch, uint32_t *partner,
                    size_t n)
{
    sl_random r = sl_random_stream(seed, SL_RANDOM_MIXUP, epoch, batch);
    const float lambda = (float)sl_random_beta(&r, alpha, alpha);
    for (size_t i = 0; i < n; i++)
        partner[i] = (uint32_t)i;
    sl_random_shuffle(&r, partner, n);
    return lambda;
}

void sl_rows_mix(const float *rows, const uint32_t *partner, float lambda, size_t n, size_t width,
                 float *out)
{
    const float rest = 1 - lambda;
    for (size_t i = 0; i < n; i++, out += width) {
        const float *x = rows + i * width, *y = rows + partner[i] * width;
        for (size_t j = 0; j < width; j++)
            out[j] = lambda * x[j] + rest * y[j];
    }
}
