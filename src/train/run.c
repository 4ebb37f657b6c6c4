#include "train/run.h"

#include "base/file.h"
#include "base/processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONFIG_BYTES = 1 << 20 };

static sl_status take_lock(sl_run *run, sl_error *err)
{
    const char *path;
    sl_status st = sl_run_path(run, &path, "lock", err);

    if (st)
        return st;
    run->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (run->lock < 0)
        return sl_io_error(err, path, "opened", errno);
    for (int tries = 0; tries < 10; tries++) { /* sl_run_is_busy holds it for an instant */
        if (flock(run->lock, LOCK_EX | LOCK_NB) == 0)
            return SL_OK;
        if (errno != EWOULDBLOCK)
            break;
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    }
    if (errno != EWOULDBLOCK)
        return sl_io_error(err, path, "locked", errno);
    st = sl_error_set(
        err, SL_EIO, "another process works in this run folder; wait for it or use another folder");
    return sl_error_at(err, st, "%s", run->folder);
}

bool sl_run_is_busy(const char *folder)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/lock", folder);
    int lock = n > 0 && (size_t)n < sizeof path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    bool busy = false;

    if (lock >= 0) {
        busy = flock(lock, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
        close(lock);
    }
    return busy;
}

/* Temporaries of files that were being written when a process was killed. */
static void remove_temporaries(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;

    if (!dir)
        return;
    while ((entry = readdir(dir))) {
        size_t n = strlen(entry->d_name);

        if (n > 4 && strcmp(entry->d_name + n - 4, ".tmp") == 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
}

/* Where two configurations differ first. */
typedef struct {
    const char *key; /* borrowed of one of them; NULL: nowhere */
    char was[96], now[96];
} difference;

/* A run by one process says nothing of processes. */
static void value_text(const char *key, const json_t *value, char text[96])
{
    memset(text, 0, 96); /* what doesn't fit is left out, without an end */
    if (value)
        json_dumpb(value, text, 95, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    else
        snprintf(text, 96, "%s", strcmp(key, "processes") == 0 ? "1" : "nothing");
}

static void compare_section(json_t *was, json_t *now, difference *out)
{
    json_t *sides[] = { now, was };

    for (int side = 0; side < 2; side++) {
        const char *key;
        json_t *ignored;

        json_object_foreach(sides[side], key, ignored)
        {
            const json_t *a = json_object_get(was, key), *b = json_object_get(now, key);

            if (a && b && json_equal(a, b))
                continue;
            out->key = key;
            value_text(key, a, out->was);
            value_text(key, b, out->now);
            return;
        }
    }
}

/* In what makes a run. */
static bool differ(const json_t *was, const json_t *now, difference *out)
{
    static const char *const sections[] = { "settings", "model", "data" };

    out->key = NULL;
    for (size_t i = 0; i < sizeof sections / sizeof sections[0] && !out->key; i++)
        compare_section(json_object_get(was, sections[i]), json_object_get(now, sections[i]), out);
    return out->key;
}

/* Checks an existing config.json against config, or writes it. */
static sl_status settle_config(sl_run *run, const json_t *config, sl_error *err)
{
    difference d;
    json_t *was;
    sl_status st;

    if (!sl_file_exists(run->config))
        return sl_json_write(run->config, config, err);
    st = sl_json_read(&was, run->config, MAX_CONFIG_BYTES, err);
    if (st)
        return st;
    if (differ(was, config, &d)) {
        st = sl_error_set(err, SL_EMISMATCH,
                          "this run was begun with '%s' %s, not %s; repeat its options or use "
                          "another folder",
                          d.key, d.was, d.now);
        sl_error_at(err, st, "%s", run->config);
    }
    json_decref(was);
    return st;
}

/* Checks config against that of rank 0. */
static sl_status check_against_first(const char *text, const json_t *config, sl_error *err)
{
    difference d;
    json_t *first = json_loads(text, 0, NULL);
    sl_status st = SL_OK;

    if (!first)
        return sl_error_set(err, SL_ENOMEM, "not enough memory for the configuration");
    if (differ(first, config, &d))
        st = sl_error_set(err, SL_EMISMATCH,
                          "'%s' is %s, but %s in process 1; start all with the same options and "
                          "data",
                          d.key, d.now, d.was);
    json_decref(first);
    return st;
}

/* Do all processes have the same configuration? All must call it. */
static sl_status compare_processes(const json_t *config, sl_processes *processes, sl_error *err)
{
    char *text = json_dumps(config, JSON_COMPACT | JSON_REAL_PRECISION(17)), *first = NULL;
    size_t size = text ? strlen(text) + 1 : 0;
    sl_status st =
        text ? SL_OK : sl_error_set(err, SL_ENOMEM, "not enough memory for the configuration");

    st = sl_processes_agree(processes, st, NULL, err);
    if (!st)
        st = sl_processes_broadcast(processes, &size, sizeof size, err);
    if (st)
        goto done;
    st = sl_processes_agree(processes, sl_alloc(&first, size, 1, err), NULL, err);
    if (st)
        goto done;
    if (sl_processes_leads(processes))
        memcpy(first, text, size);
    st = sl_processes_broadcast(processes, first, size, err);
    if (!st)
        st = sl_processes_agree(processes, check_against_first(first, config, err), NULL, err);
done:
    free(first);
    free(text);
    return st;
}

sl_status sl_run_path(sl_run *run, const char **out, const char *name, sl_error *err)
{
    return sl_arena_printf(&run->memory, out, err, "%s/%s", run->folder, name);
}

/* A finished run needs no state to go on from. */
static sl_status remove_state(const sl_run *run, sl_error *err)
{
    if (unlink(run->state) != 0 && errno != ENOENT)
        return sl_io_error(err, run->state, "removed", errno);
    return SL_OK;
}

static sl_status set_paths(sl_run *run, const char *folder, sl_error *err)
{
    struct {
        const char **path, *name;
    } const files[] = {
        { &run->config, "config.json" },
        { &run->metrics, "metrics.csv" },
        { &run->events, "events.out.tfevents.softlabel" },
        { &run->state, "checkpoints/state.safetensors" },
        { &run->result, "result.json" },
    };
    sl_status st = sl_arena_strdup(&run->memory, &run->folder, folder, err);

    for (size_t i = 0; i < sizeof files / sizeof files[0] && !st; i++)
        st = sl_run_path(run, files[i].path, files[i].name, err);
    return st;
}

/* Rank 0's part of opening. */
static sl_status own_folder(sl_run *run, const json_t *config, sl_error *err)
{
    const char *checkpoints;
    sl_status st = sl_run_path(run, &checkpoints, "checkpoints", err);

    if (!st)
        st = sl_make_directories(checkpoints, err);
    if (!st)
        st = take_lock(run, err);
    if (st)
        return st;
    remove_temporaries(run->folder);
    remove_temporaries(checkpoints);
    st = settle_config(run, config, err);
    if (st)
        return st;
    run->finished = sl_file_exists(run->result);
    return run->finished ? remove_state(run, err) /* a kill may have come between the two */
                         : SL_OK;
}

static sl_status open_by_first(sl_run *run, const json_t *config, sl_processes *processes,
                               sl_error *err)
{
    sl_status st = sl_processes_leads(processes) ? own_folder(run, config, err) : SL_OK;

    return sl_processes_agree(processes, st, NULL, err);
}

sl_status sl_run_open(sl_run **out, const char *folder, const json_t *config,
                      sl_processes *processes, sl_error *err)
{
    sl_run *run = NULL;
    sl_status st;

    *out = NULL;
    st = sl_alloc(&run, 1, sizeof *run, err);
    if (!st) {
        run->lock = -1;
        st = set_paths(run, folder, err);
    }
    st = sl_processes_agree(processes, st, NULL, err);
    if (!st && processes)
        st = compare_processes(config, processes, err);
    if (!st)
        st = open_by_first(run, config, processes, err);
    if (!st)
        st = sl_processes_broadcast(processes, &run->finished, sizeof run->finished, err);
    if (st)
        sl_run_close(run);
    else
        *out = run;
    return st;
}

void sl_run_close(sl_run *run)
{
    if (!run)
        return;
    if (run->lock >= 0)
        close(run->lock); /* which releases it */
    sl_arena_release(&run->memory);
    free(run);
}

sl_status sl_run_finish(sl_run *run, const json_t *result, sl_error *err)
{
    sl_status st = sl_json_write(run->result, result, err);

    if (st)
        return st;
    run->finished = true;
    return remove_state(run, err);
}
