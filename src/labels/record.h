/* A folder of labels: what is in it, and the record of how it came about. */
#ifndef LABELS_RECORD_H
#define LABELS_RECORD_H

#include "labels/count.h"

enum { SL_RESULT_COUNTS, SL_RESULT_PROBS, SL_RESULT_TRUTH, SL_RESULT_PEOPLE, SL_RESULTS };
extern const char *const sl_result_names[SL_RESULTS]; /* "counts.npy" … */

/* Zero-initialised is empty. */
typedef struct {
    char *paths[SL_RESULTS], *path; /* of the results; of the record itself */
    json_t *json;                   /* what is borrowed below */
    const json_t *raw, *results;
    const char *rules_sha256;
    int64_t n_images, n_classes;
    sl_labels_rules rules;
} sl_record;

/* The names only, for writing. */
SL_CHECK sl_status sl_record_name(sl_record *record, const char *dir, sl_error *err);
/* Reads dir's record. SL_EMISMATCH when a result, or the rules, don't have the hash it says. */
SL_CHECK sl_status sl_record_open(sl_record *record, const char *dir, sl_error *err);
/* Compares the hashes of the results of the folder `other` with those recorded. */
SL_CHECK sl_status sl_record_compare(const sl_record *record, const sl_record *other,
                                     sl_error *err);
size_t sl_record_files(const sl_record *record);
/* Raw file number i; its path is borrowed. */
SL_CHECK sl_status sl_record_file(const sl_record *record, size_t i, sl_labels_file *out,
                                  sl_error *err);
void sl_record_release(sl_record *record);

#endif
