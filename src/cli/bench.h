/* What the files of `softlabel bench` share. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "cli/cli.h"
#include "models/model.h"
#include "nn/device_images.h"
#include "nn/optimizer.h"
#include "nn/plan.h"

typedef struct {
    cli_options common;
    const char *model;
    int64_t batch;
    int mode; /* 0: train, 1: eval */
    double seconds;
    bool profile, peak;
} bench_options;

/* One network and one batch, to be gone through again and again: bench_work.c. Zero is empty. */
typedef struct {
    sl_model *model;
    sl_device *dev;
    sl_plan *plan;
    sl_optimizer *optimizer;
    float *images, *targets, *logits, *losses;
    sl_device_images *kept;   /* or NULL: the images on a device with memory of its own, */
    sl_image_recipe *recipes; /* of which each step makes its batch there, as in training */
} bench_work;

SL_CHECK sl_status bench_work_init(bench_work *w, const bench_options *o, sl_error *err);
void bench_work_release(bench_work *w);
/* One step. In training a device with memory of its own isn't waited for; an evaluation's logits
 * come to the host. */
SL_CHECK sl_status bench_work_step(bench_work *w, const bench_options *o, sl_error *err);
SL_CHECK sl_status bench_work_wait(bench_work *w, sl_error *err);

/* Measures and prints the peak of the processor or of another device: bench_peak.c. */
SL_CHECK sl_status bench_peak(const bench_options *o, sl_error *err);

#endif
