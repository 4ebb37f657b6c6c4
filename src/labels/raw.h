/* The raw table: one row a trial, of several files one after the other. */
#ifndef LABELS_RAW_H
#define LABELS_RAW_H

#include "base/text.h"
#include <softlabel/labels.h>

#define SL_RAW_NO_IMAGE (-99999) /* cifar10_test_set_idx of attention checks */
#define SL_RAW_MAX_INDEX 65535   /* of a trial */

typedef struct {
    sl_text annotator; /* until the next row is read */
    int64_t index;
    bool check;
    int truth; /* -1: not known */
    int choice;
    int64_t image; /* SL_RAW_NO_IMAGE on a check */
    double reaction_ms, elapsed_ms;
} sl_raw_trial;

typedef struct sl_raw sl_raw;

/* The source must outlive the reader. */
SL_CHECK sl_status sl_raw_open(sl_raw **out, const sl_labels_source *source, sl_error *err);
void sl_raw_close(sl_raw *raw); /* NULL is fine */

/* The next trial; *end behind the last one of the last file. Where the optional columns
 * correct_guess, true_category and chosen_category are, they must agree with the labels. */
SL_CHECK sl_status sl_raw_next(sl_raw *raw, sl_raw_trial *out, bool *end, sl_error *err);

/* Says file and line of the last row in front of an error. */
sl_status sl_raw_error_at(const sl_raw *raw, sl_error *err, sl_status code);

/* The files, n_raw of them; hash and rows once they were read. */
const sl_labels_file *sl_raw_files(const sl_raw *raw);

#endif
