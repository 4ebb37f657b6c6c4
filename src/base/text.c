#include "base/text.h"
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool sl_parse_u64(const char *text, size_t length, uint64_t *out)
{
    uint64_t value = 0;
    if (length - 1 < 19) { /* 1 to 19 digits always fit */
        for (size_t i = 0; i < length; i++) {
            const unsigned digit = (unsigned char)text[i] - (unsigned)'0';
            if (digit > 9)
                return false;
            value = value * 10 + digit;
        }
        *out = value;
        return true;
    }
    for (size_t i = 0; i < length; i++) {
        if (!is_digit(text[i]) || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
            return false;
    }
    if (length > 0)
        *out = value;
    return length > 0;
}

bool sl_parse_i64(const char *text, size_t length, int64_t *out)
{
    bool negative = length > 0 && text[0] == '-';
    uint64_t value;
    if (!sl_parse_u64(text + negative, length - negative, &value) ||
        value > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

/* A decimal number taken apart: value = digits * 10^exponent, if exact (no digit was dropped). */
typedef struct {
    uint64_t digits;
    int exponent;
    bool exact;
} decimal;

/* Checks the whole text against  -? (d+ .? d* | . d+) ([eE] [+-]? d+)?  */
static bool take_apart(const char *p, const char *end, decimal *out)
{
    decimal d = { .exact = true };
    int n_digits = 0;
    bool point = false;
    for (; p < end && (is_digit(*p) || (*p == '.' && !point)); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        n_digits++;
        if (d.digits > (UINT64_MAX - 9) / 10)
            d.exact = false;
        else
            d.digits = d.digits * 10 + (uint64_t)(*p - '0');
        d.exponent -= point;
    }
    if (n_digits == 0)
        return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        bool negative = p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+'))
            p++;
        if (p == end)
            return false;
        int written = 0;
        for (; p < end && is_digit(*p); p++)
            if (written < 100000)
                written = written * 10 + (*p - '0');
        d.exponent += negative ? -written : written;
    }
    *out = d;
    return p == end;
}

/* By strtod in the C locale: correctly rounded, but slow and in need of an end. */
static bool parse_slowly(const char *text, size_t length, double *out)
{
    char copy[512];
    if (length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c_locale)
        return false;
    *out = strtod_l(copy, NULL, c_locale);
    freelocale(c_locale);
    return isfinite(*out);
}

static bool parse_non_finite(const char *text, size_t length, double *out)
{
    static const struct {
        const char *name;
        double value;
    } names[] = { { "nan", NAN }, { "inf", INFINITY }, { "infinity", INFINITY } };
    bool negative = length > 0 && text[0] == '-';
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i].name) == length - negative &&
            strncasecmp(text + negative, names[i].name, length - negative) == 0) {
            *out = negative ? -names[i].value : names[i].value;
            return true;
        }
    }
    return false;
}

bool sl_parse_f64(const char *text, size_t length, bool non_finite, double *out)
{
    uint64_t whole;
    if (length <= 15 && sl_parse_u64(text, length, &whole)) { /* as most are: exact */
        *out = (double)whole;
        return true;
    }
    static const double power_of_ten[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                           1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                           1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    bool negative = length > 0 && text[0] == '-';
    decimal d;
    double value;
    if (!take_apart(text + negative, text + length, &d)) {
        if (!non_finite || !parse_non_finite(text, length, &value))
            return false;
    } else if (d.exact && d.digits <= (uint64_t)1 << 53 && d.exponent >= -22 && d.exponent <= 22) {
        /* Both are exact doubles, so that one operation rounds once (Clinger 1990). */
        value = (double)d.digits;
        value =
            d.exponent < 0 ? value / power_of_ten[-d.exponent] : value * power_of_ten[d.exponent];
        value = negative ? -value : value;
    } else if (!parse_slowly(text, length, &value)) {
        return false;
    }
    *out = value;
    return true;
}
