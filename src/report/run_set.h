/* The finished fine-tuning runs that a report is about, and the groups they fall into. */
#ifndef REPORT_RUN_SET_H
#define REPORT_RUN_SET_H

#include "base/memory.h"
#include "report/run_result.h"

/* The fields are for reading. Zeroed is empty. */
typedef struct {
    sl_tuning_run *runs; /* (n): those of a group, and within it of a setting, are neighbours */
    size_t n;
    sl_arena memory; /* private */
} sl_run_set;

/* paths: n >= 1 run folders, or folders with finished runs in or below them (two levels), of which
 * other kinds of runs and unfinished ones are passed over. SL_EMISMATCH when runs of one model were
 * scored on different data; SL_EINVAL when a run is there twice; SL_ENOTFOUND when a path has none.
 */
SL_CHECK sl_status sl_run_set_read(sl_run_set *out, const char *const *paths, size_t n,
                                   sl_error *err);
void sl_run_set_release(sl_run_set *set);

/* Neighbouring runs of a set. */
typedef struct {
    const sl_tuning_run *runs;
    size_t n;
} sl_run_span;

/* Of the span's first runs, those that belong together. */
typedef bool sl_run_relation(const sl_tuning_run *a, const sl_tuning_run *b);
sl_run_span sl_run_span_first(sl_run_span all, sl_run_relation *same);
sl_run_span sl_run_span_after(sl_run_span all, sl_run_span first);

/* Each implies those before it. */
bool sl_run_same_model(const sl_tuning_run *a, const sl_tuning_run *b);    /* the same checkpoint */
bool sl_run_same_group(const sl_tuning_run *a, const sl_tuning_run *b);    /* and kind, and mixup */
bool sl_run_same_settings(const sl_tuning_run *a, const sl_tuning_run *b); /* all but seeds */
/* The same split and random numbers, whatever else. */
bool sl_run_same_seeds(const sl_tuning_run *a, const sl_tuning_run *b);

#endif
