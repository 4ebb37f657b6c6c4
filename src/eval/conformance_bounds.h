/* How far a network's figures may lie from the reference's. docs/models.md has the derivation.
 *
 * float32: the conformance README's, "Passing". bfloat16: grown with the number L of convolutions
 * that follow one another, out of the format's rounding alone.
 */
#ifndef EVAL_CONFORMANCE_BOUNDS_H
#define EVAL_CONFORMANCE_BOUNDS_H

#include "base/json.h"
#include "nn/backend.h"
#include "nn/graph.h"

/* Bounds of a gradient's [norm, probe], relative to its norm; rms: of the root mean square of those
 * deviations over all tensors, infinite where only single ones are bounded. */
typedef struct {
    double norm, probe, norm_rms, probe_rms;
} sl_pair_bounds;

typedef struct {
    double eval_logits, eval_loss, train_logits, train_loss; /* relative */
    sl_pair_bounds input_grad, grads, buffers;
} sl_conformance_bounds;

/* deviation is the file's float32_deviation, or NULL. */
SL_CHECK sl_status sl_conformance_bounds_find(sl_conformance_bounds *out, sl_dtype dtype,
                                              const sl_graph *graph, const json_t *deviation,
                                              sl_error *err);

#endif
