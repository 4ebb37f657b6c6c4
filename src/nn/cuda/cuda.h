/* Shared by the files of the cuda backend. Convolutions are cuDNN's (cudnn.c), everything else own
 * kernels (kernels.h). The files of operations know nothing of the runtime: the tests give them the
 * kernels' bodies on the host instead. */
#ifndef NN_CUDA_CUDA_H
#define NN_CUDA_CUDA_H

#include "nn/backend.h"
#include "nn/cuda/kernels.h"

typedef struct sl_cuda_conv sl_cuda_conv;       /* a convolution, planned */
typedef struct sl_cuda_context sl_cuda_context; /* the device's runtime and libraries */
typedef struct sl_cuda_device sl_cuda_device;

typedef enum { SL_CUDA_CONV_FORWARD, SL_CUDA_CONV_DATA, SL_CUDA_CONV_WEIGHTS } sl_cuda_conv_kind;

/* Activations (n,h,w,c) and weights (k,r,r,c), both channel counts multiples of 8. */
typedef struct {
    sl_cuda_conv_kind kind;
    int n, c, h, w, k, p, q, r, stride, pad;
    bool bf16; /* activations and, but for their gradient, weights; sums are float32 */
} sl_cuda_conv_shape;

/* What the operations stand on: cuDNN and the GPU's kernels, or the tests' loops. */
typedef struct {
    const sl_cuda_kernels *kernels;
    const char *(*error_text)(int error);
    /* workspace: bytes that conv_run needs. */
    sl_status (*conv_create)(sl_cuda_conv **out, sl_cuda_device *dev,
                             const sl_cuda_conv_shape *shape, size_t *workspace, sl_error *err);
    void (*conv_destroy)(sl_cuda_conv *conv); /* NULL is fine */
    /* Device memory for the weights as the convolution reads them; not for their gradient. */
    void *(*conv_weights)(const sl_cuda_conv *conv);
    /* Is the gradient of the weights that it writes in bfloat16? */
    bool (*conv_gradient_is_bf16)(const sl_cuda_conv *conv);
    /* x, w, y: the two that the kind reads, and the one that it writes. */
    sl_status (*conv_run)(sl_cuda_conv *conv, void *x, void *w, void *y, void *workspace,
                          sl_error *err);
} sl_cuda_functions;

typedef struct {
    size_t now, most;
} sl_cuda_held;

struct sl_cuda_device {
    sl_device_base base;
    const sl_cuda_functions *functions;
    sl_cuda_stream *stream;
    sl_cuda_context *context;
    sl_cuda_held held; /* bytes of its memory */
};

/* SL_OK, or what the runtime's error number means. */
sl_status sl_cuda_check(const sl_cuda_device *dev, int error, sl_error *err);
/* Asks for a kernel of kernels.h. */
#define sl_cuda_launch(dev, name, arguments, n, err) \
    sl_cuda_check(dev, (dev)->functions->kernels->name((dev)->stream, arguments, n), err)

typedef struct {
    sl_kernel_base base;
    sl_cuda_device *dev;
    sl_cuda_conv *conv; /* convolutions only, and: */
    size_t workspace;   /* bytes at the scratch's beginning that it needs */
} sl_cuda_kernel;

/* A kind's functions; all but run may be NULL. scratch_bytes: 0 unless plan says otherwise. */
typedef struct {
    bool (*supports)(const sl_op *op);
    sl_status (*plan)(sl_cuda_kernel *k, size_t *scratch_bytes, sl_error *err);
    sl_status (*load)(sl_cuda_kernel *k, const void *const *in, sl_error *err);
    sl_status (*run)(sl_cuda_kernel *k, const void *const *in, void *const *out, void *scratch,
                     sl_error *err);
} sl_cuda_op;

extern const sl_cuda_op sl_cuda_op_conv, sl_cuda_op_conv_bwd_data, sl_cuda_op_conv_bwd_weights,
    sl_cuda_op_norm, sl_cuda_op_norm_again, sl_cuda_op_norm_bwd, sl_cuda_op_relu,
    sl_cuda_op_relu_bwd, sl_cuda_op_add, sl_cuda_op_max_pool, sl_cuda_op_max_pool_bwd,
    sl_cuda_op_avg_pool, sl_cuda_op_avg_pool_bwd, sl_cuda_op_global_pool,
    sl_cuda_op_global_pool_bwd, sl_cuda_op_concat, sl_cuda_op_concat_bwd, sl_cuda_op_subsample,
    sl_cuda_op_subsample_bwd, sl_cuda_op_shake, sl_cuda_op_shake_bwd, sl_cuda_op_dropout,
    sl_cuda_op_convert, sl_cuda_op_linear, sl_cuda_op_linear_bwd, sl_cuda_op_xent;

/* By kind: table.c. */
extern const sl_cuda_op *const sl_cuda_ops[SL_OP_COUNT];

/* sl_backend's functions of these names, for the real device and the tests': table.c. */
sl_layout sl_cuda_layout(const sl_device *dev, int c, int h, int w);
bool sl_cuda_supports(const sl_device *dev, const sl_op *op);
sl_status sl_cuda_plan(sl_device *dev, const sl_op *op, sl_kernel **out, size_t *scratch_bytes,
                       sl_error *err);
sl_status sl_cuda_load(sl_kernel *kernel, const void *const *in, sl_error *err);
sl_status sl_cuda_run(sl_kernel *kernel, const void *const *in, void *const *out, void *scratch,
                      sl_error *err);
void sl_cuda_unplan(sl_kernel *kernel);

/* ---- activations ---- */

static inline size_t sl_cuda_groups(int channels)
{
    return ((size_t)channels + SL_LANES - 1) / SL_LANES;
}
/* Channels that memory has for so many. */
static inline size_t sl_cuda_width(int channels)
{
    return sl_cuda_groups(channels) * SL_LANES;
}
static inline size_t sl_cuda_pixels(const sl_desc *d)
{
    return (size_t)d->h * (size_t)d->w;
}
/* All images' pixels. */
static inline size_t sl_cuda_rows_of(const sl_desc *d)
{
    return (size_t)d->n * sl_cuda_pixels(d);
}
/* Items of a map over d's lanes. */
static inline size_t sl_cuda_items(const sl_desc *d)
{
    return sl_cuda_rows_of(d) * sl_cuda_groups(d->c);
}
/* The activation at p that has so many channels of d's dtype. The bodies' structs have no const. */
static inline sl_grouped sl_cuda_grouped(const void *p, const sl_desc *d, int channels)
{
    union {
        const void *from;
        void *to;
    } u = { p };
    return (sl_grouped){ .p = u.to,
                         .bf16 = d->dtype == SL_DTYPE_BF16,
                         .groups = sl_cuda_groups(channels) };
}
static inline sl_grouped sl_cuda_whole(const void *p, const sl_desc *d)
{
    return sl_cuda_grouped(p, d, sl_desc_stored(d));
}

/* x and y in lanes, of one dtype. */
static inline bool sl_cuda_alike(const sl_op *op)
{
    return op->x.layout == SL_LAYOUT_CHANNELS_LAST8 && op->y.layout == SL_LAYOUT_CHANNELS_LAST8 &&
           op->x.dtype == op->y.dtype;
}
/* And neither part of a wider one. */
static inline bool sl_cuda_whole_alike(const sl_op *op)
{
    return sl_cuda_alike(op) && sl_desc_stored(&op->x) == op->x.c &&
           sl_desc_stored(&op->y) == op->y.c;
}

/* How rows of d are reduced, but for partial; and the floats that partial needs a number. */
sl_cuda_rows sl_cuda_rows_for(const sl_desc *d); /* norm.c */
size_t sl_cuda_blocks(const sl_cuda_rows *r);
size_t sl_cuda_partials(const sl_cuda_rows *r);

/* d_bias = the sum of dy's rows, a channel at a time; scratch: partials of two floats. */
sl_status sl_cuda_bias_gradient(sl_cuda_device *dev, const sl_desc *y, const void *dy,
                                float *d_bias, void *scratch, sl_error *err);

#endif
