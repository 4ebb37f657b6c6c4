/* What is known of each person, in the order in which they first appear. */
#ifndef LABELS_PEOPLE_H
#define LABELS_PEOPLE_H

#include "base/memory.h"
#include "labels/raw.h"

typedef struct {
    uint64_t *words; /* bit i: there was a trial with index i */
    size_t n;
} sl_seen;

/* Zero-initialised is empty. */
typedef struct {
    sl_labels_person *items;
    sl_seen *seen; /* (n) */
    size_t n, capacity, seen_capacity;
    uint32_t *slots; /* (n_slots) a person's number + 1, or 0; a power of two */
    size_t n_slots;
    size_t last; /* whom was asked for last: a person's rows come together */
    sl_text last_id;
    sl_arena ids;
} sl_people;

/* The person's number, added if new. */
SL_CHECK sl_status sl_people_find(sl_people *people, sl_text id, size_t *out, sl_error *err);

/* Adds a trial to the statistics; *counts says whether it is a judgment that the rules count. */
SL_CHECK sl_status sl_people_add(sl_people *people, size_t person, const sl_raw_trial *trial,
                                 const sl_labels_rules *rules, bool *counts, sl_error *err);

/* people.csv, exact numbers; reading appends, and checks. */
SL_CHECK sl_status sl_people_write(const char *path, const sl_labels_person *people, size_t n,
                                   sl_error *err);
SL_CHECK sl_status sl_people_read(sl_people *people, const char *path, sl_error *err);

void sl_people_release(sl_people *people);

/* Whether the rules count a judgment that took so long. */
static inline bool sl_labels_in_time(const sl_labels_rules *rules, double reaction_ms)
{
    return reaction_ms >= rules->min_reaction_ms && reaction_ms <= rules->max_reaction_ms;
}

#endif
