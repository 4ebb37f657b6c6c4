/* The synthetic set's generative model (see softlabel/synth.h), and how its folder is laid out. */
#ifndef DATA_SYNTH_H
#define DATA_SYNTH_H

#include "base/random.h"
#include "data/dataset_private.h"

#define SL_SYNTH_MANIFEST "synth.json"
#define SL_SYNTH_FORMAT "softlabel-synth-1"

/* The latent features, in standard deviations; 0 is halfway between absent and present. */
enum {
    SL_SYNTH_TREFOIL,
    SL_SYNTH_STAR,
    SL_SYNTH_ELONGATION,
    SL_SYNTH_HOLE,
    SL_SYNTH_STRIPES,
    SL_SYNTH_FEATURES
};

extern const char *const sl_synth_class_names[SL_CIFAR_CLASSES];

/* label ~ p(c), z ~ p(z|label). */
void sl_synth_draw(sl_random *r, int *label, double z[SL_SYNTH_FEATURES]);
/* p(c|z). */
void sl_synth_posterior(const double z[SL_SYNTH_FEATURES], double p[SL_CIFAR_CLASSES]);
/* An image of z: (3,32,32). What r decides is independent of z. */
void sl_synth_render(sl_random *r, const double z[SL_SYNTH_FEATURES],
                     uint8_t pixels[SL_CIFAR_PIXELS]);

/* How many images each of CIFAR's five training files holds: as even as can be. */
static inline size_t sl_synth_records(size_t n_train, int file)
{
    return n_train / 5 + ((size_t)file < n_train % 5);
}

#endif
