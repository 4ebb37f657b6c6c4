/* The loops of vector.c for one type that activations are stored in: included there with BF16 0
 * (float32) and 1 (bfloat16), and TYPED(name) the name for this type. Numbers are float32 as soon
 * as they are read, and rounded once, when they are stored. */

/* Number i of p; or LANES from i on. */
#define GET(p, i) (BF16 ? sl_bf16_to_float(((const sl_bf16 *)(p))[i]) : ((const float *)(p))[i])
#define PUT(p, i, v)                                     \
    do {                                                 \
        if (BF16)                                        \
            ((sl_bf16 *)(p))[i] = sl_bf16_from_float(v); \
        else                                             \
            ((float *)(p))[i] = (v);                     \
    } while (0)
#define GETV(p, i) LOAD_AT(p, i, BF16)
#define PUTV(p, i, v) STORE_AT(p, i, v, BF16)

/* The mean of at most 16 pixels, evenly spread. The chunk's own mean is at most 4 of its standard
 * deviations away, so that squared differences from here keep all but 4 bits (and most often all)
 * of the variance. */
INLINE void TYPED(find_center)(const void *x, size_t first, size_t end, float center[LANES])
{
    const size_t step = (end - first + 15) / 16;
    vfloat sum = { 0 };
    float samples = 0;
    for (size_t i = first; i < end; i += step, samples++)
        sum += GETV(x, i * LANES);
    STORE(center, sum / samples);
}

static void TYPED(chunk_moments)(const void *x, size_t first, size_t end, double mean[LANES],
                                 double m2[LANES])
{
    float center[LANES];
    TYPED(find_center)(x, first, end, center);
    const vfloat middle = LOAD(center);
    vfloat square[PARALLEL] = { 0 }, rest[PARALLEL] = { 0 };
    size_t i = first;
    for (; i + PARALLEL <= end; i += PARALLEL) {
#pragma GCC unroll 4
        for (size_t j = 0; j < PARALLEL; j++) {
            vfloat d = GETV(x, (i + j) * LANES) - middle;
            rest[j] += d;
            square[j] += d * d;
        }
    }
    for (; i < end; i++) {
        vfloat d = GETV(x, i * LANES) - middle;
        rest[0] += d;
        square[0] += d * d;
    }
    double left[LANES] = { 0 };
    memset(m2, 0, LANES * sizeof *m2);
    add_to_double(m2, square, PARALLEL);
    add_to_double(left, rest, PARALLEL);
    for (int c = 0; c < LANES; c++) {
        double shift = left[c] / (double)(end - first);
        mean[c] = (double)center[c] + shift;
        m2[c] -= left[c] * shift;
    }
}

static void TYPED(moments)(const void *x, size_t pixels, double mean[LANES], double m2[LANES])
{
    TYPED(chunk_moments)(x, 0, pixels < CHUNK ? pixels : CHUNK, mean, m2);
    for (size_t done = CHUNK; done < pixels; done += CHUNK) {
        size_t n = pixels - done < CHUNK ? pixels - done : CHUNK;
        double chunk_mean[LANES], chunk_m2[LANES];
        TYPED(chunk_moments)(x, done, done + n, chunk_mean, chunk_m2);
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
INLINE void TYPED(normalize_loop)(const void *x, const void *residual, void *y, size_t pixels,
                                  const float *mean, const float *scale, const float *shift,
                                  bool relu)
{
    const vfloat m = LOAD(mean), a = LOAD(scale), b = LOAD(shift);
    for (size_t i = 0; i < pixels; i++) {
        vfloat v = (GETV(x, i * LANES) - m) * a + b;
        if (residual)
            v += GETV(residual, i * LANES);
        PUTV(y, i * LANES, relu ? RELU(v) : v);
    }
}

static void TYPED(normalize)(const void *x, const void *residual, void *y, size_t pixels,
                             const float mean[LANES], const float scale[LANES],
                             const float shift[LANES], bool relu)
{
    if (residual && relu)
        TYPED(normalize_loop)(x, residual, y, pixels, mean, scale, shift, true);
    else if (residual)
        TYPED(normalize_loop)(x, residual, y, pixels, mean, scale, shift, false);
    else if (relu)
        TYPED(normalize_loop)(x, NULL, y, pixels, mean, scale, shift, true);
    else
        TYPED(normalize_loop)(x, NULL, y, pixels, mean, scale, shift, false);
}

INLINE void TYPED(bwd_sums_loop)(const void *dy, const void *dy2, const void *y, const void *x,
                                 void *d_residual, int lanes, size_t pixels, const float *mean,
                                 const float *scale, const float *shift, double *sum_dz,
                                 double *sum_dz_x)
{
    const vfloat m = LOAD(mean), a = LOAD(scale), cut = shift ? LOAD(shift) : m;
    const vint kept = FIRST_LANES(lanes);
    for (size_t done = 0; done < pixels; done += CHUNK) {
        size_t end = pixels - done < CHUNK ? pixels : done + CHUNK;
        vfloat sum = { 0 }, sum_x = { 0 };
        for (size_t i = done; i < end; i++) {
            const vfloat from_mean = GETV(x, i * LANES) - m;
            vfloat dz = GETV(dy, i * LANES);
            if (dy2)
                dz += GETV(dy2, i * LANES);
            if (y)
                dz = MASK(GETV(y, i * LANES) > 0, dz);
            if (shift)
                dz = MASK(from_mean * a + cut > 0, dz);
            if (d_residual)
                PUTV(d_residual, i * LANES, MASK(kept, dz));
            sum += dz;
            sum_x += dz * from_mean;
        }
        add_to_double(sum_dz, &sum, 1);
        add_to_double(sum_dz_x, &sum_x, 1);
    }
}

static void TYPED(norm_bwd_sums)(const void *dy, const void *dy2, const void *y, const void *x,
                                 void *d_residual, int lanes, size_t pixels,
                                 const float mean[LANES], const float scale[LANES],
                                 const float *shift, double sum_dz[LANES], double sum_dz_x[LANES])
{
#define CASE(residual, second, mask, below) \
    TYPED(bwd_sums_loop)                    \
    (dy, second, mask, x, residual, lanes, pixels, mean, scale, below, sum_dz, sum_dz_x)
    SPECIALIZE(CASE, d_residual);
#undef CASE
}

INLINE void TYPED(bwd_apply_loop)(const void *dy, const void *dy2, const void *y, const void *x,
                                  const void *extra, void *dx, size_t pixels, const float *mean,
                                  const float *scale, const float *shift, const float *b,
                                  const float *c)
{
    const vfloat m = LOAD(mean), a = LOAD(scale), vb = LOAD(b), vc = LOAD(c);
    const vfloat cut = shift ? LOAD(shift) : m;
    for (size_t i = 0; i < pixels; i++) {
        const vfloat from_mean = GETV(x, i * LANES) - m;
        vfloat dz = GETV(dy, i * LANES);
        if (dy2)
            dz += GETV(dy2, i * LANES);
        if (y)
            dz = MASK(GETV(y, i * LANES) > 0, dz);
        if (shift)
            dz = MASK(from_mean * a + cut > 0, dz);
        vfloat v = dz * a + from_mean * vb + vc;
        if (extra)
            v += GETV(extra, i * LANES);
        PUTV(dx, i * LANES, v);
    }
}

static void TYPED(norm_bwd_apply)(const void *dy, const void *dy2, const void *y, const void *x,
                                  const void *extra, void *dx, size_t pixels,
                                  const float mean[LANES], const float scale[LANES],
                                  const float *shift, const float b[LANES], const float c[LANES])
{
#define CASE(more, second, mask, below) \
    TYPED(bwd_apply_loop)(dy, second, mask, x, more, dx, pixels, mean, scale, below, b, c)
    SPECIALIZE(CASE, extra);
#undef CASE
}

INLINE void TYPED(bwd_add_loop)(const void *dy, const void *dy2, const void *x, const void *extra,
                                void *dx, size_t pixels, const float *mean, const float *scale,
                                const float *shift, double *sum_dz, double *sum_dz_x)
{
    const vfloat m = LOAD(mean), a = LOAD(scale), cut = shift ? LOAD(shift) : m;
    for (size_t done = 0; done < pixels; done += CHUNK) {
        size_t end = pixels - done < CHUNK ? pixels : done + CHUNK;
        vfloat sum = { 0 }, sum_x = { 0 };
        for (size_t i = done; i < end; i++) {
            const vfloat from_mean = GETV(x, i * LANES) - m;
            vfloat dz = GETV(dy, i * LANES);
            if (dy2)
                dz += GETV(dy2, i * LANES);
            if (shift)
                dz = MASK(from_mean * a + cut > 0, dz);
            sum += dz;
            sum_x += dz * from_mean;
            PUTV(dx, i * LANES, extra ? dz * a + GETV(extra, i * LANES) : dz * a);
        }
        add_to_double(sum_dz, &sum, 1);
        add_to_double(sum_dz_x, &sum_x, 1);
    }
}

static void TYPED(norm_bwd_add)(const void *dy, const void *dy2, const void *x, const void *extra,
                                void *dx, size_t pixels, const float mean[LANES],
                                const float scale[LANES], const float *shift, double sum_dz[LANES],
                                double sum_dz_x[LANES])
{
#define CASE(more, second, none, below) \
    TYPED(bwd_add_loop)(dy, second, x, more, dx, pixels, mean, scale, below, sum_dz, sum_dz_x)
    if (shift)
        SPECIALIZE_DY(CASE, extra, NULL, shift);
    else
        SPECIALIZE_DY(CASE, extra, NULL, NULL);
#undef CASE
}

static void TYPED(add)(const void *a, const void *b, void *y, size_t n, bool relu)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        vfloat v = GETV(a, i);
        if (b)
            v += GETV(b, i);
        PUTV(y, i, relu ? RELU(v) : v);
    }
    for (; i < n; i++) {
        float v = GET(a, i) + (b ? GET(b, i) : 0);
        PUT(y, i, relu && v < 0 ? 0 : v);
    }
}

static void TYPED(relu)(const void *x, void *y, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        PUTV(y, i, RELU(GETV(x, i)));
    for (; i < n; i++)
        PUT(y, i, GET(x, i) < 0 ? 0 : GET(x, i));
}

static void TYPED(relu_bwd)(const void *dy, const void *dy2, const void *y, void *dx, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        vfloat v = GETV(dy, i);
        if (dy2)
            v += GETV(dy2, i);
        PUTV(dx, i, MASK(GETV(y, i) > 0, v));
    }
    for (; i < n; i++)
        PUT(dx, i, GET(y, i) > 0 ? GET(dy, i) + (dy2 ? GET(dy2, i) : 0) : 0);
}

static void TYPED(tile_sum)(const void *x, size_t pixels, float sum[LANES])
{
    vfloat s = { 0 };
    for (size_t i = 0; i < pixels; i++)
        s += GETV(x, i * LANES);
    STORE(sum, s);
}

static void TYPED(tile_fill)(void *x, size_t pixels, const float value[LANES])
{
    const vfloat v = LOAD(value);
    for (size_t i = 0; i < pixels; i++)
        PUTV(x, i * LANES, v);
}

#undef GET
#undef PUT
#undef GETV
#undef PUTV
