#include "data/unpack.h"
#include "base/file.h"
#include "data/folder.h"
#include "data/sums.h"
#include <errno.h>
#include <fcntl.h>
#include <softlabel/log.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Runs "script argument" with no input and with what it prints on our stderr. */
static sl_status run_script(const char *script, const char *argument, sl_error *err)
{
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions))
        return sl_error_set(err, SL_ENOMEM, "no memory to start '%s'", script);
    int failed = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!failed)
        failed = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
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

/* Opens and locks the folder that holds dest, making it if need be; the lock ends with the fd. */
static sl_status lock_parent(const char *dest, int *fd, sl_error *err)
{
    *fd = -1;
    const char *slash = strrchr(dest, '/');
    char *parent =
        slash && slash > dest ? strndup(dest, (size_t)(slash - dest)) : strdup(slash ? "/" : ".");
    if (!parent)
        return sl_error_set(err, SL_ENOMEM, "no memory for a path");
    sl_status st = sl_make_directories(parent, err);
    if (!st) {
        *fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (*fd < 0 || flock(*fd, LOCK_EX))
            st = sl_error_set(err, SL_EIO, "can't lock the folder '%s': %s", parent,
                              strerror(errno));
    }
    free(parent);
    return st;
}

static bool folder_exists(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

sl_status sl_unpack(const char *script, const char *dest, sl_error *err)
{
    char *part = NULL;
    int fd = -1;
    if (folder_exists(dest))
        return SL_OK;
    sl_status st = lock_parent(dest, &fd, err);
    if (st || folder_exists(dest)) /* another process has just made it */
        goto done;
    if (asprintf(&part, "%s.part", dest) < 0) {
        part = NULL;
        st = sl_error_set(err, SL_ENOMEM, "no memory for a path");
        goto done;
    }
    sl_log(SL_LOG_INFO, "unpacking images into '%s': once, about 20 s", dest);
    st = run_script(script, part, err); /* what an earlier run left in part is overwritten */
    if (st)
        goto done;
    const char *names[SL_RECORD_FILES];
    for (int f = 0; f < SL_RECORD_FILES; f++)
        names[f] = sl_known_files[f].name;
    st = sl_sums_write(part, names, SL_RECORD_FILES, err);
    if (!st && rename(part, dest))
        st =
            sl_error_set(err, SL_EIO, "can't rename '%s' to '%s': %s", part, dest, strerror(errno));
done:
    if (fd >= 0)
        close(fd);
    free(part);
    return st;
}
