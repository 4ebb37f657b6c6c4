/* Whether the files of a data folder are what they were when they were whole. */
#include "base/file.h"
#include "base/hash.h"
#include "data/folder.h"
#include "data/sums.h"
#include <stdlib.h>
#include <string.h>

/* The hash the file should have; "" if that isn't known. The publishers' are those of CIFAR. */
static sl_status expected_hash(const sl_data *data, sl_file_id file, char sha256[65], sl_error *err)
{
    const char *published = sl_known_files[file].sha256;
    sl_status st = sl_sums_find(data->path[file], sha256, err);
    if (!st && published && strcmp(data->kind, "cifar10") == 0)
        memcpy(sha256, published, 65);
    return st;
}

sl_status sl_data_check_file(const sl_data *data, sl_file_id file, sl_file_report *report,
                             sl_error *err)
{
    char expected[65];
    *report = (sl_file_report){ .path = data->path[file], .state = SL_FILE_UNKNOWN };
    sl_status st = sl_file_size(report->path, &report->size, err);
    if (!st)
        st = sl_hash_file(report->path, SL_HASH_SHA256, report->sha256, err);
    if (!st)
        st = expected_hash(data, file, expected, err);
    if (st)
        return st;
    if (expected[0])
        report->state = strcmp(report->sha256, expected) == 0 ? SL_FILE_OK : SL_FILE_DAMAGED;
    if (file < SL_RECORD_FILES && report->size != (uint64_t)data->records[file] * SL_CIFAR_RECORD)
        report->state = SL_FILE_DAMAGED;
    return SL_OK;
}

sl_status sl_data_check(const sl_data *data, sl_file_report **reports, size_t *n, sl_error *err)
{
    *reports = NULL;
    *n = 0;
    sl_file_report *all = NULL;
    size_t count = 0;
    sl_status st = sl_alloc(&all, SL_FILE_COUNT, sizeof *all, err);
    for (int file = 0; !st && file < SL_FILE_COUNT; file++)
        if (data->path[file])
            st = sl_data_check_file(data, (sl_file_id)file, &all[count++], err);
    if (st) {
        free(all);
        return st;
    }
    *reports = all;
    *n = count;
    return SL_OK;
}
