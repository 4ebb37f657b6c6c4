#include "cli/run_folder.h"
#include "base/file.h"
#include <stdlib.h>

sl_status cli_run_result(json_t **out, const char *folder, sl_error *err)
{
    enum { MAX_BYTES = 1 << 20 };
    char *path;
    *out = NULL;
    sl_status st = sl_path_join(&path, folder, "result.json", err);
    if (st)
        return st;
    if (!sl_file_exists(path)) {
        sl_error_set(err, SL_ENOTFOUND,
                     "no result.json here: this isn't the folder of a finished "
                     "run");
        st = sl_error_at(err, SL_ENOTFOUND, "%s", folder);
    } else {
        st = sl_json_read(out, path, MAX_BYTES, err);
    }
    free(path);
    return st;
}
