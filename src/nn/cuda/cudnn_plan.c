/* How cuDNN computes a convolution: a graph of one operation, for which its heuristics list
 * engines. The first that this build of cuDNN can finalize, that gives the same bits each time and
 * that, in float32, uses no TF32, is taken. */
#include "nn/cuda/context.h"

enum { MAX_ENGINES = 64 };

/* ---- the graph ---- */

static void set_descriptor(sl_cudnn_builder *b, cudnnBackendDescriptor_t d,
                           cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t value)
{
    sl_cudnn_set(b, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

/* A tensor (a,h,w,c) in memory, named in cuDNN's order of dimensions: a, c, h, w. */
static cudnnBackendDescriptor_t tensor(sl_cudnn_builder *b, int64_t id, bool bf16, int a, int c,
                                       int h, int w)
{
    const int64_t dims[] = { a, c, h, w };
    const int64_t strides[] = { (int64_t)h * w * c, 1, (int64_t)w * c, c }, alignment = 16;
    cudnnDataType_t type = bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
    cudnnBackendDescriptor_t d = sl_cudnn_make(b, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    sl_cudnn_set(b, d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    sl_cudnn_set(b, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dims);
    sl_cudnn_set(b, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides);
    sl_cudnn_set(b, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
    sl_cudnn_set(b, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    sl_cudnn_finish(b, d);
    return d;
}

/* The convolution's own numbers; sums are float32. */
static cudnnBackendDescriptor_t convolution(sl_cudnn_builder *b, const sl_cuda_conv_shape *s)
{
    const int64_t two = 2, strides[] = { s->stride, s->stride }, pads[] = { s->pad, s->pad };
    const int64_t dilations[] = { 1, 1 };
    cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    cudnnBackendDescriptor_t d = sl_cudnn_make(b, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    sl_cudnn_set(b, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sums);
    sl_cudnn_set(b, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    sl_cudnn_set(b, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &two);
    sl_cudnn_set(b, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilations);
    sl_cudnn_set(b, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, strides);
    sl_cudnn_set(b, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pads);
    sl_cudnn_set(b, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, pads);
    sl_cudnn_finish(b, d);
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

static cudnnBackendDescriptor_t operation_graph(sl_cudnn_builder *b, const sl_cuda_conv_shape *s,
                                                bool w_bf16, cudnnHandle_t handle)
{
    const float one = 1, none = 0;
    cudnnBackendDescriptor_t x = tensor(b, SL_CUDNN_X, s->bf16, s->n, s->c, s->h, s->w);
    cudnnBackendDescriptor_t w = tensor(b, SL_CUDNN_W, w_bf16, s->k, s->c, s->r, s->r);
    cudnnBackendDescriptor_t y = tensor(b, SL_CUDNN_Y, s->bf16, s->n, s->k, s->p, s->q);
    cudnnBackendDescriptor_t conv = convolution(b, s);
    cudnnBackendDescriptor_t op = sl_cudnn_make(b, operations[s->kind].type);
    set_descriptor(b, op, operations[s->kind].x, x);
    set_descriptor(b, op, operations[s->kind].w, w);
    set_descriptor(b, op, operations[s->kind].y, y);
    set_descriptor(b, op, operations[s->kind].convolution, conv);
    sl_cudnn_set(b, op, operations[s->kind].alpha, CUDNN_TYPE_FLOAT, 1, &one);
    sl_cudnn_set(b, op, operations[s->kind].beta, CUDNN_TYPE_FLOAT, 1, &none);
    sl_cudnn_finish(b, op);
    cudnnBackendDescriptor_t graph = sl_cudnn_make(b, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    set_descriptor(b, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, op);
    sl_cudnn_set(b, graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
    sl_cudnn_finish(b, graph);
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
static cudnnBackendDescriptor_t choose(sl_cudnn_builder *b, const sl_cuda_conv_shape *s,
                                       cudnnBackendDescriptor_t graph, cudnnBackendHeurMode_t mode,
                                       cudnnHandle_t handle, int64_t *workspace)
{
    cudnnBackendDescriptor_t all[MAX_ENGINES] = { NULL }, chosen = NULL;
    cudnnBackendDescriptor_t heuristics = sl_cudnn_make(b, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    int64_t n = 0;
    set_descriptor(b, heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    sl_cudnn_set(b, heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    sl_cudnn_finish(b, heuristics);
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

/* A plan from the engines that a mode of the heuristics lists, with weights, or their gradient, in
 * this type; its descriptor is NULL if none will do. */
static sl_status try_engines(sl_cudnn_plan *plan, const sl_cuda_context *context,
                             const sl_cuda_conv_shape *s, cudnnBackendHeurMode_t mode, bool w_bf16,
                             sl_error *err)
{
    sl_cudnn_builder b = sl_cudnn_begin(context);
    int64_t bytes = 0;
    cudnnBackendDescriptor_t graph = operation_graph(&b, s, w_bf16, context->handle);
    if (b.status == CUDNN_STATUS_SUCCESS)
        plan->descriptor = choose(&b, s, graph, mode, context->handle, &bytes);
    sl_cudnn_end(&b);
    plan->workspace = (size_t)bytes;
    plan->w_bf16 = w_bf16;
    bool unsupported = CUDNN_STATUS_CATEGORY(b.status) == CUDNN_STATUS_NOT_SUPPORTED;
    return unsupported ? SL_OK : sl_cudnn_check(b.f, b.status, err); /* no plan, but no failure */
}

/* Fallbacks only where the mode that knows what is fast has nothing. A gradient is better in
 * float32, but better fast in bfloat16 than slow. */
sl_status sl_cudnn_plan_create(sl_cudnn_plan *out, const sl_cuda_context *context,
                               const sl_cuda_conv_shape *shape, sl_error *err)
{
    static const cudnnBackendHeurMode_t modes[] = { CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK };
    bool gradient = shape->kind == SL_CUDA_CONV_WEIGHTS;
    sl_status st = SL_OK;
    *out = (sl_cudnn_plan){ 0 };
    for (size_t m = 0; m < sizeof modes / sizeof *modes && !out->descriptor && !st; m++) {
        st = try_engines(out, context, shape, modes[m], shape->bf16 && !gradient, err);
        if (!st && !out->descriptor && shape->bf16 && gradient)
            st = try_engines(out, context, shape, modes[m], true, err);
    }
    if (!st && !out->descriptor)
        st = sl_error_set(err, SL_EUNSUPPORTED,
                          "cuDNN has no engine for this that gives the same bits each time");
    return st;
}
