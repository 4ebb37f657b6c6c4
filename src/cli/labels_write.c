#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/npy.h"
#include "cli/labels.h"
#include <stdlib.h>
#include <string.h>

/* FILE.npy's record is FILE.json. */
static sl_status write_record(const char *out, const json_t *how, sl_error *err)
{
    const size_t n = strlen(out), stem = n > 4 && strcmp(out + n - 4, ".npy") == 0 ? n - 4 : n;
    char *path;
    sl_status st = sl_alloc(&path, stem + sizeof ".json", 1, err);
    if (st)
        return st;
    memcpy(path, out, stem);
    memcpy(path + stem, ".json", sizeof ".json");
    st = sl_json_write(path, how, err);
    free(path);
    return st;
}

sl_status cli_labels_write(const char *out, const double *p, size_t n_images, int n_classes,
                           json_t *how, sl_error *err)
{
    const size_t shape[] = { n_images, (size_t)n_classes };
    char sha256[65];
    sl_status st = sl_npy_write(out, SL_NPY_F64, 2, shape, p, err);
    if (!st)
        st = sl_hash_file(out, SL_HASH_SHA256, sha256, err);
    if (st)
        return st;
    json_object_set_new(how, "sha256", json_string(sha256));
    return write_record(out, how, err);
}
