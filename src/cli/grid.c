#include "cli/grid.h"

#include "base/file.h"
#include "cli/child.h"
#include "cli/cli.h"
#include "report/run_result.h"
#include "train/run.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_METRICS_BYTES = 16 << 20, MAX_LOG_BYTES = 16 << 20, MAX_CONFIG_BYTES = 1 << 20 };

bool grid_mixes(const grid *g, const grid_point *p)
{
    return strcmp(grid_word(g, p, GRID_MIXUP), "off") != 0;
}

/* Is it one of the files that a run leaves in its folder? */
static bool is_of_run(const char *name)
{
    return strcmp(name, "model.safetensors") == 0 || strcmp(name, "best.safetensors") == 0 ||
           strcmp(name, "last.safetensors") == 0;
}

/* "pretrained/wrn_16_2.safetensors" and "runs/wrn_16_2/model.safetensors" -> "wrn_16_2" */
static sl_status name_model(grid *g, grid_point *p, sl_error *err)
{
    const char *path = grid_word(g, p, GRID_MODEL), *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    int n = dot && dot != name ? (int)(dot - name) : (int)strlen(name);
    if (slash && slash > path && is_of_run(name)) {
        const char *folder = slash;
        while (folder > path && folder[-1] != '/')
            folder--;
        if (folder < slash && folder[0] != '.') { /* "." and ".." are no names */
            name = folder;
            n = (int)(slash - folder);
        }
    }
    return sl_arena_printf(&g->memory, &p->model, err, "%.*s", n, name);
}

static sl_status name_point(grid *g, grid_point *p, sl_error *err)
{
    bool mixes = grid_mixes(g, p);
    sl_status st = name_model(g, p, err);
    if (!st)
        st = sl_arena_printf(&g->memory, &p->folder, err, "%s/%s/%s%s%s-lr%s-split%s", g->out,
                             p->model, grid_word(g, p, GRID_TARGETS), mixes ? "-mixup" : "",
                             mixes ? grid_word(g, p, GRID_MIXUP) : "", grid_word(g, p, GRID_LR),
                             grid_word(g, p, GRID_SPLIT));
    if (!st)
        st = sl_arena_printf(&g->memory, &p->log, err, "%s.log", p->folder);
    return st;
}

/* The compute threads of a run: those it was begun with, because they decide its last bits; else a
 * fair share. */
static int threads_of(const grid *g, const grid_point *p)
{
    char path[4200];
    json_t *config = NULL, *settings = NULL;
    sl_error ignored;
    int64_t threads = 0;
    snprintf(path, sizeof path, "%s/config.json", p->folder);
    if (!sl_json_read(&config, path, MAX_CONFIG_BYTES, &ignored) &&
        !sl_json_get(config, "settings", &settings, &ignored) &&
        sl_json_get_int(settings, "threads", 1, 1024, &threads, &ignored))
        threads = 0;
    json_decref(config);
    int share = g->threads / g->jobs;
    return threads ? (int)threads : share > 0 ? share : 1;
}

static sl_status write_command(grid *g, grid_point *p, sl_error *err)
{
    child_words c = { .memory = &g->memory };
    unsigned long long split = strtoull(grid_word(g, p, GRID_SPLIT), NULL, 10);
    child_word(&c, "softlabel");
    child_word(&c, "finetune");
    child_word(&c, "%s", grid_word(g, p, GRID_MODEL));
    child_word(&c, "--targets=%s", grid_word(g, p, GRID_TARGETS));
    if (grid_mixes(g, p))
        child_word(&c, "--mixup=%s", grid_word(g, p, GRID_MIXUP));
    child_word(&c, "--lr=%s", grid_word(g, p, GRID_LR));
    child_word(&c, "--split-seed=%s", grid_word(g, p, GRID_SPLIT));
    child_word(&c, "--seed=%llu", g->seed + split);
    for (size_t i = 0; i < g->passed.n; i++)
        child_word(&c, "%s", g->passed.words[i]);
    if (g->data)
        child_word(&c, "--data=%s", g->data);
    if (g->device)
        child_word(&c, "--device=%s", g->device);
    if (strcmp(g->precision, "f32") != 0)
        child_word(&c, "--precision=%s", g->precision);
    child_word(&c, "--threads=%d", threads_of(g, p));
    child_word(&c, "--out=%s", p->folder);
    const char **argv = NULL;
    sl_status st = child_line(&c, &p->line, err);
    if (!st)
        st = sl_arena_alloc(&g->memory, &argv, c.n + 1, sizeof *argv, err);
    if (st)
        return st;
    memcpy(argv, c.words, c.n * sizeof *argv);
    p->command = argv;
    return SL_OK;
}

static int by_folder(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static sl_status check_folders(const grid *g, sl_error *err)
{
    const char **folders = NULL;
    sl_status st = sl_alloc(&folders, g->n, sizeof *folders, err);
    if (st)
        return st;
    for (size_t i = 0; i < g->n; i++)
        folders[i] = g->points[i].folder;
    qsort(folders, g->n, sizeof *folders, by_folder);
    for (size_t i = 1; i < g->n && !st; i++)
        if (strcmp(folders[i - 1], folders[i]) == 0)
            st = sl_error_set(err, SL_EINVAL,
                              "two points of the grid would have the folder '%s'; give each value "
                              "once, and models in files or folders of different names",
                              folders[i]);
    free(folders);
    return st;
}

/* Split seeds vary slowest: a grid that was stopped has whole tables of its first seeds. */
static void place(const grid *g, size_t i, grid_point *p)
{
    static const grid_axis order[] = { GRID_TARGETS, GRID_MIXUP, GRID_LR, GRID_MODEL, GRID_SPLIT };
    for (size_t k = 0; k < GRID_AXES; k++) {
        p->at[order[k]] = i % g->axes[order[k]].n;
        i /= g->axes[order[k]].n;
    }
}

sl_status grid_create_points(grid *g, sl_error *err)
{
    g->n = 1;
    for (size_t k = 0; k < GRID_AXES; k++)
        g->n *= g->axes[k].n;
    sl_status st = sl_alloc(&g->points, g->n, sizeof *g->points, err);
    for (size_t i = 0; i < g->n && !st; i++) {
        grid_point *p = &g->points[i];
        place(g, i, p);
        p->loss = NAN;
        p->state = i % g->shards == g->shard ? GRID_WAITING : GRID_ELSEWHERE;
        st = name_point(g, p, err);
        if (!st)
            st = write_command(g, p, err);
    }
    return st ? st : check_folders(g, err);
}

void grid_release(grid *g)
{
    free(g->points);
    sl_arena_release(&g->memory);
}

static const char *loss_column(const grid *g, const grid_point *p)
{
    return strcmp(grid_word(g, p, GRID_TARGETS), "hard") == 0 ? "c10h_val_c10_loss"
                                                              : "c10h_val_loss";
}

/* The loss of the selected epoch, of a finished run. */
static bool read_result(const grid *g, grid_point *p)
{
    json_t *result = NULL, *row = NULL;
    sl_error ignored;
    double loss = NAN;
    if (sl_run_result_read(&result, p->folder, &ignored))
        return false;
    if (!sl_json_get(result, "selected", &row, &ignored) &&
        !sl_json_get_number(row, loss_column(g, p), &loss, &ignored))
        p->loss = loss;
    json_decref(result);
    return true;
}

/* Rows behind the header and epoch 0, each an epoch. */
static void read_progress(grid_point *p)
{
    char path[4200];
    unsigned char *text = NULL;
    size_t n = 0;
    sl_error ignored;
    snprintf(path, sizeof path, "%s/metrics.csv", p->folder);
    if (sl_file_read(path, MAX_METRICS_BYTES, &text, &n, &ignored))
        return;
    int lines = 0;
    for (size_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    p->epochs = lines > 2 ? lines - 2 : 0;
    free(text);
}

/* Finished by this very command? Then there is nothing to run. */
static bool is_finished(const grid *g, grid_point *p)
{
    unsigned char *log = NULL;
    size_t n = 0, length = strlen(p->line);
    sl_error ignored;
    if (!read_result(g, p) || sl_file_read(p->log, MAX_LOG_BYTES, &log, &n, &ignored))
        return false;
    bool same = n > length && memcmp(log, p->line, length) == 0 && log[length] == '\n';
    free(log);
    return same;
}

static sl_status start(grid *g, grid_point *p, sl_error *err)
{
    if (is_finished(g, p)) {
        p->state = GRID_DONE;
        return SL_OK;
    }
    const char *folder = NULL, *first_line = NULL;
    size_t length = strlen(p->line) + 1;
    int parent = (int)(strrchr(p->folder, '/') - p->folder);
    sl_status st = sl_arena_printf(&g->memory, &folder, err, "%.*s", parent, p->folder);
    if (!st)
        st = sl_make_directories(folder, err);
    if (!st)
        st = sl_arena_printf(&g->memory, &first_line, err, "%s\n", p->line);
    if (!st)
        st = sl_file_write(p->log, first_line, length, err);
    if (!st)
        st = child_start(&p->pid, p->command, p->log, NULL, err);
    if (!st)
        p->state = GRID_RUNNING;
    return st;
}

/* What a child's end means. A command that is no command ends the grid: they all are alike. */
static sl_status take(grid *g, pid_t pid, int code, sl_error *err)
{
    for (size_t i = 0; i < g->n; i++) {
        grid_point *p = &g->points[i];
        if (p->state != GRID_RUNNING || p->pid != pid)
            continue;
        if (code == CLI_USAGE)
            return sl_error_set(err, SL_EINVAL, "the runs' options are wrong; see '%s'", p->log);
        bool busy = code && sl_run_is_busy(p->folder);
        p->state = code == 0 && read_result(g, p) ? GRID_DONE : busy ? GRID_ELSEWHERE : GRID_FAILED;
    }
    return SL_OK;
}

static grid_point *next_waiting(grid *g)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->points[i].state == GRID_WAITING)
            return &g->points[i];
    return NULL;
}

static int count(const grid *g, grid_state state)
{
    int n = 0;
    for (size_t i = 0; i < g->n; i++)
        n += g->points[i].state == state;
    return n;
}

/* Ends the children, who save their state. */
static void stop(grid *g)
{
    sl_error ignored;
    for (size_t i = 0; i < g->n; i++)
        if (g->points[i].state == GRID_RUNNING)
            child_interrupt(g->points[i].pid);
    while (count(g, GRID_RUNNING) > 0) {
        pid_t pid = 0;
        int code = 0;
        if (child_wait(&pid, &code, 1, &ignored))
            return;
        for (size_t i = 0; i < g->n; i++)
            if (g->points[i].state == GRID_RUNNING && g->points[i].pid == pid)
                g->points[i].state = GRID_WAITING;
    }
}

sl_status grid_run(grid *g, void (*show)(void *user, const grid *g), void *user, sl_error *err)
{
    sl_status st = SL_OK;
    for (;;) {
        grid_point *p;
        while (!st && count(g, GRID_RUNNING) < g->jobs && (p = next_waiting(g)))
            st = start(g, p, err);
        for (size_t i = 0; i < g->n; i++)
            if (g->points[i].state == GRID_RUNNING)
                read_progress(&g->points[i]);
        show(user, g);
        if (st || count(g, GRID_RUNNING) == 0)
            break;
        pid_t pid = 0;
        int code = 0;
        st = child_wait(&pid, &code, 1, err);
        if (!st && pid > 0)
            st = take(g, pid, code, err);
        if (!st && cli_interrupted())
            st = sl_error_set(err, SL_EINTERRUPTED, "stopped; the same command goes on");
    }
    if (st)
        stop(g);
    return st;
}
