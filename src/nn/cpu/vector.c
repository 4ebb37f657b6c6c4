/* Compiled once an instruction set, with SL_VECTOR_ISA its name: see CMakeLists.txt. Written with
 * the compiler's vector types: a vector of 16 floats is one register under AVX-512, two under AVX2.
 */
#include "nn/cpu/vector.h"

#include <string.h>

#ifndef SL_VECTOR_ISA
#define SL_VECTOR_ISA generic
#endif
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define QUOTE_(a) #a
#define QUOTE(a) QUOTE_(a)

typedef float v16 __attribute__((vector_size(64), aligned(4), may_alias));
typedef int v16i __attribute__((vector_size(64)));
#define INLINE static inline __attribute__((always_inline))

enum {
    LANES = 16,
    CHUNK = 256, /* pixels: 16 KiB, half of a first-level cache */
    PARALLEL = 4 /* sums side by side, to hide the latency of an addition */
};

/* Vectors are passed by pointer: no ABI for 64-byte arguments is assumed. */
#define LOAD(p) (*(const v16 *)(p))
#define STORE(p, v) (*(v16 *)(p) = (v))
#define MASK(condition, v) ((v16)((v16i)(v) & (condition)))
#define FIRST_LANES(n) ((v16i){ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 } < (n))
#define RELU(v) MASK(~((v) < 0), v) /* NaN stays */

/* to += sum of the parallel partial sums, in a fixed order */
INLINE void add_to_double(double to[LANES], const v16 *partial, size_t n)
{
    v16 sum = partial[0];
    for (size_t j = 1; j < n; j++)
        sum += partial[j];
    for (int c = 0; c < LANES; c++)
        to[c] += (double)sum[c];
}

static void chunk_moments(const float *x, size_t pixels, double mean[LANES], double m2[LANES])
{
    v16 part[PARALLEL] = { 0 };
    for (size_t i = 0; i < pixels; i++)
        part[i % PARALLEL] += LOAD(x + i * LANES);
    double sum[LANES] = { 0 };
    add_to_double(sum, part, PARALLEL);
    float center[LANES];
    for (int c = 0; c < LANES; c++) {
        mean[c] = sum[c] / (double)pixels;
        center[c] = (float)mean[c];
    }
    const v16 middle = LOAD(center);
    v16 square[PARALLEL] = { 0 }, rest[PARALLEL] = { 0 };
    for (size_t i = 0; i < pixels; i++) {
        v16 d = LOAD(x + i * LANES) - middle;
        rest[i % PARALLEL] += d;
        square[i % PARALLEL] += d * d;
    }
    double left[LANES] = { 0 };
    memset(m2, 0, LANES * sizeof *m2);
    add_to_double(m2, square, PARALLEL);
    add_to_double(left, rest, PARALLEL);
    for (int c = 0; c < LANES; c++) {
        /* what rounding the centre to float32 left over */
        double shift = left[c] / (double)pixels;
        mean[c] = (double)center[c] + shift;
        m2[c] -= left[c] * shift;
    }
}

static void moments(const float *x, size_t pixels, double mean[LANES], double m2[LANES])
{
    memset(mean, 0, LANES * sizeof *mean);
    memset(m2, 0, LANES * sizeof *m2);
    for (size_t done = 0; done < pixels; done += CHUNK) {
        size_t n = pixels - done < CHUNK ? pixels - done : CHUNK;
        double chunk_mean[LANES], chunk_m2[LANES];
        chunk_moments(x + done * LANES, n, chunk_mean, chunk_m2);
        double share = (double)n / (double)(done + n);
        for (int c = 0; c < LANES; c++) {
            double delta = chunk_mean[c] - mean[c];
            mean[c] += delta * share;
            m2[c] += chunk_m2[c] + delta * delta * (double)done * share;
        }
    }
}

/* The loops below are written once with every term, and inlined with constants for the terms that
 * are left out: the branches on NULL disappear from the loops. */
INLINE void normalize_loop(const float *x, const float *residual, float *y, size_t pixels,
                           const float *mean, const float *scale, const float *shift, bool relu)
{
    const v16 m = LOAD(mean), a = LOAD(scale), b = LOAD(shift);
    for (size_t i = 0; i < pixels; i++) {
        v16 v = (LOAD(x + i * LANES) - m) * a + b;
        if (residual)
            v += LOAD(residual + i * LANES);
        STORE(y + i * LANES, relu ? RELU(v) : v);
    }
}

static void normalize(const float *x, const float *residual, float *y, size_t pixels,
                      const float mean[LANES], const float scale[LANES], const float shift[LANES],
                      bool relu)
{
    if (residual && relu)
        normalize_loop(x, residual, y, pixels, mean, scale, shift, true);
    else if (residual)
        normalize_loop(x, residual, y, pixels, mean, scale, shift, false);
    else if (relu)
        normalize_loop(x, NULL, y, pixels, mean, scale, shift, true);
    else
        normalize_loop(x, NULL, y, pixels, mean, scale, shift, false);
}

INLINE void bwd_sums_loop(const float *dy, const float *dy2, const float *y, const float *x,
                          float *d_residual, int lanes, size_t pixels, const float *mean,
                          double *sum_dz, double *sum_dz_x)
{
    const v16 m = LOAD(mean);
    const v16i kept = FIRST_LANES(lanes);
    for (size_t done = 0; done < pixels; done += CHUNK) {
        size_t end = pixels - done < CHUNK ? pixels : done + CHUNK;
        v16 sum[2] = { 0 }, sum_x[2] = { 0 };
        for (size_t i = done; i < end; i++) {
            v16 dz = LOAD(dy + i * LANES);
            if (dy2)
                dz += LOAD(dy2 + i * LANES);
            if (y)
                dz = MASK(LOAD(y + i * LANES) > 0, dz);
            if (d_residual)
                STORE(d_residual + i * LANES, MASK(kept, dz));
            sum[i & 1] += dz;
            sum_x[i & 1] += dz * (LOAD(x + i * LANES) - m);
        }
        add_to_double(sum_dz, sum, 2);
        add_to_double(sum_dz_x, sum_x, 2);
    }
}

static void norm_bwd_sums(const float *dy, const float *dy2, const float *y, const float *x,
                          float *d_residual, int lanes, size_t pixels, const float mean[LANES],
                          double sum_dz[LANES], double sum_dz_x[LANES])
{
#define CASE(second, mask, residual) \
    bwd_sums_loop(dy, second, mask, x, residual, lanes, pixels, mean, sum_dz, sum_dz_x)
    if (d_residual && dy2 && y)
        CASE(dy2, y, d_residual);
    else if (d_residual && y)
        CASE(NULL, y, d_residual);
    else if (d_residual && dy2)
        CASE(dy2, NULL, d_residual);
    else if (d_residual)
        CASE(NULL, NULL, d_residual);
    else if (dy2 && y)
        CASE(dy2, y, NULL);
    else if (y)
        CASE(NULL, y, NULL);
    else if (dy2)
        CASE(dy2, NULL, NULL);
    else
        CASE(NULL, NULL, NULL);
#undef CASE
}

INLINE void bwd_apply_loop(const float *dy, const float *dy2, const float *y, const float *x,
                           const float *extra, float *dx, size_t pixels, const float *mean,
                           const float *a, const float *b, const float *c)
{
    const v16 m = LOAD(mean), va = LOAD(a), vb = LOAD(b), vc = LOAD(c);
    for (size_t i = 0; i < pixels; i++) {
        v16 dz = LOAD(dy + i * LANES);
        if (dy2)
            dz += LOAD(dy2 + i * LANES);
        if (y)
            dz = MASK(LOAD(y + i * LANES) > 0, dz);
        v16 v = dz * va + (LOAD(x + i * LANES) - m) * vb + vc;
        if (extra)
            v += LOAD(extra + i * LANES);
        STORE(dx + i * LANES, v);
    }
}

static void norm_bwd_apply(const float *dy, const float *dy2, const float *y, const float *x,
                           const float *extra, float *dx, size_t pixels, const float mean[LANES],
                           const float a[LANES], const float b[LANES], const float c[LANES])
{
#define CASE(second, mask, more) \
    bwd_apply_loop(dy, second, mask, x, more, dx, pixels, mean, a, b, c)
    if (extra && dy2 && y)
        CASE(dy2, y, extra);
    else if (extra && y)
        CASE(NULL, y, extra);
    else if (extra && dy2)
        CASE(dy2, NULL, extra);
    else if (extra)
        CASE(NULL, NULL, extra);
    else if (dy2 && y)
        CASE(dy2, y, NULL);
    else if (y)
        CASE(NULL, y, NULL);
    else if (dy2)
        CASE(dy2, NULL, NULL);
    else
        CASE(NULL, NULL, NULL);
#undef CASE
}

static void add(const float *a, const float *b, float *y, size_t n, bool relu)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        v16 v = LOAD(a + i);
        if (b)
            v += LOAD(b + i);
        STORE(y + i, relu ? RELU(v) : v);
    }
    for (; i < n; i++) {
        float v = a[i] + (b ? b[i] : 0);
        y[i] = relu && v < 0 ? 0 : v;
    }
}

static void relu_forward(const float *x, float *y, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        STORE(y + i, RELU(LOAD(x + i)));
    for (; i < n; i++)
        y[i] = x[i] < 0 ? 0 : x[i];
}

static void relu_bwd(const float *dy, const float *dy2, const float *y, float *dx, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        v16 v = LOAD(dy + i);
        if (dy2)
            v += LOAD(dy2 + i);
        STORE(dx + i, MASK(LOAD(y + i) > 0, v));
    }
    for (; i < n; i++)
        dx[i] = y[i] > 0 ? dy[i] + (dy2 ? dy2[i] : 0) : 0;
}

static void tile_sum(const float *x, size_t pixels, float sum[LANES])
{
    v16 s = { 0 };
    for (size_t i = 0; i < pixels; i++)
        s += LOAD(x + i * LANES);
    STORE(sum, s);
}

static void tile_fill(float *x, size_t pixels, const float value[LANES])
{
    const v16 v = LOAD(value);
    for (size_t i = 0; i < pixels; i++)
        STORE(x + i * LANES, v);
}

const sl_vector_kernels PASTE(sl_vector_, SL_VECTOR_ISA) = {
    .isa = QUOTE(SL_VECTOR_ISA),
    .moments = moments,
    .normalize = normalize,
    .norm_bwd_sums = norm_bwd_sums,
    .norm_bwd_apply = norm_bwd_apply,
    .add = add,
    .relu = relu_forward,
    .relu_bwd = relu_bwd,
    .tile_sum = tile_sum,
    .tile_fill = tile_fill,
};
