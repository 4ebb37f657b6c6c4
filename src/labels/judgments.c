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
        h->truth[i] = -1;
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

static sl_status note_truth(held *h, const sl_raw_trial *t, sl_error *err)
{
    int16_t *truth = &h->truth[t->image];
    if (t->truth < 0)
        return SL_OK;
    if (*truth >= 0 && *truth != t->truth)
        return sl_error_set(err, SL_EFORMAT, "image %lld has true label %d here, %d before",
                            (long long)t->image, t->truth, *truth);
    *truth = (int16_t)t->truth;
    return SL_OK;
}

/* next (n_images): where an image's next judgment goes; kept (n_people): a person's number among
 * the kept. */
static sl_status collect(held *h, sl_counted *c, sl_raw *raw, const sl_labels_rules *rules,
                         size_t *next, const uint32_t *kept, sl_error *err)
{
    sl_raw_trial t;
    size_t person;
    bool end;
    for (;;) {
        sl_status st = sl_raw_next(raw, &t, &end, err);
        if (st || end)
            return st;
        st = sl_people_find(&c->people, t.annotator, &person, err);
        if (st)
            return st;
        if (person >= c->view.n_people)
            return sl_error_set(err, SL_EIO, "the raw files changed while they were read");
        if (t.check || c->people.items[person].why != SL_KEPT ||
            !sl_labels_in_time(rules, t.reaction_ms))
            continue;
        st = note_truth(h, &t, err);
        if (!st && next[t.image] == h->first[t.image + 1])
            st = sl_error_set(err, SL_EIO, "the raw files changed while they were read");
        if (st)
            return sl_raw_error_at(raw, err, st);
        h->items[next[t.image]++] =
            (sl_judgment){ kept[person], (uint32_t)t.image, (uint8_t)t.choice };
    }
}

static sl_status fill(held *h, sl_counted *c, sl_raw *raw, const sl_labels_rules *rules,
                      sl_error *err)
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
        st = collect(h, c, raw, rules, next, kept, err);
    }
    free(next);
    free(kept);
    return st;
}

sl_status sl_judgments_read(sl_judgments **out, sl_labels **labels, const sl_labels_source *source,
                            sl_error *err)
{
    sl_counted *c = NULL;
    sl_raw *raw = NULL;
    held *h = NULL;
    *out = NULL;
    *labels = NULL;
    sl_status st = sl_counted_create(&c, source, err);
    if (!st)
        st = sl_raw_open(&raw, source, err);
    if (!st)
        st = sl_counted_add(c, raw, source, err);
    if (!st)
        st = sl_alloc(&h, 1, sizeof *h, err);
    if (!st)
        st = fill(h, c, raw, source->rules, err);
    sl_raw_close(raw);
    if (st) {
        if (h)
            sl_judgments_destroy(&h->view);
        if (c)
            sl_labels_destroy(&c->view);
        return st;
    }
    *out = &h->view;
    *labels = &c->view;
    return SL_OK;
}
