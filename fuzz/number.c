/* The number parsers on any bytes, held against the C library's. */
#include "base/text.h"
#include "fuzz.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char text[600];
    if (size >= sizeof text)
        return 0;
    memcpy(text, bytes, size);
    text[size] = '\0';
    char *exact = malloc(size ? size : 1),
         *end; /* without an end, so that asan sees a byte too far */
    if (!exact)
        abort();
    memcpy(exact, bytes, size);

    double x, expected = strtod(text, &end);
    if (sl_parse_f64(exact, size, true, &x)) {
        bool same = isnan(x) ? isnan(expected) : x == expected && signbit(x) == signbit(expected);
        if (end != text + size || !same)
            abort();
    }
    if (sl_parse_f64(exact, size, false, &x) && !isfinite(x))
        abort();
    int64_t i;
    errno = 0;
    if (sl_parse_i64(exact, size, &i) &&
        (strtoll(text, &end, 10) != i || end != text + size || errno != 0))
        abort();
    uint64_t u;
    errno = 0;
    if (sl_parse_u64(exact, size, &u) &&
        (strtoull(text, &end, 10) != u || end != text + size || errno != 0))
        abort();
    free(exact);
    return 0;
}
