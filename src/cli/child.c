#include "cli/child.h"

#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Only what is allowed between fork and exec. */
static void become(char *const *argv, int log, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGINT);
    if (getppid() != parent) /* it died before that took effect */
        _exit(125);
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 && dup2(log, STDOUT_FILENO) >= 0 &&
        dup2(log, STDERR_FILENO) >= 0)
        execv("/proc/self/exe", argv);
    _exit(127);
}

sl_status child_start(pid_t *out, const char *const *argv, const char *log, sl_error *err)
{
    char *const *words;
    memcpy(&words, &argv, sizeof words); /* exec's argv is not const, for history */
    int file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0)
        return sl_io_error(err, log, "opened", errno);
    pid_t parent = getpid();
    *out = fork();
    if (*out == 0)
        become(words, file, parent);
    int why = errno;
    close(file);
    return *out < 0 ? sl_io_error(err, "a process", "started", why) : SL_OK;
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
