/* The loops of tiles.c for one type that activations are stored in: included there with BF16 0
 * (float32) and 1 (bfloat16), and TYPED(name) the name for this type. */

#define GETV(p, i) LOAD_AT(p, i, BF16)
#define PUTV(p, i, v) STORE_AT(p, i, v, BF16)

static void TYPED(max_pool)(const void *x, void *y, size_t w)
{
    for (size_t j = 0; j < w / 2; j++) {
        size_t top = 2 * j * LANES, bottom = top + w * LANES;
        const vfloat b = GETV(x, top + LANES), c = GETV(x, bottom), d = GETV(x, bottom + LANES);
        vfloat most = GETV(x, top);
        most = SELECT(BEATS(b, most), b, most);
        most = SELECT(BEATS(c, most), c, most);
        most = SELECT(BEATS(d, most), d, most);
        PUTV(y, j * LANES, most);
    }
}

/* The pixel behind the last pair of two rows. */
static void TYPED(clear_odd_pixel)(void *dx, size_t w)
{
    const vfloat zero = { 0 };
    if (w % 2) {
        PUTV(dx, (w - 1) * LANES, zero);
        PUTV(dx, (2 * w - 1) * LANES, zero);
    }
}

static void TYPED(max_pool_bwd)(const void *dy, const void *x, void *dx, size_t w)
{
    for (size_t j = 0; j < w / 2; j++) {
        size_t top = 2 * j * LANES, bottom = top + w * LANES;
        const vfloat b = GETV(x, top + LANES), c = GETV(x, bottom), d = GETV(x, bottom + LANES);
        const vfloat g = GETV(dy, j * LANES);
        vfloat most = GETV(x, top);
        const vint from_b = BEATS(b, most);
        most = SELECT(from_b, b, most);
        const vint from_c = BEATS(c, most);
        most = SELECT(from_c, c, most);
        const vint from_d = BEATS(d, most);
        PUTV(dx, top, MASK(~(from_b | from_c | from_d), g));
        PUTV(dx, top + LANES, MASK(from_b & ~(from_c | from_d), g));
        PUTV(dx, bottom, MASK(from_c & ~from_d, g));
        PUTV(dx, bottom + LANES, MASK(from_d, g));
    }
    TYPED(clear_odd_pixel)(dx, w);
}

static void TYPED(avg_pool)(const void *x, void *y, size_t w)
{
    for (size_t j = 0; j < w / 2; j++) {
        size_t top = 2 * j * LANES, bottom = top + w * LANES;
        vfloat sum = GETV(x, top) + GETV(x, top + LANES);
        sum += GETV(x, bottom) + GETV(x, bottom + LANES);
        PUTV(y, j * LANES, sum * 0.25f);
    }
}

static void TYPED(avg_pool_bwd)(const void *dy, void *dx, size_t w)
{
    for (size_t j = 0; j < w / 2; j++) {
        size_t top = 2 * j * LANES, bottom = top + w * LANES;
        const vfloat share = GETV(dy, j * LANES) * 0.25f;
        PUTV(dx, top, share);
        PUTV(dx, top + LANES, share);
        PUTV(dx, bottom, share);
        PUTV(dx, bottom + LANES, share);
    }
    TYPED(clear_odd_pixel)(dx, w);
}

static void TYPED(splice)(const void *low, const void *high, void *y, size_t pixels, int shift,
                          int kept, int end)
{
    const vint written = FIRST_LANES(end), old = FIRST_LANES(kept);
    const vfloat zero = { 0 };
    for (size_t i = 0; i < pixels * LANES; i += LANES) {
        const vfloat a = low ? GETV(low, i) : zero, b = high ? GETV(high, i) : zero;
        vfloat v;
        FROM_PAIR(v, a, b, LANES - shift);
        v = MASK(written, v);
        if (kept)
            v = SELECT(old, GETV(y, i), v);
        PUTV(y, i, v);
    }
}

INLINE void TYPED(shake_loop)(const void *a, const void *b, const void *residual, void *y,
                              size_t pixels, float alpha)
{
    for (size_t i = 0; i < pixels * LANES; i += LANES) {
        vfloat v = GETV(a, i) * alpha + GETV(b, i) * (1 - alpha);
        if (residual)
            v += GETV(residual, i);
        PUTV(y, i, v);
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
        const vfloat g = GETV(dy, i);
        PUTV(da, i, g * beta);
        PUTV(db, i, g * (1 - beta));
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
        vint mask;
        memcpy(&mask, kept, sizeof mask);
        PUTV(y, p * LANES, MASK(mask, GETV(x, p * LANES) * scale));
    }
}

#undef GETV
#undef PUTV
