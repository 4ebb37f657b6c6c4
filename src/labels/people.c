#include "labels/people.h"
#include "base/hash.h"
#include <stdlib.h>

#define MAX_PEOPLE ((size_t)100 << 20)

static bool is_person(const sl_people *people, size_t i, sl_text id)
{
    return sl_text_is(id, people->items[i].id);
}

/* The slot that holds the id, or the free one where it belongs. */
static uint32_t *slot_of(const sl_people *people, sl_text id)
{
    const size_t mask = people->n_slots - 1;
    size_t at = (size_t)sl_fnv1a(SL_FNV1A_OFFSET, id.text, id.length) & mask;
    while (people->slots[at] && !is_person(people, people->slots[at] - 1, id))
        at = (at + 1) & mask;
    return &people->slots[at];
}

/* Keeps the table at most half full. */
static sl_status make_room(sl_people *people, sl_error *err)
{
    if (2 * (people->n + 1) <= people->n_slots)
        return SL_OK;
    if (people->n >= MAX_PEOPLE)
        return sl_error_set(err, SL_EFORMAT, "more than %zu people", MAX_PEOPLE);
    const size_t n_slots = people->n_slots ? 2 * people->n_slots : 1024;
    uint32_t *slots;
    sl_status st = sl_alloc(&slots, n_slots, sizeof *slots, err);
    if (st)
        return st;
    free(people->slots);
    people->slots = slots;
    people->n_slots = n_slots;
    for (size_t i = 0; i < people->n; i++) {
        const char *id = people->items[i].id;
        *slot_of(people, (sl_text){ id, strlen(id) }) = (uint32_t)(i + 1);
    }
    return SL_OK;
}

sl_status sl_people_find(sl_people *people, sl_text id, size_t *out, sl_error *err)
{
    if (people->n > 0 && sl_text_equal(id, people->last_id)) {
        *out = people->last;
        return SL_OK;
    }
    sl_status st = make_room(people, err);
    if (st)
        return st;
    uint32_t *slot = slot_of(people, id);
    if (*slot == 0) {
        const char *copy;
        const size_t n = people->n + 1;
        st = sl_grow(&people->items, &people->capacity, n, sizeof *people->items, err);
        if (!st)
            st = sl_grow(&people->seen, &people->seen_capacity, n, sizeof *people->seen, err);
        if (!st)
            st = sl_arena_printf(&people->ids, &copy, err, "%.*s", (int)id.length, id.text);
        if (st)
            return st;
        people->items[people->n] = (sl_labels_person){ .id = copy };
        people->seen[people->n] = (sl_seen){ 0 };
        *slot = (uint32_t)++people->n;
    }
    *out = people->last = *slot - 1;
    people->last_id = (sl_text){ people->items[*out].id, id.length };
    return SL_OK;
}

/* Notes the trial's index; *again if it was noted before. */
static sl_status note_index(sl_seen *seen, int64_t index, bool *again, sl_error *err)
{
    const size_t word = (size_t)index / 64, had = seen->n;
    const uint64_t bit = (uint64_t)1 << (index % 64);
    if (word >= had) {
        sl_status st = sl_grow(&seen->words, &seen->n, word + 1, sizeof *seen->words, err);
        if (st)
            return st;
        memset(seen->words + had, 0, (seen->n - had) * sizeof *seen->words);
    }
    *again = seen->words[word] & bit;
    seen->words[word] |= bit;
    return SL_OK;
}

sl_status sl_people_add(sl_people *people, size_t person, const sl_raw_trial *trial,
                        const sl_labels_rules *rules, bool *counts, sl_error *err)
{
    sl_labels_person *p = &people->items[person];
    bool again;
    sl_status st = note_index(&people->seen[person], trial->index, &again, err);
    if (st)
        return st;
    *counts = !trial->check && sl_labels_in_time(rules, trial->reaction_ms);
    p->duplicate |= again;
    p->n_trials++;
    if (trial->elapsed_ms > p->elapsed_ms)
        p->elapsed_ms = trial->elapsed_ms;
    if (trial->check) {
        p->n_checks++;
        p->n_checks_right += trial->choice == trial->truth;
        return SL_OK;
    }
    p->n_judged++;
    p->n_dropped += !*counts;
    p->n_fast += trial->reaction_ms < rules->min_reaction_ms;
    p->n_slow += trial->reaction_ms > rules->max_reaction_ms;
    p->n_known += trial->truth >= 0;
    p->n_right += trial->choice == trial->truth;
    p->reaction_ms += trial->reaction_ms;
    return SL_OK;
}

void sl_people_release(sl_people *people)
{
    for (size_t i = 0; i < people->n; i++)
        free(people->seen[i].words);
    free(people->items);
    free(people->seen);
    free(people->slots);
    sl_arena_release(&people->ids);
    *people = (sl_people){ 0 };
}
