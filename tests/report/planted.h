/* Run folders and attacks made by hand, whose numbers are known. */
#ifndef TESTS_REPORT_PLANTED_H
#define TESTS_REPORT_PLANTED_H

#include "data/fixture.h"

enum { PLANTED_RUNS = 9 };

/* Writes dir/r0 .. r8: human tuning at lr 0.1 (r0 to r2, split seeds 0 to 2) and 0.01 (r3 to r5),
 * the control at 0.01 (r6 to r8); all with mixup alpha, if it isn't 0. Split 0 has the lowest human
 * loss of all at lr 0.1, epoch 1; the others are best at 0.01, epoch 2. */
void planted_runs(const char *dir, double mixup);
/* Writes an attack on the runs without mixup and on what they came from; its path. */
const char *planted_attack(const char *dir);

#endif
