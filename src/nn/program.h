/* A lowered graph: buffers and a straight list of steps over them. group.c finds what one operation
 * can compute, lower.c writes the forward part, backward.c derives the backward part, arena.c
 * places the buffers, plan.c runs it. */
#ifndef NN_PROGRAM_H
#define NN_PROGRAM_H

#include "nn/backend.h"
#include "nn/graph.h"
#include "nn/plan.h"

typedef enum {
    SL_PLACE_ARENA,   /* activations, their gradients, saved statistics */
    SL_PLACE_VALUES,  /* params->values */
    SL_PLACE_BUFFERS, /* params->buffers */
    SL_PLACE_GRADIENTS,
    SL_PLACE_FOLDED, /* convolution weights with a batch norm folded in */
    SL_PLACE_DRAWS,  /* training's random numbers */
    SL_PLACE_COUNT
} sl_place;

typedef struct {
    sl_place place;
    size_t bytes;
    size_t offset;   /* bytes, within the place; the arena's are set by arena.c */
    int first, last; /* arena: steps in which it must hold its content; -1 = before the first, the
                        number of steps = after the last */
    int alias_of;    /* arena: the buffer whose memory it takes over, or -1 */
} sl_buffer;

typedef struct {
    sl_op op;
    int in[SL_OP_MAX_IN], out[SL_OP_MAX_OUT]; /* buffers, or -1 */
    sl_kernel *kernel;
    double seconds; /* profile: total of the timed runs */
} sl_step;

/* A run of nodes that one forward operation computes: convolution, norm, add, relu in this order,
 * any of them missing (-1); or one node of another kind, shake with an add behind it. */
typedef struct {
    sl_node_kind kind; /* of the first node */
    int conv, norm, add, relu, other;
    sl_value x, residual, y; /* residual: the add's other operand, or -1 */
    int last_node;           /* where in the graph's order the result is due */
    int y_buffer, mean_buffer, inv_std_buffer;
    int var_buffer, slope_buffer, offset_buffer; /* sl_program_shares_statistics; -1 */
    int draws[2];                                /* shake: alpha, beta; dropout: key; -1 */
} sl_group;

/* One batch norm folded into the convolution before it (evaluation). */
typedef struct {
    int conv, norm;   /* nodes */
    int weight, bias; /* folded buffers; weight is everybody's if the backend takes weights */
    size_t step;      /* the convolution */
} sl_fold;

/* A value in a second form (another layout or dtype) that some operation wants. */
typedef struct {
    sl_value value;
    sl_desc desc;
    int buffer;
} sl_form;

typedef struct {
    const sl_graph *graph; /* borrowed */
    sl_device *dev;        /* borrowed */
    sl_plan_options options;

    sl_buffer *buffers;
    sl_step *steps;
    sl_group *groups;
    sl_fold *folds;
    sl_form *forms;
    size_t n_buffers, n_steps, n_groups, n_folds, n_forms;
    size_t buffers_capacity, steps_capacity, groups_capacity, folds_capacity, forms_capacity;

    int *value_buffer; /* by value: the buffer that holds it, or -1 (fused away) */
    /* By value: the last of the concatenations that share one buffer, each a prefix of the next
     * (DenseNet); the value itself where it has its own. */
    sl_value *stored_in;
    int input, target, logits, loss, input_grad; /* buffers; -1 where the mode has none */
    size_t folded_bytes, draws_bytes, arena_bytes, scratch_bytes;

    size_t timed_runs;
    double load_seconds; /* profile: of packing weights, in the timed runs */
} sl_program;

SL_CHECK sl_status sl_program_group(sl_program *p, sl_error *err);    /* group.c */
SL_CHECK sl_status sl_program_lower(sl_program *p, sl_error *err);    /* lower.c */
SL_CHECK sl_status sl_program_backward(sl_program *p, sl_error *err); /* backward.c */
SL_CHECK sl_status sl_program_place(sl_program *p, sl_error *err);    /* arena.c */

/* Fills draws (draws_bytes) as sl_plan_draw says: draw.c. */
void sl_program_draw(const sl_program *p, uint64_t key, unsigned char *draws);

/* Writes lines about the timed runs and about the arena: profile.c. */
void sl_program_profile(const sl_program *p, void (*emit)(void *, const char *), void *user);

/* The operation that a group asks for, without its buffers: group.c, for supports() and lower.c. */
sl_op sl_group_op(const sl_program *p, const sl_group *g);

/* program.c: what the files above share. */
void sl_program_release(sl_program *p);

/* Is g a norm of a concatenation's batch statistics? Those of its channels are the same for all
 * norms that read them (DenseNet), and so are found once; on the way back such norms add to one
 * gradient, to which the terms of the statistics are added once, by CONCAT_BWD. */
bool sl_program_shares_statistics(const sl_program *p, const sl_group *g);
/* The nearest norm of that kind before (step -1) or behind (1) g whose x is stored where v is, and
 * which the forward or backward steps have come to already; NULL if none. */
const sl_group *sl_program_sharing(const sl_program *p, const sl_group *g, sl_value v, int step);

/* How a value lies in memory, and how the operations of a node of kind want to have it. */
sl_desc sl_program_desc(const sl_program *p, sl_value v);
sl_desc sl_program_wanted(const sl_program *p, sl_node_kind kind, sl_value v);
bool sl_desc_equal(const sl_desc *a, const sl_desc *b);
/* The buffer of v as a node of kind wants it; emits a conversion the first time it is needed. */
SL_CHECK sl_status sl_program_operand(sl_program *p, sl_node_kind kind, sl_value v, int *out,
                                      sl_error *err);

SL_CHECK sl_status sl_program_buffer(sl_program *p, sl_place place, size_t bytes, size_t offset,
                                     int *out, sl_error *err);
SL_CHECK sl_status sl_program_activation(sl_program *p, const sl_desc *desc, int *out,
                                         sl_error *err);
/* The buffer of tensor i of node (its values, running statistics), or of its gradient. */
SL_CHECK sl_status sl_program_tensor(sl_program *p, int node, int i, bool gradient, int *out,
                                     sl_error *err);
/* An empty step (all slots -1); fill has_in/has_out through sl_step_in and sl_step_out. The pointer
 * is good until the next step. */
SL_CHECK sl_status sl_program_step(sl_program *p, sl_op_kind kind, sl_desc x, sl_desc y,
                                   sl_step **out, sl_error *err);
/* A step with one operand and one result. */
SL_CHECK sl_status sl_program_unary(sl_program *p, sl_op_kind kind, sl_desc x, sl_desc y, int in,
                                    int out, sl_error *err);
void sl_step_in(sl_step *step, int slot, int buffer);
void sl_step_out(sl_step *step, int slot, int buffer);

#endif
