/* The least value of a function of one variable. */
#ifndef BASE_MINIMISE_H
#define BASE_MINIMISE_H

typedef double sl_curve(double x, const void *user);

/* Where f, which has a single valley between low and high, is least, within tolerance > 0, by
 * golden section (Kiefer 1953); an end, if the valley lies beyond it. */
double sl_minimise(sl_curve *f, const void *user, double low, double high, double tolerance);

#endif
