/* What training counts of its steps, where they are computed: the host needs not wait for each. */
#ifndef NN_TALLY_H
#define NN_TALLY_H

#include "base/host_device.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    double loss;   /* sum over images, in nats, added up in their order */
    uint64_t hits; /* images whose greatest logit is of the class with the greatest target */
} sl_tally;

/* A step: loss (n), logits and target (n,classes). */
typedef struct {
    const float *loss, *logits, *target;
    int n, classes;
    sl_tally *tally;
} sl_tally_step;

SL_HOST_DEVICE static inline int sl_largest(const float *row, int n)
{
    int at = 0;
    for (int k = 1; k < n; k++)
        if (row[k] > row[at])
            at = k;
    return at;
}

SL_HOST_DEVICE static inline bool sl_tally_hit(const sl_tally_step *s, int image)
{
    const size_t row = (size_t)image * (size_t)s->classes;
    return sl_largest(s->logits + row, s->classes) == sl_largest(s->target + row, s->classes);
}

/* The tally's loss behind the step. */
SL_HOST_DEVICE static inline double sl_tally_loss(const sl_tally_step *s)
{
    double loss = s->tally->loss;
    for (int i = 0; i < s->n; i++)
        loss += (double)s->loss[i];
    return loss;
}

static inline void sl_tally_add(const sl_tally_step *s)
{
    s->tally->loss = sl_tally_loss(s);
    for (int i = 0; i < s->n; i++)
        s->tally->hits += sl_tally_hit(s, i);
}

#endif
