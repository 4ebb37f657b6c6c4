/* The confusion matrix of people as a heat map. */
#ifndef REPORT_CONFUSION_H
#define REPORT_CONFUSION_H

#include <softlabel/error.h>
#include <stdint.h>

/* Draws counts (k,k), true class by choice, to path.svg and so on (see figure.h). Shown are shares
 * of each row; colours are on a logarithmic scale, since the diagonal is far above the rest.
 * caption says which data it is. Nothing is drawn (SL_EINVAL) if all counts are 0. */
SL_CHECK sl_status sl_confusion_draw(const char *path, const int64_t *counts, int k,
                                     const char *const *class_names, const char *caption,
                                     sl_error *err);

#endif
