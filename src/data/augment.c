#include "data/augment.h"
#include "base/random.h"

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
