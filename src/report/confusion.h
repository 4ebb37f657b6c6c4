/* Confusion matrices, of people and of models, as heat maps. */
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

/* One of several matrices side by side. */
typedef struct {
    const char *title;    /* "people" */
    const double *shares; /* (k,k) of each row, 0..1 */
} sl_confusion_panel;

/* Draws n >= 1 panels of the shares off the diagonals, in colours that all share. */
SL_CHECK sl_status sl_confusion_panels_draw(const char *path, const sl_confusion_panel *panels,
                                            int n, int k, const char *const *class_names,
                                            sl_error *err);

#endif
