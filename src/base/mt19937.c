/* Matsumoto and Nishimura's MT19937 as NumPy's RandomState uses it. */
#include "base/random.h"
#include <assert.h>

enum { N = 624, M = 397 };

void sl_mt19937_seed(sl_mt19937 *mt, uint32_t seed)
{
    mt->state[0] = seed;
    for (uint32_t i = 1; i < N; i++) {
        uint32_t before = mt->state[i - 1];
        mt->state[i] = 1812433253u * (before ^ before >> 30) + i;
    }
    mt->position = N;
}

static void next_state(sl_mt19937 *mt)
{
    uint32_t *s = mt->state;
    for (int i = 0; i < N; i++) {
        uint32_t y = (s[i] & 0x80000000u) | (s[(i + 1) % N] & 0x7fffffffu);
        s[i] = s[(i + M) % N] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    mt->position = 0;
}

uint32_t sl_mt19937_u32(sl_mt19937 *mt)
{
    if (mt->position == N)
        next_state(mt);
    uint32_t y = mt->state[mt->position++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

/* NumPy's random_interval: uniform in 0..max by masking and trying again. */
static uint32_t up_to(sl_mt19937 *mt, uint32_t max)
{
    uint32_t mask = max;
    for (int shift = 1; shift < 32; shift *= 2)
        mask |= mask >> shift;
    uint32_t value;
    do
        value = sl_mt19937_u32(mt) & mask;
    while (value > max);
    return value;
}

void sl_mt19937_shuffle(sl_mt19937 *mt, int64_t *items, size_t n)
{
    assert(n <= UINT32_MAX);
    for (size_t i = n; i > 1; i--) {
        uint32_t j = up_to(mt, (uint32_t)(i - 1));
        int64_t item = items[i - 1];
        items[i - 1] = items[j];
        items[j] = item;
    }
}
