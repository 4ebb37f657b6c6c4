/* How near proportions from m judgments come to the distribution they are drawn from. */
#include "base/memory.h"
#include "base/random.h"
#include <math.h>
#include <softlabel/labels.h>
#include <stdlib.h>

/* The squared distance of the proportions of two random sets of m of an image's n >= 2m judgments,
 * that don't share one. scratch holds the n choices. */
static double squared_distance(const sl_judgments *j, size_t image, size_t m, uint8_t *scratch,
                               sl_random *r)
{
    const size_t first = j->first[image], n = j->first[image + 1] - first;
    double difference[255] = { 0 }, sum = 0;
    for (size_t i = 0; i < n; i++)
        scratch[i] = j->items[first + i].choice;
    for (size_t i = 0; i < 2 * m; i++) {
        const size_t at = i + sl_random_below(r, (uint32_t)(n - i));
        const uint8_t choice = scratch[at];
        scratch[at] = scratch[i];
        scratch[i] = choice;
        difference[choice] += i < m ? 1 : -1;
    }
    for (int k = 0; k < j->n_classes; k++)
        sum += difference[k] * difference[k];
    return sum / ((double)m * (double)m);
}

sl_status sl_precision_measure(sl_precision *rows, size_t n_rows, double disagreement,
                               const sl_judgments *j, int draws, uint64_t seed, sl_error *err)
{
    size_t most = 0;
    uint8_t *scratch;
    for (size_t i = 0; i < j->n_images; i++)
        if (j->first[i + 1] - j->first[i] > most)
            most = j->first[i + 1] - j->first[i];
    if (most > UINT32_MAX)
        return sl_error_set(err, SL_EINVAL, "too many judgments of one image");
    sl_status st = sl_alloc(&scratch, most, 1, err);
    for (size_t row = 0; row < n_rows && !st; row++) {
        const size_t m = rows[row].m;
        double sum = 0;
        rows[row].expected = sqrt(disagreement / (double)m);
        rows[row].n_images = 0;
        for (size_t i = 0; i < j->n_images; i++) {
            sl_random r =
                sl_random_stream(seed, SL_RANDOM_BOOTSTRAP, (uint32_t)i, 0x10000u + (uint32_t)m);
            if (j->first[i + 1] - j->first[i] < 2 * m)
                continue;
            rows[row].n_images++;
            for (int d = 0; d < draws; d++)
                sum += squared_distance(j, i, m, scratch, &r) / 2;
        }
        rows[row].measured = sqrt(sum / draws / (double)rows[row].n_images); /* NaN of none */
    }
    free(scratch);
    return st;
}
