/* What is published where, and getting a list of it. */
#ifndef DATA_FETCH_H
#define DATA_FETCH_H

#include "data/download.h"
#include "data/folder.h"

typedef struct {
    const char *name;       /* of the file, there and here */
    const char *folder_url; /* where its publisher has it */
    const char *sha256;     /* NULL: not known, then check looks at the format */
    uint64_t size;          /* 0: not known */
    uint64_t max_bytes;
    sl_download_check *check;
    sl_file_id first; /* the files of a data folder that it gives, */
    int n_files;      /* more than one: CIFAR-10's archive, to be extracted */
} sl_publication;

#define SL_PUBLICATIONS 7
extern const sl_publication sl_publications[SL_PUBLICATIONS];

/* sl_data_fetch of another list, for tests. */
SL_CHECK sl_status sl_data_fetch_list(const char *dir, const sl_publication *list, int n,
                                      const sl_fetch_options *options, sl_progress_fn *progress,
                                      void *user, sl_error *err);

#endif
