/* Other commands of this program, run as processes of their own. */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include "base/memory.h"
#include <softlabel/error.h>
#include <sys/types.h>

enum { CHILD_MAX_WORDS = 128 };

/* A command under construction: zero but for memory, which keeps its words. The first failure stays
 * in st. */
typedef struct {
    sl_arena *memory;
    const char *words[CHILD_MAX_WORDS + 1]; /* NULL-ended */
    size_t n;
    sl_status st;
} child_words;

void child_word(child_words *c, const char *format, ...) SL_PRINTF(2, 3);
/* As a person would type it, in c's memory. Reports what failed in building it. */
SL_CHECK sl_status child_line(child_words *c, const char **out, sl_error *err);

/* Starts this program with argv (NULL-ended; argv[0] is replaced by its path). What it says is
 * appended to the file log; its results go into the file output, begun anew, or, with NULL, to the
 * log. A Ctrl-C at the terminal isn't for it; one comes to it when this process dies. */
SL_CHECK sl_status child_start(pid_t *out, const char *const *argv, const char *log,
                               const char *output, sl_error *err);

/* Waits at most seconds for any child to end: its pid and exit code (128 + n for signal n), or pid
 * 0 if none did. */
SL_CHECK sl_status child_wait(pid_t *pid, int *code, double seconds, sl_error *err);

/* Asks a child to stop where it can go on later. */
void child_interrupt(pid_t pid);

#endif
