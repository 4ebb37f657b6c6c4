#include "base/minimise.h"

#include <math.h>

double sl_minimise(sl_curve *f, const void *user, double low, double high, double tolerance)
{
    const double golden = (sqrt(5) - 1) / 2;
    double a = high - golden * (high - low), b = low + golden * (high - low);
    double at_a = f(a, user), at_b = f(b, user);
    while (high - low > tolerance) {
        if (at_a <= at_b) {
            high = b;
            b = a;
            at_b = at_a;
            a = high - golden * (high - low);
            at_a = f(a, user);
        } else {
            low = a;
            a = b;
            at_a = at_b;
            b = low + golden * (high - low);
            at_b = f(b, user);
        }
    }
    return (low + high) / 2;
}
