/* What a data folder can hold, and where in it each file was found. */
#ifndef DATA_FOLDER_H
#define DATA_FOLDER_H

#include "base/memory.h"
#include "data/dataset_private.h"
#include <stdbool.h>

typedef enum {
    SL_FILE_TRAIN, /* data_batch_1.bin; the other four follow */
    SL_FILE_TEST = SL_FILE_TRAIN + 5,
    SL_FILE_COUNTS,
    SL_FILE_PROBS,
    SL_FILE_TRUTH, /* the synthetic set's true distributions */
    SL_FILE_V4_DATA,
    SL_FILE_V4_LABELS,
    SL_FILE_V6_DATA,
    SL_FILE_V6_LABELS,
    SL_FILE_COUNT
} sl_file_id;

#define SL_TRAIN_FILES 5
#define SL_RECORD_FILES (SL_FILE_TEST + 1) /* those of CIFAR's binary records */

/* A file's name and usual subfolder; in the folder itself it's found as well. sha256 is the
 * publisher's, or NULL where that isn't known. */
typedef struct {
    const char *name, *subfolder, *sha256;
} sl_known_file;
extern const sl_known_file sl_known_files[SL_FILE_COUNT];

#define SL_CIFAR_SUBFOLDER "cifar-10-batches-bin"

struct sl_data {
    sl_arena memory;
    const char *kind, *folder, *note;
    const char *const *class_names;
    const char *path[SL_FILE_COUNT]; /* NULL: not there */
    size_t records[SL_RECORD_FILES]; /* how many images each file must hold */
};

/* A set's files, first and number: (SL_FILE_TRAIN, 5), (SL_FILE_V4_DATA, 2). */
void sl_set_files(sl_set_id id, sl_file_id *first, int *n);

/* Checks a record file's size against what it must hold; SL_EFORMAT. */
SL_CHECK sl_status sl_data_check_size(const sl_data *data, sl_file_id file, sl_error *err);

/* Hashes one file that is there. */
SL_CHECK sl_status sl_data_check_file(const sl_data *data, sl_file_id file, sl_file_report *report,
                                      sl_error *err);

#endif
