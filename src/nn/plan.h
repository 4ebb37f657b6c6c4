/* A plan makes a graph runnable: graph x batch size x mode x device. Planning lowers the graph to
 * the backend's operations (fusing where the backend allows), derives the backward list, and places
 * every buffer in one arena by lifetime; running allocates nothing.
 *
 * A plan is used by one thread at a time. */
#ifndef NN_PLAN_H
#define NN_PLAN_H

#include "nn/backend.h"
#include "nn/collective.h"
#include "nn/device_images.h"
#include "nn/optimizer.h"
#include "nn/params.h"

typedef enum {
    SL_MODE_EVAL,      /* running statistics, no gradients; batch norm folded into convolutions */
    SL_MODE_EVAL_GRAD, /* running statistics and gradients (attacks, conformance) */
    SL_MODE_TRAIN,     /* batch statistics (running ones updated) and gradients */
} sl_mode;

typedef struct {
    int batch; /* images at once, >= 1 */
    sl_mode mode;
    bool input_grad; /* also d loss / d input; needs a gradient mode */
    /* Of activations and their gradients inside the network. Parameters, their gradients,
     * statistics, input, logits and loss are float32 always. */
    sl_dtype dtype;
} sl_plan_options;

typedef struct sl_plan sl_plan;

/* graph, params (of that graph) and dev are borrowed until destroy; a gradient plan of a device in
 * the host's memory (ref, cpu) sees changes of params at once. */
SL_CHECK sl_status sl_plan_create(sl_plan **out, const sl_graph *graph, sl_params *params,
                                  sl_device *dev, const sl_plan_options *options, sl_error *err);
void sl_plan_destroy(sl_plan *plan); /* NULL is fine */

/* Call it after the caller changed params: plans may keep packed or folded weights, and devices
 * have memory of their own. Forgets what the device holds of an optimizer's state. */
SL_CHECK sl_status sl_plan_reload(sl_plan *plan, sl_error *err);

/* images (n,c,h,w) plain, normalised, 1 <= n <= batch; logits (n,classes) written. SL_MODE_EVAL
 * only. */
SL_CHECK sl_status sl_plan_forward(sl_plan *plan, const float *images, int n, float *logits,
                                   sl_error *err);

/* One forward and backward pass over exactly batch images, for gradient modes: targets
 * (batch,classes); losses (batch), per image, in nats, logits (batch,classes) and input_grad
 * (batch,c,h,w; only with the option) written unless NULL: a device with memory of its own is
 * waited for only then. Gradients of the mean loss lie in sl_plan_gradients after an sl_plan_fetch,
 * in the layout of params->values. */
SL_CHECK sl_status sl_plan_step(sl_plan *plan, const float *images, const float *targets,
                                float *losses, float *logits, float *input_grad, sl_error *err);
float *sl_plan_gradients(sl_plan *plan);

/* From now on each pass ends with two sums over processes (borrowed until destroy): of gradients
 * and, in SL_MODE_TRAIN, of running statistics, which so become the mean over processes. All must
 * then take the same passes. To be called before the first. */
void sl_plan_sum_over(sl_plan *plan, sl_collective *collective);

/* Makes the next pass's n images on the plan's device, from what that keeps
 * (sl_device_images_assemble): sl_plan_step or
 * sl_plan_forward is then to be called without images (NULL). */
SL_CHECK sl_status sl_plan_assemble(sl_plan *plan, sl_device_images *images,
                                    const sl_image_recipe *recipes, size_t n_recipes,
                                    const uint32_t *partner, float lambda, int n, sl_error *err);

/* The plan's tally of steps, on its device: set it, add the last step to it, read it (which waits).
 */
SL_CHECK sl_status sl_plan_set_tally(sl_plan *plan, const sl_tally *tally, sl_error *err);
SL_CHECK sl_status sl_plan_add_to_tally(sl_plan *plan, sl_error *err);
SL_CHECK sl_status sl_plan_read_tally(sl_plan *plan, sl_tally *out, sl_error *err);

/* Takes the optimizer's step (sl_optimizer_step) with these gradients where the parameters lie, on
 * the plan's device. There params, gradients and the optimizer's state may be ahead of the host's
 * until sl_plan_fetch brings them back. One optimizer a plan. */
SL_CHECK sl_status sl_plan_update(sl_plan *plan, sl_optimizer *optimizer, double lr, sl_error *err);
SL_CHECK sl_status sl_plan_fetch(sl_plan *plan, sl_error *err);

/* Training's random numbers for the steps to come (until the next call): dropout's masks and
 * shake-shake's weights, a function of key alone. Without a call, those of key 0. */
void sl_plan_draw(sl_plan *plan, uint64_t key);
/* Shake-shake's weights by hand, for block b in execution order: alpha and beta, batch floats each,
 * to be written; NULL if there is no such block, or outside training. The next sl_plan_draw
 * overwrites them. */
float *sl_plan_shake_alpha(sl_plan *plan, int b);
float *sl_plan_shake_beta(sl_plan *plan, int b);

/* What it holds: arena, packed weights not included. */
size_t sl_plan_arena_bytes(const sl_plan *plan);

/* For `softlabel bench --profile`, switched on and reset by the first: lines with the time of the
 * runs since, by kind and by operation, with GFLOP/s or GB/s (each activation counted once), and
 * with what the arena holds when it is fullest. A device that records is then asked for its
 * operations one by one, as its clock can't look into a recording. */
SL_CHECK sl_status sl_plan_profile(sl_plan *plan, sl_error *err);
void sl_plan_profile_report(const sl_plan *plan, void (*emit)(void *user, const char *line),
                            void *user);

#endif
