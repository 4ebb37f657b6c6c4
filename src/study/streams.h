/* The random numbers of a study: one stream for each thing that is drawn. */
#ifndef STUDY_STREAMS_H
#define STUDY_STREAMS_H

#include "base/random.h"

/* Append only: the values are part of what a study's seed means. */
typedef enum {
    SL_STREAM_SYNTHETIC = 1, /* pool, image: what a synthetic image shows */
    SL_STREAM_SUBSET,        /* pool: which images of a set */
    SL_STREAM_RING,          /* participant: the order of the labels */
    SL_STREAM_PRACTICE,      /* participant, class or trial: practice images and their order */
    SL_STREAM_TASK,          /* participant: images, their order, attention checks */
    SL_STREAM_BOT,           /* bot: everything it does */
    SL_STREAM_NEW,           /* what `study new` draws */
} sl_study_stream_id;

static inline sl_random sl_study_stream(uint64_t seed, sl_study_stream_id what, uint32_t a,
                                        uint32_t b)
{
    /* The kind goes into the seed's other half by a large odd factor, so that no two meet. */
    return sl_random_stream(seed ^ (uint64_t)what * 0x9e3779b97f4a7c15u, SL_RANDOM_STUDY, a, b);
}

#endif
