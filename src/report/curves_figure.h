/* The paper's figure 3: accuracy and loss on every data set after each epoch of tuning. */
#ifndef REPORT_CURVES_FIGURE_H
#define REPORT_CURVES_FIGURE_H

#include "report/curves.h"

typedef struct {
    const sl_curves *curves;
    const char *title; /* "CIFAR10H-tuned" */
} sl_curves_column;

/* Draws n (1 or 2) columns of panels to path.svg and so on (see figure.h): accuracy above, loss
 * below, against the epoch, a line for each set that was scored. */
SL_CHECK sl_status sl_curves_draw(const char *path, const sl_curves_column *columns, int n,
                                  sl_error *err);

#endif
