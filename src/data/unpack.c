#include "data/unpack.h"
#include "data/folder.h"
#include "data/staging.h"
#include "data/sums.h"
#include <errno.h>
#include <fcntl.h>
#include <softlabel/log.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Runs "script argument" with no input and with what it prints on our stderr. The script inherits
 * lock, so that nobody else begins while it lives, even if we are killed. */
static sl_status run_script(const char *script, const char *argument, int lock, sl_error *err)
{
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions))
        return sl_error_set(err, SL_ENOMEM, "no memory to start '%s'", script);
    int failed = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!failed)
        failed = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    if (!failed)
        failed = posix_spawn_file_actions_adddup2(&actions, lock, lock); /* not closed on exec */
    char *copy_script = strdup(script), *copy_argument = strdup(argument);
    char *argv[] = { copy_script, copy_argument, NULL };
    pid_t child = 0;
    if (!copy_script || !copy_argument)
        failed = ENOMEM;
    if (!failed)
        failed = posix_spawn(&child, script, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    free(copy_script);
    free(copy_argument);
    if (failed)
        return sl_error_set(err, SL_EIO, "can't run '%s': %s", script, strerror(failed));

    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return sl_error_set(err, SL_EIO, "lost '%s': %s", script, strerror(errno));
    if (WIFSIGNALED(status))
        return sl_error_set(err, SL_EINTERRUPTED, "'%s' was ended by signal %d", script,
                            WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return sl_error_set(err, SL_EIO, "'%s' failed with exit code %d; what it said is above",
                            script, WEXITSTATUS(status));
    return SL_OK;
}

sl_status sl_unpack(const char *script, const char *dest, sl_error *err)
{
    sl_staging staging;
    bool exists;
    sl_status st = sl_staging_open(&staging, dest, &exists, err);
    if (st)
        return st;
    if (exists) /* perhaps another process has just made it */
        goto done;
    sl_log(SL_LOG_INFO, "unpacking images into '%s': once, about 20 s", dest);
    st = run_script(script, staging.part, staging.lock, err);
    if (st)
        goto done;
    const char *names[SL_RECORD_FILES];
    for (int f = 0; f < SL_RECORD_FILES; f++)
        names[f] = sl_known_files[f].name;
    st = sl_sums_write(staging.part, names, SL_RECORD_FILES, err);
    if (!st)
        st = sl_staging_commit(&staging, err);
done:
    sl_staging_close(&staging);
    return st;
}
