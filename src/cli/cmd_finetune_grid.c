/* softlabel finetune --grid: many fine-tuning runs by one command. */
#include "cli/cli.h"
#include "cli/grid.h"
#include <limits.h>
#include <softlabel/processes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    KEY_GRID = 1,
    KEY_OUT,
    KEY_TARGETS,
    KEY_MIXUP,
    KEY_LR,
    KEY_SPLIT,
    KEY_JOBS,
    KEY_SHARD,
    KEY_EPOCHS,
    KEY_PASSED, /* and up: options handed to every run as they are */
};

static const struct argp_option option_list[] = {
    { "grid", KEY_GRID, NULL, 0, "run all combinations of the lists below", 0 },
    { "out", KEY_OUT, "DIR", 0,
      "where the runs' folders go, DIR/MODEL/TARGETS-lrX-splitN; the same command goes on", 0 },
    { "targets", KEY_TARGETS, "LIST", 0, "human, hard, sampled, smoothed (human,hard)", 0 },
    { "mixup", KEY_MIXUP, "LIST", 0, "off, or an ALPHA (off)", 0 },
    { "lr", KEY_LR, "LIST", 0, "learning rates (0.1,0.01,0.001)", 0 },
    { "split-seed", KEY_SPLIT, "LIST", 0, "split seeds; a run's --seed is --seed plus it (0,1,2)",
      0 },
    { "jobs", KEY_JOBS, "N", 0, "runs at once, which share --threads (1)", 0 },
    { "shard", KEY_SHARD, "I/N", 0,
      "only every N-th run, beginning with number I of 0..N-1 (from mpirun's or Slurm's "
      "environment, else 0/1)",
      0 },
    { "epochs", KEY_EPOCHS, "N", 0, "of each run (100)", 0 },
    { "batch-size", KEY_PASSED, "N", 0, "as for one run", 0 },
    { "weight-decay", KEY_PASSED + 1, "X", 0, "as for one run", 0 },
    { "augment", KEY_PASSED + 2, "LIST", 0, "as for one run", 0 },
    { "cutout", KEY_PASSED + 3, "N", 0, "as for one run", 0 },
    { "smoothing", KEY_PASSED + 4, "X", 0, "as for one run", 0 },
    { "c10-50k", KEY_PASSED + 5, "WHEN", 0, "as for one run", 0 },
    { "save-every", KEY_PASSED + 6, "N", 0, "as for one run", 0 },
    { 0 },
};

/* What stands in the help, in place of the table's row for one run. */
static const cli_command frame = {
    .name = "finetune",
    .summary =
        "Fine-tune in many ways: every combination of the models and the lists, each run a process "
        "with a folder of its own. Finished ones are skipped, broken ones go on where they were, "
        "and one that another process works on is left to it: machines share nothing but the file "
        "system.",
    .example = "softlabel finetune --grid runs/*/model.safetensors --jobs 2 --out grid",
};

typedef struct {
    cli_options common; /* first */
    grid g;
} options;

/* Splits text at commas into the list. */
static error_t parse_list(struct argp_state *state, const char *option, char *text, grid_list *out)
{
    out->n = 0;
    for (char *rest = text; rest;) {
        char *item = strsep(&rest, ",");
        if (!*item || strchr(item, '/'))
            return cli_usage(state, "%s '%s' isn't a list such as A,B,C", option, item);
        if (out->n == GRID_MAX_LIST)
            return cli_usage(state, "%s has more than %d values", option, GRID_MAX_LIST);
        out->words[out->n++] = item;
    }
    return 0;
}

static error_t parse_numbers(struct argp_state *state, const char *option, char *text,
                             grid_list *out)
{
    double ignored;
    error_t e = parse_list(state, option, text, out);
    for (size_t i = 0; i < out->n && !e; i++)
        if (strcmp(out->words[i], "off") != 0 || strcmp(option, "--mixup") != 0)
            e = cli_number(state, option, out->words[i], 0, 1e6, &ignored);
    return e;
}

static error_t parse_splits(struct argp_state *state, char *text, grid_list *out)
{
    int64_t ignored;
    error_t e = parse_list(state, "--split-seed", text, out);
    for (size_t i = 0; i < out->n && !e; i++)
        e = cli_integer(state, "--split-seed", out->words[i], 0, UINT32_MAX, &ignored);
    return e;
}

static error_t parse_targets(struct argp_state *state, char *text, grid_list *out)
{
    static const char *const known[] = { "human", "hard", "sampled", "smoothed", NULL };
    int ignored;
    error_t e = parse_list(state, "--targets", text, out);
    for (size_t i = 0; i < out->n && !e; i++)
        e = cli_choice(state, "--targets", out->words[i], known, &ignored);
    return e;
}

static error_t parse_shard(struct argp_state *state, const char *text, grid *g)
{
    char *end;
    long i = strtol(text, &end, 10), n = 0;
    if (end != text && *end == '/')
        n = strtol(end + 1, &end, 10);
    if (*end || i < 0 || n < 1 || i >= n)
        return cli_usage(state, "--shard '%s' isn't I/N with 0 <= I < N", text);
    g->shard = (size_t)i;
    g->shards = (size_t)n;
    return 0;
}

static bool number_in(const char *name, long *out)
{
    const char *text = getenv(name);
    char *end = NULL;
    if (!text || !*text)
        return false;
    *out = strtol(text, &end, 10);
    return *end == '\0';
}

/* Which of how many processes this is, as launchers say: Open MPI, MPICH's and Intel's Hydra, srun,
 * and Slurm's job arrays. */
static void shard_of_environment(grid *g)
{
    static const char *const ranks[][2] = {
        { "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE" },
        { "PMI_RANK", "PMI_SIZE" },
        { "SLURM_PROCID", "SLURM_NTASKS" },
    };
    long i = 0, n = 1, first = 0;
    for (size_t k = 0; k < sizeof ranks / sizeof ranks[0]; k++)
        if (number_in(ranks[k][0], &i) && number_in(ranks[k][1], &n) && n > 1)
            break;
        else
            i = 0, n = 1;
    if (n == 1 && number_in("SLURM_ARRAY_TASK_ID", &i) &&
        number_in("SLURM_ARRAY_TASK_MIN", &first) && number_in("SLURM_ARRAY_TASK_COUNT", &n))
        i -= first;
    if (n < 1 || i < 0 || i >= n)
        return;
    g->shard = (size_t)i;
    g->shards = (size_t)n;
}

static error_t pass_on(struct argp_state *state, grid *g, const char *name, const char *text)
{
    sl_error err;
    grid_list *to = &g->passed;
    for (size_t i = 0; i < to->n; i++) { /* the last one counts, as for one run */
        size_t n = strlen(name);
        if (strncmp(to->words[i] + 2, name, n) == 0 && to->words[i][n + 2] == '=')
            to->words[i] = to->words[--to->n];
    }
    if (sl_arena_printf(&g->memory, &to->words[to->n], &err, "--%s=%s", name, text))
        return cli_usage(state, "out of memory");
    to->n++;
    return 0;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    grid *g = &((options *)state->input)->g;
    grid_list *models = &g->axes[GRID_MODEL];
    int64_t n = 0;
    error_t e = 0;
    switch (key) {
    case ARGP_KEY_ARG:
        if (models->n == GRID_MAX_LIST)
            return cli_usage(state, "more than %d models", GRID_MAX_LIST);
        models->words[models->n++] = text;
        return 0;
    case KEY_GRID:
        return 0;
    case KEY_OUT:
        g->out = text;
        return 0;
    case KEY_TARGETS:
        return parse_targets(state, text, &g->axes[GRID_TARGETS]);
    case KEY_MIXUP:
        return parse_numbers(state, "--mixup", text, &g->axes[GRID_MIXUP]);
    case KEY_LR:
        return parse_numbers(state, "--lr", text, &g->axes[GRID_LR]);
    case KEY_SPLIT:
        return parse_splits(state, text, &g->axes[GRID_SPLIT]);
    case KEY_JOBS:
        e = cli_integer(state, "--jobs", text, 1, 1024, &n);
        g->jobs = (int)n;
        return e;
    case KEY_SHARD:
        return parse_shard(state, text, g);
    case KEY_EPOCHS:
        e = cli_integer(state, "--epochs", text, 1, 1000000, &n);
        g->epochs = (int)n;
        return e ? e : pass_on(state, g, "epochs", text);
    case ARGP_KEY_END:
        if (!g->out)
            return cli_usage(state, "--out DIR is missing: where the runs' folders go");
        if (models->n == 0)
            return cli_usage(state, "the MODELs to fine-tune are missing, say m.safetensors");
        return 0;
    default:
        break;
    }
    for (const struct argp_option *o = option_list; o->name; o++)
        if (o->key == key && key >= KEY_PASSED)
            return pass_on(state, g, o->name, text);
    return ARGP_ERR_UNKNOWN;
}

static void print_json(const grid *g)
{
    static const char *const states[] = { "waiting", "running", "done", "failed", "elsewhere" };
    json_t *points = json_array();
    for (size_t i = 0; i < g->n; i++) {
        const grid_point *p = &g->points[i];
        json_t *loss = p->state == GRID_DONE ? json_real(p->loss) : json_null();
        json_array_append_new(points, json_pack("{s:s, s:s, s:o}", "run", p->folder, "state",
                                                states[p->state], "loss", loss));
    }
    cli_print_json(points);
}

static sl_status run_grid(options *all, sl_error *err)
{
    grid *g = &all->g;
    grid_console console = { .quiet = all->common.quiet,
                             .terminal = isatty(STDERR_FILENO) && !all->common.quiet };
    g->threads = all->common.threads;
    g->seed = all->common.seed;
    g->data = all->common.data;
    g->precision = all->common.precision;
    g->device = strcmp(all->common.device, "cpu") == 0 ? NULL : all->common.device;
    sl_status st = grid_create_points(g, err);
    if (!st)
        st = sl_alloc(&console.told, g->n, sizeof *console.told, err);
    if (!st)
        st = grid_run(g, grid_show, &console, err);
    if (!st && all->common.json)
        print_json(g);
    size_t failed = 0;
    for (size_t i = 0; i < g->n && !st; i++)
        failed += g->points[i].state == GRID_FAILED;
    if (failed > 0)
        st =
            sl_error_set(err, SL_EIO, "%zu of %zu runs failed; their logs lie beside their folders",
                         failed, g->n);
    free(console.told);
    return st;
}

int cmd_finetune_grid(int argc, char **argv)
{
    static const struct argp argp = { .options = option_list,
                                      .parser = parse,
                                      .args_doc = "MODEL..." };
    options all = { .common.bf16 = true,
                    .g = { .axes = { [GRID_TARGETS] = { 2, { "human", "hard" } },
                                     [GRID_MIXUP] = { 1, { "off" } },
                                     [GRID_LR] = { 3, { "0.1", "0.01", "0.001" } },
                                     [GRID_SPLIT] = { 3, { "0", "1", "2" } } },
                           .jobs = 1,
                           .epochs = 100,
                           .shards = 1 } };
    sl_error err;
    shard_of_environment(&all.g);
    sl_processes_forget(); /* each does its share of the runs, which are processes by themselves */
    int code = cli_parse(&frame, &argp, argc, argv, &all);
    if (!code)
        code = cli_end(&all.common, run_grid(&all, &err), &err);
    grid_release(&all.g);
    return code;
}
