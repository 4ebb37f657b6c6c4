#include "study/limits.h"
#include <math.h>
#include <string.h>

void sl_limits_init(sl_limits *limits, double rate, double burst)
{
    memset(limits, 0, sizeof *limits);
    limits->rate = rate;
    limits->burst = burst;
}

/* The address's requests, as of now. */
static double *fill(sl_limits *limits, uint64_t address, double now)
{
    address |= 1; /* never 0 */
    const size_t i = (size_t)(address >> 32) % SL_LIMITS_BUCKETS;
    if (limits->bucket[i].address != address) { /* new, or in place of another's */
        limits->bucket[i].address = address;
        limits->bucket[i].left = limits->burst;
        limits->bucket[i].at = now;
    }
    double *left = &limits->bucket[i].left;
    *left = fmin(limits->burst, *left + fmax(0, now - limits->bucket[i].at) * limits->rate);
    limits->bucket[i].at = now;
    return left;
}

bool sl_limits_left(sl_limits *limits, uint64_t address, double now)
{
    return limits->rate <= 0 || *fill(limits, address, now) >= 1;
}

bool sl_limits_take(sl_limits *limits, uint64_t address, double now)
{
    if (!sl_limits_left(limits, address, now))
        return false;
    if (limits->rate > 0)
        *fill(limits, address, now) -= 1;
    return true;
}
