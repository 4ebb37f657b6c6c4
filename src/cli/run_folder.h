/* What a finished run left in its folder, for the commands that make and compare runs. */
#ifndef CLI_RUN_FOLDER_H
#define CLI_RUN_FOLDER_H

#include "base/json.h"

/* folder/result.json; the caller's. SL_ENOTFOUND when the run hasn't finished. */
SL_CHECK sl_status cli_run_result(json_t **out, const char *folder, sl_error *err);

#endif
