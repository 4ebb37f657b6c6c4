/* The safetensors parser on any bytes: as they are, and with a right length put in front so that
 * the header is reached at once. */
#include "nn/safetensors.h"
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

static void parse(const unsigned char *bytes, size_t size)
{
    sl_safetensors *file;
    if (sl_safetensors_parse(&file, bytes, size, NULL)) {
        if (file)
            abort();
        return;
    }
    for (size_t i = 0; i < sl_safetensors_count(file); i++) {
        const sl_safetensors_entry *t = sl_safetensors_at(file, i);
        if (t->count > size)
            abort();
        float *out = malloc((t->count + 1) * sizeof *out);
        if (!out)
            abort();
        sl_status st = sl_safetensors_get(file, t->name, t->n_dims, t->dims, out, NULL);
        if (st && st != SL_EFORMAT)
            abort();
        free(out);
    }
    sl_safetensors_close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    parse(bytes, size);
    if (size == 0)
        return 0;
    unsigned char *whole = malloc(8 + size);
    if (!whole)
        abort();
    uint64_t header = size - 1 < bytes[0] ? size - 1 : size - 1 - bytes[0]; /* the rest is data */
    memcpy(whole, &header, 8);
    memcpy(whole + 8, bytes + 1, size - 1);
    parse(whole, 8 + size - 1);
    free(whole);
    return 0;
}
