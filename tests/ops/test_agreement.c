/* The cpu backend against the reference one: every listed case and random shapes, with one thread
 * and with two; that channels filling up a block stay zero, that outputs may take over the inputs'
 * memory where sl_op_may_alias says so, and that running again gives the same bits.
 *
 * Tolerances: the reference sums in double, so what differs is float rounding in the other backend.
 * A sum of T terms whose partial sums are of size s is off by about sqrt(T) s eps/2 when roundings
 * are independent; four standard deviations and more are 4 sqrt(T) s eps. s follows from the
 * inputs, which lie in -1..1 (harness.h): products of two have a root mean square of 1/3.
 *
 * In bfloat16 both start from the same rounded activations and weights, products of two are exact
 * in float32, and sums are float32 as before; so a result may only be off by its own rounding
 * besides: half of its last of 8 bits, 2^-8 of it at most (and see rounded_before). */
#include "nn/bf16.h"
#include "nn/cpu/conv.h"
#include "ops/cases.h"
#include "ops/harness.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RANDOM_CASES = 150 };

static sl_device *ref;

/* The cpu backend's forms. vector is NULL where it chooses by itself. */
static struct {
    const char *name;
    int threads;
    const sl_vector_kernels *vector;
    sl_device *dev;
} forms[] = {
    { "one thread", 1, NULL, NULL },
    { "two threads", 2, NULL, NULL },
    { "generic vectors", 1, &sl_vector_generic, NULL },
#if defined(__x86_64__)
    { "avx2", 2, &sl_vector_avx2, NULL },
    { "avx512 without bfloat16", 2, &sl_vector_avx512, NULL },
#endif
};
enum { FORMS = sizeof forms / sizeof *forms };

static void must(sl_status st, const sl_error *err)
{
    char text[700];
    if (st)
        fail_msg("%s", sl_error_text(err, text, sizeof text));
}

static op_data make(const sl_op *op, uint64_t seed)
{
    op_data data;
    sl_error err;
    must(op_data_init(&data, op, seed, &err), &err);
    return data;
}

static double greatest(const float *a, size_t n)
{
    double most = 0;
    for (size_t i = 0; a && i < n; i++)
        most = fmax(most, fabs((double)a[i]));
    return most;
}

/* A sum's number of terms and the size of its partial sums. */
typedef struct {
    double terms, size;
} sum_scale;

/* A sum of products with this root mean square. */
static sum_scale random_sum(double terms, double rms)
{
    return (sum_scale){ terms, fmax(1, rms * sqrt(terms)) };
}

static double numbers_per_channel(const sl_op *op)
{
    return (double)op->x.n * op->x.h * op->x.w;
}

/* |(x - mean) inv_std| at most */
static double greatest_xhat(const sl_op *op, const float *x, const float *mean,
                            const float *inv_std)
{
    size_t plane = (size_t)op->x.h * (size_t)op->x.w, channels = (size_t)op->x.c;
    double most = 0;
    for (size_t i = 0; i < (size_t)op->x.n * channels * plane; i++) {
        size_t c = i / plane % channels;
        most = fmax(most, fabs(((double)x[i] - (double)mean[c]) * (double)inv_std[c]));
    }
    return most;
}

static sum_scale norm_again_scale(const op_data *want)
{
    size_t channels = (size_t)want->op.x.c;
    double inv_std = greatest(want->in[SL_NORM_AGAIN_INV_STD], channels);
    double weight = greatest(want->in[SL_NORM_AGAIN_WEIGHT], channels);
    const double x = 2, bias = 1, residual = 1; /* x: less its mean, at most */
    return (sum_scale){ 1, bias + residual + weight * inv_std * x };
}

/* want has run. The statistics' own rounding shows in y as inv_std |x| eps. */
static sum_scale norm_scale(const op_data *want, int out)
{
    const sl_op *op = &want->op;
    double inv_std = greatest(want->out[SL_NORM_INV_STD], (size_t)op->x.c);
    double x = greatest(want->in[SL_NORM_X], op_in_count(op, SL_NORM_X));
    double weight = greatest(want->in[SL_NORM_WEIGHT], (size_t)op->x.c);
    double m = op->batch_stats ? numbers_per_channel(op) : 1;
    switch (out) {
    case SL_NORM_Y:
        return (sum_scale){ m, 2 + weight * inv_std * x }; /* 2: bias and residual */
    case SL_NORM_VAR:
        return (sum_scale){ m, 4 }; /* of numbers within an interval of 2 */
    case SL_NORM_MEAN:
        return (sum_scale){ m, x };
    default:
        return (sum_scale){ m, inv_std };
    }
}

static sum_scale norm_bwd_scale(const op_data *want, int out)
{
    const sl_op *op = &want->op;
    const float *inv_std = want->in[SL_NORM_BWD_INV_STD];
    double m = numbers_per_channel(op), s = greatest(inv_std, (size_t)op->x.c);
    double weight = greatest(want->in[SL_NORM_BWD_WEIGHT], (size_t)op->x.c);
    double xhat = greatest_xhat(op, want->in[SL_NORM_BWD_X], want->in[SL_NORM_BWD_MEAN], inv_std);
    const double dz = 2; /* dy + dy2, at most */
    switch (out) {
    case SL_NORM_BWD_DX: /* the two means are smaller than the numbers they are of; 1: extra */
        return (sum_scale){ op->batch_stats ? m : 1, 1 + weight * s * dz * (2 + xhat * xhat) };
    case SL_NORM_BWD_D_RESIDUAL:
        return (sum_scale){ 1, dz };
    case SL_NORM_BWD_SLOPE_OUT:
    case SL_NORM_BWD_OFFSET_OUT:
        return (sum_scale){ m, 1 + weight * s * dz * (1 + s * xhat) };
    case SL_NORM_BWD_D_WEIGHT: /* x - mean is off by |x| eps, a share of inv_std of it in xhat */
        return random_sum(m, dz * (xhat + s));
    default:
        return random_sum(m, dz);
    }
}

static sum_scale scale_of(const op_data *want, int out)
{
    const sl_op *op = &want->op;
    double taps = (double)op->kernel * op->kernel, third = 1.0 / 3;
    switch (op->kind) {
    case SL_OP_CONV: /* + bias and residual */
        return random_sum(op->x.c * taps + 2, third);
    case SL_OP_CONV_BWD_DATA:
        return random_sum(op->y.c * taps, third);
    case SL_OP_CONV_BWD_WEIGHTS:
        return random_sum((double)op->y.n * op->y.h * op->y.w, out == 0 ? third : 1);
    case SL_OP_NORM:
        return norm_scale(want, out);
    case SL_OP_NORM_AGAIN:
        return norm_again_scale(want);
    case SL_OP_NORM_BWD:
        return norm_bwd_scale(want, out);
    case SL_OP_GLOBAL_POOL: /* the sum's error is divided by the pixels, too */
        return (sum_scale){ (double)op->x.h * op->x.w, 1 };
    case SL_OP_LINEAR:
        return random_sum(op->x.c + 1, third);
    case SL_OP_LINEAR_BWD:
        return random_sum(out == SL_LINEAR_BWD_DX ? op->y.c : op->x.n, 1);
    case SL_OP_XENT: /* logits within -5..5 */
        return (sum_scale){ op->x.c, out == SL_XENT_LOSS ? 10 + log(op->x.c) : 1 };
    case SL_OP_SHAKE: /* weights within 0..1 */
        return (sum_scale){ 3, 2 };
    default: /* RELU, ADD and their like: at most one addition */
        return (sum_scale){ 1, 2 };
    }
}

/* The inputs that NORM updates: off as the statistics are. */
static sum_scale updated_scale(const op_data *want, int in)
{
    if (want->op.kind != SL_OP_NORM || !want->op.batch_stats)
        return (sum_scale){ 0, 0 }; /* nothing may change */
    double m = numbers_per_channel(&want->op);
    if (in == SL_NORM_RUNNING_MEAN)
        return (sum_scale){ m, 1 + norm_scale(want, SL_NORM_MEAN).size };
    if (in == SL_NORM_RUNNING_VAR)
        return (sum_scale){ m, 4 }; /* unbiased, of numbers within an interval of 2 */
    return (sum_scale){ 0, 0 };
}

typedef struct {
    const char *why;
    const sl_op *op;
    const char *form;
    uint64_t seed;
    unsigned variant; /* of the case, and OP_CASE_BF16 */
} context;

static const char *precision(const context *at)
{
    return at->variant & OP_CASE_BF16 ? "bf16" : "f32";
}

static void expect_close(const context *at, const char *slots, int slot, const float *got,
                         const float *want, size_t n, sum_scale scale, double before,
                         double rounding)
{
    double sums = 4 * (double)FLT_EPSILON * sqrt(scale.terms) * scale.size + rounding * before;
    for (size_t i = 0; i < n; i++) {
        double tolerance = sums + rounding * (fabs((double)want[i]) + sums);
        if (!(fabs((double)got[i] - (double)want[i]) <= tolerance)) {
            char text[120];
            fail_msg("%s (%s, seed %llu, %s, %s): %s[%d][%zu] is %.9g, expected %.9g +- %.2g",
                     sl_op_text(at->op, text, sizeof text), at->why, (unsigned long long)at->seed,
                     at->form, precision(at), slots, slot, i, (double)got[i], (double)want[i],
                     tolerance);
        }
    }
}

/* What is rounded on the way to an output, times what it is multiplied by then: dx may be computed
 * from d_residual, where the sum dy + dy2 is rounded, instead of the sum. */
static double rounded_before(const op_data *want, int out)
{
    const sl_op *op = &want->op;
    if (op->kind != SL_OP_NORM_BWD || out != SL_NORM_BWD_DX ||
        !op->has_out[SL_NORM_BWD_D_RESIDUAL] || !op->has_in[SL_NORM_BWD_DY2])
        return 0;
    return 2 * greatest(want->in[SL_NORM_BWD_WEIGHT], (size_t)op->x.c) *
           greatest(want->in[SL_NORM_BWD_INV_STD], (size_t)op->x.c);
}

/* By how much Winograd's intermediate numbers exceed the results, and with them their rounding: for
 * independent inputs of one size the root of sum_i A[r][i]^2 |B[i]|^2 |G[i]|^2 / 3 (B, G: rows of
 * winograd.c's matrices) for the worst result r along a side, 2.86, squared for two sides; and
 * likewise sum_i G[i][r]^2 |B[i]|^2 |A[i]|^2 / 4, 2.56, for the weights' gradient. */
static double winograd_gain(const sl_op *laid_out)
{
    sl_op f32 = *laid_out; /* as which bfloat16 may be computed */
    f32.x.dtype = f32.y.dtype = SL_DTYPE_F32;
    if (!sl_cpu_is_conv(laid_out) || !sl_cpu_conv_winograd.supports(&f32))
        return 1;
    return laid_out->kind == SL_OP_CONV_BWD_WEIGHTS ? 2.56 * 2.56 : 2.86 * 2.86;
}

/* laid_out: as got was computed. */
static void expect_agreement(const context *at, const sl_op *laid_out, const op_data *got,
                             const op_data *want)
{
    for (int i = 0; i < SL_OP_MAX_OUT; i++) {
        sum_scale scale = scale_of(want, i);
        scale.size *= winograd_gain(laid_out);
        expect_close(at, "out", i, got->out[i], want->out[i], op_out_count(&want->op, i), scale,
                     rounded_before(want, i), op_out_is_bf16(laid_out, i) ? 0x1p-8 : 0);
    }
    for (int i = 0; i < SL_OP_MAX_IN; i++)
        expect_close(at, "in", i, got->in[i], want->in[i], op_in_count(&want->op, i),
                     updated_scale(want, i), 0, 0);
}

static void expect_same_bits(const context *at, const char *what, const op_data *got,
                             const op_data *want)
{
    char text[120];
    for (int i = 0; i < SL_OP_MAX_OUT; i++) {
        size_t n = op_out_count(&want->op, i);
        if (n && memcmp(got->out[i], want->out[i], n * sizeof(float)) != 0)
            fail_msg("%s (%s, seed %llu, %s, %s): out[%d] differs %s",
                     sl_op_text(at->op, text, sizeof text), at->why, (unsigned long long)at->seed,
                     at->form, precision(at), i, what);
    }
}

/* Runs inputs' op on dev; share_out >= 0: that output in the memory of input share_in. */
static op_data run_on(sl_device *dev, const context *at, const sl_op *laid_out, int share_out,
                      int share_in)
{
    op_data data = make(at->op, at->seed);
    if (at->variant & OP_CASE_BF16)
        op_data_round(&data);
    op_exec exec;
    sl_error err;
    must(op_exec_init(&exec, dev, &data, laid_out, &err), &err);
    if (share_out >= 0)
        op_exec_share(&exec, share_out, share_in);
    must(op_exec_run(&exec, &err), &err);
    if (!op_exec_others_are_right(&exec)) {
        char text[120];
        fail_msg("%s (%s, seed %llu, %s, %s): channels beyond the last are not as they should be",
                 sl_op_text(at->op, text, sizeof text), at->why, (unsigned long long)at->seed,
                 at->form, precision(at));
    }
    must(op_exec_read(&exec, &data, &err), &err);
    op_exec_release(&exec);
    return data;
}

static void check_sharing(sl_device *dev, const context *at, const sl_op *laid_out,
                          const op_data *want)
{
    for (int out = 0; out < SL_OP_MAX_OUT; out++) {
        for (int in = 0; in < SL_OP_MAX_IN; in++) {
            if (!op_may_share(laid_out, out, in))
                continue;
            char what[60];
            snprintf(what, sizeof what, "when it shares memory with in[%d]", in);
            op_data shared = run_on(dev, at, laid_out, out, in);
            expect_same_bits(at, what, &shared, want);
            op_data_release(&shared);
        }
    }
}

static void check_on(sl_device *dev, const context *at, const op_data *want)
{
    sl_op laid_out = op_lay_out(dev, at->op, at->variant);
    if (!sl_device_backend(dev)->supports(dev, &laid_out)) {
        char text[120];
        fail_msg("%s (%s, %s) isn't supported", sl_op_text(at->op, text, sizeof text), at->why,
                 precision(at));
    }
    op_data got = run_on(dev, at, &laid_out, -1, 0), again = run_on(dev, at, &laid_out, -1, 0);
    expect_agreement(at, &laid_out, &got, want);
    expect_same_bits(at, "from run to run", &again, &got);
    check_sharing(dev, at, &laid_out, &got);
    op_data_release(&got);
    op_data_release(&again);
}

/* Matrix products are oneDNN's and don't use our vector code. */
static bool uses_vectors(sl_op_kind kind)
{
    return kind != SL_OP_LINEAR && kind != SL_OP_LINEAR_BWD && kind != SL_OP_XENT;
}

/* The linear layer and the loss are float32 always. */
static bool has_bf16(sl_op_kind kind)
{
    return kind != SL_OP_LINEAR && kind != SL_OP_LINEAR_BWD && kind != SL_OP_XENT;
}

static void check_op(const op_case *c, const sl_op *op, uint64_t seed, unsigned precision_bit)
{
    context at = { c->why, op, "ref", seed, c->variant | precision_bit };
    op_data want = run_on(ref, &at, op, -1, 0);
    check_sharing(ref, &at, op, &want);
    for (int f = 0; f < FORMS; f++) {
        at.form = forms[f].name;
        if (forms[f].dev && (!forms[f].vector || uses_vectors(op->kind)))
            check_on(forms[f].dev, &at, &want);
    }
    op_data_release(&want);
}

static void check_case(const op_case *c, uint64_t seed)
{
    sl_op ops[3];
    int n = op_case_ops(c, ops);
    for (int i = 0; i < n; i++) {
        check_op(c, &ops[i], seed, 0);
        if (has_bf16(ops[i].kind))
            check_op(c, &ops[i], seed, OP_CASE_BF16);
    }
}

static void listed_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < op_case_count; i++)
        check_case(&op_cases[i], i);
}

/* Other shapes with SOFTLABEL_TEST_SEED=n. */
static void random_cases(void **state)
{
    (void)state;
    const char *text = getenv("SOFTLABEL_TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 1;
    print_message("SOFTLABEL_TEST_SEED=%llu\n", (unsigned long long)seed);
    sl_random r = sl_random_stream(seed, SL_RANDOM_TEST, 0, 0);
    for (uint64_t i = 0; i < RANDOM_CASES; i++) {
        op_case c = op_case_random(&r);
        check_case(&c, seed + i);
    }
}

/* A variance taken as the mean square less the squared mean would lose most of its digits here. */
static void norm_of_numbers_far_from_zero(void **state)
{
    (void)state;
    const op_case c = { .why = "far from zero",
                        .kind = SL_OP_NORM,
                        .n = 4,
                        .c = 17,
                        .h = 9,
                        .w = 8,
                        .variant = OP_CASE_BATCH_STATS };
    sl_op ops[3];
    op_case_ops(&c, ops);
    const context at = { c.why, &ops[0], forms[0].name, 1, c.variant };
    op_data want = make(&ops[0], 1), got = make(&ops[0], 1);
    for (size_t i = 0; i < op_in_count(&ops[0], SL_NORM_X); i++)
        got.in[SL_NORM_X][i] = want.in[SL_NORM_X][i] += 1000;
    sl_error err;
    must(op_run(&want, ref, 0, &err), &err);
    must(op_run(&got, forms[0].dev, 0, &err), &err);
    expect_agreement(&at, &ops[0], &got, &want);
    op_data_release(&want);
    op_data_release(&got);
}

/* Vectors round as sl_bf16_from_float does, to the bit: ties, NaN, infinities, what overflows,
 * subnormals. */
static void bf16_conversions(void **state)
{
    (void)state;
    const uint32_t uppers[] = { 0x0000, 0x0001, 0x007f, 0x0080, 0x3f80, 0x3f81,
                                0x7f7f, 0x7f80, 0x7f81, 0x7fbf, 0x7fc0, 0x7fff };
    const uint32_t lowers[] = { 0x0000, 0x0001, 0x7fff, 0x8000, 0x8001, 0xffff };
    enum { UPPERS = sizeof uppers / sizeof *uppers, LOWERS = sizeof lowers / sizeof *lowers };
    for (int f = 0; f < FORMS; f++) {
        if (!forms[f].dev)
            continue;
        const sl_vector_kernels *vector = ((sl_cpu_device *)forms[f].dev)->vector;
        for (uint32_t i = 0; i < 2 * UPPERS * LOWERS; i++) {
            uint32_t bits = uppers[i / 2 % UPPERS] << 16 | lowers[i / 2 / UPPERS] | i % 2 << 31;
            float values[SL_MAX_BLOCK] = { 0 };
            sl_bf16 got[SL_MAX_BLOCK];
            memcpy(&values[i % (uint32_t)vector->lanes], &bits, sizeof bits);
            vector->of[SL_DTYPE_BF16].tile_fill(got, 1, values);
            for (int c = 0; c < vector->lanes; c++)
                assert_int_equal(got[c], sl_bf16_from_float(values[c]));
        }
    }
    assert_int_equal(sl_bf16_from_float(1 + 0x1p-8f), 0x3f80); /* ties go to even */
    assert_int_equal(sl_bf16_from_float(1 + 0x3p-8f), 0x3f82);
    assert_true(isnan(sl_bf16_to_float(sl_bf16_from_float(NAN))));
}

static bool processor_has(const sl_vector_kernels *vector)
{
#if defined(__x86_64__)
    if (vector == &sl_vector_avx2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (vector == &sl_vector_avx512)
        return sl_vector_select() == vector || sl_vector_select() == &sl_vector_avx512bf16;
#endif
    return vector == NULL || vector == &sl_vector_generic;
}

static int open_devices(void **state)
{
    (void)state;
    sl_error err;
    char text[700];
    sl_status st = sl_device_open(&ref, "ref", 1, &err);
    for (int f = 0; f < FORMS && !st; f++) {
        if (!processor_has(forms[f].vector)) {
            print_message("skipped: this processor has no %s\n", forms[f].name);
            continue;
        }
        st = sl_device_open(&forms[f].dev, "cpu", forms[f].threads, &err);
        if (!st && forms[f].vector)
            ((sl_cpu_device *)forms[f].dev)->vector = forms[f].vector;
    }
    if (st)
        print_error("%s\n", sl_error_text(&err, text, sizeof text));
    return st ? -1 : 0;
}

static int close_devices(void **state)
{
    (void)state;
    sl_device_close(ref);
    for (int f = 0; f < FORMS; f++)
        sl_device_close(forms[f].dev);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listed_cases),
        cmocka_unit_test(random_cases),
        cmocka_unit_test(norm_of_numbers_far_from_zero),
        cmocka_unit_test(bf16_conversions),
    };
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
