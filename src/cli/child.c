#include "cli/child.h"

#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void child_word(child_words *c, const char *format, ...)
{
    char text[4400];
    sl_error ignored;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (c->st)
        return;
    if (n < 0 || (size_t)n >= sizeof text || c->n == CHILD_MAX_WORDS)
        c->st = SL_EINVAL;
    else
        c->st = sl_arena_strdup(c->memory, &c->words[c->n], text, &ignored);
    c->n += !c->st;
}

sl_status child_line(child_words *c, const char **out, sl_error *err)
{
    size_t bytes = 1;
    char *text = NULL;
    if (c->st == SL_EINVAL)
        return sl_error_set(err, SL_EINVAL, "a command would be too long");
    for (size_t i = 0; i < c->n; i++)
        bytes += strlen(c->words[i]) + 1;
    if (c->st || sl_arena_alloc(c->memory, &text, bytes, 1, err))
        return sl_error_set(err, SL_ENOMEM, "out of memory");
    for (size_t i = 0, at = 0; i < c->n; i++)
        at += (size_t)snprintf(text + at, bytes - at, "%s%s", i ? " " : "", c->words[i]);
    *out = text;
    return SL_OK;
}

/* Only what is allowed between fork and exec. Of its own group, since whoever waits for it hands on
 * the terminal's Ctrl-C, and a second one would end it at once. */
static void become(char *const *argv, int log, int output, pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGINT);
    if (getppid() != parent) /* it died before that took effect */
        _exit(125);
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
        dup2(log, STDERR_FILENO) >= 0)
        execv("/proc/self/exe", argv);
    _exit(127);
}

static sl_status start(pid_t *out, const char *const *argv, int log, int output, sl_error *err)
{
    char *const *words;
    memcpy(&words, &argv, sizeof words); /* exec's argv is not const, for history */
    const pid_t parent = getpid();
    *out = fork();
    if (*out == 0)
        become(words, log, output, parent);
    return *out < 0 ? sl_io_error(err, "a process", "started", errno) : SL_OK;
}

sl_status child_start(pid_t *out, const char *const *argv, const char *log, const char *output,
                      sl_error *err)
{
    int log_file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (log_file < 0)
        return sl_io_error(err, log, "opened", errno);
    int file = output ? open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : log_file;
    sl_status st = file < 0 ? sl_io_error(err, output, "opened", errno)
                            : start(out, argv, log_file, file, err);
    if (file >= 0 && file != log_file)
        close(file);
    close(log_file);
    return st;
}

sl_status child_wait(pid_t *pid, int *code, double seconds, sl_error *err)
{
    const struct timespec pause = { .tv_nsec = 50000000 };
    for (double waited = 0;; waited += 0.05) {
        int status = 0;
        *pid = waitpid(-1, &status, WNOHANG);
        if (*pid > 0) {
            *code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
            return SL_OK;
        }
        if (*pid < 0 && errno != EINTR)
            return sl_io_error(err, "a process", "waited for", errno);
        *pid = 0;
        if (waited >= seconds)
            return SL_OK;
        nanosleep(&pause, NULL);
    }
}

void child_interrupt(pid_t pid)
{
    kill(pid, SIGINT);
}
