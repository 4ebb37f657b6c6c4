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

static inline bool sl_text_equal(sl_text a, sl_text b)
{
    return a.length == b.length && memcmp(a.text, b.text, a.length) == 0;
}

/* The number that 1 to 9 decimal digits are; -1 for anything else. For where the most common
 * numbers come by the million; the functions below read all others, and these. */
static inline int32_t sl_parse_short(const char *text, size_t length)
{
    int32_t value = 0;
    if (length - 1 > 8)
        return -1;
    for (size_t i = 0; i < length; i++) {
        const unsigned digit = (unsigned char)text[i] - (unsigned)'0';
        if (digit > 9)
            return -1;
        value = value * 10 + (int32_t)digit;
    }
    return value;
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
