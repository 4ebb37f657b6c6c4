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

int cli_launch(void)
{
    sl_error err;
    int rank;

    if (sl_processes_launched(&rank) == 1)
        return CLI_DONE;
    if (rank > 0)
        silence();
    sl_status st = sl_processes_open(&together, &err);
    if (st) {
        cli_print_error(&err);
        /* A launcher ends all when one fails, maybe before the first has spoken. */
        if (rank > 0)
            sleep(2);
        return CLI_FAILED;
    }
    atexit(leave); /* argp exits from --help */
    return CLI_DONE;
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
