#include "labels/count.h"
#include <stdlib.h>

typedef struct {
    sl_judgments view; /* first: a sl_judgments * is a held * */
    sl_judgment *items;
    size_t *first;
    int16_t *truth;
} held;

void sl_judgments_destroy(sl_judgments *judgments)
{
    held *h = (held *)judgments;
    if (!h)
        return;
    free(h->items);
    free(h->first);
    free(h->truth);
    free(h);
}

/* Makes room, and says where each image's judgments begin. */
static sl_status prepare(held *h, const sl_labels *labels, sl_error *err)
{
    const size_t k = (size_t)labels->n_classes;
    sl_status st = sl_alloc(&h->items, (size_t)labels->n_judgments, sizeof *h->items, err);
    if (!st)
        st = sl_alloc(&h->first, labels->n_images + 1, sizeof *h->first, err);
    if (!st)
        st = sl_alloc(&h->truth, labels->n_images, sizeof *h->truth, err);
    if (st)
        return st;
    for (size_t i = 0; i < labels->n_images; i++) {
        h->truth[i] = labels->truth ? labels->truth[i] : -1;
        h->first[i + 1] = h->first[i];
        for (size_t c = 0; c < k; c++)
            h->first[i + 1] += (size_t)labels->counts[i * k + c];
    }
    h->view = (sl_judgments){ .n = (size_t)labels->n_judgments,
                              .n_images = labels->n_images,
                              .n_classes = labels->n_classes,
                              .items = h->items,
                              .first = h->first,
                              .truth = h->truth };
    return SL_OK;
}

/* next (n_images): where an image's next judgment goes; kept (n_people): a person's number among
 * the kept. */
static sl_status collect(held *h, const sl_counted *c, sl_spool *spool, size_t *next,
                         const uint32_t *kept, sl_error *err)
{
    const sl_judgment *judgments;
    size_t n;
    for (;;) {
        sl_status st = sl_spool_next(spool, &judgments, &n, err);
        if (st || n == 0)
            return st;
        for (size_t i = 0; i < n; i++) {
            const sl_judgment *j = &judgments[i];
            if (c->people.items[j->person].why == SL_KEPT)
                h->items[next[j->image]++] = (sl_judgment){ kept[j->person], j->image, j->choice };
        }
    }
}

static sl_status fill(held *h, const sl_counted *c, sl_spool *spool, sl_error *err)
{
    size_t *next = NULL;
    uint32_t *kept = NULL;
    sl_status st = prepare(h, &c->view, err);
    if (!st)
        st = sl_alloc(&next, h->view.n_images, sizeof *next, err);
    if (!st)
        st = sl_alloc(&kept, c->people.n, sizeof *kept, err);
    if (!st) {
        memcpy(next, h->first, h->view.n_images * sizeof *next);
        for (size_t i = 0; i < c->people.n; i++)
            if (c->people.items[i].why == SL_KEPT)
                kept[i] = (uint32_t)h->view.n_people++;
        st = collect(h, c, spool, next, kept, err);
    }
    free(next);
    free(kept);
    return st;
}

sl_status sl_judgments_read(sl_judgments **out, sl_labels **labels, const sl_labels_source *source,
                            sl_error *err)
{
    sl_counted *c;
    sl_spool *spool = NULL;
    held *h = NULL;
    *out = NULL;
    *labels = NULL;
    sl_status st = sl_counted_create(&c, source, err);
    if (st)
        return st;
    st = sl_spool_create(&spool, err);
    if (!st)
        st = sl_counted_add(c, source, spool, err);
    if (!st)
        st = sl_alloc(&h, 1, sizeof *h, err);
    if (!st)
        st = fill(h, c, spool, err);
    sl_spool_destroy(spool);
    if (st) {
        if (h)
            sl_judgments_destroy(&h->view);
        sl_labels_destroy(&c->view);
        return st;
    }
    *out = &h->view;
    *labels = &c->view;
    return SL_OK;
}

/* With nobody's name known, each judgment is somebody of their own. */
sl_status sl_judgments_from_counts(sl_judgments **out, const int64_t *counts, size_t n_images,
                                   int n_classes, const int16_t *truth, sl_error *err)
{
    held *h;
    const size_t k = (size_t)n_classes;
    sl_labels labels = { .n_images = n_images, .n_classes = n_classes, .counts = counts };
    *out = NULL;
    for (size_t i = 0; i < n_images * k; i++) {
        if (counts[i] < 0 || counts[i] > UINT32_MAX)
            return sl_error_set(err, SL_EINVAL, "image %zu has a count of %lld", i / k,
                                (long long)counts[i]);
        labels.n_judgments += (uint64_t)counts[i];
    }
    if (labels.n_judgments > UINT32_MAX)
        return sl_error_set(err, SL_EINVAL, "more judgments than can be told apart");
    sl_status st = sl_alloc(&h, 1, sizeof *h, err);
    if (st)
        return st;
    st = prepare(h, &labels, err);
    if (st) {
        sl_judgments_destroy(&h->view);
        return st;
    }
    for (size_t i = 0; i < n_images * k; i++)
        for (int64_t t = 0; t < counts[i]; t++) {
            const uint32_t at = (uint32_t)h->view.n_people++;
            h->items[at] = (sl_judgment){ at, (uint32_t)(i / k), (uint8_t)(i % k) };
        }
    for (size_t i = 0; i < n_images && truth; i++)
        h->truth[i] = truth[i];
    *out = &h->view;
    return SL_OK;
}
