/* The table of operations that a backend implements: src/nn/ref (plain loops, the oracle),
 * src/nn/cpu (oneDNN and own vector code). A plan (nn/plan.h) lowers a graph to a list of these,
 * forward and backward, and owns all memory.
 *
 * One sl_op is one kernel with its shapes. in[] and out[] are slots whose meaning is fixed by the
 * kind, below; "?" marks a slot that may be absent (present = false in the op, NULL at run).
 * Parameters (weights, norms' vectors) and their gradients are always float32, plain, in the layout
 * of the state dict; activations have a dtype and a layout. Batches are the outermost dimension.
 *
 *   kind           in                                               out
 *   CONV           x, weight, bias?, residual?                      y
 *                  y = [relu](conv(x) + bias + residual)
 *   CONV_BWD_DATA  dy, weight                                       dx
 *   CONV_BWD_WEIGHTS  x, dy                                         d_weight, d_bias?
 *   NORM           x, residual?, weight, bias, running_mean,        y, mean, inv_std
 *                  running_var
 *                  y = [relu]((x - mean) * inv_std * weight + bias + residual). With batch_stats
 * the statistics are those of the batch and the running ones are updated in place (momentum 0.1,
 * unbiased variance); else they are the running ones. mean, inv_std (c floats each) are left for
 * NORM_BWD. NORM_BWD       dy, dy2?, x, y?, weight, mean, inv_std, extra?   dx, d_residual?,
 * d_weight, d_bias dz = (dy + dy2), zeroed where relu and y <= 0; d_residual = dz; dx = (norm's
 * gradient of dz) + extra. y is there exactly if relu. RELU           x y RELU_BWD       dy, dy2?,
 * y                                      dx ADD            a, b y       [relu] GLOBAL_POOL    x y
 * (n,c,1,1), plain GLOBAL_POOL_BWD  dy                                             dx LINEAR x,
 * weight, bias                                  y       plain on both sides LINEAR_BWD     x, dy,
 * weight                                    dx?, d_weight, d_bias XENT           logits, target
 * loss, d_logits? loss[n] = -sum_k target log softmax(logits), per image (paper, eq. 6); d_logits =
 * (softmax * sum_k target - target) / batch
 *
 * An output may share memory with an input only where sl_op_may_alias says so. */
#ifndef NN_BACKEND_H
#define NN_BACKEND_H

#include <softlabel/error.h>
#include <stdbool.h>
#include <stddef.h>

typedef enum { SL_DTYPE_F32 } sl_dtype;

typedef enum {
    SL_LAYOUT_PLAIN,     /* n, c, h, w */
    SL_LAYOUT_BLOCKED16, /* n, ceil(c/16), h, w, 16: channels padded with zeros to 16 */
} sl_layout;

typedef struct {
    int n, c, h, w;
    sl_dtype dtype;
    sl_layout layout;
} sl_desc;

size_t sl_desc_bytes(const sl_desc *desc); /* SIZE_MAX when it overflows */

typedef enum {
    SL_OP_CONV,
    SL_OP_CONV_BWD_DATA,
    SL_OP_CONV_BWD_WEIGHTS,
    SL_OP_NORM,
    SL_OP_NORM_BWD,
    SL_OP_RELU,
    SL_OP_RELU_BWD,
    SL_OP_ADD,
    SL_OP_GLOBAL_POOL,
    SL_OP_GLOBAL_POOL_BWD,
    SL_OP_LINEAR,
    SL_OP_LINEAR_BWD,
    SL_OP_XENT,
    SL_OP_COUNT
} sl_op_kind;

#define SL_OP_MAX_IN 8
#define SL_OP_MAX_OUT 4

/* Slot numbers. */
enum { SL_CONV_X, SL_CONV_WEIGHT, SL_CONV_BIAS, SL_CONV_RESIDUAL };
enum { SL_CONV_BWD_DATA_DY, SL_CONV_BWD_DATA_WEIGHT };
enum { SL_CONV_BWD_WEIGHTS_X, SL_CONV_BWD_WEIGHTS_DY };
enum {
    SL_NORM_X,
    SL_NORM_RESIDUAL,
    SL_NORM_WEIGHT,
    SL_NORM_BIAS,
    SL_NORM_RUNNING_MEAN,
    SL_NORM_RUNNING_VAR
};
enum { SL_NORM_Y, SL_NORM_MEAN, SL_NORM_INV_STD };
enum {
    SL_NORM_BWD_DY,
    SL_NORM_BWD_DY2,
    SL_NORM_BWD_X,
    SL_NORM_BWD_Y,
    SL_NORM_BWD_WEIGHT,
    SL_NORM_BWD_MEAN,
    SL_NORM_BWD_INV_STD,
    SL_NORM_BWD_EXTRA
};
enum { SL_NORM_BWD_DX, SL_NORM_BWD_D_RESIDUAL, SL_NORM_BWD_D_WEIGHT, SL_NORM_BWD_D_BIAS };
enum { SL_RELU_BWD_DY, SL_RELU_BWD_DY2, SL_RELU_BWD_Y };
enum { SL_LINEAR_X, SL_LINEAR_WEIGHT, SL_LINEAR_BIAS };
enum { SL_LINEAR_BWD_X, SL_LINEAR_BWD_DY, SL_LINEAR_BWD_WEIGHT };
enum { SL_LINEAR_BWD_DX, SL_LINEAR_BWD_D_WEIGHT, SL_LINEAR_BWD_D_BIAS };
enum { SL_XENT_LOGITS, SL_XENT_TARGET };
enum { SL_XENT_LOSS, SL_XENT_D_LOGITS };

#define SL_NORM_EPS 1e-5f
#define SL_NORM_MOMENTUM 0.1f

typedef struct {
    sl_op_kind kind;
    sl_desc x; /* the activation that goes in, in forward direction (also for backward kinds) */
    sl_desc y; /* the activation that comes out, in forward direction */
    bool has_in[SL_OP_MAX_IN], has_out[SL_OP_MAX_OUT]; /* which slots are used */
    int kernel, stride, pad;                           /* convolutions */
    bool relu;                                         /* CONV, NORM, NORM_BWD, ADD */
    bool batch_stats;                                  /* NORM, NORM_BWD */
} sl_op;

/* The input slot whose memory output slot out may take over, or -1. Elementwise kinds only: CONV's
 * y over residual, NORM's y over x or residual is not allowed in training (x is needed later: the
 * plan knows). */
bool sl_op_may_alias(const sl_op *op, int out, int in);

/* One line for a person: "conv 3x3/2 16->32 @32x32 n=128". Returns buffer. */
const char *sl_op_text(const sl_op *op, char *buffer, size_t size);

typedef struct sl_device
    sl_device; /* defined by each backend; its first member is sl_device_base */
typedef struct sl_kernel sl_kernel; /* likewise, sl_kernel_base */

typedef struct sl_backend {
    const char *name; /* "ref", "cpu" */
    /* spec is what follows the name and a colon ("" if nothing); threads >= 1. */
    sl_status (*open)(sl_device **out, const char *spec, int threads, sl_error *err);
    void (*close)(sl_device *dev);
    /* The layout it wants for activations of this shape inside a network (the graph's input, pooled
     * vectors and logits are always plain). */
    sl_layout (*layout)(const sl_device *dev, int c, int h, int w);
    /* May this op run here, in this form (fused, layout, dtype)? What it may not, the plan lowers
     * to simpler ones. */
    bool (*supports)(const sl_device *dev, const sl_op *op);
    /* Chooses the algorithm; *scratch_bytes is what run needs, 64-byte aligned. */
    sl_status (*plan)(sl_device *dev, const sl_op *op, sl_kernel **out, size_t *scratch_bytes,
                      sl_error *err);
    /* Optional. The parameters in the in-slots have changed: repack them. Called before the first
     * run and after every change; in[] holds the parameters' slots, others are NULL. */
    sl_status (*load)(sl_kernel *k, const void *const *in, sl_error *err);
    /* in[SL_OP_MAX_IN], out[SL_OP_MAX_OUT]. Allocates nothing. */
    sl_status (*run)(sl_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err);
    void (*unplan)(sl_kernel *k);
} sl_backend;

typedef struct {
    const sl_backend *backend;
    int threads;
} sl_device_base;
typedef struct {
    const sl_backend *backend;
    sl_op op;
} sl_kernel_base;

const sl_backend *sl_device_backend(const sl_device *dev);

/* Opens "ref", "cpu" (and later "cuda[:N]"); SL_EINVAL lists the known ones, SL_EUNSUPPORTED says
 * what this build lacks. threads 0: as many as the process may use. */
SL_CHECK sl_status sl_device_open(sl_device **out, const char *name, int threads, sl_error *err);
void sl_device_close(sl_device *dev); /* NULL is fine */

extern const sl_backend sl_backend_ref, sl_backend_cpu;

/* Between plain float32 (n,c,h,w) and a described activation, for inputs, tests and debugging. */
void sl_activation_pack(const sl_desc *desc, const float *plain, void *packed);
void sl_activation_unpack(const sl_desc *desc, const void *packed, float *plain);

#endif
