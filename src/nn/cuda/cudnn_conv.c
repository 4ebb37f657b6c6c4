/* Convolutions by cuDNN. Finding a plan takes milliseconds, and deep networks have hundreds of
 * convolutions of a few shapes, so those of one shape share a plan. */
#include "nn/cuda/context.h"

#include "base/memory.h"
#include <stdlib.h>

struct sl_cudnn_shared {
    sl_cuda_conv_shape shape;
    sl_cudnn_plan plan;
    int users;
    sl_cudnn_shared *next;
};

struct sl_cuda_conv {
    sl_cuda_device *dev;
    sl_cudnn_shared *shared;
    void *weights;
    size_t weight_bytes;
};

static bool same(const sl_cuda_conv_shape *a, const sl_cuda_conv_shape *b)
{
    return a->kind == b->kind && a->n == b->n && a->c == b->c && a->h == b->h && a->w == b->w &&
           a->k == b->k && a->p == b->p && a->q == b->q && a->r == b->r && a->stride == b->stride &&
           a->pad == b->pad && a->bf16 == b->bf16;
}

static sl_status share(sl_cudnn_shared **out, sl_cuda_context *context,
                       const sl_cuda_conv_shape *shape, sl_error *err)
{
    sl_cudnn_shared *found = context->shared;
    while (found && !same(&found->shape, shape))
        found = found->next;
    if (found) {
        found->users++;
        *out = found;
        return SL_OK;
    }
    sl_status st = sl_alloc(&found, 1, sizeof *found, err);
    if (!st)
        st = sl_cudnn_plan_create(&found->plan, context, shape, err);
    if (st) {
        free(found);
        return st;
    }
    found->shape = *shape;
    found->users = 1;
    found->next = context->shared;
    context->shared = found;
    *out = found;
    return SL_OK;
}

static void share_no_more(sl_cudnn_shared *shared, sl_cuda_context *context)
{
    sl_cudnn_shared **at = &context->shared;
    if (!shared || --shared->users > 0)
        return;
    while (*at != shared)
        at = &(*at)->next;
    *at = shared->next;
    context->cudnn.destroy_descriptor(shared->plan.descriptor);
    free(shared);
}

static sl_status allocate_weights(sl_cuda_conv *conv, const sl_cuda_conv_shape *s, sl_error *err)
{
    size_t count = (size_t)s->k * (size_t)s->r * (size_t)s->r * (size_t)s->c;
    conv->weight_bytes = count * (s->bf16 ? 2 : 4);
    if (s->kind == SL_CUDA_CONV_WEIGHTS)
        return SL_OK;
    return sl_cuda_memory.allocate((sl_device *)(void *)conv->dev, &conv->weights,
                                   conv->weight_bytes, err);
}

sl_status sl_cudnn_conv_create(sl_cuda_conv **out, sl_cuda_device *dev,
                               const sl_cuda_conv_shape *shape, size_t *workspace, sl_error *err)
{
    sl_cuda_conv *conv = NULL;
    *out = NULL;
    sl_status st = sl_alloc(&conv, 1, sizeof *conv, err);
    if (st)
        return st;
    conv->dev = dev;
    st = share(&conv->shared, dev->context, shape, err);
    if (!st)
        st = allocate_weights(conv, shape, err);
    if (st) {
        sl_cudnn_conv_destroy(conv);
        return st;
    }
    *workspace = conv->shared->plan.workspace;
    *out = conv;
    return SL_OK;
}

void sl_cudnn_conv_destroy(sl_cuda_conv *conv)
{
    if (!conv)
        return;
    sl_cuda_memory.release((sl_device *)(void *)conv->dev, conv->weights, conv->weight_bytes);
    share_no_more(conv->shared, conv->dev->context);
    free(conv);
}

void *sl_cudnn_conv_weights(const sl_cuda_conv *conv)
{
    return conv->weights;
}

bool sl_cudnn_conv_gradient_is_bf16(const sl_cuda_conv *conv)
{
    return conv->shared->plan.w_bf16;
}

sl_status sl_cudnn_conv_run(sl_cuda_conv *conv, void *x, void *w, void *y, void *workspace,
                            sl_error *err)
{
    const int64_t ids[] = { SL_CUDNN_X, SL_CUDNN_W, SL_CUDNN_Y };
    void *const pointers[] = { x, w, y };
    sl_cuda_context *context = conv->dev->context;
    sl_cudnn_builder b = sl_cudnn_begin(context);
    cudnnBackendDescriptor_t pack = sl_cudnn_make(&b, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    sl_cudnn_set(&b, pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3, ids);
    sl_cudnn_set(&b, pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3, pointers);
    sl_cudnn_set(&b, pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
    sl_cudnn_finish(&b, pack);
    if (b.status == CUDNN_STATUS_SUCCESS)
        b.status = b.f->execute(context->handle, conv->shared->plan.descriptor, pack);
    sl_cudnn_end(&b);
    return sl_cudnn_check(b.f, b.status, err);
}
