/* Images beside what people chose for them: the paper's figure 1b, for any images. */
#ifndef REPORT_EXAMPLES_H
#define REPORT_EXAMPLES_H

#include <softlabel/error.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const uint8_t *pixels; /* (3, height, width) */
    const double *p;       /* (classes): proportions of choices */
    size_t number;         /* of the image in its set, for the data's header */
} sl_example;

/* Draws the n >= 1 examples one under the other to path.svg and so on (see figure.h): the image at
 * the left, at its right a boxed bar chart of the proportions in black, classes in their order;
 * their names under the last one only. caption says which data it is; it goes into the data's
 * header. At most 20 examples. */
SL_CHECK sl_status sl_examples_draw(const char *path, const sl_example *examples, size_t n,
                                    int height, int width, int classes,
                                    const char *const *class_names, const char *caption,
                                    sl_error *err);

#endif
