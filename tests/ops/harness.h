/* Runs one operation on any device: makes its inputs, lays them out as the device wants, runs, and
 * gives the results back as plain float32. Failures are statuses, so that benchmarks can use it. */
#ifndef OPS_HARNESS_H
#define OPS_HARNESS_H

#include "nn/region.h"
#include "ops/cases.h"

/* An operation's tensors in plain float32; NULL where the op doesn't use the slot. */
typedef struct {
    sl_op op; /* layouts plain */
    float *in[SL_OP_MAX_IN], *out[SL_OP_MAX_OUT];
} op_data;

/* Inputs drawn from seed: activations and weights in -1..1, positive variances, distributions for
 * targets. The x of norms comes in two clusters, so that no channel of two numbers or more has a
 * variance below 1/16. Outputs are zero. */
SL_CHECK sl_status op_data_init(op_data *data, const sl_op *op, uint64_t seed, sl_error *err);
void op_data_release(op_data *data); /* zeroed is fine */
/* Rounds to bfloat16 the inputs that are in it (or are packed in it) after op_lay_out with
 * OP_CASE_BF16, so that any device starts from the same numbers. */
void op_data_round(op_data *data);
size_t op_in_count(const sl_op *op, int slot); /* floats, plain; 0 where the slot isn't used */
size_t op_out_count(const sl_op *op, int slot);

/* The operation on a device, ready to run any number of times. */
typedef struct {
    sl_op op; /* in the device's layouts */
    const sl_backend *backend;
    sl_kernel *kernel;
    sl_region in[SL_OP_MAX_IN], own_out[SL_OP_MAX_OUT], scratch;
    const sl_region *out[SL_OP_MAX_OUT]; /* own_out, or the input whose memory it takes over */
} op_exec;

/* The layouts that a network's plan would give the op on dev. variant as in op_case. */
sl_op op_lay_out(const sl_device *dev, const sl_op *op, unsigned variant);
/* laid_out: data->op after op_lay_out. Outputs hold NaN until they are written. */
SL_CHECK sl_status op_exec_init(op_exec *exec, sl_device *dev, const op_data *data,
                                const sl_op *laid_out, sl_error *err);
/* Is this output an activation in bfloat16? op is laid out. */
bool op_out_is_bf16(const sl_op *op, int slot);
/* May a backend lack it? Norms that share statistics or a gradient. */
bool op_is_optional(const sl_op *op);
/* May output out take over in's memory, as the plan sees it? op is laid out. */
bool op_may_share(const sl_op *op, int out, int in);
void op_exec_share(op_exec *exec, int out, int in); /* out takes over in's memory */
SL_CHECK sl_status op_exec_run(op_exec *exec, sl_error *err);
/* Inputs too, since some are updated and the others must not change. */
SL_CHECK sl_status op_exec_read(const op_exec *exec, op_data *data, sl_error *err);
/* After op_exec_read: whether in every output the channels that fill up a block are zero, and those
 * of a wider activation that aren't the op's are untouched (no NaN in its last block). */
bool op_exec_others_are_right(const op_exec *exec);
void op_exec_release(op_exec *exec); /* zeroed is fine */

/* All of the above: data's outputs (and updated inputs) as computed by dev. */
SL_CHECK sl_status op_run(op_data *data, sl_device *dev, unsigned variant, sl_error *err);

#endif
