#include "worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <softlabel/train.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static long moment, kill_at;

static void pass_moment(void)
{
    if (++moment == kill_at)
        kill(getpid(), SIGKILL);
}

/* The linker sends every call of these here (--wrap). */
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __real_unlink(const char *path);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_unlink(const char *path);

int __wrap_fsync(int fd)
{
    pass_moment();
    return __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
    pass_moment();
    int failed = __real_rename(from, to);
    pass_moment();
    return failed;
}

int __wrap_unlink(const char *path)
{
    pass_moment();
    int failed = __real_unlink(path);
    pass_moment();
    return failed;
}

static bool on_progress(void *user, const sl_progress *progress)
{
    (void)user, (void)progress;
    pass_moment();
    return false;
}

static sl_status work(char **argv, sl_error *err)
{
    sl_data *data;
    sl_status st = sl_data_open(&data, argv[2], NULL, err);
    if (st)
        return st;
    if (strcmp(argv[1], "train") == 0) {
        sl_train_options o = sl_train_options_default();
        o.out = argv[3];
        o.model = argv[4];
        o.epochs = 2;
        o.batch_size = 32;
        o.recipe = "fast";
        o.save_every = (int)strtol(argv[5], NULL, 10);
        st = sl_train(&o, data, on_progress, NULL, err);
    } else {
        sl_finetune_options o = sl_finetune_options_default();
        o.out = argv[3];
        o.model = argv[4];
        o.epochs = 3;
        o.batch_size = 30;
        o.c10_50k = "ends";
        if (strcmp(argv[1], "mix") == 0) {
            o.targets = "sampled";
            o.mixup = 1;
            o.cutout = 16;
        }
        o.save_every = (int)strtol(argv[5], NULL, 10);
        st = sl_finetune(&o, data, on_progress, NULL, err);
    }
    sl_data_close(data);
    return st;
}

static void write_moments(const char *out)
{
    char path[600];
    snprintf(path, sizeof path, "%s.moments", out);
    FILE *file = fopen(path, "w");
    if (file) {
        fprintf(file, "%ld\n", moment);
        fclose(file);
    }
}

void worker_main(int argc, char **argv)
{
    sl_error err;
    char line[700];
    if (argc != 8 || strcmp(argv[0], "worker") != 0)
        return;
    kill_at = strtol(argv[6], NULL, 10);
    rlim_t limit = strtoul(argv[7], NULL, 10);
    if (limit) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){ limit, limit });
    }
    sl_status st = work(argv, &err);
    if (st) {
        fprintf(stderr, "worker: %s\n", sl_error_text(&err, line, sizeof line));
        exit(1);
    }
    write_moments(argv[3]);
    exit(0);
}

pid_t worker_start(const worker_job *job)
{
    char at[32], bytes[32];
    snprintf(at, sizeof at, "%ld", job->kill_at);
    snprintf(bytes, sizeof bytes, "%ld", job->max_file_bytes);
    const char *const argv[] = { "worker",        job->command, job->data, job->out, job->model,
                                 job->save_every, at,           bytes,     NULL };
    pid_t pid;
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, (char *const *)argv, environ),
                     0);
    return pid;
}

worker_end worker_wait(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return WORKER_KILLED;
    }
    return WEXITSTATUS(status) == 0 ? WORKER_DONE : WORKER_FAILED;
}

long worker_moments(const char *out)
{
    char path[600];
    long n = 0;
    snprintf(path, sizeof path, "%s.moments", out);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld", &n), 1);
    fclose(file);
    return n;
}
