/* What a model answered on n images, from files of any of the usual forms.
 *
 * Any thread; a struct belongs to one thread while it is filled. */
#ifndef EVAL_PREDICTIONS_H
#define EVAL_PREDICTIONS_H

#include <softlabel/error.h>
#include <stddef.h>
#include <stdint.h>

/* The fields are for reading; release frees them. Zero-initialised is empty. */
typedef struct {
    char *name;       /* of the model: the file's, without folder and ending */
    const char *kind; /* what was read: "logits", "probs" */
    size_t n;
    int classes;
    double *log_p;   /* (n, classes): log probabilities; -inf where the probability is 0 */
    int16_t *labels; /* (n): the images' hard labels; NULL where the file has none */
    char sha256[65]; /* of the file, or of the logits */
} sl_predictions;

/* Reads, by their first bytes:
 *   npz   an array "logits" or else "probs", (n, classes) of any float type; perhaps "labels", (n)
 *         whole numbers
 *   npy   such an array; probabilities are what lies in [0,1] and sums to 1 within 1e-3 in all rows
 *   CSV   a header; a column a class, under the class's name (class_names, n_names of them) or its
 *         number from 0; perhaps "label", perhaps "image", the row's place from 0; plain or gzip
 * Probabilities are divided by their sum. SL_EFORMAT names the first bad row: NaN or infinite,
 * negative, a sum that isn't 1, a label that is no class. */
SL_CHECK sl_status sl_predictions_read(sl_predictions *out, const char *path,
                                       const char *const *class_names, int n_names, sl_error *err);
/* From logits (n, classes) in memory. */
SL_CHECK sl_status sl_predictions_from_logits(sl_predictions *out, const char *name,
                                              const float *logits, size_t n, int classes,
                                              sl_error *err);
void sl_predictions_release(sl_predictions *predictions);

/* Hard labels of n images from an npy of whole numbers, (n), 0..classes-1. malloc'ed. */
SL_CHECK sl_status sl_hard_labels_read(int16_t **out, const char *path, size_t n, int classes,
                                       sl_error *err);

#endif
