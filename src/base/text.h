/* Text that lies in someone else's memory, and numbers strictly read from it: all of the text must
 * be the number, without spaces or "+" in front. Independent of the locale. Any thread. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <softlabel/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const char *text; /* not ended by a NUL */
    size_t length;
} sl_text;

static inline bool sl_text_is(sl_text a, const char *b)
{
    return strlen(b) == a.length && memcmp(a.text, b, a.length) == 0;
}

/* Decimal digits, "-" in front where the type has it. False, *out untouched, for anything else and
 * for what doesn't fit. */
SL_CHECK bool sl_parse_i64(const char *text, size_t length, int64_t *out);
SL_CHECK bool sl_parse_u64(const char *text, size_t length, uint64_t *out);

/* A decimal number such as "-1.5e-3", rounded to the nearest double; what is too large for one is
 * refused. With non_finite, "nan" and "inf" or "infinity" (any case, "-" allowed) are numbers too.
 */
SL_CHECK bool sl_parse_f64(const char *text, size_t length, bool non_finite, double *out);

#endif
