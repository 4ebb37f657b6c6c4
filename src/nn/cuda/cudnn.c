/* cuDNN's graph interface (version 9): one convolution is a graph of one operation. Its heuristics
 * list engines; the first that this build of cuDNN can finalize, that gives the same bits each time
 * and that, in float32, uses no TF32, is taken. */
#include "nn/cuda/context.h"

#include "base/memory.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* ---- the library ---- */

static void *find(void *library, const char *name, bool *all)
{
    void *f = dlsym(library, name);
    *all = *all && f;
    return f;
}

/* dlsym's void pointers become functions, as POSIX has it. */
static bool find_functions(sl_cudnn_functions *f)
{
    bool all = true;
    *(void **)&f->create = find(f->shared_object, "cudnnCreate", &all);
    *(void **)&f->destroy = find(f->shared_object, "cudnnDestroy", &all);
    *(void **)&f->set_stream = find(f->shared_object, "cudnnSetStream", &all);
    *(void **)&f->error_string = find(f->shared_object, "cudnnGetErrorString", &all);
    *(void **)&f->create_descriptor = find(f->shared_object, "cudnnBackendCreateDescriptor", &all);
    *(void **)&f->destroy_descriptor =
        find(f->shared_object, "cudnnBackendDestroyDescriptor", &all);
    *(void **)&f->finalize = find(f->shared_object, "cudnnBackendFinalize", &all);
    *(void **)&f->set_attribute = find(f->shared_object, "cudnnBackendSetAttribute", &all);
    *(void **)&f->get_attribute = find(f->shared_object, "cudnnBackendGetAttribute", &all);
    *(void **)&f->execute = find(f->shared_object, "cudnnBackendExecute", &all);
    return all;
}

static sl_status check(const sl_cudnn_functions *f, cudnnStatus_t status, sl_error *err)
{
    return status == CUDNN_STATUS_SUCCESS
               ? SL_OK
               : sl_error_set(err, SL_EDEVICE, "cuDNN failed: %s", f->error_string(status));
}

sl_status sl_cudnn_open(sl_cuda_device *dev, sl_error *err)
{
    sl_cuda_context *context = dev->context;
    sl_cudnn_functions *f = &context->cudnn;
    const int how = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE; /* its threads may outlive the device */
    f->shared_object = dlopen("libcudnn.so.9", how);
    if (!f->shared_object)
        f->shared_object = dlopen(SL_CUDNN_LIBRARY, how); /* where it was built */
    if (!f->shared_object || !find_functions(f))
        return sl_error_set(err, SL_EUNSUPPORTED, "device 'cuda' needs cuDNN 9: %s",
                            f->shared_object ? "this is another version"
                                             : "no libcudnn.so.9 found");
    sl_status st = check(f, f->create(&context->handle), err);
    return st ? st : check(f, f->set_stream(context->handle, sl_cuda_stream_of(dev)), err);
}

void sl_cudnn_close(sl_cuda_device *dev)
{
    sl_cuda_context *context = dev->context;
    if (context->handle)
        context->cudnn.destroy(context->handle);
    if (context->cudnn.shared_object)
        dlclose(context->cudnn.shared_object);
}

/* ---- descriptors ---- */

enum { MAX_DESCRIPTORS = 16, X_ID = 'x', W_ID = 'w', Y_ID = 'y', MAX_ENGINES = 64 };

struct sl_cuda_conv {
    sl_cuda_device *dev;
    cudnnBackendDescriptor_t plan;
    void *weights;
    size_t weight_bytes;
    bool gradient_is_bf16;
};

/* Makes descriptors one after another: the first failure stays, all are destroyed at the end. */
typedef struct {
    const sl_cudnn_functions *f;
    cudnnStatus_t status;
    cudnnBackendDescriptor_t made[MAX_DESCRIPTORS];
    int n;
} builder;

static cudnnBackendDescriptor_t make(builder *b, cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t d = NULL;
    if (b->status == CUDNN_STATUS_SUCCESS)
        b->status = b->f->create_descriptor(type, &d);
    if (d)
        b->made[b->n++] = d;
    return d;
}

static void set(builder *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t count, const void *elements)
{
    if (b->status == CUDNN_STATUS_SUCCESS)
        b->status = b->f->set_attribute(d, name, type, count, elements);
}

static void set_descriptor(builder *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                           cudnnBackendDescriptor_t value)
{
    set(b, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

static void finish(builder *b, cudnnBackendDescriptor_t d)
{
    if (b->status == CUDNN_STATUS_SUCCESS)
        b->status = b->f->finalize(d);
}

static void builder_release(builder *b)
{
    while (b->n > 0)
        b->f->destroy_descriptor(b->made[--b->n]);
}

/* A tensor (a,h,w,c) in memory, named in cuDNN's order of dimensions: a, c, h, w. */
static cudnnBackendDescriptor_t tensor(builder *b, int64_t id, bool bf16, int a, int c, int h,
                                       int w)
{
    const int64_t dims[] = { a, c, h, w };
    const int64_t strides[] = { (int64_t)h * w * c, 1, (int64_t)w * c, c }, alignment = 16;
    cudnnDataType_t type = bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
    cudnnBackendDescriptor_t d = make(b, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    set(b, d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    set(b, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dims);
    set(b, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides);
    set(b, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
    set(b, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    finish(b, d);
    return d;
}

/* The convolution's own numbers; sums are float32. */
static cudnnBackendDescriptor_t convolution(builder *b, const sl_cuda_conv_shape *s)
{
    const int64_t two = 2, strides[] = { s->stride, s->stride }, pads[] = { s->pad, s->pad };
    const int64_t dilations[] = { 1, 1 };
    cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    cudnnBackendDescriptor_t d = make(b, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    set(b, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sums);
    set(b, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    set(b, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &two);
    set(b, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilations);
    set(b, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, strides);
    set(b, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pads);
    set(b, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, pads);
    finish(b, d);
    return d;
}

/* The names under which an operation of each kind takes its tensors and factors. */
static const struct {
    cudnnBackendDescriptorType_t type;
    cudnnBackendAttributeName_t x, w, y, convolution, alpha, beta;
} operations[] = {
    [SL_CUDA_CONV_FORWARD] = { CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA },
    [SL_CUDA_CONV_DATA] = { CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA },
    [SL_CUDA_CONV_WEIGHTS] = { CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA },
};

static cudnnBackendDescriptor_t operation_graph(builder *b, const sl_cuda_conv_shape *s,
                                                bool w_bf16, cudnnHandle_t handle)
{
    const float one = 1, none = 0;
    cudnnBackendDescriptor_t x = tensor(b, X_ID, s->bf16, s->n, s->c, s->h, s->w);
    cudnnBackendDescriptor_t w = tensor(b, W_ID, w_bf16, s->k, s->c, s->r, s->r);
    cudnnBackendDescriptor_t y = tensor(b, Y_ID, s->bf16, s->n, s->k, s->p, s->q);
    cudnnBackendDescriptor_t conv = convolution(b, s);
    cudnnBackendDescriptor_t op = make(b, operations[s->kind].type);
    set_descriptor(b, op, operations[s->kind].x, x);
    set_descriptor(b, op, operations[s->kind].w, w);
    set_descriptor(b, op, operations[s->kind].y, y);
    set_descriptor(b, op, operations[s->kind].convolution, conv);
    set(b, op, operations[s->kind].alpha, CUDNN_TYPE_FLOAT, 1, &one);
    set(b, op, operations[s->kind].beta, CUDNN_TYPE_FLOAT, 1, &none);
    finish(b, op);
    cudnnBackendDescriptor_t graph = make(b, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    set_descriptor(b, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, op);
    set(b, graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
    finish(b, graph);
    return graph;
}

/* ---- engines ---- */

/* Other bits each time; or, in float32, less than its precision: TF32, or transforms of large
 * tiles, whose differences cancel digits. */
static bool is_excluded(cudnnBackendNumericalNote_t note, bool bf16)
{
    switch (note) {
    case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
    case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
        return true;
    case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
    case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
    case CUDNN_NUMERICAL_NOTE_FFT:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13:
        return !bf16;
    default:
        return false;
    }
}

/* Does the configuration's engine give the same bits each time, and float32 in full? */
static bool is_wanted(const sl_cudnn_functions *f, cudnnBackendDescriptor_t configuration,
                      bool bf16)
{
    cudnnBackendNumericalNote_t notes[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
    cudnnBackendDescriptor_t engine = NULL;
    int64_t n = 0, found = 0;
    bool wanted = false;
    if (f->create_descriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) != CUDNN_STATUS_SUCCESS)
        return false;
    if (f->get_attribute(configuration, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                         1, &found, &engine) == CUDNN_STATUS_SUCCESS &&
        f->get_attribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                         CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &n, notes) == CUDNN_STATUS_SUCCESS) {
        wanted = true;
        for (int64_t i = 0; i < n && i < CUDNN_NUMERICAL_NOTE_TYPE_COUNT; i++)
            wanted = wanted && !is_excluded(notes[i], bf16);
    }
    f->destroy_descriptor(engine);
    return wanted;
}

/* Its plan, or NULL if this GPU can't run it. */
static cudnnBackendDescriptor_t plan_of(const sl_cudnn_functions *f, cudnnHandle_t handle,
                                        cudnnBackendDescriptor_t configuration, int64_t *workspace)
{
    cudnnBackendDescriptor_t plan = NULL;
    int64_t found = 0;
    if (f->create_descriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &plan) !=
        CUDNN_STATUS_SUCCESS)
        return NULL;
    if (f->set_attribute(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle) ==
            CUDNN_STATUS_SUCCESS &&
        f->set_attribute(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
                         CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                         &configuration) == CUDNN_STATUS_SUCCESS &&
        f->finalize(plan) == CUDNN_STATUS_SUCCESS &&
        f->get_attribute(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1,
                         &found, workspace) == CUDNN_STATUS_SUCCESS)
        return plan;
    f->destroy_descriptor(plan);
    return NULL;
}

/* The first of a mode's engines that will do, or NULL. */
static cudnnBackendDescriptor_t choose(builder *b, const sl_cuda_conv_shape *s,
                                       cudnnBackendDescriptor_t graph, cudnnBackendHeurMode_t mode,
                                       cudnnHandle_t handle, int64_t *workspace)
{
    cudnnBackendDescriptor_t all[MAX_ENGINES] = { NULL }, chosen = NULL;
    cudnnBackendDescriptor_t heuristics = make(b, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    int64_t n = 0;
    set_descriptor(b, heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    set(b, heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    finish(b, heuristics);
    for (int i = 0; i < MAX_ENGINES && b->status == CUDNN_STATUS_SUCCESS; i++)
        b->status = b->f->create_descriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &all[i]);
    if (b->status == CUDNN_STATUS_SUCCESS)
        b->status = b->f->get_attribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                        CUDNN_TYPE_BACKEND_DESCRIPTOR, MAX_ENGINES, &n, all);
    for (int64_t i = 0; i < n && i < MAX_ENGINES && !chosen; i++) {
        if (b->status == CUDNN_STATUS_SUCCESS && is_wanted(b->f, all[i], s->bf16))
            chosen = plan_of(b->f, handle, all[i], workspace);
    }
    for (int i = 0; i < MAX_ENGINES; i++) {
        if (all[i])
            b->f->destroy_descriptor(all[i]);
    }
    return chosen;
}

/* conv->plan from the engines that a mode of the heuristics lists, with weights, or their gradient,
 * in this type; unset if none will do. */
static sl_status try_engines(sl_cuda_conv *conv, const sl_cuda_conv_shape *s,
                             cudnnBackendHeurMode_t mode, bool w_bf16, size_t *workspace,
                             sl_error *err)
{
    sl_cuda_context *context = conv->dev->context;
    builder b = { .f = &context->cudnn, .status = CUDNN_STATUS_SUCCESS };
    int64_t bytes = 0;
    cudnnBackendDescriptor_t graph = operation_graph(&b, s, w_bf16, context->handle);
    if (b.status == CUDNN_STATUS_SUCCESS)
        conv->plan = choose(&b, s, graph, mode, context->handle, &bytes);
    builder_release(&b);
    *workspace = (size_t)bytes;
    bool unsupported = CUDNN_STATUS_CATEGORY(b.status) == CUDNN_STATUS_NOT_SUPPORTED;
    return unsupported ? SL_OK : check(b.f, b.status, err); /* no plan then, but no failure */
}

/* Fallbacks only where the mode that knows what is fast has nothing. A gradient is better in
 * float32, but better fast in bfloat16 than slow. */
static sl_status find_plan(sl_cuda_conv *conv, const sl_cuda_conv_shape *s, size_t *workspace,
                           sl_error *err)
{
    static const cudnnBackendHeurMode_t modes[] = { CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK };
    bool gradient = s->kind == SL_CUDA_CONV_WEIGHTS;
    sl_status st = SL_OK;
    for (size_t m = 0; m < sizeof modes / sizeof *modes && !conv->plan && !st; m++) {
        st = try_engines(conv, s, modes[m], s->bf16 && !gradient, workspace, err);
        if (!st && !conv->plan && s->bf16 && gradient) {
            st = try_engines(conv, s, modes[m], true, workspace, err);
            conv->gradient_is_bf16 = conv->plan;
        }
    }
    if (!st && !conv->plan)
        st = sl_error_set(err, SL_EUNSUPPORTED,
                          "cuDNN has no engine for this that gives the same bits each time");
    return st;
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
    st = find_plan(conv, shape, workspace, err);
    if (!st)
        st = allocate_weights(conv, shape, err);
    if (st)
        sl_cudnn_conv_destroy(conv);
    else
        *out = conv;
    return st;
}

void sl_cudnn_conv_destroy(sl_cuda_conv *conv)
{
    if (!conv)
        return;
    if (conv->plan)
        conv->dev->context->cudnn.destroy_descriptor(conv->plan);
    if (conv->weights)
        sl_cuda_memory.release((sl_device *)(void *)conv->dev, conv->weights, conv->weight_bytes);
    free(conv);
}

void *sl_cudnn_conv_weights(const sl_cuda_conv *conv)
{
    return conv->weights;
}

bool sl_cudnn_conv_gradient_is_bf16(const sl_cuda_conv *conv)
{
    return conv->gradient_is_bf16;
}

sl_status sl_cudnn_conv_run(sl_cuda_conv *conv, void *x, void *w, void *y, void *workspace,
                            sl_error *err)
{
    const int64_t ids[] = { X_ID, W_ID, Y_ID };
    void *const pointers[] = { x, w, y };
    builder b = { .f = &conv->dev->context->cudnn, .status = CUDNN_STATUS_SUCCESS };
    cudnnBackendDescriptor_t pack = make(&b, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    set(&b, pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3, ids);
    set(&b, pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3, pointers);
    set(&b, pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
    finish(&b, pack);
    if (b.status == CUDNN_STATUS_SUCCESS)
        b.status = b.f->execute(conv->dev->context->handle, conv->plan, pack);
    builder_release(&b);
    return check(b.f, b.status, err);
}
