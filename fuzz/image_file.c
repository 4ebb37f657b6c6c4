/* Any bytes as an image file. */
#include "study/image_file.h"
#include "fuzz.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *damage = sl_image_damage(bytes, size);
    if (!damage && !sl_image_type(bytes, size))
        abort(); /* whole, but nothing that a browser knows */
    return 0;
}
