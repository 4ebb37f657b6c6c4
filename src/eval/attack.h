/* Images moved within a small L-infinity ball so that a model's loss rises most: FGSM and PGD.
 *
 * Sources: Goodfellow et al. 2015 (FGSM), Madry et al. 2018 (PGD); CIFAR10H paper, section 7.4. */
#ifndef EVAL_ATTACK_H
#define EVAL_ATTACK_H

#include "nn/backend.h"

#include <softlabel/dataset.h>
#include <softlabel/log.h>
#include <softlabel/model.h>

typedef enum { SL_ATTACK_FGSM, SL_ATTACK_PGD } sl_attack_method;

/* Distances are L-infinity, in pixels of [0,1]; moved pixels stay in [0,1]. */
typedef struct {
    sl_attack_method method;
    /* Of PGD: steps of step_size along the gradient's sign, each put back into the ball. The first
     * start is the image itself, each of the others a random place of the ball (by seed, image and
     * restart); of all ends an image keeps the one with the highest loss. */
    int steps;        /* >= 1 */
    double step_size; /* > 0; 0: 2.5 epsilon / steps, so that the ball's border is in reach */
    int restarts;     /* >= 1 */
    uint64_t seed;
} sl_attack_options;
sl_attack_options sl_attack_options_default(void); /* FGSM; PGD of 10 steps, 1 restart */

/* An attacker keeps its plans. One thread at a time; it computes with the device's threads. */
typedef struct sl_attacker sl_attacker;

/* model and device are borrowed until destroy; batch >= 1 changes speed and memory only. progress
 * may be NULL; it can stop the attack after any pass over a batch. */
SL_CHECK sl_status sl_attacker_create(sl_attacker **out, sl_model *model, sl_device *device,
                                      int batch, sl_progress_fn *progress, void *user,
                                      sl_error *err);
void sl_attacker_destroy(sl_attacker *attacker); /* NULL is fine */

/* What the model answers on set's images when each has been moved by at most epsilons[e] so that
 * its cross-entropy against its row of targets rises.
 * epsilons  (n_epsilons), >= 0; 0 moves nothing: the answers without an attack
 * logits    (n_epsilons, set->n, classes), written
 * SL_EMISMATCH when model, set and targets don't fit; SL_EINTERRUPTED when progress asked to stop.
 */
SL_CHECK sl_status sl_attacker_run(sl_attacker *attacker, const sl_dataset *set,
                                   const sl_targets *targets, const sl_attack_options *options,
                                   const double *epsilons, size_t n_epsilons, float *logits,
                                   sl_error *err);

/* ---- one batch, for verification ---- */

/* All of exactly the attacker's batch, in float32: pixels (batch,c,h,w) of [0,1], targets
 * (batch,classes); losses (batch), logits (batch,classes) and gradient, d mean loss / d normalised
 * pixels (batch,c,h,w), are written unless NULL. */
SL_CHECK sl_status sl_attacker_gradient(sl_attacker *attacker, const float *pixels,
                                        const float *targets, float *losses, float *logits,
                                        float *gradient, sl_error *err);

#endif
