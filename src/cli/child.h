/* Other commands of this program, run as processes of their own. */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include <softlabel/error.h>
#include <stdbool.h>
#include <sys/types.h>

/* Starts this program with argv (NULL-ended; argv[0] is replaced by its path), its output appended
 * to the file log, and a Ctrl-C for it when this process dies. */
SL_CHECK sl_status child_start(pid_t *out, const char *const *argv, const char *log, sl_error *err);

/* Waits at most seconds for any child to end: its pid and exit code (128 + n for signal n), or pid
 * 0 if none did. */
SL_CHECK sl_status child_wait(pid_t *pid, int *code, double seconds, sl_error *err);

/* Asks a child to stop where it can go on later. */
void child_interrupt(pid_t pid);

#endif
