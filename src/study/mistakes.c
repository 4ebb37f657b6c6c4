#include "study/mistakes.h"
#include <stdarg.h>
#include <stdio.h>

#define MAX_LINES (sizeof((sl_mistakes *)0)->lines / sizeof(const char *))

void sl_mistakes_add(sl_mistakes *m, const char *format, ...)
{
    char line[sizeof((sl_error *)0)->message + 200];
    va_list args;
    va_start(args, format);
    if (vsnprintf(line, sizeof line, format, args) < 0)
        line[0] = '\0';
    va_end(args);
    if (m->n < MAX_LINES && sl_arena_strdup(&m->memory, &m->lines[m->n], line, NULL))
        m->lines[m->n] = "(no memory for the text of this mistake)";
    m->n++;
}

void sl_mistakes_add_error(sl_mistakes *m, const char *where, const sl_error *err)
{
    char text[sizeof err->message + sizeof err->place];
    sl_mistakes_add(m, "%s: %s", where, sl_error_text(err, text, sizeof text));
}

sl_status sl_mistakes_status(const sl_mistakes *m, sl_error *err)
{
    if (m->n == 0)
        return SL_OK;
    if (m->n == 1)
        return sl_error_set(err, SL_EFORMAT, "%s", m->lines[0]);
    return sl_error_set(err, SL_EFORMAT, "%s (and %zu more: see 'softlabel study check')",
                        m->lines[0], m->n - 1);
}

size_t sl_mistakes_lines(const sl_mistakes *m)
{
    return m->n < MAX_LINES ? m->n : MAX_LINES;
}

void sl_mistakes_release(sl_mistakes *m)
{
    sl_arena_release(&m->memory);
    m->n = 0;
}
