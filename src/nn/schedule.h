/* Learning rate over a run. A schedule is a plain value; any thread may read it. */
#ifndef NN_SCHEDULE_H
#define NN_SCHEDULE_H

#include <softlabel/error.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    SL_SCHEDULE_CONSTANT,
    SL_SCHEDULE_MULTISTEP, /* x decay at the start of each milestone epoch (0-based) */
    SL_SCHEDULE_COSINE,    /* per step, from lr down to 0 behind the last step */
    SL_SCHEDULE_ONE_CYCLE, /* per step: linear from lr/25 up to lr over warmup epochs, then down to
                              0 along a cosine or a line */
} sl_schedule_kind;

#define SL_SCHEDULE_MAX_MILESTONES 8

typedef struct {
    sl_schedule_kind kind;
    double lr;  /* the base rate; one-cycle: the highest */
    int epochs; /* >= 1: the run's length, which cosine and one-cycle end with */
    int n_milestones;
    int milestones[SL_SCHEDULE_MAX_MILESTONES]; /* rising */
    double decay;
    double warmup; /* one-cycle, in epochs */
    int linear;    /* one-cycle: down along a line */
} sl_schedule;

/* Rate of step (0-based, counted over the whole run). Cosine: lr/2 (1 + cos(pi step/steps)). */
double sl_schedule_lr_at(const sl_schedule *schedule, uint64_t step, uint64_t steps_per_epoch);

/* From text: "constant", "multistep:80,120:0.1", "cosine", "onecycle:5:cosine" (warm-up epochs;
 * cosine or linear). SL_EINVAL names what is wrong, and gives the forms. */
SL_CHECK sl_status sl_schedule_parse(sl_schedule *out, const char *text, double lr, int epochs,
                                     sl_error *err);
/* The text that parses to this schedule, in buffer. Returns buffer. */
const char *sl_schedule_text(const sl_schedule *schedule, char *buffer, size_t size);

#endif
