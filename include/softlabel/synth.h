/* The synthetic set: drawings whose true distribution over classes is known.
 *
 * Ten kinds of drawings (disc, ring, ellipse, trefoil, star, and striped, hollow or drawn-out ones)
 * differ by five latent features z: lobes of three, lobes of five, elongation, hole, stripes. A
 * class c is a normal distribution of z around a corner of a box, p(z|c) = N(m_c, I), and classes
 * are equally likely. An image is drawn from z and from what says nothing of the class: place,
 * size, angle, colours, lighting, noise. So by Bayes
 *     p(c|x) = p(c|z) = exp(-|z - m_c|^2 / 2) / sum_k exp(-|z - m_k|^2 / 2)
 * as far as z can be seen in the image; what noise hides of it costs an ideal observer about 1e-4
 * nats (by the Fisher information of 400 images, against a mean entropy of 0.17). Drawings of
 * neighbouring classes grade into each other, so some images are truly ambiguous, most are not.
 * Labels are drawn from p(c), judgments from p(c|x). No model can have a lower expected
 * cross-entropy against either than the mean entropy of p(c|x), which synth.json states. */
#ifndef SOFTLABEL_SYNTH_H
#define SOFTLABEL_SYNTH_H

#include <softlabel/error.h>
#include <softlabel/log.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t seed;
    size_t n_train, n_test; /* images; train at least 5, test at least 1, each below 2^32 */
    int judgments;          /* of a test image on average, 1..1000; a few more or fewer each */
} sl_synth_options;
SL_API sl_synth_options sl_synth_options_default(void); /* seed 0, 10000, 2000, 51 */

/* Makes the folder dir, in the layout of CIFAR-10 and CIFAR-10H as published, whole or not at all:
 *     cifar-10-batches-bin/  data_batch_1..5.bin, test_batch.bin, batches.meta.txt
 *     cifar10h/              cifar10h-counts.npy, cifar10h-probs.npy, truth-probs.npy
 *     synth.json             what it is, and what a perfect model would score on the test set
 * and a SHA256SUMS in each folder. SL_EIO if dir is there already (and not empty), SL_EINVAL if an
 * option is out of range. progress may be NULL. */
SL_API SL_CHECK sl_status sl_synth_write(const char *dir, const sl_synth_options *options,
                                         sl_progress_fn *progress, void *user, sl_error *err);

#endif
