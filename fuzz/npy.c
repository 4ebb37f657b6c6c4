/* The npy parser on any bytes: as they are, and with a right beginning put in front so that the
 * dictionary is reached at once. */
#include "base/npy.h"
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

static void parse(const uint8_t *bytes, size_t size)
{
    sl_npy array;
    double *values;
    if (sl_npy_parse(&array, bytes, size, NULL)) {
        if (array.data)
            abort();
        return;
    }
    if (array.count * sl_npy_item_size(array.type) > size)
        abort();
    if (!sl_npy_to_f64(&array, &values, NULL))
        free(values);
    sl_npy_release(&array);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    parse(bytes, size);
    if (size == 0)
        return 0;
    uint8_t *whole = malloc(10 + size);
    if (!whole)
        abort();
    uint8_t header = bytes[0] < size ? bytes[0] : (uint8_t)(size - 1);
    memcpy(whole, "\x93NUMPY\1\0", 8);
    whole[8] = header;
    whole[9] = 0;
    memcpy(whole + 10, bytes + 1, size - 1);
    parse(whole, 10 + size - 1);
    free(whole);
    return 0;
}
