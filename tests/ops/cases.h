/* The only list of operation shapes: agreement, gradient and speed harnesses all read it. A case is
 * a forward operation; its backward operations follow from it. */
#ifndef OPS_CASES_H
#define OPS_CASES_H

#include "base/random.h"
#include "nn/backend.h"

/* What a case switches on; each means something for some kinds only. */
enum {
    OP_CASE_BIAS = 1 << 0,        /* CONV: also d_bias */
    OP_CASE_RESIDUAL = 1 << 1,    /* CONV, NORM, SHAKE; NORM: also NORM_BWD's d_residual */
    OP_CASE_RELU = 1 << 2,        /* CONV, NORM, ADD: fused */
    OP_CASE_BATCH_STATS = 1 << 3, /* NORM */
    OP_CASE_DY2 = 1 << 4,         /* NORM, RELU: the gradient comes from two consumers */
    OP_CASE_EXTRA = 1 << 5,       /* NORM: a gradient to be added to dx */
    OP_CASE_NO_DX = 1 << 6,       /* LINEAR: nobody wants the input's gradient */
    OP_CASE_PLAIN_X = 1 << 7,     /* CONV: x is the network's input, plain on every device */
    OP_CASE_NETWORK = 1 << 8,     /* a layer of a real network, for timing (with a larger n) */
    OP_CASE_NARROW = 1 << 9, /* CONV, NORM, ADD, SHAKE: the residual (b) has half of y's channels */
    OP_CASE_VIEW = 1 << 10,  /* NORM: x is the first part of half as many channels again */
    OP_CASE_SHARED = 1 << 11, /* NORM of BATCH_STATS without RESIDUAL: half of the channels'
                                 statistics are known, dx lacks the terms that they add */
    OP_CASE_BF16 = 1 << 12,   /* in no case: asks op_lay_out for bfloat16 */
};

typedef struct {
    const char *why;
    sl_op_kind kind;         /* a forward kind */
    int n, c, h, w;          /* x */
    int k;                   /* channels out: CONV, LINEAR; else 0 */
    int kernel, stride, pad; /* CONV; pad also SUBSAMPLE: its offset */
    unsigned variant;        /* OP_CASE_… */
} op_case;

extern const op_case op_cases[];
extern const size_t op_case_count;

/* A case of any kind, small enough for the plain loops. */
op_case op_case_random(sl_random *r);

/* Its operations, all layouts plain, the forward one first. Returns how many, at most 3. */
int op_case_ops(const op_case *c, sl_op ops[3]);

#endif
