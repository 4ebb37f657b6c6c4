#include <math.h>
#include <softlabel/labels.h>

/* Over the images with at least two judgments. */
typedef struct {
    double n_images, n; /* such images, their judgments */
    double pairs;       /* sum over images of the share of pairs that agree */
    double differ;      /* sum over judgments of the share of the others that differ */
    double by_class[255];
} sums;

static sums add_up(const int64_t *counts, size_t n_images, int n_classes)
{
    sums s = { 0 };
    for (size_t i = 0; i < n_images; i++) {
        const int64_t *row = counts + i * (size_t)n_classes;
        double n = 0, squares = 0;
        for (int k = 0; k < n_classes; k++) {
            n += (double)row[k];
            squares += (double)row[k] * (double)row[k];
        }
        if (n < 2)
            continue;
        s.n_images++;
        s.n += n;
        s.pairs += (squares - n) / (n * (n - 1));
        s.differ += (n * n - squares) / (n - 1);
        for (int k = 0; k < n_classes; k++)
            s.by_class[k] += (double)row[k];
    }
    return s;
}

double sl_fleiss_kappa(const int64_t *counts, size_t n_images, int n_classes)
{
    const sums s = add_up(counts, n_images, n_classes);
    double by_chance = 0;
    for (int k = 0; k < n_classes; k++)
        by_chance += s.by_class[k] / s.n * (s.by_class[k] / s.n);
    return (s.pairs / s.n_images - by_chance) / (1 - by_chance);
}

double sl_krippendorff_alpha(const int64_t *counts, size_t n_images, int n_classes)
{
    const sums s = add_up(counts, n_images, n_classes);
    double by_chance = 0;
    for (int k = 0; k < n_classes; k++)
        by_chance += s.by_class[k] * (s.n - s.by_class[k]);
    return 1 - s.differ / s.n / (by_chance / (s.n * (s.n - 1)));
}

double sl_disagreement(const int64_t *counts, size_t n_images, int n_classes)
{
    const sums s = add_up(counts, n_images, n_classes);
    return 1 - s.pairs / s.n_images;
}
