/* Which of cuDNN's engines is taken, by a cuDNN that only pretends: it remembers what descriptors
 * are told, and lists the engines of a table. */
#include "nn/cuda/context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    cudnnBackendHeurMode_t mode;
    bool w_bf16; /* the type of weights that it takes */
    int note;    /* -1: none */
    bool here;   /* this GPU can run it */
    int64_t workspace;
} engine;

static const engine *engines;
static int n_engines, alive;
static bool mode_a_unsupported, heuristics_break;

typedef struct {
    cudnnBackendDescriptorType_t type;
    bool final, w_bf16;
    int64_t id;
    cudnnDataType_t dtype;
    cudnnBackendHeurMode_t mode;
    const engine *is;
} descriptor;

static cudnnStatus_t create(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *out)
{
    descriptor *d = test_calloc(1, sizeof *d);
    d->type = type;
    alive++;
    *out = d;
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t destroy(cudnnBackendDescriptor_t d)
{
    alive--;
    test_free(d);
    return CUDNN_STATUS_SUCCESS;
}

/* Only what is final may be part of something. */
static const descriptor *part(const void *elements)
{
    const descriptor *d = *(void *const *)elements;
    assert_true(d->final || d->type == CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    return d;
}

static cudnnStatus_t set(cudnnBackendDescriptor_t at, cudnnBackendAttributeName_t name,
                         cudnnBackendAttributeType_t type, int64_t count, const void *elements)
{
    descriptor *d = at;
    assert_false(d->final);
    switch (name) {
    case CUDNN_ATTR_TENSOR_UNIQUE_ID:
        d->id = *(const int64_t *)elements;
        break;
    case CUDNN_ATTR_TENSOR_DATA_TYPE:
        d->dtype = *(const cudnnDataType_t *)elements;
        break;
    case CUDNN_ATTR_TENSOR_DIMENSIONS:
        for (int i = 0; i < 4; i++)
            assert_true(((const int64_t *)elements)[i] > 0);
        break;
    case CUDNN_ATTR_ENGINEHEUR_MODE:
        d->mode = *(const cudnnBackendHeurMode_t *)elements;
        break;
    default:
        if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
            const descriptor *of = part(elements);
            assert_int_equal(count, 1);
            d->w_bf16 |= of->w_bf16 || (of->id == SL_CUDNN_W && of->dtype == CUDNN_DATA_BFLOAT16);
            d->is = of->is ? of->is : d->is;
        }
    }
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t finalize(cudnnBackendDescriptor_t at)
{
    descriptor *d = at;
    bool heuristics = d->type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR;
    if (heuristics && heuristics_break)
        return CUDNN_STATUS_INTERNAL_ERROR;
    if (heuristics && d->mode == CUDNN_HEUR_MODE_A && mode_a_unsupported)
        return CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN;
    if (d->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR && !d->is->here)
        return CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH;
    d->final = true;
    return CUDNN_STATUS_SUCCESS;
}

static int64_t list_engines(const descriptor *heuristics, void *const *out, int64_t most)
{
    int64_t n = 0;
    for (int i = 0; i < n_engines && n < most; i++) {
        if (engines[i].mode == heuristics->mode && engines[i].w_bf16 == heuristics->w_bf16)
            ((descriptor *)out[n++])->is = &engines[i];
    }
    return n;
}

static cudnnStatus_t get(cudnnBackendDescriptor_t at, cudnnBackendAttributeName_t name,
                         cudnnBackendAttributeType_t type, int64_t count, int64_t *there,
                         void *elements)
{
    descriptor *d = at;
    (void)type;
    *there = 1;
    switch (name) {
    case CUDNN_ATTR_ENGINEHEUR_RESULTS:
        *there = list_engines(d, elements, count);
        break;
    case CUDNN_ATTR_ENGINECFG_ENGINE:
        (*(descriptor **)elements)->is = d->is;
        break;
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
        *there = d->is->note >= 0;
        if (*there)
            *(cudnnBackendNumericalNote_t *)elements = (cudnnBackendNumericalNote_t)d->is->note;
        break;
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
        *(int64_t *)elements = d->is->workspace;
        break;
    default:
        return CUDNN_STATUS_BAD_PARAM;
    }
    return CUDNN_STATUS_SUCCESS;
}

static const char *error_string(cudnnStatus_t status)
{
    (void)status;
    return "as it was told";
}

static const sl_cuda_context context = { .cudnn = { .create_descriptor = create,
                                                    .destroy_descriptor = destroy,
                                                    .finalize = finalize,
                                                    .set_attribute = set,
                                                    .get_attribute = get,
                                                    .error_string = error_string } };

/* The workspace, by which an engine is known, of the one that is taken; -1 if none is. */
static int64_t taken(sl_cuda_conv_kind kind, bool bf16, const engine *list, int n, bool *w_bf16)
{
    const sl_cuda_conv_shape shape = { kind, 4, 8, 6, 6, 16, 3, 3, 3, 2, 1, bf16 };
    sl_cudnn_plan plan;
    sl_error err;
    engines = list;
    n_engines = n;
    sl_status st = sl_cudnn_plan_create(&plan, &context, &shape, &err);
    if (w_bf16)
        *w_bf16 = plan.w_bf16;
    if (plan.descriptor)
        destroy(plan.descriptor);
    assert_int_equal(alive, 0);
    assert_int_equal(st, plan.descriptor ? SL_OK : heuristics_break ? SL_EDEVICE : SL_EUNSUPPORTED);
    return plan.descriptor ? (int64_t)plan.workspace : -1;
}

#define A CUDNN_HEUR_MODE_A
#define FALLBACK CUDNN_HEUR_MODE_FALLBACK
#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

static void float32_is_float32(void **state)
{
    static const engine list[] = {
        { A, false, CUDNN_NUMERICAL_NOTE_TENSOR_CORE, true, 1 },
        { A, false, CUDNN_NUMERICAL_NOTE_FFT, true, 2 },
        { A, false, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13, true, 3 },
        { A, false, -1, false, 4 }, /* not on this GPU */
        { A, false, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC, true, 5 },
        { A, false, CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP, true, 6 },
        { A, false, -1, true, 7 },
    };
    (void)state;
    assert_int_equal(taken(SL_CUDA_CONV_FORWARD, false, list, COUNT(list), NULL), 6);
    assert_int_equal(taken(SL_CUDA_CONV_DATA, false, list, 5, NULL), -1);
}

static void bfloat16_uses_tensor_cores(void **state)
{
    static const engine list[] = {
        { A, true, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION, true, 1 },
        { A, true, CUDNN_NUMERICAL_NOTE_TENSOR_CORE, true, 2 },
    };
    (void)state;
    assert_int_equal(taken(SL_CUDA_CONV_DATA, true, list, COUNT(list), NULL), 2);
}

static void fallbacks_come_last(void **state)
{
    static const engine list[] = {
        { FALLBACK, true, -1, true, 1 },
        { A, true, -1, true, 2 },
    };
    (void)state;
    assert_int_equal(taken(SL_CUDA_CONV_FORWARD, true, list, COUNT(list), NULL), 2);
    mode_a_unsupported = true;
    assert_int_equal(taken(SL_CUDA_CONV_FORWARD, true, list, COUNT(list), NULL), 1);
    mode_a_unsupported = false;
}

static void a_fast_gradient_is_better_than_a_slow_one(void **state)
{
    static const engine list[] = {
        { FALLBACK, false, -1, true, 1 },
        { A, true, -1, true, 2 },
        { A, false, -1, true, 3 },
    };
    bool w_bf16 = false;
    (void)state;
    assert_int_equal(taken(SL_CUDA_CONV_WEIGHTS, true, list, 2, &w_bf16), 2);
    assert_true(w_bf16);
    assert_int_equal(taken(SL_CUDA_CONV_WEIGHTS, true, list, 3, &w_bf16), 3);
    assert_false(w_bf16);
    assert_int_equal(taken(SL_CUDA_CONV_WEIGHTS, true, list, 1, &w_bf16), 1);
}

static void failures_are_told(void **state)
{
    static const engine list[] = { { A, false, -1, true, 1 } };
    (void)state;
    heuristics_break = true;
    assert_int_equal(taken(SL_CUDA_CONV_FORWARD, false, list, 1, NULL), -1);
    heuristics_break = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float32_is_float32),
        cmocka_unit_test(bfloat16_uses_tensor_cores),
        cmocka_unit_test(fallbacks_come_last),
        cmocka_unit_test(a_fast_gradient_is_better_than_a_slow_one),
        cmocka_unit_test(failures_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
