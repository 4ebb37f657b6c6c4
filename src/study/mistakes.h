/* What is wrong with a study, all of it at once: lines to be told to its author. */
#ifndef STUDY_MISTAKES_H
#define STUDY_MISTAKES_H

#include "base/memory.h"

/* Zero-initialised is empty. Past MAX_MISTAKES lines, mistakes are only counted. */
typedef struct {
    sl_arena memory;
    const char *lines[100];
    size_t n; /* of mistakes */
} sl_mistakes;

void sl_mistakes_add(sl_mistakes *m, const char *format, ...) SL_PRINTF(2, 3);
/* Adds what err says. */
void sl_mistakes_add_error(sl_mistakes *m, const char *where, const sl_error *err);
/* SL_OK when there is none; else SL_EFORMAT with the first and the number of them. */
SL_CHECK sl_status sl_mistakes_status(const sl_mistakes *m, sl_error *err);
size_t sl_mistakes_lines(const sl_mistakes *m); /* how many of lines are filled */
void sl_mistakes_release(sl_mistakes *m);

#endif
