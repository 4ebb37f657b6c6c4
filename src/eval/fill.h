/* The filling rule of the conformance data: numbers that follow from a name alone, so that a whole
 * network can be agreed on without storing it. Source: conformance/README, "The filling rule". */
#ifndef EVAL_FILL_H
#define EVAL_FILL_H

#include "nn/params.h"
#include <stddef.h>
#include <stdint.h>

/* One sequence of numbers, that of salt + name. */
typedef struct {
    uint64_t hash;
} sl_fill;

sl_fill sl_fill_named(const char *salt, const char *prefix, const char *name);
double sl_fill_unit(sl_fill fill, size_t k);   /* [0, 1), multiples of 2^-24 */
double sl_fill_signed(sl_fill fill, size_t k); /* 2 unit - 1 */

/* Every tensor of params: weights scaled by their fan-in, running variances around 2 (README's
 * table). */
void sl_fill_params(sl_params *params, const char *salt);
void sl_fill_input(float *input, size_t n, const char *salt); /* "input": 2 signed */
/* "target": (rows, classes), fourth powers of unit divided by their row's sum. */
void sl_fill_target(float *target, size_t rows, int classes, const char *salt);

/* sum_k a[k] signed("probe:" + name, k): changes if elements change places. */
double sl_fill_probe(const char *salt, const char *name, const float *a, size_t n);

#endif
