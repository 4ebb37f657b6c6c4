#include "base/random.h"
#include <assert.h>
#include <math.h>

static void mul_hi_lo(uint32_t a, uint32_t b, uint32_t *hi, uint32_t *lo)
{
    uint64_t product = (uint64_t)a * b;
    *hi = (uint32_t)(product >> 32);
    *lo = (uint32_t)product;
}

void sl_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t x[4] = { counter[0], counter[1], counter[2], counter[3] };
    uint32_t k[2] = { key[0], key[1] };
    for (int round = 0; round < 10; round++) {
        uint32_t hi0, lo0, hi1, lo1;
        mul_hi_lo(0xD2511F53u, x[0], &hi0, &lo0);
        mul_hi_lo(0xCD9E8D57u, x[2], &hi1, &lo1);
        x[0] = hi1 ^ x[1] ^ k[0];
        x[1] = lo1;
        x[2] = hi0 ^ x[3] ^ k[1];
        x[3] = lo0;
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
    for (int i = 0; i < 4; i++)
        out[i] = x[i];
}

sl_random sl_random_stream(uint64_t seed, sl_random_purpose purpose, uint32_t a, uint32_t b)
{
    sl_random r = {
        .key = { (uint32_t)seed, (uint32_t)(seed >> 32) },
        .counter = { 0, a, b, (uint32_t)purpose }, /* [0] counts the stream's blocks */
        .used = 4,
    };
    return r;
}

uint32_t sl_random_u32(sl_random *r)
{
    if (r->used == 4) {
        sl_philox4x32(r->counter, r->key, r->block);
        r->counter[0]++;
        r->used = 0;
    }
    return r->block[r->used++];
}

uint64_t sl_random_u64(sl_random *r)
{
    uint64_t low = sl_random_u32(r);
    return (uint64_t)sl_random_u32(r) << 32 | low;
}

double sl_random_unit(sl_random *r)
{
    return (double)(sl_random_u64(r) >> 11) * 0x1p-53;
}

/* Lemire, "Fast random integer generation in an interval" (2019): the high word of x*n, x drawn
 * again for the few low words that would favour some results. */
uint32_t sl_random_below(sl_random *r, uint32_t n)
{
    assert(n >= 1);
    uint32_t high, low;
    mul_hi_lo(sl_random_u32(r), n, &high, &low);
    if (low < n) {
        uint32_t threshold = (0u - n) % n;
        while (low < threshold)
            mul_hi_lo(sl_random_u32(r), n, &high, &low);
    }
    return high;
}

double sl_random_normal(sl_random *r)
{
    double radius = sqrt(-2.0 * log(1.0 - sl_random_unit(r))); /* the log's argument is in (0,1] */
    return radius * cos(6.283185307179586476925 * sl_random_unit(r));
}

/* Marsaglia and Tsang, "A simple method for generating gamma variables" (2000), for shape >= 1. */
static double gamma_at_least_one(sl_random *r, double shape)
{
    double d = shape - 1.0 / 3.0;
    double c = 1.0 / sqrt(9.0 * d);
    for (;;) {
        double x = sl_random_normal(r);
        double v = 1.0 + c * x;
        if (v <= 0.0)
            continue;
        v = v * v * v;
        double u = 1.0 - sl_random_unit(r);
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

/* The logarithm of a gamma variable: for small shapes the variable itself underflows. Below 1,
 * gamma(shape) = gamma(shape + 1) * u^(1/shape). */
static double log_gamma_variate(sl_random *r, double shape)
{
    assert(shape > 0.0);
    if (shape >= 1.0)
        return log(gamma_at_least_one(r, shape));
    double boosted = log(gamma_at_least_one(r, shape + 1.0));
    return boosted + log(1.0 - sl_random_unit(r)) / shape;
}

double sl_random_gamma(sl_random *r, double shape)
{
    return exp(log_gamma_variate(r, shape));
}

double sl_random_beta(sl_random *r, double a, double b)
{
    double log_x = log_gamma_variate(r, a);
    double log_y = log_gamma_variate(r, b);
    return 1.0 / (1.0 + exp(log_y - log_x)); /* x / (x + y) */
}

void sl_random_shuffle(sl_random *r, uint32_t *items, size_t n)
{
    assert(n <= UINT32_MAX);
    for (size_t i = n; i > 1; i--) {
        uint32_t j = sl_random_below(r, (uint32_t)i);
        uint32_t item = items[i - 1];
        items[i - 1] = items[j];
        items[j] = item;
    }
}
