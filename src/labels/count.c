/* The raw files are read once: everybody is counted, which also tells who has to go; then those are
 * taken back. What for is kept of each judgment waits in a file, so memory doesn't grow with
 * trials.
 */
#include "labels/count.h"
#include "labels/rules.h"
#include <stdlib.h>

sl_status sl_counted_create(sl_counted **out, const sl_labels_source *source, sl_error *err)
{
    sl_counted *c;
    size_t cells;
    *out = NULL;
    if (source->n_classes < 2 || source->n_classes > 255 || source->n_images < 1 ||
        source->n_images > UINT32_MAX)
        return sl_error_set(err, SL_EINVAL, "%zu images of %d classes can't be counted",
                            source->n_images, source->n_classes);
    if (!sl_size_mul(source->n_images, (size_t)source->n_classes, &cells))
        return sl_error_set(err, SL_ENOMEM, "too many images");
    sl_status st = sl_alloc(&c, 1, sizeof *c, err);
    if (st)
        return st;
    c->view.n_images = source->n_images;
    c->view.n_classes = source->n_classes;
    st = sl_alloc(&c->counts, cells, sizeof *c->counts, err);
    if (!st)
        st = sl_alloc(&c->truth, source->n_images, sizeof *c->truth, err);
    for (size_t i = 0; i < source->n_images && !st; i++)
        c->truth[i] = -1;
    if (!st)
        st = sl_labels_rules_hash(source->rules, c->rules_sha256, err);
    c->rules = sl_labels_rules_json(source->rules);
    if (!st && !c->rules)
        st = sl_error_set(err, SL_ENOMEM, "not enough memory for the rules");
    c->view.counts = c->counts;
    c->view.truth = c->truth;
    if (st)
        sl_labels_destroy(&c->view);
    else
        *out = c;
    return st;
}

void sl_labels_destroy(sl_labels *labels)
{
    sl_counted *c = (sl_counted *)labels;
    if (!c)
        return;
    sl_people_release(&c->people);
    sl_arena_release(&c->texts);
    json_decref(c->rules);
    free(c->files);
    free(c->counts);
    free(c->truth);
    free(c);
}

sl_status sl_counted_add_file(sl_counted *c, const sl_labels_file *file, sl_error *err)
{
    size_t capacity = c->view.n_files;
    sl_status st = sl_grow(&c->files, &capacity, c->view.n_files + 1, sizeof *c->files, err);
    if (st)
        return st;
    sl_labels_file *added = &c->files[c->view.n_files];
    *added = *file;
    st = sl_arena_strdup(&c->texts, &added->path, file->path, err);
    c->view.n_files += st == SL_OK;
    c->view.files = c->files;
    return st;
}

static sl_status note_truth(sl_counted *c, const sl_raw_trial *t, sl_error *err)
{
    if (t->check || t->truth < 0)
        return SL_OK;
    int16_t *truth = &c->truth[t->image];
    if (*truth >= 0 && *truth != t->truth)
        return sl_error_set(err, SL_EFORMAT, "image %lld has true label %d here, %d before",
                            (long long)t->image, t->truth, *truth);
    *truth = (int16_t)t->truth;
    return SL_OK;
}

/* Takes in one trial; the statistics of a person behind n_old grow with it. */
static sl_status take_trial(sl_counted *c, const sl_raw_trial *trial, const sl_labels_rules *rules,
                            size_t n_old, sl_spool *spool, sl_error *err)
{
    size_t person;
    bool counts = false;
    sl_status st = sl_people_find(&c->people, trial->annotator, &person, err);
    if (!st && person < n_old)
        st = sl_error_set(err, SL_EMISMATCH,
                          "annotator '%s' has trials in the counts already; count all files "
                          "together instead of adding",
                          c->people.items[person].id);
    if (!st)
        st = note_truth(c, trial, err);
    if (!st)
        st = sl_people_add(&c->people, person, trial, rules, &counts, err);
    if (st || !counts)
        return st;
    const sl_judgment judgment = { (uint32_t)person, (uint32_t)trial->image,
                                   (uint8_t)trial->choice };
    return sl_spool_put(spool, &judgment, err);
}

static sl_status take_everybody(sl_counted *c, const sl_labels_source *source, size_t n_old,
                                sl_spool *spool, sl_error *err)
{
    sl_raw_trial trial;
    sl_raw *raw;
    bool end = false;
    sl_status st = sl_raw_open(&raw, source, err);
    while (!st && !(st = sl_raw_next(raw, &trial, &end, err)) && !end) {
        st = take_trial(c, &trial, source->rules, n_old, spool, err);
        if (st)
            sl_raw_error_at(raw, err, st);
    }
    for (size_t i = 0; i < source->n_raw && !st; i++)
        st = sl_counted_add_file(c, &sl_raw_files(raw)[i], err);
    sl_raw_close(raw);
    return st;
}

static sl_status count_kept(sl_counted *c, sl_spool *spool, sl_error *err)
{
    const sl_judgment *judgments;
    const size_t n_classes = (size_t)c->view.n_classes;
    size_t n;
    for (;;) {
        sl_status st = sl_spool_next(spool, &judgments, &n, err);
        if (st || n == 0)
            return st;
        for (const sl_judgment *j = judgments; j < judgments + n; j++)
            if (c->people.items[j->person].why == SL_KEPT)
                c->counts[j->image * n_classes + j->choice]++;
    }
}

sl_status sl_counted_add(sl_counted *c, const sl_labels_source *source, sl_spool *spool,
                         sl_error *err)
{
    const size_t n_old = c->people.n;
    sl_status st = take_everybody(c, source, n_old, spool, err);
    for (size_t i = n_old; i < c->people.n && !st; i++)
        c->people.items[i].why = sl_labels_judge(source->rules, &c->people.items[i]);
    if (!st)
        st = count_kept(c, spool, err);
    sl_counted_sum_up(c);
    return st;
}

void sl_counted_sum_up(sl_counted *c)
{
    c->view.people = c->people.items;
    c->view.n_people = c->people.n;
    c->view.n_judgments = 0;
    for (size_t i = 0; i < c->view.n_images * (size_t)c->view.n_classes; i++)
        c->view.n_judgments += (uint64_t)c->counts[i];
}

sl_status sl_labels_count(sl_labels **out, const sl_labels_source *source, const char *add,
                          sl_error *err)
{
    sl_counted *c;
    sl_spool *spool = NULL;
    *out = NULL;
    sl_status st = sl_counted_create(&c, source, err);
    if (st)
        return st;
    if (add)
        st = sl_counted_load(c, add, err);
    if (!st)
        st = sl_spool_create(&spool, err);
    if (!st)
        st = sl_counted_add(c, source, spool, err);
    sl_spool_destroy(spool);
    if (st)
        sl_labels_destroy(&c->view);
    else
        *out = &c->view;
    return st;
}
