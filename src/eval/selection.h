/* Which images of a set a figure is about. */
#ifndef EVAL_SELECTION_H
#define EVAL_SELECTION_H

#include <softlabel/error.h>
#include <stddef.h>
#include <stdint.h>

/* The fields are for reading; release frees them. Zero-initialised is empty. */
typedef struct {
    char what[120];   /* "all images", "validation part of split seed 0" */
    size_t n, of;     /* so many of so many images */
    int64_t *indices; /* (n), each once */
    char sha256[65];  /* of the indices, ascending, as little-endian int64 */
} sl_selection;

typedef enum { SL_PART_VALIDATION, SL_PART_TRAINING } sl_split_part;

SL_CHECK sl_status sl_selection_all(sl_selection *out, size_t of, sl_error *err);
/* Of the paper's split: the last tenth of the images, shuffled by seed, or what is before it. */
SL_CHECK sl_status sl_selection_split(sl_selection *out, size_t of, uint32_t seed,
                                      sl_split_part part, sl_error *err);
/* From a file: an npy of whole numbers, (n), or text with one number a line. SL_EFORMAT names the
 * first that is out of range or there twice. */
SL_CHECK sl_status sl_selection_read(sl_selection *out, size_t of, const char *path, sl_error *err);
void sl_selection_release(sl_selection *selection);

#endif
