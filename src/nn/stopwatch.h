/* Marks in the order of what a device is asked for, and the time between them: by the device's own
 * clock where it has one, so that nobody waits in between; else by the host's, which has to wait
 * for the device at every mark. */
#ifndef NN_STOPWATCH_H
#define NN_STOPWATCH_H

#include "nn/backend.h"

typedef struct sl_stopwatch sl_stopwatch;

SL_CHECK sl_status sl_stopwatch_create(sl_stopwatch **out, sl_device *dev, size_t n_marks,
                                       sl_error *err); /* dev is borrowed */
void sl_stopwatch_destroy(sl_stopwatch *watch);        /* NULL is fine */

/* Sets mark i, again and again if need be. */
SL_CHECK sl_status sl_stopwatch_mark(sl_stopwatch *watch, size_t i, sl_error *err);
/* Seconds from mark i to the next one, both set; waits for it. */
SL_CHECK sl_status sl_stopwatch_lap(sl_stopwatch *watch, size_t i, double *seconds, sl_error *err);

#endif
