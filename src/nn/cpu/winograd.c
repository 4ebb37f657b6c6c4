/* Compiled once an instruction set, with SL_VECTOR_ISA its name: see CMakeLists.txt. */
#include "nn/cpu/winograd.h"

#include "nn/cpu/lanes.h"

enum {
    RESULTS = SL_WINOGRAD_TILE, /* along a side */
    TAPS = 3,
    SIDE = RESULTS + TAPS - 1, /* of a tile of pixels; points */
    BLOCKS = SL_WINOGRAD_FILTER_BLOCKS,
#if defined(__AVX512F__)
    ROWS = 12 /* tiles multiplied at once: their sums fill the registers */
#elif defined(__AVX2__)
    ROWS = 6
#else
    ROWS = 2
#endif
};

/* The points other than 0 and infinity are +-A and +-B. */
#define A 0.625f
#define B 1.5f
#define A2 (A * A)
#define B2 (B * B)

/* Of six pixels in a row, the values at the six points. */
INLINE void transform_pixels(const vfloat d[SIDE], vfloat v[SIDE])
{
    const vfloat even_a = d[4] - B2 * d[2], odd_a = d[3] - B2 * d[1];
    const vfloat even_b = d[4] - A2 * d[2], odd_b = d[3] - A2 * d[1];
    v[0] = A2 * B2 * d[0] + (d[4] - (A2 + B2) * d[2]);
    v[1] = even_a + A * odd_a;
    v[2] = even_a - A * odd_a;
    v[3] = even_b + B * odd_b;
    v[4] = even_b - B * odd_b;
    v[5] = A2 * B2 * d[1] + (d[5] - (A2 + B2) * d[3]);
}

/* Of three taps. */
INLINE void transform_taps(const vfloat g[TAPS], vfloat u[SIDE])
{
    const float at_a = 1 / (2 * A2 * (A2 - B2)), at_b = 1 / (2 * B2 * (B2 - A2));
    const vfloat even_a = at_a * g[0] + at_a * A2 * g[2], odd_a = at_a * A * g[1];
    const vfloat even_b = at_b * g[0] + at_b * B2 * g[2], odd_b = at_b * B * g[1];
    u[0] = 1 / (A2 * B2) * g[0];
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = g[2];
}

/* Of the values at the points, the four results. */
INLINE void transform_points(const vfloat m[SIDE], vfloat y[RESULTS])
{
    const vfloat even_a = m[1] + m[2], odd_a = m[1] - m[2];
    const vfloat even_b = m[3] + m[4], odd_b = m[3] - m[4];
    y[0] = m[0] + even_a + even_b;
    y[1] = A * odd_a + B * odd_b;
    y[2] = A2 * even_a + B2 * even_b;
    y[3] = m[5] + (A2 * A * odd_a + B2 * B * odd_b);
}

/* Number i of a tile's side lies at start + i; those inside are [*first, *end). */
INLINE void inside(int start, int count, int length, int *first, int *end)
{
    *first = start < 0 ? -start : 0;
    *end = length - start < count ? length - start : count;
}

/* Pixels [first, end) of a row, zeros around them. */
INLINE void load_pixels(const float *row, int first, int end, vfloat d[SIDE])
{
    const vfloat zero = { 0 };
    for (int j = 0; j < SIDE; j++)
        d[j] = j >= first && j < end ? LOAD(row + j * LANES) : zero;
}

INLINE void input_within(const float *block, const sl_winograd_place *p, int top, int bottom,
                         int left, int right, float *planes, size_t plane)
{
    vfloat rows[SIDE][SIDE], d[SIDE], v[SIDE];
    for (int i = 0; i < SIDE; i++) {
        if (i >= top && i < bottom) {
            load_pixels(block + ((ptrdiff_t)(p->top + i) * p->width + p->left) * LANES, left, right,
                        d);
            transform_pixels(d, rows[i]);
        } else {
            for (int j = 0; j < SIDE; j++)
                rows[i][j] = (vfloat){ 0 };
        }
    }
    for (int j = 0; j < SIDE; j++) {
        for (int i = 0; i < SIDE; i++)
            d[i] = rows[i][j];
        transform_pixels(d, v);
        for (int i = 0; i < SIDE; i++)
            STORE(planes + (size_t)(i * SIDE + j) * plane, v[i]);
    }
}

static void input(const float *block, const sl_winograd_place *place, float *planes, size_t plane)
{
    int top = 0, bottom = 0, left = 0, right = 0;
    inside(place->top, SIDE, place->height, &top, &bottom);
    inside(place->left, SIDE, place->width, &left, &right);
    if (top == 0 && bottom == SIDE && left == 0 && right == SIDE)
        input_within(block, place, 0, SIDE, 0, SIDE, planes, plane);
    else
        input_within(block, place, top, bottom, left, right, planes, plane);
}

static void filter(const float *taps, size_t channels, size_t blocks, float *planes, size_t plane)
{
    size_t filters = blocks * LANES;
    for (size_t i = 0; i < channels * blocks; i++) {
        const float *from = taps + (i / blocks * TAPS * TAPS * blocks + i % blocks) * LANES;
        float *to = planes + i * LANES;
        vfloat rows[TAPS][SIDE], g[TAPS], u[SIDE];
        for (size_t r = 0; r < TAPS; r++) {
            for (size_t s = 0; s < TAPS; s++)
                g[s] = LOAD(from + (r * TAPS + s) * filters);
            transform_taps(g, rows[r]);
        }
        for (size_t j = 0; j < SIDE; j++) {
            for (size_t r = 0; r < TAPS; r++)
                g[r] = rows[r][j];
            transform_taps(g, u);
            for (size_t k = 0; k < SIDE; k++)
                STORE(to + (k * SIDE + j) * plane, u[k]);
        }
    }
}

/* rows x blocks vectors of results, summed in registers: both are constants where it's inlined. */
INLINE void multiply_rows(const float *inputs, const float *filters, float *results,
                          size_t channels, size_t rows, size_t blocks)
{
    vfloat sum[ROWS][BLOCKS] = { 0 };
    for (size_t c = 0; c < channels; c++) {
        const float *u = filters + c * blocks * LANES;
        for (size_t r = 0; r < rows; r++) {
            for (size_t b = 0; b < blocks; b++)
                sum[r][b] += inputs[r * channels + c] * LOAD(u + b * LANES);
        }
    }
    for (size_t r = 0; r < rows; r++) {
        for (size_t b = 0; b < blocks; b++)
            STORE(results + (r * blocks + b) * LANES, sum[r][b]);
    }
}

INLINE void multiply_plane(const float *inputs, const float *filters, float *results, size_t tiles,
                           size_t channels, size_t blocks)
{
    size_t t = 0;
    for (; t + ROWS <= tiles; t += ROWS)
        multiply_rows(inputs + t * channels, filters, results + t * blocks * LANES, channels, ROWS,
                      blocks);
    for (; t < tiles; t++)
        multiply_rows(inputs + t * channels, filters, results + t * blocks * LANES, channels, 1,
                      blocks);
}

static void multiply(const float *inputs, size_t input_plane, const float *filters,
                     size_t filter_plane, float *results, size_t result_plane, size_t tiles,
                     size_t channels, size_t blocks)
{
    for (size_t p = 0; p < SL_WINOGRAD_POINTS; p++) {
        const float *v = inputs + p * input_plane, *u = filters + p * filter_plane;
        float *m = results + p * result_plane;
        if (blocks == BLOCKS)
            multiply_plane(v, u, m, tiles, channels, BLOCKS);
        else
            multiply_plane(v, u, m, tiles, channels, 1);
    }
}

static void output(const float *planes, size_t plane, const float *bias, const float *residual,
                   float *block, const sl_winograd_place *place, bool relu)
{
    vfloat columns[RESULTS][SIDE], m[SIDE], y[RESULTS];
    const vfloat shift = LOAD(bias);
    for (int j = 0; j < SIDE; j++) {
        for (int i = 0; i < SIDE; i++)
            m[i] = LOAD(planes + (size_t)(i * SIDE + j) * plane);
        transform_points(m, y);
        for (int i = 0; i < RESULTS; i++)
            columns[i][j] = y[i];
    }
    int rows = place->height - place->top, width = place->width - place->left;
    rows = rows < RESULTS ? rows : RESULTS;
    width = width < RESULTS ? width : RESULTS;
    for (int i = 0; i < rows; i++) {
        transform_points(columns[i], y);
        ptrdiff_t at = ((ptrdiff_t)(place->top + i) * place->width + place->left) * LANES;
        for (int j = 0; j < width; j++) {
            vfloat sum = y[j] + shift;
            if (residual)
                sum += LOAD(residual + at + j * LANES);
            STORE(block + at + j * LANES, relu ? RELU(sum) : sum);
        }
    }
}

const sl_winograd_kernels PASTE(sl_winograd_, SL_VECTOR_ISA) = {
    .input = input, .filter = filter, .multiply = multiply, .output = output
};
