/* The loops of tiles.c for one type that activations are stored in: included there with BF16 0
 * (float32) and 1 (bfloat16), and TYPED(name) the name for this type. */

#define GET16(p, i) LOAD_AT(p, i, BF16)
#define PUT16(p, i, v) STORE_AT(p, i, v, BF16)

static void TYPED(max_pool)(const void *x, void *y, size_t w)
{
    for (size_t j = 0; j < w / 2; j++) {
        size_t top = 2 * j * LANES, bottom = top + w * LANES;
        const v16 b = GET16(x, top + LANES), c = GET16(x, bottom), d = GET16(x, bottom + LANES);
        v16 most = GET16(x, top);
        most = SELECT(BEATS(b, most), b, most);
        most = SELECT(BEATS(c, most), c, most);
        most = SELECT(BEATS(d, most), d, most);
        PUT16(y, j * LANES, most);
    }
}

/* The pixel behind the last pair of two rows. */
static void TYPED(clear_odd_pixel)(void *dx, size_t w)
{
    const v16 zero = { 0 };
    if (w % 2) {
        PUT16(dx, (w - 1) * LANES, zero);
        PUT16(dx, (2 * w - 1) * LANES, zero);
    }
}

static void TYPED(max_pool_bwd)(const void *dy, const void *x, void *dx, size_t w)
{
    for (size_t j = 0; j < w / 2; j++) {
        size_t top = 2 * j * LANES, bottom = top + w * LANES;
        const v16 b = GET16(x, top + LANES), c = GET16(x, bottom), d = GET16(x, bottom + LANES);
        const v16 g = GET16(dy, j * LANES);
        v16 most = GET16(x, top);
        const v16i from_b = BEATS(b, most);
        most = SELECT(from_b, b, most);
        const v16i from_c = BEATS(c, most);
        most = SELECT(from_c, c, most);
        const v16i from_d = BEATS(d, most);
        PUT16(dx, top, MASK(~(from_b | from_c | from_d), g));
        PUT16(dx, top + LANES, MASK(from_b & ~(from_c | from_d), g));
        PUT16(dx, bottom, MASK(from_c & ~from_d, g));
        PUT16(dx, bottom + LANES, MASK(from_d, g));
    }
    TYPED(clear_odd_pixel)(dx, w);
}

static void TYPED(avg_pool)(const void *x, void *y, size_t w)
{
    for (size_t j = 0; j < w / 2; j++) {
        size_t top = 2 * j * LANES, bottom = top + w * LANES;
        v16 sum = GET16(x, top) + GET16(x, top + LANES);
        sum += GET16(x, bottom) + GET16(x, bottom + LANES);
        PUT16(y, j * LANES, sum * 0.25f);
    }
}

static void TYPED(avg_pool_bwd)(const void *dy, void *dx, size_t w)
{
    for (size_t j = 0; j < w / 2; j++) {
        size_t top = 2 * j * LANES, bottom = top + w * LANES;
        const v16 share = GET16(dy, j * LANES) * 0.25f;
        PUT16(dx, top, share);
        PUT16(dx, top + LANES, share);
        PUT16(dx, bottom, share);
        PUT16(dx, bottom + LANES, share);
    }
    TYPED(clear_odd_pixel)(dx, w);
}

static void TYPED(splice)(const void *low, const void *high, void *y, size_t pixels, int shift,
                          int kept, int end)
{
    const v16i written = FIRST_LANES(end), old = FIRST_LANES(kept);
    const v16 zero = { 0 };
    for (size_t i = 0; i < pixels * LANES; i += LANES) {
        const v16 a = low ? GET16(low, i) : zero, b = high ? GET16(high, i) : zero;
        v16 v;
        FROM_PAIR(v, a, b, LANES - shift);
        v = MASK(written, v);
        if (kept)
            v = SELECT(old, GET16(y, i), v);
        PUT16(y, i, v);
    }
}

INLINE void TYPED(shake_loop)(const void *a, const void *b, const void *residual, void *y,
                              size_t pixels, float alpha)
{
    for (size_t i = 0; i < pixels * LANES; i += LANES) {
        v16 v = GET16(a, i) * alpha + GET16(b, i) * (1 - alpha);
        if (residual)
            v += GET16(residual, i);
        PUT16(y, i, v);
    }
}

static void TYPED(shake)(const void *a, const void *b, const void *residual, void *y, size_t pixels,
                         float alpha)
{
    if (residual)
        TYPED(shake_loop)(a, b, residual, y, pixels, alpha);
    else
        TYPED(shake_loop)(a, b, NULL, y, pixels, alpha);
}

static void TYPED(shake_bwd)(const void *dy, void *da, void *db, size_t pixels, float beta)
{
    for (size_t i = 0; i < pixels * LANES; i += LANES) {
        const v16 g = GET16(dy, i);
        PUT16(da, i, g * beta);
        PUT16(db, i, g * (1 - beta));
    }
}

static void TYPED(dropout)(const void *x, void *y, size_t pixels, uint64_t key, uint64_t first,
                           float rate)
{
    const float scale = 1 / (1 - rate);
    for (size_t p = 0; p < pixels; p++) {
        int32_t kept[LANES];
        for (uint64_t c = 0; c < LANES; c++)
            kept[c] = sl_dropout_keeps(key, first + c * pixels + p, rate) ? -1 : 0;
        v16i mask;
        memcpy(&mask, kept, sizeof mask);
        PUT16(y, p * LANES, MASK(mask, GET16(x, p * LANES) * scale));
    }
}

#undef GET16
#undef PUT16
