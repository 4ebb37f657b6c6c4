/* clang-format off */
/* The table of operations that a backend implements: src/nn/ref (plain loops, the oracle),
 * src/nn/cpu (oneDNN and own vector code). A plan (nn/plan.h) lowers a graph to a list of these,
 * forward and backward, and owns all memory.
 *
 * One sl_op is one kernel with its shapes. in[] and out[] are slots whose meaning is fixed by the
 * kind, below; "?" marks a slot that may be absent (present = false in the op, NULL at run).
 * Parameters (weights, norms' vectors) and their gradients are always float32, plain, in the layout
 * of the state dict; activations have a dtype and a layout. Batches are the outermost dimension.
 *
 *   kind              in                                           out
 *   CONV              x, weight, bias?, residual?                  y
 *   CONV_BWD_DATA     dy, weight                                   dx
 *   CONV_BWD_WEIGHTS  x, dy                                        d_weight, d_bias?
 *   NORM              x, residual?, weight, bias, running_mean,    y, mean, inv_std, var?
 *                     running_var, known_mean?, known_var?
 *   NORM_AGAIN        x, weight, bias, mean, inv_std, residual?    y
 *   NORM_BWD          dy, dy2?, x, y?, weight, mean, inv_std,      dx, d_residual?, d_weight,
 *                     extra?, bias?, slope?, offset?               d_bias, slope?, offset?
 *   RELU              x                                            y
 *   RELU_BWD          dy, dy2?, y                                  dx
 *   ADD               a, b                                         y
 *   MAX_POOL          x                                            y
 *   MAX_POOL_BWD      dy, x                                        dx
 *   AVG_POOL          x                                            y
 *   AVG_POOL_BWD      dy                                           dx
 *   GLOBAL_POOL       x                                            y (n,c,1,1), plain float32
 *   GLOBAL_POOL_BWD   dy                                           dx
 *   CONCAT            x                                            y
 *   CONCAT_BWD        dy, x?, mean?, slope?, offset?               dx
 *   SUBSAMPLE         x                                            y
 *   SUBSAMPLE_BWD     dy                                           dx
 *   SHAKE             a, b, alpha, residual?                       y
 *   SHAKE_BWD         dy, beta                                     da, db
 *   DROPOUT           x, key                                       y
 *   DROPOUT_BWD       dy, key                                      dx
 *   CONVERT           x                                            y
 *   LINEAR            x, weight, bias                              y        plain float32
 *   LINEAR_BWD        x, dy, weight                                dx?, d_weight, d_bias
 *   XENT              logits, target                               loss, d_logits?
 *
 *   CONV      y = [relu](conv(x) + bias + residual)
 *   NORM      y = [relu]((x - mean) * inv_std * weight + bias + residual). With batch_stats the
 *             statistics are those of the batch and the running ones are updated in place (momentum
 *             0.1, unbiased variance); else they are the running ones. mean, inv_std, var (c floats
 *             each) are left for NORM_BWD and for other norms of the same x: with batch_stats, those
 *             of its first known channels may be given in known_mean and known_var.
 *   NORM_AGAIN  the y, to the bit, of a NORM from the mean and inv_std that it left: so that y need
 *             not be kept for the backward pass.
 *   NORM_BWD  dz = (dy + dy2), zeroed where relu and y <= 0; d_residual = dz; dx = (norm's gradient
 *             of dz) + extra. With relu there is y if NORM had a residual, else bias: then y's sign
 *             is found from x again. Every pixel of dx has two terms from the batch's statistics,
 *             slope (x - mean) + offset. Where those are outputs (c floats each) dx lacks them, and
 *             they are added to slope and offset as given (c floats or more; absent: 0): so
 *             many norms of the same x add to one gradient, each in one pass over it. A backend
 *             that supports NORM with var supports this, too, and CONCAT_BWD with x.
 *   ADD       y = [relu](a + b)
 *   CONCAT    writes x's channels to y's channels [channel, channel + x.c); so does CONCAT_BWD the
 *             other way. Of y's last block so written (blocked layout), lanes behind are zeroed.
 *             With x (like dy, the forward y), dx = dy + slope (x - mean) + offset: see NORM_BWD.
 *   SUBSAMPLE y[i][j] = x[2i + offset][2j + offset], 0 beyond x; SUBSAMPLE_BWD writes all of dx.
 *   SHAKE     y[n] = alpha[n] a[n] + (1 - alpha[n]) b[n] + residual[n]; da = beta dy,
 *             db = (1 - beta) dy. alpha, beta: n floats.
 *   DROPOUT   y = x / (1 - rate) where sl_dropout_keeps(key, i, rate), else 0. key: one uint64_t.
 *   CONVERT   the same numbers in another layout or dtype.
 *   XENT      loss[n] = -sum_k target log softmax(logits), per image (paper, eq. 6);
 *             d_logits = (softmax * sum_k target - target) / batch
 *
 * A residual, ADD's b, and their gradients may have fewer channels than y: residual_c of them; the
 * missing ones count as zeros. The x of NORM, NORM_AGAIN and NORM_BWD, dx and extra, and CONCAT's y, may be the
 * first c channels of a wider activation (sl_desc.stored); everything else is dense.
 *
 * An output may share memory with an input only where sl_op_may_alias says so. */
/* clang-format on */
#ifndef NN_BACKEND_H
#define NN_BACKEND_H

#include "base/host_device.h"
#include "base/image_recipe.h"
#include "base/processes.h"
#include "nn/tally.h"
#include <softlabel/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { SL_DTYPE_F32, SL_DTYPE_BF16 } sl_dtype; /* bfloat16: the upper half of a float32 */
/* "f32", "bf16"; another name is SL_EINVAL. */
SL_CHECK sl_status sl_dtype_parse(sl_dtype *out, const char *name, sl_error *err);

typedef enum {
    SL_LAYOUT_PLAIN,          /* n, c, h, w */
    SL_LAYOUT_BLOCKED8,       /* n, ceil(c/8), h, w, 8: channels padded with zeros to 8 */
    SL_LAYOUT_BLOCKED16,      /* n, ceil(c/16), h, w, 16: channels padded with zeros to 16 */
    SL_LAYOUT_CHANNELS_LAST8, /* n, h, w, c: channels padded with zeros to a multiple of 8 */
} sl_layout;
/* Channels that lie side by side in a block; 1 where channels don't come in blocks. */
static inline int sl_layout_block(sl_layout layout)
{
    return layout == SL_LAYOUT_BLOCKED8 ? 8 : layout == SL_LAYOUT_BLOCKED16 ? 16 : 1;
}

typedef struct {
    int n, c, h, w;
    int stored; /* channels of the activation whose first c these are; 0: c */
    sl_dtype dtype;
    sl_layout layout;
} sl_desc;

static inline int sl_desc_stored(const sl_desc *d)
{
    return d->stored ? d->stored : d->c;
}
static inline size_t sl_dtype_size(sl_dtype dtype)
{
    return dtype == SL_DTYPE_BF16 ? 2 : 4;
}
/* Of all that is stored; SIZE_MAX when it overflows. */
size_t sl_desc_bytes(const sl_desc *desc);

typedef enum {
    SL_OP_CONV,
    SL_OP_CONV_BWD_DATA,
    SL_OP_CONV_BWD_WEIGHTS,
    SL_OP_NORM,
    SL_OP_NORM_AGAIN,
    SL_OP_NORM_BWD,
    SL_OP_RELU,
    SL_OP_RELU_BWD,
    SL_OP_ADD,
    SL_OP_MAX_POOL,
    SL_OP_MAX_POOL_BWD,
    SL_OP_AVG_POOL,
    SL_OP_AVG_POOL_BWD,
    SL_OP_GLOBAL_POOL,
    SL_OP_GLOBAL_POOL_BWD,
    SL_OP_CONCAT,
    SL_OP_CONCAT_BWD,
    SL_OP_SUBSAMPLE,
    SL_OP_SUBSAMPLE_BWD,
    SL_OP_SHAKE,
    SL_OP_SHAKE_BWD,
    SL_OP_DROPOUT,
    SL_OP_DROPOUT_BWD,
    SL_OP_CONVERT,
    SL_OP_LINEAR,
    SL_OP_LINEAR_BWD,
    SL_OP_XENT,
    SL_OP_COUNT
} sl_op_kind;

#define SL_OP_MAX_IN 11
#define SL_OP_MAX_OUT 6

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
    SL_NORM_RUNNING_VAR,
    SL_NORM_KNOWN_MEAN,
    SL_NORM_KNOWN_VAR
};
enum { SL_NORM_Y, SL_NORM_MEAN, SL_NORM_INV_STD, SL_NORM_VAR };
enum {
    SL_NORM_AGAIN_X,
    SL_NORM_AGAIN_WEIGHT,
    SL_NORM_AGAIN_BIAS,
    SL_NORM_AGAIN_MEAN,
    SL_NORM_AGAIN_INV_STD,
    SL_NORM_AGAIN_RESIDUAL
};
enum {
    SL_NORM_BWD_DY,
    SL_NORM_BWD_DY2,
    SL_NORM_BWD_X,
    SL_NORM_BWD_Y,
    SL_NORM_BWD_WEIGHT,
    SL_NORM_BWD_MEAN,
    SL_NORM_BWD_INV_STD,
    SL_NORM_BWD_EXTRA,
    SL_NORM_BWD_BIAS,
    SL_NORM_BWD_SLOPE,
    SL_NORM_BWD_OFFSET
};
enum {
    SL_NORM_BWD_DX,
    SL_NORM_BWD_D_RESIDUAL,
    SL_NORM_BWD_D_WEIGHT,
    SL_NORM_BWD_D_BIAS,
    SL_NORM_BWD_SLOPE_OUT,
    SL_NORM_BWD_OFFSET_OUT
};
enum {
    SL_CONCAT_BWD_DY,
    SL_CONCAT_BWD_X,
    SL_CONCAT_BWD_MEAN,
    SL_CONCAT_BWD_SLOPE,
    SL_CONCAT_BWD_OFFSET
};
enum { SL_RELU_BWD_DY, SL_RELU_BWD_DY2, SL_RELU_BWD_Y };
enum { SL_MAX_POOL_BWD_DY, SL_MAX_POOL_BWD_X };
enum { SL_SHAKE_A, SL_SHAKE_B, SL_SHAKE_ALPHA, SL_SHAKE_RESIDUAL };
enum { SL_SHAKE_BWD_DY, SL_SHAKE_BWD_BETA };
enum { SL_SHAKE_BWD_DA, SL_SHAKE_BWD_DB };
enum { SL_DROPOUT_X, SL_DROPOUT_KEY }; /* X: dy in DROPOUT_BWD */
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
    bool weights_vary; /* CONV, CONV_BWD_DATA: from run to run; don't keep them packed */
    bool relu;         /* CONV, NORM, NORM_AGAIN, NORM_BWD, ADD */
    bool batch_stats;  /* NORM, NORM_BWD */
    int residual_c;    /* channels of the residual, or of ADD's b; 0: y.c */
    int channel;       /* CONCAT, CONCAT_BWD */
    int known;         /* NORM: channels */
    int offset;        /* SUBSAMPLE, SUBSAMPLE_BWD */
    float rate;        /* DROPOUT, DROPOUT_BWD */
} sl_op;

static inline int sl_op_residual_c(const sl_op *op)
{
    return op->residual_c ? op->residual_c : op->y.c;
}

/* Does dropout keep number i of an activation, counted in plain (n,c,h,w) order? The same on every
 * backend: a hash of key and i (SplitMix64's finaliser) against the rate. */
SL_HOST_DEVICE static inline bool sl_dropout_keeps(uint64_t key, uint64_t i, float rate)
{
    uint64_t z = key + (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    z ^= z >> 31;
    return (float)(z >> 40) * 0x1p-24f >= rate;
}

/* The input slot whose memory output slot out may take over, or -1. Elementwise kinds only: CONV's
 * y over residual, NORM's y over x or residual is not allowed in training (x is needed later: the
 * plan knows). */
bool sl_op_may_alias(const sl_op *op, int out, int in);

/* One line for a person: "conv 3x3/2 16->32 @32x32 n=128". Returns buffer. */
const char *sl_op_text(const sl_op *op, char *buffer, size_t size);

typedef struct sl_device
    sl_device; /* defined by each backend; its first member is sl_device_base */
typedef struct sl_kernel sl_kernel; /* likewise, sl_kernel_base */

/* Memory of its own that a backend's operations read and write: a GPU's. Everything is done in the
 * order in which it is asked for; all but download may return before it is done, and then a failure
 * may show in a later call. */
typedef struct sl_optimizer_update sl_optimizer_update; /* nn/optimizer.h */
typedef struct sl_recording sl_recording;
typedef struct sl_mark sl_mark;
typedef struct sl_device_sum sl_device_sum;
typedef struct {
    sl_status (*allocate)(sl_device *dev, void **out, size_t bytes, sl_error *err); /* zeros */
    void (*release)(sl_device *dev, void *memory, size_t bytes); /* as allocated; NULL too */
    size_t (*most_bytes)(const sl_device *dev); /* that were allocated at any one time */
    sl_status (*upload)(sl_device *dev, void *to, const void *from, size_t bytes, sl_error *err);
    sl_status (*download)(sl_device *dev, void *to, const void *from, size_t bytes, sl_error *err);
    sl_status (*wait)(sl_device *dev, sl_error *err); /* until all that was asked for is done */
    /* sl_optimizer_update_run on arrays of n floats there. */
    sl_status (*update)(sl_device *dev, const sl_optimizer_update *u, float *values,
                        const float *gradients, float *const state[2], size_t n, sl_error *err);
    /* Makes a batch there, and sl_tally_add there: all pointers are to that memory. */
    sl_status (*assemble)(sl_device *dev, const sl_assembly *assembly, sl_error *err);
    sl_status (*tally)(sl_device *dev, const sl_tally_step *step, sl_error *err);
    /* Optional: nn/collective.h on arrays there. */
    sl_status (*sum_open)(sl_device *dev, sl_device_sum **out, sl_processes *processes, float share,
                          sl_error *err);
    sl_status (*sum)(sl_device_sum *sum, float *values, size_t n, sl_error *err);
    void (*sum_close)(sl_device_sum *sum);
    /* Optional: what load, run and sum are asked for from begin to end is not done but kept, to be
     * done at once by every replay, on the same memory. */
    sl_status (*record_begin)(sl_device *dev, sl_error *err);
    sl_status (*record_end)(sl_device *dev, sl_recording **out, sl_error *err);
    sl_status (*replay)(sl_recording *recording, sl_error *err);
    void (*forget)(sl_recording *recording); /* NULL too */
    /* Optional, a clock of its own. Sets *mark (NULL: makes it) to when all that was asked for so
     * far is done; the seconds between two, waiting for the second. */
    sl_status (*mark)(sl_device *dev, sl_mark **mark, sl_error *err);
    sl_status (*elapsed)(sl_mark *from, sl_mark *to, double *seconds, sl_error *err);
    void (*unmark)(sl_mark *mark); /* NULL too */
} sl_device_memory;

typedef struct sl_backend {
    const char *name;               /* "ref", "cpu" */
    const sl_device_memory *memory; /* NULL: operations work on the host's */
    bool converts_input;            /* convolutions want the network's input in its layout, too */
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
    /* Does load take over what CONV needs of a weight that doesn't vary, so that run never reads
     * it? */
    bool takes_weights;
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

/* Opens "ref", "cpu", "cuda[:N]"; SL_EINVAL lists the known ones, SL_EUNSUPPORTED says
 * what this build lacks. threads 0: as many as the process may use. */
SL_CHECK sl_status sl_device_open(sl_device **out, const char *name, int threads, sl_error *err);
void sl_device_close(sl_device *dev); /* NULL is fine */
/* The most that it has held of memory of its own at any one time; 0: it works in the host's. */
size_t sl_device_most_bytes(const sl_device *dev);

extern const sl_backend sl_backend_ref, sl_backend_cpu;
extern const sl_backend sl_backend_cuda; /* with SL_HAVE_CUDA only */

/* Between plain float32 (n,c,h,w) and a described activation, for inputs, tests and debugging.
 * Packing writes the zeros that fill up the last block, but leaves a wider activation's other
 * channels alone. */
void sl_activation_pack(const sl_desc *desc, const float *plain, void *packed);
void sl_activation_unpack(const sl_desc *desc, const void *packed, float *plain);

#endif
