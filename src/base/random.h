/* Random numbers.
 *
 * Philox4x32-10 (Salmon et al., SC'11): counter based, so that a number depends only on what it is
 * for (seed, epoch, item, purpose), never on threads or on where a run was resumed.
 *
 * MT19937 with NumPy's legacy seeding and shuffle (numpy/random/mtrand), for the paper's splits. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* What a stream is for: streams of different purposes never share numbers. Append only: the values
 * are part of what a seed means. */
typedef enum {
    SL_RANDOM_ORDER = 1, /* order of the images in an epoch */
    SL_RANDOM_CROP = 2,  /* crop and flip of one image */
    SL_RANDOM_CUTOUT = 3,
    SL_RANDOM_MIXUP = 4,
    SL_RANDOM_LABEL = 5, /* a sampled one-hot target */
    SL_RANDOM_INIT = 6,  /* initial weights */
    SL_RANDOM_DROPOUT = 7,
    SL_RANDOM_SHAKE = 8,
    SL_RANDOM_SYNTH = 9,  /* the synthetic image set */
    SL_RANDOM_JUDGE = 10, /* simulated judgments */
    SL_RANDOM_BOOTSTRAP = 11,
    SL_RANDOM_ATTACK = 12,      /* where an attack's restarts begin */
    SL_RANDOM_PERMUTATION = 13, /* of a permutation test */
    SL_RANDOM_STEP = 14,        /* the key of a training step's draws inside the network */
    SL_RANDOM_STUDY = 20,       /* what a participant of a study sees */
    SL_RANDOM_TEST = 100,
} sl_random_purpose;

/* One stream; fields are private. */
typedef struct {
    uint32_t key[2], counter[4], block[4];
    unsigned used;
} sl_random;

/* The stream of (seed, purpose, a, b), say (seed, SL_RANDOM_CROP, epoch, image). */
sl_random sl_random_stream(uint64_t seed, sl_random_purpose purpose, uint32_t a, uint32_t b);
uint32_t sl_random_u32(sl_random *r);
uint64_t sl_random_u64(sl_random *r);
double sl_random_unit(sl_random *r);                /* uniform in [0,1), 53 bits */
uint32_t sl_random_below(sl_random *r, uint32_t n); /* uniform in 0..n-1 without bias; n >= 1 */
double sl_random_normal(sl_random *r);              /* mean 0, sd 1 (Box-Muller) */
double sl_random_gamma(sl_random *r, double shape); /* scale 1 (Marsaglia and Tsang) */
double sl_random_beta(sl_random *r, double a, double b);
void sl_random_shuffle(sl_random *r, uint32_t *items, size_t n); /* Fisher-Yates */

/* The raw block function, for tests against the published vectors and for vector code. */
void sl_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

typedef struct {
    uint32_t state[624];
    int position;
} sl_mt19937;
void sl_mt19937_seed(sl_mt19937 *mt, uint32_t seed); /* np.random.seed(seed) */
uint32_t sl_mt19937_u32(sl_mt19937 *mt);
void sl_mt19937_shuffle(sl_mt19937 *mt, int64_t *items, size_t n); /* np.random.shuffle */

#endif
