/* Any bytes as a tar archive: read to the end, entry by entry. */
#include "data/tar.h"
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    const uint8_t *bytes;
    size_t left;
} memory;

static sl_status read_memory(void *user, void *out, size_t n, size_t *got, sl_error *err)
{
    memory *m = user;
    (void)err;
    *got = n < m->left ? n : m->left;
    memcpy(out, m->bytes, *got);
    m->bytes += *got;
    m->left -= *got;
    return SL_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    memory m = { bytes, size };
    sl_tar tar;
    sl_tar_entry entry;
    bool end = false;
    unsigned char content[700];
    size_t got;
    sl_tar_init(&tar, read_memory, &m, 1 << 20);
    while (!sl_tar_next(&tar, &entry, &end, NULL) && !end) {
        if (strlen(entry.name) >= sizeof entry.name)
            abort();
        if (sl_tar_read(&tar, content, sizeof content, &got, NULL))
            break;
        if (got > sizeof content || got > entry.size)
            abort();
    }
    return 0;
}
