/* Verification files: numbers that a correct build reproduces, each with its bound.
 *
 * Two formats: softlabel-conformance-1 (one network: logits, losses, gradients, statistics) and
 * softlabel-protocol-1 (splits, optimizers, schedules, FGSM, evaluation figures). Files of another
 * depth, width, salt or batch size are as good as the ones that come with the project. */
#ifndef EVAL_VERIFY_H
#define EVAL_VERIFY_H

#include "base/json.h"
#include "base/memory.h"
#include "nn/backend.h"
#include <stddef.h>

typedef enum { SL_VERIFY_OK, SL_VERIFY_BAD, SL_VERIFY_SKIPPED } sl_verify_outcome;

/* One compared figure. */
typedef struct {
    const char *group;   /* "train gradients"; figures of a group are of one kind */
    const char *name;    /* within the group: "conv.weight norm"; may be "" */
    const char *measure; /* what deviation is: "max|d|", "relative", or "" where things are equal or
                            not */
    double deviation, bound;
    sl_verify_outcome outcome;
    const char *why; /* of a skip, or of an inequality; else "" */
} sl_verify_figure;

/* What a file's check found, in the order of checking. Zero-initialised is empty. */
typedef struct {
    const char *format; /* "softlabel-conformance-1" */
    const char *name;   /* the file's own: "wrn_16_2" */
    sl_verify_figure *figures;
    size_t n, n_bad, n_skipped;
    size_t capacity; /* private from here */
    sl_arena memory;
} sl_verify_report;

typedef struct {
    sl_device *device;
    sl_dtype dtype; /* of a network's activations; a protocol is computed in float32 always */
    int threads;
    const char *data_dir; /* for what needs CIFAR10H: as sl_data_open's dir, NULL to look for it */
} sl_verify_options;

/* Checks a file. An error is a file that can't be checked (unreadable, of another form, of an
 * architecture that isn't in this build), not a figure out of its bound. */
SL_CHECK sl_status sl_verify_file(sl_verify_report *report, const char *path,
                                  const sl_verify_options *options, sl_error *err);
void sl_verify_report_release(sl_verify_report *report);

/* ---- for the checks themselves ---- */

/* Adds a figure that passes when !(deviation <= bound) is false; so NaN never passes. name is
 * printf-like. */
SL_CHECK sl_status sl_verify_add(sl_verify_report *report, const char *group, const char *measure,
                                 double deviation, double bound, sl_error *err, const char *name,
                                 ...) SL_PRINTF(7, 8);
/* Adds a figure that is equal or not; why says what differs (NULL: it is equal). */
SL_CHECK sl_status sl_verify_add_equal(sl_verify_report *report, const char *group,
                                       const char *name, const char *why, sl_error *err);
SL_CHECK sl_status sl_verify_add_skipped(sl_verify_report *report, const char *group,
                                         const char *name, const char *why, sl_error *err);
/* |got - want| / scale; 0/0 is 0. */
double sl_verify_relative(double got, double want, double scale);
/* max_i |got[i] - want[i]|; NaN if any is. */
double sl_verify_max_difference(const float *got, const double *want, size_t n);

SL_CHECK sl_status sl_verify_conformance(sl_verify_report *report, const json_t *file,
                                         const sl_verify_options *options, sl_error *err);
SL_CHECK sl_status sl_verify_protocol(sl_verify_report *report, const json_t *file,
                                      const sl_verify_options *options, sl_error *err);
/* The protocol's parts that need a network, and data. */
SL_CHECK sl_status sl_verify_fgsm(sl_verify_report *report, const json_t *part,
                                  const sl_verify_options *options, sl_error *err);
SL_CHECK sl_status sl_verify_human_data(sl_verify_report *report, const json_t *file,
                                        const sl_verify_options *options, sl_error *err);

#endif
