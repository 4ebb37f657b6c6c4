/* What a device reaches in large convolutions: the yardstick of `softlabel bench` where the
 * instructions themselves can't be asked for, as on a GPU. */
#ifndef NN_CONV_PEAK_H
#define NN_CONV_PEAK_H

#include "nn/backend.h"

/* n images of side x side pixels, c channels to c channels, stride 1. */
typedef struct {
    int n, c, side, kernel;
} sl_peak_conv;

/* Of these the fastest is a GPU's peak: a matrix product in all but name, and two as networks have
 * them. */
extern const sl_peak_conv sl_peak_convs[];
extern const size_t sl_peak_conv_count;

/* Operations a second, a multiply-add being two: the best of rounds for so many seconds, of random
 * numbers (zeros would let a GPU clock higher). SL_EUNSUPPORTED: not in this dtype on this device.
 */
SL_CHECK sl_status sl_conv_peak_measure(double *flops, sl_device *dev, sl_dtype dtype,
                                        const sl_peak_conv *conv, double seconds, sl_error *err);
/* "conv 3x3, 512 to 512 channels". Returns buffer. */
const char *sl_peak_conv_text(const sl_peak_conv *conv, char *buffer, size_t size);

#endif
