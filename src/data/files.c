#include "base/file.h"
#include "data/folder.h"
#include <inttypes.h>

#define HUMAN_SUBFOLDER "cifar10h"
#define V_SUBFOLDER "cifar10.1"

const sl_known_file sl_known_files[SL_FILE_COUNT] = {
    [SL_FILE_TRAIN] = { "data_batch_1.bin", SL_CIFAR_SUBFOLDER, NULL },
    { "data_batch_2.bin", SL_CIFAR_SUBFOLDER, NULL },
    { "data_batch_3.bin", SL_CIFAR_SUBFOLDER, NULL },
    { "data_batch_4.bin", SL_CIFAR_SUBFOLDER, NULL },
    { "data_batch_5.bin", SL_CIFAR_SUBFOLDER, NULL },
    [SL_FILE_TEST] = { "test_batch.bin", SL_CIFAR_SUBFOLDER, NULL },
    [SL_FILE_COUNTS] = { "cifar10h-counts.npy", HUMAN_SUBFOLDER,
                         "9b36b4550349af56c79083356312eb4af856cc5fd3caf1f669d40b9d0bbb69ff" },
    [SL_FILE_PROBS] = { "cifar10h-probs.npy", HUMAN_SUBFOLDER,
                        "436ae98620e00073f9d08585ac870573b588853e7af9f54eb1647408114af77d" },
    [SL_FILE_TRUTH] = { "truth-probs.npy", HUMAN_SUBFOLDER, NULL },
    [SL_FILE_V4_DATA] = { "cifar10.1_v4_data.npy", V_SUBFOLDER, NULL },
    [SL_FILE_V4_LABELS] = { "cifar10.1_v4_labels.npy", V_SUBFOLDER,
                            "1f9544300ded199539b6662364ce7fe6c2e1ea9f87408f06db4b1a6184cffb18" },
    [SL_FILE_V6_DATA] = { "cifar10.1_v6_data.npy", V_SUBFOLDER, NULL },
    [SL_FILE_V6_LABELS] = { "cifar10.1_v6_labels.npy", V_SUBFOLDER,
                            "ae40beda001693674edc94d925ee8268cfe68905f8f9aff800c8dcdfcd6c9448" },
};

void sl_set_files(sl_set_id id, sl_file_id *first, int *n)
{
    static const struct {
        sl_file_id first;
        int n;
    } files[SL_SET_COUNT] = {
        [SL_SET_TRAIN] = { SL_FILE_TRAIN, SL_TRAIN_FILES },
        [SL_SET_TEST] = { SL_FILE_TEST, 1 },
        [SL_SET_V4] = { SL_FILE_V4_DATA, 2 },
        [SL_SET_V6] = { SL_FILE_V6_DATA, 2 },
    };
    *first = files[id].first;
    *n = files[id].n;
}

sl_status sl_data_check_size(const sl_data *data, sl_file_id file, sl_error *err)
{
    const uint64_t wanted = (uint64_t)data->records[file] * SL_CIFAR_RECORD;
    uint64_t size;
    sl_status st = sl_file_size(data->path[file], &size, err);
    if (!st && size != wanted)
        st = sl_error_at(err,
                         sl_error_set(err, SL_EFORMAT,
                                      "size is %" PRIu64 " bytes, expected %" PRIu64
                                      " (%zu images): get it again",
                                      size, wanted, data->records[file]),
                         "%s", data->path[file]);
    return st;
}
