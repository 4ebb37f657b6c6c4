#include "base/file.h"
#include "cli/child.h"
#include "cli/reproduce.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { MAX_MARK_BYTES = 1 << 16, TAIL_BYTES = 2000 };

/* out/log/NAME.SUFFIX */
static sl_status path_of(const reproduction *r, const reproduce_step *step, const char *suffix,
                         char path[PATH_MAX], sl_error *err)
{
    int n = snprintf(path, PATH_MAX, "%s/log/%s.%s", r->out, step->name, suffix);
    return n < 0 || n >= PATH_MAX ? sl_error_set(err, SL_EINVAL, "--out is too long") : SL_OK;
}

bool reproduce_is_done(const reproduction *r, const reproduce_step *step)
{
    char path[PATH_MAX];
    unsigned char *mark = NULL;
    size_t n = 0;
    sl_error ignored;
    if (path_of(r, step, "done", path, &ignored) ||
        sl_file_read(path, MAX_MARK_BYTES, &mark, &n, &ignored))
        return false;
    bool same = strcmp((const char *)mark, step->line) == 0; /* sl_file_read ends it with a NUL */
    free(mark);
    return same;
}

/* What a step makes, those behind it build on: when it is done anew, so are they. */
static sl_status forget_later(const reproduction *r, const reproduce_step *step, sl_error *err)
{
    char mark[PATH_MAX];
    sl_status st = SL_OK;
    for (const reproduce_step *later = step; later < r->steps + r->n && !st; later++) {
        if (later->model && step->model && strcmp(later->model, step->model) != 0)
            continue;
        st = path_of(r, later, "done", mark, err);
        if (!st && unlink(mark) != 0 && errno != ENOENT)
            st = sl_io_error(err, mark, "removed", errno);
    }
    return st;
}

/* The last line of a log, where a command says how far it is and what went wrong. */
static void read_last_line(const char *path, char *line, size_t size)
{
    char tail[TAIL_BYTES + 1];
    line[0] = '\0';
    FILE *file = fopen(path, "rb");
    if (!file)
        return;
    if (fseek(file, -TAIL_BYTES, SEEK_END) != 0)
        rewind(file);
    size_t n = fread(tail, 1, TAIL_BYTES, file);
    fclose(file);
    while (n > 0 && tail[n - 1] == '\n')
        n--;
    tail[n] = '\0';
    const char *end = strrchr(tail, '\n');
    snprintf(line, size, "%.*s", (int)size - 1, end ? end + 1 : tail); /* as far as it fits */
}

/* Waits for the step's process, showing on a terminal what its log says last. */
static sl_status watch(const reproduction *r, pid_t pid, const char *log, int *code, sl_error *err)
{
    pid_t ended = 0;
    bool asked = false;
    sl_status st = SL_OK;
    while (!st && ended == 0) {
        st = child_wait(&ended, code, 1, err);
        if (!st && cli_interrupted() && !asked) {
            child_interrupt(pid);
            asked = true;
        }
        if (r->common->console.terminal && !r->common->quiet) {
            char line[80];
            read_last_line(log, line, sizeof line);
            fprintf(stderr, "\r  %s\033[K%s", ended ? "" : line, ended ? "\r" : "");
        }
    }
    return st;
}

/* What is printed appears whole or not at all, as all files do. */
static sl_status run_step(const reproduction *r, const reproduce_step *step, sl_error *err)
{
    char log[PATH_MAX], mark[PATH_MAX], output[PATH_MAX], why[200];
    pid_t pid = 0;
    int code = 0;
    sl_status st = path_of(r, step, "log", log, err);
    if (!st)
        st = path_of(r, step, "done", mark, err);
    if (!st)
        st = path_of(r, step, "out", output, err);
    if (!st)
        st = forget_later(r, step, err);
    if (!st)
        st = sl_file_write(log, "", 0, err);
    if (!st)
        st = child_start(&pid, step->command, log, step->output ? output : NULL, err);
    if (!st)
        st = watch(r, pid, log, &code, err);
    if (!st && code != 0 && cli_interrupted())
        return sl_error_set(err, SL_EINTERRUPTED, "stopped; the same command goes on");
    if (!st && code != 0) {
        read_last_line(log, why, sizeof why);
        return sl_error_set(err, SL_EIO, "'%s' failed: %s; its log is '%s'", step->name, why, log);
    }
    if (!st && step->output && rename(output, step->output) != 0)
        st = sl_io_error(err, step->output, "written", errno);
    return st ? st : sl_file_write(mark, step->line, strlen(step->line), err);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static sl_status run_steps(const reproduction *r, sl_error *err)
{
    sl_status st = SL_OK;
    for (size_t i = 0; i < r->n && !st; i++) {
        const reproduce_step *step = &r->steps[i];
        const double started = now();
        const bool done = reproduce_is_done(r, step);
        if (done)
            continue;
        if (!r->common->quiet)
            fprintf(stderr, "%zu/%zu  %s%s%s\n", i + 1, r->n, step->what, step->model ? ": " : "",
                    step->model ? step->model : "");
        st = run_step(r, step, err);
        if (!st && !r->common->quiet && now() - started >= 60)
            fprintf(stderr, "  took %.1f min\n", (now() - started) / 60);
    }
    return st;
}

/* The lock is held as long as a process lives that has inherited it: those of a killed reproduction
 * take a moment to save their state. */
static sl_status take_lock(const char *path, int *lock, sl_error *err)
{
    const struct timespec pause = { .tv_nsec = 200000000 };
    bool told = false;
    *lock = open(path, O_RDWR | O_CREAT, 0666);
    if (*lock < 0)
        return sl_io_error(err, path, "opened", errno);
    while (flock(*lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return sl_io_error(err, path, "locked", errno);
        if (cli_interrupted())
            return sl_error_set(err, SL_EINTERRUPTED, "stopped");
        if (!told)
            sl_log(SL_LOG_INFO, "waiting for another process that works there ('%s')", path);
        told = true;
        nanosleep(&pause, NULL);
    }
    return SL_OK;
}

sl_status reproduce_run(const reproduction *r, sl_error *err)
{
    static const char *const folders[] = { "log", "report" };
    char path[PATH_MAX];
    int lock = -1;
    sl_status st = SL_OK;
    for (size_t i = 0; i < 2 && !st; i++) {
        snprintf(path, sizeof path, "%s/%s", r->out, folders[i]);
        st = sl_make_directories(path, err);
    }
    snprintf(path, sizeof path, "%s/log/lock", r->out);
    if (!st)
        st = take_lock(path, &lock, err);
    if (!st)
        st = run_steps(r, err);
    if (lock >= 0)
        close(lock);
    return st;
}
