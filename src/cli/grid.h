/* A grid of fine-tuning runs: every combination of models, targets, mixup, learning rates and split
 * seeds, a run folder each, run as processes of this program. */
#ifndef CLI_GRID_H
#define CLI_GRID_H

#include "base/memory.h"
#include <softlabel/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { GRID_MAX_LIST = 64 };

/* The words of a list, as given: "0.1", "human". */
typedef struct {
    size_t n;
    const char *words[GRID_MAX_LIST];
} grid_list;

typedef enum {
    GRID_MODEL,
    GRID_TARGETS,
    GRID_MIXUP,
    GRID_LR,
    GRID_SPLIT,
    GRID_AXES,
} grid_axis;

typedef enum {
    GRID_WAITING,
    GRID_RUNNING,
    GRID_DONE,
    GRID_FAILED,
    GRID_ELSEWHERE, /* another process works in its folder, or it is of another shard */
} grid_state;

typedef struct {
    size_t at[GRID_AXES]; /* its place in each list */
    const char *model;    /* as its folder and the table of progress have it */
    const char *folder, *log;
    const char *const *command; /* NULL-ended */
    const char *line;           /* the same as text, the log's first line */
    grid_state state;
    pid_t pid;
    int epochs;  /* done, of a running one */
    double loss; /* on the validation images that its rule chooses by: selected, or so far */
} grid_point;

typedef struct {
    grid_list axes[GRID_AXES];
    const char *out;
    int jobs, threads, epochs;
    size_t shard, shards; /* this process runs the points i with i % shards == shard */
    unsigned long long seed;
    const char *data, *device; /* as given, or NULL */
    const char *precision;
    grid_list passed;   /* further options of each run: "--epochs=3" */
    grid_point *points; /* by seed, then as one reads a table */
    size_t n;
    sl_arena memory;
} grid;

/* What the point has on an axis. */
static inline const char *grid_word(const grid *g, const grid_point *p, grid_axis axis)
{
    return g->axes[axis].words[p->at[axis]];
}
/* Does it train with mixup? */
bool grid_mixes(const grid *g, const grid_point *p);

/* Fills points from the rest. SL_EINVAL when two would share a folder. */
SL_CHECK sl_status grid_create_points(grid *g, sl_error *err);
/* Runs what isn't finished, told by show after each change. SL_EINTERRUPTED after Ctrl-C: the runs
 * have saved their state. Points that fail don't stop the others. */
SL_CHECK sl_status grid_run(grid *g, void (*show)(void *user, const grid *g), void *user,
                            sl_error *err);
void grid_release(grid *g);

/* grid_show.c: a table on a terminal, redrawn in place; else a line for each finished point. */
typedef struct {
    bool quiet, terminal;
    size_t lines; /* of the table that stands on the terminal */
    bool *told;   /* by point */
} grid_console;
void grid_show(void *console, const grid *g);

#endif
