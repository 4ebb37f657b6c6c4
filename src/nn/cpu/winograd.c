/* Compiled once an instruction set, with SL_VECTOR_ISA its name: see CMakeLists.txt. */
#include "nn/cpu/winograd.h"

#include "nn/cpu/lanes.h"

enum {
    RESULTS = SL_WINOGRAD_TILE, /* along a side */
    TAPS = 3,
    SIDE = RESULTS + TAPS - 1, /* of a tile of pixels; points */
    BLOCKS = SL_WINOGRAD_PANEL_BLOCKS,
#if defined(__AVX512F__)
    ROWS = 8 /* of a product, so many that their sums fill the registers */
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

/* Of six pixels in a row, the values at the six points (B^T d in the paper). */
INLINE void at_points(const vfloat d[SIDE], vfloat v[SIDE])
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

/* Of three taps (G g). */
#define AT_0 (1 / (A2 * B2))
#define AT_A (1 / (2 * A2 * (A2 - B2)))
#define AT_B (1 / (2 * B2 * (B2 - A2)))
INLINE void taps_at_points(const vfloat g[TAPS], vfloat u[SIDE])
{
    const vfloat even_a = AT_A * g[0] + AT_A * A2 * g[2], odd_a = AT_A * A * g[1];
    const vfloat even_b = AT_B * g[0] + AT_B * B2 * g[2], odd_b = AT_B * B * g[1];
    u[0] = AT_0 * g[0];
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = g[2];
}

/* And the way back, G^T u. */
INLINE void taps_of_points(const vfloat u[SIDE], vfloat g[TAPS])
{
    const vfloat even_a = u[1] + u[2], odd_a = u[1] - u[2];
    const vfloat even_b = u[3] + u[4], odd_b = u[3] - u[4];
    g[0] = AT_0 * u[0] + (AT_A * even_a + AT_B * even_b);
    g[1] = AT_A * A * odd_a + AT_B * B * odd_b;
    g[2] = u[5] + (AT_A * A2 * even_a + AT_B * B2 * even_b);
}

/* Of the values at the points, the four results (A^T m). */
INLINE void results_of_points(const vfloat m[SIDE], vfloat y[RESULTS])
{
    const vfloat even_a = m[1] + m[2], odd_a = m[1] - m[2];
    const vfloat even_b = m[3] + m[4], odd_b = m[3] - m[4];
    y[0] = m[0] + even_a + even_b;
    y[1] = A * odd_a + B * odd_b;
    y[2] = A2 * even_a + B2 * even_b;
    y[3] = m[5] + (A2 * A * odd_a + B2 * B * odd_b);
}

/* And the way back, A y. */
INLINE void results_at_points(const vfloat y[RESULTS], vfloat m[SIDE])
{
    const vfloat even_a = y[0] + A2 * y[2], odd_a = A * y[1] + A2 * A * y[3];
    const vfloat even_b = y[0] + B2 * y[2], odd_b = B * y[1] + B2 * B * y[3];
    m[0] = y[0];
    m[1] = even_a + odd_a;
    m[2] = even_a - odd_a;
    m[3] = even_b + odd_b;
    m[4] = even_b - odd_b;
    m[5] = y[3];
}

/* A tile's rows and columns inside the image, [first, end) of each. */
typedef struct {
    int top, bottom, left, right;
} window;

INLINE window inside(const sl_winograd_place *p, int side)
{
    return (window){ .top = p->top < 0 ? -p->top : 0,
                     .bottom = p->height - p->top < side ? p->height - p->top : side,
                     .left = p->left < 0 ? -p->left : 0,
                     .right = p->width - p->left < side ? p->width - p->left : side };
}

/* Where row i of the tile begins. */
INLINE ptrdiff_t row_at(const sl_winograd_place *p, int i)
{
    return ((ptrdiff_t)(p->top + i) * p->width + p->left) * LANES;
}

/* count pixels of row i, zeros outside the window. */
INLINE void load_row(const float *block, const sl_winograd_place *p, const window *w, int i,
                     int count, vfloat d[])
{
    const vfloat zero = { 0 };
    bool within = i >= w->top && i < w->bottom;
    for (int j = 0; j < count; j++)
        d[j] =
            within && j >= w->left && j < w->right ? LOAD(block + row_at(p, i) + j * LANES) : zero;
}

INLINE void store_column(const vfloat v[SIDE], int column, const sl_winograd_planes *to)
{
    for (int i = 0; i < SIDE; i++)
        STORE(to->at + (size_t)(i * SIDE + column) * to->plane, v[i]);
}
INLINE void load_column(const sl_winograd_planes *from, int column, vfloat v[SIDE])
{
    for (int i = 0; i < SIDE; i++)
        v[i] = LOAD(from->at + (size_t)(i * SIDE + column) * from->plane);
}

INLINE void pixels_within(const float *block, const sl_winograd_place *p, window w,
                          const sl_winograd_planes *to)
{
    vfloat rows[SIDE][SIDE], d[SIDE], v[SIDE];
    for (int i = 0; i < SIDE; i++) {
        load_row(block, p, &w, i, SIDE, d);
        at_points(d, rows[i]);
    }
    for (int j = 0; j < SIDE; j++) {
        for (int i = 0; i < SIDE; i++)
            d[i] = rows[i][j];
        at_points(d, v);
        store_column(v, j, to);
    }
}

static void pixels(const float *block, const sl_winograd_place *place, sl_winograd_planes v)
{
    const window all = { 0, SIDE, 0, SIDE }, w = inside(place, SIDE);
    if (w.top == 0 && w.bottom == SIDE && w.left == 0 && w.right == SIDE)
        pixels_within(block, place, all, &v); /* without branches */
    else
        pixels_within(block, place, w, &v);
}

static void results_gradient(const float *block, const sl_winograd_place *place,
                             sl_winograd_planes v)
{
    const window w = inside(place, RESULTS);
    vfloat rows[RESULTS][SIDE], d[RESULTS], m[SIDE];
    for (int i = 0; i < RESULTS; i++) {
        load_row(block, place, &w, i, RESULTS, d);
        results_at_points(d, rows[i]);
    }
    for (int j = 0; j < SIDE; j++) {
        for (int i = 0; i < RESULTS; i++)
            d[i] = rows[i][j];
        results_at_points(d, m);
        store_column(m, j, &v);
    }
}

static void filters(const float *taps, size_t channels, size_t blocks, sl_winograd_planes u)
{
    size_t filters = blocks * LANES;
    for (size_t i = 0; i < channels * blocks; i++) {
        size_t channel = i / blocks, block = i % blocks;
        const float *from = taps + channel * TAPS * TAPS * filters + block * LANES;
        const sl_winograd_planes to = { u.at + channel * u.row + block * LANES, u.plane, u.row };
        vfloat rows[TAPS][SIDE], g[TAPS], v[SIDE];
        for (size_t r = 0; r < TAPS; r++) {
            for (size_t s = 0; s < TAPS; s++)
                g[s] = LOAD(from + (r * TAPS + s) * filters);
            taps_at_points(g, rows[r]);
        }
        for (int j = 0; j < SIDE; j++) {
            for (size_t r = 0; r < TAPS; r++)
                g[r] = rows[r][j];
            taps_at_points(g, v);
            store_column(v, j, &to);
        }
    }
}

static void taps_gradient(sl_winograd_planes u, size_t parts, size_t part, float *taps)
{
    vfloat columns[TAPS][SIDE], v[SIDE], g[TAPS];
    for (int j = 0; j < SIDE; j++) {
        load_column(&u, j, v);
        for (size_t k = 1; k < parts; k++) {
            for (int i = 0; i < SIDE; i++)
                v[i] += LOAD(u.at + k * part + (size_t)(i * SIDE + j) * u.plane);
        }
        taps_of_points(v, g);
        for (int r = 0; r < TAPS; r++)
            columns[r][j] = g[r];
    }
    for (int r = 0; r < TAPS; r++) {
        taps_of_points(columns[r], g);
        for (int s = 0; s < TAPS; s++)
            STORE(taps + (r * TAPS + s) * LANES, g[s]);
    }
}

/* A product of one plane: c[row][filter] = (add: +=) the sum over n i of a[row, i] b[i][filter].
 * a's numbers are a_row apart from row to row, and a_i from i to i. */
typedef struct {
    const float *a, *b;
    float *c;
    size_t a_row, a_i, b_i, c_row, n;
    bool add;
} product;

/* rows x blocks registers of it, from a row on: both are constants where it's inlined. */
INLINE void multiply_rows(product p, size_t row, size_t rows, size_t blocks)
{
    vfloat sum[ROWS][BLOCKS] = { 0 };
    const float *a = p.a + row * p.a_row;
    float *c = p.c + row * p.c_row;
    for (size_t i = 0; i < p.n; i++) {
        for (size_t r = 0; r < rows; r++) {
            for (size_t k = 0; k < blocks; k++)
                sum[r][k] += a[r * p.a_row + i * p.a_i] * LOAD(p.b + i * p.b_i + k * LANES);
        }
    }
    for (size_t r = 0; r < rows; r++) {
        for (size_t k = 0; k < blocks; k++) {
            if (p.add)
                sum[r][k] += LOAD(c + r * p.c_row + k * LANES);
            STORE(c + r * p.c_row + k * LANES, sum[r][k]);
        }
    }
}

INLINE void multiply_all(product p, size_t rows, size_t blocks)
{
    size_t row = 0;
    for (; row + ROWS <= rows; row += ROWS)
        multiply_rows(p, row, ROWS, blocks);
    for (; ROWS > 4 && row + 4 <= rows; row += 4)
        multiply_rows(p, row, 4, blocks);
    for (; ROWS > 2 && row + 2 <= rows; row += 2)
        multiply_rows(p, row, 2, blocks);
    for (; row < rows; row++)
        multiply_rows(p, row, 1, blocks);
}

static void multiply_product(const product *from, size_t rows, size_t blocks)
{
    const product p = *from; /* which no store through a float pointer changes */
    if (blocks == BLOCKS)
        multiply_all(p, rows, BLOCKS);
    else
        multiply_all(p, rows, 1);
}

/* Terms that are summed one after the other before their sum is added to the others': more than
 * anything else this decides how much rounding costs where channels are many. */
enum { TERMS = 64 };

static void multiply(sl_winograd_planes v, sl_winograd_planes u, sl_winograd_planes m, size_t tiles,
                     size_t channels, size_t blocks)
{
    for (size_t i = 0; i < SL_WINOGRAD_POINTS; i++) {
        for (size_t c = 0; c < channels; c += TERMS) {
            const product p = { .a = v.at + i * v.plane + c,
                                .a_row = v.row,
                                .a_i = 1,
                                .b = u.at + i * u.plane + c * u.row,
                                .b_i = u.row,
                                .c = m.at + i * m.plane,
                                .c_row = m.row,
                                .n = channels - c < TERMS ? channels - c : TERMS,
                                .add = c > 0 };
            multiply_product(&p, tiles, blocks);
        }
    }
}

static void multiply_gradient(sl_winograd_planes v, sl_winograd_planes m, sl_winograd_planes u,
                              size_t tiles, size_t channels, size_t blocks, bool add)
{
    for (size_t i = 0; i < SL_WINOGRAD_POINTS; i++) {
        const product p = { .a = v.at + i * v.plane,
                            .a_row = 1,
                            .a_i = v.row,
                            .b = m.at + i * m.plane,
                            .b_i = m.row,
                            .c = u.at + i * u.plane,
                            .c_row = u.row,
                            .n = tiles,
                            .add = add };
        multiply_product(&p, channels, blocks);
    }
}

INLINE void results_within(const sl_winograd_planes *m, const float *bias, const float *residual,
                           float *block, const sl_winograd_place *place, window w, bool relu)
{
    const vfloat shift = LOAD(bias);
    vfloat columns[RESULTS][SIDE], v[SIDE], y[RESULTS];
    for (int j = 0; j < SIDE; j++) {
        load_column(m, j, v);
        results_of_points(v, y);
        for (int i = 0; i < RESULTS; i++)
            columns[i][j] = y[i];
    }
    for (int i = 0; i < w.bottom; i++) {
        results_of_points(columns[i], y);
        for (int j = 0; j < w.right; j++) {
            ptrdiff_t at = row_at(place, i) + j * LANES;
            vfloat sum = y[j] + shift;
            if (residual)
                sum += LOAD(residual + at);
            STORE(block + at, relu ? RELU(sum) : sum);
        }
    }
}

static void results(sl_winograd_planes m, const float *bias, const float *residual, float *block,
                    const sl_winograd_place *place, bool relu)
{
    const window all = { 0, RESULTS, 0, RESULTS }, w = inside(place, RESULTS);
    if (w.bottom == RESULTS && w.right == RESULTS && residual)
        results_within(&m, bias, residual, block, place, all, relu);
    else if (w.bottom == RESULTS && w.right == RESULTS)
        results_within(&m, bias, NULL, block, place, all, relu);
    else
        results_within(&m, bias, residual, block, place, w, relu);
}

const sl_winograd_kernels PASTE(sl_winograd_, SL_VECTOR_ISA) = {
    .pixels = pixels,
    .results_gradient = results_gradient,
    .filters = filters,
    .taps_gradient = taps_gradient,
    .multiply = multiply,
    .multiply_gradient = multiply_gradient,
    .results = results,
};
