#include "cli/launch.h"

#include "cli/cli.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static sl_processes *together;
static int heard = -1; /* a silenced process's stderr */

sl_processes *cli_processes(void)
{
    return together;
}

static void leave(void)
{
    sl_processes_close(together);
    together = NULL;
}

static void silence(void)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    heard = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (nowhere < 0)
        return;
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    close(nowhere);
}

static int meet(const char *self, bool can, int n)
{
    sl_error err;
    if (!can) {
        fprintf(stderr,
                "%s: runs in one process, but %d were started together; several can train, "
                "finetune, or share a grid\n",
                self, n);
        return CLI_USAGE;
    }
    sl_status st = sl_processes_open(&together, &err);
    if (st) {
        cli_print_error(&err);
        return CLI_FAILED;
    }
    atexit(leave); /* argp exits from --help */
    return CLI_DONE;
}

int cli_launch(const char *self, bool can)
{
    int rank = 0;
    const int n = sl_processes_launched(&rank);

    if (n == 1)
        return CLI_DONE;
    if (rank > 0)
        silence();
    int code = meet(self, can, n);
    if (code && rank > 0)
        sleep(2); /* a launcher ends all when one fails, maybe before the first has spoken */
    return code;
}

static bool is_alone(void)
{
    return together && !sl_processes_failed_together(together);
}

void cli_speak_alone(void)
{
    if (is_alone() && heard >= 0) {
        fflush(stderr);
        dup2(heard, STDERR_FILENO);
    }
}

void cli_end_others(int code)
{
    if (is_alone()) {
        fflush(stderr);
        sl_processes_abort(together, code);
    }
}
