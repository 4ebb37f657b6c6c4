/* The paper from beginning to end, as a list of this program's own commands.
 *
 * reproduce_scale.c says how much of it, reproduce_plan.c which commands that takes,
 * reproduce_cost.c how long they will take, reproduce_run.c runs them. */
#ifndef CLI_REPRODUCE_H
#define CLI_REPRODUCE_H

#include "cli/cli.h"

#include "base/memory.h"

enum { REPRODUCE_MAX_MODELS = 32, REPRODUCE_MAX_STEPS = 4 * REPRODUCE_MAX_MODELS + 16 };

/* How much of the paper. Lists are as the commands take them: "0.1,0.01". */
typedef struct {
    const char *name;
    const char *models;
    int n_train, n_test; /* images; synthetic: of the set that is drawn, whatever data there is */
    bool synthetic;
    const char *recipe;
    int epochs;   /* of pretraining; 0: the recipe's */
    int by_heart; /* further epochs without augmentation, so that small networks know their
                     training images by heart as the paper's large ones do */
    int tuning_epochs;
    const char *targets, *rates, *mixup_rates, *splits; /* mixup is tried at mixup_rates */
    const char *c10_50k;
    const char *epsilons;
} reproduce_scale;

extern const char *const reproduce_scale_names[];       /* NULL-ended */
const reproduce_scale *reproduce_find_scale(int place); /* in these names */
size_t reproduce_count(const char *list);

typedef struct {
    const char *name;           /* of its log and mark */
    const char *what;           /* for a person */
    const char *const *command; /* NULL-ended */
    const char *line;           /* the same as text: what its mark holds */
    const char *output;         /* file of what it prints; NULL: it writes its files itself */
    const char *model;          /* it is of this one alone; NULL: of all */
    double trained, scored;     /* images that each of its models trains on, scores */
    const char *runs, *but;     /* glob patterns of the results that it has when half done, and of
                                   those among them that aren't its own; NULL: none */
    size_t n_runs;              /* a model's, when it is done */
    double seconds;             /* it will take, from reproduce_measure; NaN: not known */
} reproduce_step;

typedef struct {
    const cli_options *common;
    reproduce_scale scale; /* as the options changed it */
    const char *models[REPRODUCE_MAX_MODELS];
    size_t n_models;
    const char *out, *pretrained; /* pretrained: a folder of NAME.safetensors, or NULL */
    int jobs;
    bool counts; /* the data has counts of people's choices */

    reproduce_step steps[REPRODUCE_MAX_STEPS];
    size_t n;
    sl_arena memory;
} reproduction;

/* Fills models and steps from the rest. */
SL_CHECK sl_status reproduce_plan(reproduction *r, sl_error *err);

/* Times each model that something is left to do for, in seconds, and fills steps' seconds. */
SL_CHECK sl_status reproduce_measure(reproduction *r, sl_error *err);
/* What is left to do and how long it will take. */
void reproduce_print_cost(const reproduction *r, FILE *out);

/* Was the step finished by this very command? */
bool reproduce_is_done(const reproduction *r, const reproduce_step *step);
/* Runs the steps in order, leaving out those that are done; waits for another process that works in
 * the folder. SL_EINTERRUPTED after Ctrl-C: the running step has saved its state. */
SL_CHECK sl_status reproduce_run(const reproduction *r, sl_error *err);

#endif
