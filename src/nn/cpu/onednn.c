#include "nn/cpu/onednn.h"

#include "base/memory.h"
#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>

#define V3 (DNNL_VERSION_MAJOR >= 3)

struct sl_onednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
};

/* A memory descriptor is a struct in 2.x and a handle in 3.x. */
#if V3
typedef dnnl_memory_desc_t md_owned;
typedef const_dnnl_memory_desc_t md_borrowed;
#else
typedef dnnl_memory_desc_t md_owned;
typedef const dnnl_memory_desc_t *md_borrowed;
#endif

typedef enum { M_X, M_Y, M_WEIGHT, M_BIAS, M_PLAIN_WEIGHT, M_SCRATCH, M_COUNT } memory_slot;

struct sl_onednn_conv {
    sl_onednn *onednn; /* borrowed */
    sl_op_kind kind;
    dnnl_primitive_t conv, reorder; /* reorder: weights to packed, or their gradient to plain */
    dnnl_memory_t memory[M_COUNT];
    bool has_bias, weights_vary;
    void *packed; /* the weights as the library wants them, or NULL: then, and their gradient, they
                     are so in packed_bytes at the beginning of the scratch only */
    size_t packed_bytes, scratch_bytes;
};

static sl_status check(dnnl_status_t s, const char *what, sl_error *err)
{
    if (s == dnnl_success)
        return SL_OK;
    if (s == dnnl_out_of_memory)
        return sl_error_set(err, SL_ENOMEM, "out of memory in oneDNN (%s)", what);
    return sl_error_set(err, s == dnnl_unimplemented ? SL_EUNSUPPORTED : SL_EDEVICE,
                        "oneDNN status %d (%s)", (int)s, what);
}

sl_status sl_onednn_create(sl_onednn **out, sl_error *err)
{
    sl_onednn *onednn = NULL;
    *out = NULL;
    sl_status st = sl_alloc(&onednn, 1, sizeof *onednn, err);
    if (!st)
        st = check(dnnl_engine_create(&onednn->engine, dnnl_cpu, 0), "engine", err);
    if (!st)
        st = check(dnnl_stream_create(&onednn->stream, onednn->engine, dnnl_stream_default_flags),
                   "stream", err);
    if (st) {
        sl_onednn_destroy(onednn);
        return st;
    }
    *out = onednn;
    return SL_OK;
}

void sl_onednn_destroy(sl_onednn *onednn)
{
    if (!onednn)
        return;
    if (onednn->stream)
        dnnl_stream_destroy(onednn->stream);
    if (onednn->engine)
        dnnl_engine_destroy(onednn->engine);
    free(onednn);
}

void sl_onednn_version(char *out, size_t size)
{
    const dnnl_version_t *v = dnnl_version();
    snprintf(out, size, "%d.%d.%d", v->major, v->minor, v->patch);
}

/* Multiplying bfloat16 takes AVX-512 (BW, DQ and VL); its own instruction is only faster. */
bool sl_onednn_has_bf16(void)
{
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
}

static dnnl_status_t md_create(md_owned *md, int n_dims, const dnnl_dims_t dims, sl_dtype dtype,
                               dnnl_format_tag_t tag)
{
    dnnl_data_type_t type = dtype == SL_DTYPE_BF16 ? dnnl_bf16 : dnnl_f32;
#if V3
    return dnnl_memory_desc_create_with_tag(md, n_dims, dims, type, tag);
#else
    return dnnl_memory_desc_init_by_tag(md, n_dims, dims, type, tag);
#endif
}

static void md_destroy(md_owned *md)
{
#if V3
    if (*md)
        dnnl_memory_desc_destroy(*md);
#else
    (void)md;
#endif
}

static md_borrowed md_borrow(const md_owned *md)
{
#if V3
    return *md;
#else
    return md;
#endif
}

static dnnl_format_tag_t activation_tag(const sl_desc *d)
{
    if (d->layout == SL_LAYOUT_PLAIN)
        return dnnl_nchw;
    return d->layout == SL_LAYOUT_BLOCKED8 ? dnnl_nChw8c : dnnl_nChw16c;
}

/* What a convolution is made of, alive only while it is created. */
typedef struct {
    const sl_op *op;
    md_owned x, y, weight, bias;     /* weight: as activations */
    md_owned d_weight, plain_weight; /* float32 */
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd;
    bool bias_used;
} recipe;

static void recipe_release(recipe *r)
{
    md_owned *const all[] = { &r->x, &r->y, &r->weight, &r->bias, &r->d_weight, &r->plain_weight };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        md_destroy(all[i]);
    if (r->attr)
        dnnl_primitive_attr_destroy(r->attr);
    if (r->pd)
        dnnl_primitive_desc_destroy(r->pd);
}

static sl_status describe_memory(recipe *r, sl_error *err)
{
    const sl_op *op = r->op;
    const dnnl_dims_t x = { op->x.n, op->x.c, op->x.h, op->x.w };
    const dnnl_dims_t y = { op->y.n, op->y.c, op->y.h, op->y.w };
    const dnnl_dims_t weight = { op->y.c, op->x.c, op->kernel, op->kernel }, bias = { op->y.c };
    dnnl_status_t s = md_create(&r->x, 4, x, op->x.dtype, activation_tag(&op->x));
    if (!s)
        s = md_create(&r->y, 4, y, op->y.dtype, activation_tag(&op->y));
    if (!s)
        s = md_create(&r->weight, 4, weight, op->x.dtype, dnnl_format_tag_any);
    if (!s)
        s = md_create(&r->d_weight, 4, weight, SL_DTYPE_F32, dnnl_format_tag_any);
    if (!s)
        s = md_create(&r->plain_weight, 4, weight, SL_DTYPE_F32, dnnl_oihw);
    if (!s)
        s = md_create(&r->bias, 1, bias, SL_DTYPE_F32, dnnl_x);
    return check(s, "memory descriptor", err);
}

static dnnl_status_t append_relu(dnnl_post_ops_t ops)
{
#if V3
    return dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_relu, 0, 0);
#else
    return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0);
#endif
}

static dnnl_status_t append_sum(dnnl_post_ops_t ops)
{
#if V3
    return dnnl_post_ops_append_sum(ops, 1, 0, dnnl_data_type_undef);
#else
    return dnnl_post_ops_append_sum(ops, 1);
#endif
}

static sl_status describe_attributes(recipe *r, sl_error *err)
{
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t s = dnnl_primitive_attr_create(&r->attr);
    if (!s)
        s = dnnl_primitive_attr_set_scratchpad_mode(r->attr, dnnl_scratchpad_mode_user);
    if (!s)
        s = dnnl_post_ops_create(&ops);
    if (!s && r->op->kind == SL_OP_CONV && r->op->has_in[SL_CONV_RESIDUAL])
        s = append_sum(ops);
    if (!s && r->op->kind == SL_OP_CONV && r->op->relu)
        s = append_relu(ops);
    if (!s)
        s = dnnl_primitive_attr_set_post_ops(r->attr, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    return check(s, "attributes", err);
}

/* The forward descriptor; also the hint that backward passes want. */
static dnnl_status_t describe_forward(const recipe *r, dnnl_engine_t engine,
                                      const_dnnl_primitive_attr_t attr, bool bias,
                                      dnnl_primitive_desc_t *out)
{
    const dnnl_dims_t strides = { r->op->stride, r->op->stride }, pad = { r->op->pad, r->op->pad };
#if V3
    return dnnl_convolution_forward_primitive_desc_create(
        out, engine, dnnl_forward_training, dnnl_convolution_direct, r->x, r->weight,
        bias ? r->bias : NULL, r->y, strides, NULL, pad, pad, attr);
#else
    dnnl_convolution_desc_t d;
    dnnl_status_t s = dnnl_convolution_forward_desc_init(
        &d, dnnl_forward_training, dnnl_convolution_direct, &r->x, &r->weight,
        bias ? &r->bias : NULL, &r->y, strides, pad, pad);
    return s ? s : dnnl_primitive_desc_create(out, &d, attr, engine, NULL);
#endif
}

static dnnl_status_t describe_backward(const recipe *r, dnnl_engine_t engine,
                                       const_dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *out)
{
    const dnnl_dims_t strides = { r->op->stride, r->op->stride }, pad = { r->op->pad, r->op->pad };
    bool data = r->op->kind == SL_OP_CONV_BWD_DATA;
#if V3
    return data ? dnnl_convolution_backward_data_primitive_desc_create(
                      out, engine, dnnl_convolution_direct, r->x, r->weight, r->y, strides, NULL,
                      pad, pad, hint, r->attr)
                : dnnl_convolution_backward_weights_primitive_desc_create(
                      out, engine, dnnl_convolution_direct, r->x, r->d_weight,
                      r->bias_used ? r->bias : NULL, r->y, strides, NULL, pad, pad, hint, r->attr);
#else
    dnnl_convolution_desc_t d;
    dnnl_status_t s =
        data ? dnnl_convolution_backward_data_desc_init(&d, dnnl_convolution_direct, &r->x,
                                                        &r->weight, &r->y, strides, pad, pad)
             : dnnl_convolution_backward_weights_desc_init(
                   &d, dnnl_convolution_direct, &r->x, &r->d_weight, r->bias_used ? &r->bias : NULL,
                   &r->y, strides, pad, pad);
    return s ? s : dnnl_primitive_desc_create(out, &d, r->attr, engine, hint);
#endif
}

static sl_status describe_pass(recipe *r, dnnl_engine_t engine, sl_error *err)
{
    if (r->op->kind == SL_OP_CONV)
        return check(describe_forward(r, engine, r->attr, r->bias_used, &r->pd), "convolution",
                     err);
    dnnl_primitive_desc_t hint = NULL;
    dnnl_status_t s = describe_forward(r, engine, NULL, false, &hint);
    if (!s)
        s = describe_backward(r, engine, hint, &r->pd);
    if (hint)
        dnnl_primitive_desc_destroy(hint);
    return check(s, "convolution backward", err);
}

static sl_status memory_create(sl_onednn_conv *conv, memory_slot slot, md_borrowed md, void *data,
                               sl_error *err)
{
    return check(dnnl_memory_create(&conv->memory[slot], md, conv->onednn->engine, data), "memory",
                 err);
}

enum { SCRATCH_ALIGN = 64 };

/* The packed weights and the reorder between them and the plain ones. */
static sl_status create_weights(sl_onednn_conv *conv, const recipe *r, sl_error *err)
{
    bool gradient = r->op->kind == SL_OP_CONV_BWD_WEIGHTS;
    md_borrowed packed = dnnl_primitive_desc_query_md(
        r->pd, gradient ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
    md_borrowed plain = md_borrow(&r->plain_weight);
    dnnl_engine_t engine = conv->onednn->engine;
    size_t bytes = dnnl_memory_desc_get_size(packed);
    sl_status st = SL_OK;
    if (gradient || conv->weights_vary)
        conv->packed_bytes = (bytes + SCRATCH_ALIGN - 1) / SCRATCH_ALIGN * SCRATCH_ALIGN;
    else
        st = sl_alloc_aligned(&conv->packed, bytes, 1, err);
    if (!st)
        st = memory_create(conv, M_WEIGHT, packed, conv->packed ? conv->packed : DNNL_MEMORY_NONE,
                           err);
    if (!st)
        st = memory_create(conv, M_PLAIN_WEIGHT, plain, DNNL_MEMORY_NONE, err);
    if (st)
        return st;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t s = dnnl_reorder_primitive_desc_create(&pd, gradient ? packed : plain, engine,
                                                         gradient ? plain : packed, engine, NULL);
    if (!s)
        s = dnnl_primitive_create(&conv->reorder, pd);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return check(s, "weight reorder", err);
}

sl_status sl_onednn_conv_create(sl_onednn_conv **out, sl_onednn *onednn, const sl_op *op,
                                sl_error *err)
{
    recipe r = { .op = op };
    sl_onednn_conv *conv = NULL;
    *out = NULL;
    sl_status st = sl_alloc(&conv, 1, sizeof *conv, err);
    if (st)
        return st;
    conv->onednn = onednn;
    conv->kind = op->kind;
    conv->weights_vary = op->weights_vary;
    conv->has_bias = r.bias_used = op->kind == SL_OP_CONV               ? op->has_in[SL_CONV_BIAS]
                                   : op->kind == SL_OP_CONV_BWD_WEIGHTS ? op->has_out[1]
                                                                        : false;
    st = describe_memory(&r, err);
    if (!st)
        st = describe_attributes(&r, err);
    if (!st)
        st = describe_pass(&r, onednn->engine, err);
    if (!st)
        st = check(dnnl_primitive_create(&conv->conv, r.pd), "convolution", err);
    if (!st)
        st = create_weights(conv, &r, err);
    if (!st)
        st = memory_create(conv, M_X, md_borrow(&r.x), DNNL_MEMORY_NONE, err);
    if (!st)
        st = memory_create(conv, M_Y, md_borrow(&r.y), DNNL_MEMORY_NONE, err);
    if (!st)
        st = memory_create(conv, M_BIAS, md_borrow(&r.bias), DNNL_MEMORY_NONE, err);
    if (!st) {
        md_borrowed scratch = dnnl_primitive_desc_query_md(r.pd, dnnl_query_scratchpad_md, 0);
        conv->scratch_bytes = conv->packed_bytes + dnnl_memory_desc_get_size(scratch);
        st = memory_create(conv, M_SCRATCH, scratch, DNNL_MEMORY_NONE, err);
    }
    recipe_release(&r);
    if (st) {
        sl_onednn_conv_destroy(conv);
        return st;
    }
    *out = conv;
    return SL_OK;
}

void sl_onednn_conv_destroy(sl_onednn_conv *conv)
{
    if (!conv)
        return;
    for (int i = 0; i < M_COUNT; i++) {
        if (conv->memory[i])
            dnnl_memory_destroy(conv->memory[i]);
    }
    if (conv->reorder)
        dnnl_primitive_destroy(conv->reorder);
    if (conv->conv)
        dnnl_primitive_destroy(conv->conv);
    free(conv->packed);
    free(conv);
}

size_t sl_onednn_conv_scratch_bytes(const sl_onednn_conv *conv)
{
    return conv->scratch_bytes;
}

const char *sl_onednn_conv_implementation(const sl_onednn_conv *conv)
{
    const_dnnl_primitive_desc_t pd = NULL;
    const char *name = NULL;
    if (dnnl_primitive_get_primitive_desc(conv->conv, &pd) ||
        dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name))
        return "unknown";
    return name;
}

/* Between packed and plain, in the pass's direction. */
static dnnl_status_t reorder(sl_onednn_conv *conv, float *plain)
{
    bool gradient = conv->kind == SL_OP_CONV_BWD_WEIGHTS;
    dnnl_status_t s = dnnl_memory_set_data_handle(conv->memory[M_PLAIN_WEIGHT], plain);
    const dnnl_exec_arg_t args[] = {
        { DNNL_ARG_FROM, conv->memory[gradient ? M_WEIGHT : M_PLAIN_WEIGHT] },
        { DNNL_ARG_TO, conv->memory[gradient ? M_PLAIN_WEIGHT : M_WEIGHT] },
    };
    return s ? s : dnnl_primitive_execute(conv->reorder, conv->onednn->stream, 2, args);
}

sl_status sl_onednn_conv_load(sl_onednn_conv *conv, const float *weight, sl_error *err)
{
    if (!conv->packed)
        return SL_OK;
    return check(reorder(conv, (float *)(size_t)weight), "weight reorder", err); /* only read */
}

sl_status sl_onednn_conv_run(sl_onednn_conv *conv, void *x, void *y, float *weight, float *bias,
                             void *scratch, sl_error *err)
{
    static const int arguments[][4] = {
        /* x, y, weight, bias */
        [SL_OP_CONV] = { DNNL_ARG_SRC, DNNL_ARG_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS },
        [SL_OP_CONV_BWD_DATA] = { DNNL_ARG_DIFF_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, 0 },
        [SL_OP_CONV_BWD_WEIGHTS] = { DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS,
                                     DNNL_ARG_DIFF_BIAS }
    };
    const int *a = arguments[conv->kind];
    void *const handles[M_COUNT] = { [M_X] = x,
                                     [M_Y] = y,
                                     [M_WEIGHT] = conv->packed ? conv->packed : scratch,
                                     [M_BIAS] = bias,
                                     [M_SCRATCH] = (unsigned char *)scratch + conv->packed_bytes };
    static const memory_slot bound[] = { M_X, M_Y, M_WEIGHT, M_BIAS, M_SCRATCH };
    for (size_t i = 0; i < sizeof bound / sizeof *bound; i++) {
        dnnl_status_t s = dnnl_memory_set_data_handle(conv->memory[bound[i]], handles[bound[i]]);
        if (s)
            return check(s, "memory", err);
    }
    const dnnl_exec_arg_t args[] = {
        { a[0], conv->memory[M_X] },      { a[1], conv->memory[M_Y] },
        { a[2], conv->memory[M_WEIGHT] }, { DNNL_ARG_SCRATCHPAD, conv->memory[M_SCRATCH] },
        { a[3], conv->memory[M_BIAS] }, /* last: may be left out */
    };
    dnnl_status_t s = conv->weights_vary ? reorder(conv, weight) : dnnl_success;
    if (!s)
        s = dnnl_primitive_execute(conv->conv, conv->onednn->stream, conv->has_bias ? 5 : 4, args);
    if (!s && conv->kind == SL_OP_CONV_BWD_WEIGHTS)
        s = reorder(conv, weight);
    if (!s)
        s = dnnl_stream_wait(conv->onednn->stream);
    return check(s, "convolution", err);
}

enum { P_A, P_B, P_C, P_COUNT };

struct sl_onednn_product {
    sl_onednn *onednn; /* borrowed */
    dnnl_primitive_t product;
    dnnl_memory_t memory[P_COUNT];
};

static dnnl_status_t describe_product(dnnl_engine_t engine, const md_owned md[P_COUNT],
                                      dnnl_primitive_desc_t *out)
{
#if V3
    return dnnl_matmul_primitive_desc_create(out, engine, md[P_A], md[P_B], NULL, md[P_C], NULL);
#else
    dnnl_matmul_desc_t d;
    dnnl_status_t s = dnnl_matmul_desc_init(&d, &md[P_A], &md[P_B], NULL, &md[P_C]);
    return s ? s : dnnl_primitive_desc_create(out, &d, NULL, engine, NULL);
#endif
}

sl_status sl_onednn_product_create(sl_onednn_product **out, sl_onednn *onednn, sl_dtype dtype,
                                   size_t m, size_t n, size_t k, sl_error *err)
{
    const dnnl_dims_t dims[P_COUNT] = { { (dnnl_dim_t)m, (dnnl_dim_t)k },
                                        { (dnnl_dim_t)k, (dnnl_dim_t)n },
                                        { (dnnl_dim_t)m, (dnnl_dim_t)n } };
    const dnnl_format_tag_t tags[P_COUNT] = { dnnl_ba, dnnl_ab, dnnl_ab }; /* a is transposed */
    md_owned md[P_COUNT] = { 0 };
    sl_onednn_product *p = NULL;
    dnnl_primitive_desc_t pd = NULL;
    *out = NULL;
    sl_status st = sl_alloc(&p, 1, sizeof *p, err);
    if (st)
        return st;
    p->onednn = onednn;
    dnnl_status_t s = dnnl_success;
    for (int i = 0; i < P_COUNT && !s; i++)
        s = md_create(&md[i], 2, dims[i], i == P_C ? SL_DTYPE_F32 : dtype, tags[i]);
    if (!s)
        s = describe_product(onednn->engine, md, &pd);
    if (!s)
        s = dnnl_primitive_create(&p->product, pd);
    for (int i = 0; i < P_COUNT && !s; i++)
        s = dnnl_memory_create(&p->memory[i], md_borrow(&md[i]), onednn->engine, DNNL_MEMORY_NONE);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    for (int i = 0; i < P_COUNT; i++)
        md_destroy(&md[i]);
    st = check(s, "matrix product", err);
    if (st) {
        sl_onednn_product_destroy(p);
        return st;
    }
    *out = p;
    return SL_OK;
}

void sl_onednn_product_destroy(sl_onednn_product *p)
{
    if (!p)
        return;
    for (int i = 0; i < P_COUNT; i++) {
        if (p->memory[i])
            dnnl_memory_destroy(p->memory[i]);
    }
    if (p->product)
        dnnl_primitive_destroy(p->product);
    free(p);
}

sl_status sl_onednn_product_run(sl_onednn_product *p, void *a, void *b, float *c, sl_error *err)
{
    void *const data[P_COUNT] = { a, b, c };
    dnnl_status_t s = dnnl_success;
    for (int i = 0; i < P_COUNT && !s; i++)
        s = dnnl_memory_set_data_handle(p->memory[i], data[i]);
    const dnnl_exec_arg_t args[] = { { DNNL_ARG_SRC, p->memory[P_A] },
                                     { DNNL_ARG_WEIGHTS, p->memory[P_B] },
                                     { DNNL_ARG_DST, p->memory[P_C] } };
    if (!s)
        s = dnnl_primitive_execute(p->product, p->onednn->stream, P_COUNT, args);
    if (!s)
        s = dnnl_stream_wait(p->onednn->stream);
    return check(s, "matrix product", err);
}

sl_status sl_onednn_matmul(bool a_transposed, bool b_transposed, size_t m, size_t n, size_t k,
                           const float *a, const float *b, bool add, float *c, sl_error *err)
{
    dnnl_dim_t lda = (dnnl_dim_t)(a_transposed ? m : k), ldb = (dnnl_dim_t)(b_transposed ? k : n);
    return check(dnnl_sgemm(a_transposed ? 'T' : 'N', b_transposed ? 'T' : 'N', (dnnl_dim_t)m,
                            (dnnl_dim_t)n, (dnnl_dim_t)k, 1, a, lda, b, ldb, add ? 1.0f : 0.0f, c,
                            (dnnl_dim_t)n),
                 "matrix product", err);
}
