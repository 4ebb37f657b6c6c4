#include "eval/human.h"

#include "base/memory.h"
#include "base/npy.h"
#include "eval/metrics.h"

#include <stdlib.h>

void sl_human_release(sl_human *human)
{
    sl_targets_destroy(human->targets);
    free(human->judgments);
    *human = (sl_human){ 0 };
}

/* sl_targets keeps no counts; their sums are all that is wanted here. */
static sl_status read_judgments(sl_human *human, const char *path, sl_error *err)
{
    sl_npy array;
    double *counts = NULL;
    const size_t classes = (size_t)human->targets->classes;
    sl_status st = sl_npy_read(&array, path, err);
    if (st)
        return st;
    if (array.type == SL_NPY_F32 || array.type == SL_NPY_F64)
        goto done;
    st = sl_npy_to_f64(&array, &counts, err);
    if (!st)
        st = sl_alloc(&human->judgments, human->targets->n, sizeof *human->judgments, err);
    for (size_t i = 0; i < human->targets->n && !st; i++)
        for (size_t k = 0; k < classes; k++)
            human->judgments[i] += (int64_t)counts[i * classes + k];
done:
    free(counts);
    sl_npy_release(&array);
    return st;
}

sl_status sl_human_read(sl_human *out, const char *path, size_t n, int classes, sl_error *err)
{
    *out = (sl_human){ 0 };
    sl_status st = sl_targets_read(&out->targets, "human", path, n, classes, err);
    if (!st)
        st = read_judgments(out, path, err);
    if (st)
        sl_human_release(out);
    return st;
}

static void count_judgments(sl_human_summary *s, const int64_t *judgments,
                            const sl_selection *selection)
{
    s->judgments = 0;
    s->min_per_image = s->max_per_image = judgments[selection->indices[0]];
    for (size_t i = 0; i < selection->n; i++) {
        const int64_t n = judgments[selection->indices[i]];
        s->judgments += n;
        if (n < s->min_per_image)
            s->min_per_image = n;
        if (n > s->max_per_image)
            s->max_per_image = n;
    }
    s->mean_per_image = (double)s->judgments / (double)selection->n;
}

sl_human_summary sl_human_summarise(const sl_human *human, const int16_t *labels,
                                    const sl_selection *selection)
{
    sl_human_summary s = { .judgments = -1, .min_per_image = -1, .max_per_image = -1 };
    const int classes = human->targets->classes;
    size_t agree = 0;
    for (size_t i = 0; i < selection->n; i++) {
        const int64_t image = selection->indices[i];
        const double *p = human->targets->p64 + (size_t)image * (size_t)classes;
        s.entropy += sl_entropy(p, classes);
        s.accuracy += p[labels[image]];
        agree += sl_argmax(p, classes) == labels[image];
    }
    const double n = (double)selection->n;
    s.entropy /= n;
    s.accuracy /= n;
    s.modal_agreement = (double)agree / n;
    if (human->judgments)
        count_judgments(&s, human->judgments, selection);
    return s;
}
