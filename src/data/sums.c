#include "data/sums.h"
#include "base/file.h"
#include "base/hash.h"
#include <stdlib.h>
#include <string.h>

#define SUMS_NAME "SHA256SUMS"
#define SUMS_MAX_BYTES (1u << 20)
#define HEX_DIGITS 64

sl_status sl_sums_write(const char *dir, const char *const *names, int n, sl_error *err)
{
    sl_file_writer *writer = NULL;
    char *path = NULL;
    sl_status st = sl_path_join(&path, dir, SUMS_NAME, err);
    if (!st)
        st = sl_file_writer_open(&writer, path, err);
    for (int i = 0; !st && i < n; i++) {
        char *file = NULL, hex[65];
        st = sl_path_join(&file, dir, names[i], err);
        if (!st)
            st = sl_hash_file(file, SL_HASH_SHA256, hex, err);
        if (!st)
            fprintf(sl_file_writer_stream(writer), "%s  %s\n", hex, names[i]);
        free(file);
    }
    if (st) {
        sl_file_writer_abort(writer);
    } else {
        st = sl_file_writer_commit(writer, err);
    }
    free(path);
    return st;
}

/* Lines are 64 hex digits, two spaces (or a space and '*'), the name. */
static bool line_names(const char *line, const char *name)
{
    return strspn(line, "0123456789abcdef") == HEX_DIGITS && line[HEX_DIGITS] == ' ' &&
           (line[HEX_DIGITS + 1] == ' ' || line[HEX_DIGITS + 1] == '*') &&
           strcmp(line + HEX_DIGITS + 2, name) == 0;
}

sl_status sl_sums_find(const char *path, char sha256[65], sl_error *err)
{
    sha256[0] = '\0';
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("./");
    char *sums = NULL;
    unsigned char *text = NULL;
    size_t size;
    sl_status st = dir ? sl_path_join(&sums, dir, SUMS_NAME, err)
                       : sl_error_set(err, SL_ENOMEM, "no memory for a path");
    if (st || !sl_file_exists(sums))
        goto done;
    st = sl_file_read(sums, SUMS_MAX_BYTES, &text, &size, err);
    if (st)
        goto done;
    char *rest = (char *)text;
    for (char *line; (line = strsep(&rest, "\n"));)
        if (line_names(line, name)) {
            memcpy(sha256, line, HEX_DIGITS);
            sha256[HEX_DIGITS] = '\0';
        }
done:
    free(text);
    free(sums);
    free(dir);
    return st;
}
