/* Two passes: the first counts everybody, which also tells who has to go; the second takes those
 * back. So memory doesn't grow with trials, and without exclusions one pass is enough. */
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
        st = sl_labels_rules_hash(source->rules, c->rules_sha256, err);
    c->rules = sl_labels_rules_json(source->rules);
    if (!st && !c->rules)
        st = sl_error_set(err, SL_ENOMEM, "not enough memory for the rules");
    c->view.counts = c->counts;
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

/* Counts all trials; the statistics of the people behind n_old grow with them. */
static sl_status count_everybody(sl_counted *c, sl_raw *raw, const sl_labels_rules *rules,
                                 size_t n_old, sl_error *err)
{
    sl_raw_trial trial;
    size_t person;
    bool end, counts;
    for (;;) {
        sl_status st = sl_raw_next(raw, &trial, &end, err);
        if (st || end)
            return st;
        st = sl_people_find(&c->people, trial.annotator, &person, err);
        if (!st && person < n_old)
            st = sl_error_set(err, SL_EMISMATCH,
                              "annotator '%s' has trials in the counts already; count all files "
                              "together instead of adding",
                              c->people.items[person].id);
        if (!st)
            st = sl_people_add(&c->people, person, &trial, rules, &counts, err);
        if (st)
            return sl_raw_error_at(raw, err, st);
        if (counts)
            c->counts[(size_t)trial.image * (size_t)c->view.n_classes + (size_t)trial.choice]++;
    }
}

/* Takes the judgments of the excluded back: `left` of them, as the first pass found. */
static sl_status uncount_excluded(sl_counted *c, sl_raw *raw, const sl_labels_rules *rules,
                                  uint64_t left, sl_error *err)
{
    sl_raw_trial trial;
    size_t person;
    bool end;
    for (;;) {
        sl_status st = sl_raw_next(raw, &trial, &end, err);
        if (st)
            return st;
        if (end)
            break;
        st = sl_people_find(&c->people, trial.annotator, &person, err);
        if (st)
            return st;
        if (trial.check || c->people.items[person].why == SL_KEPT ||
            !sl_labels_in_time(rules, trial.reaction_ms))
            continue;
        int64_t *count =
            &c->counts[(size_t)trial.image * (size_t)c->view.n_classes + (size_t)trial.choice];
        if (left == 0 || *count == 0) {
            left = 1;
            break;
        }
        --*count;
        left--;
    }
    return left ? sl_error_set(err, SL_EIO, "the raw files changed while they were read") : SL_OK;
}

sl_status sl_counted_add(sl_counted *c, sl_raw *raw, const sl_labels_source *source, sl_error *err)
{
    const size_t n_old = c->people.n;
    uint64_t excluded = 0;
    sl_status st = count_everybody(c, raw, source->rules, n_old, err);
    if (st)
        return st;
    for (sl_labels_person *p = c->people.items + n_old; p < c->people.items + c->people.n; p++) {
        p->why = sl_labels_judge(source->rules, p);
        if (p->why != SL_KEPT)
            excluded += p->n_judged - p->n_dropped;
    }
    for (size_t i = 0; i < source->n_raw && !st; i++)
        st = sl_counted_add_file(c, &sl_raw_files(raw)[i], err);
    if (!st && excluded > 0)
        st = uncount_excluded(c, raw, source->rules, excluded, err);
    c->view.people = c->people.items;
    c->view.n_people = c->people.n;
    c->view.n_judgments = 0;
    for (size_t i = 0; i < c->view.n_images * (size_t)c->view.n_classes; i++)
        c->view.n_judgments += (uint64_t)c->counts[i];
    return st;
}

sl_status sl_labels_count(sl_labels **out, const sl_labels_source *source, const char *add,
                          sl_error *err)
{
    sl_counted *c;
    sl_raw *raw = NULL;
    *out = NULL;
    sl_status st = sl_counted_create(&c, source, err);
    if (!st && add)
        st = sl_counted_load(c, add, err);
    if (!st)
        st = sl_raw_open(&raw, source, err);
    if (!st)
        st = sl_counted_add(c, raw, source, err);
    sl_raw_close(raw);
    if (st)
        sl_labels_destroy(&c->view);
    else
        *out = &c->view;
    return st;
}
