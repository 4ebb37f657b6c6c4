/* Pretraining and fine-tuning (paper, sections 4 and 5). A run works in a folder of its own:
 *
 *     config.json      settings, data hashes, version: everything needed to repeat it
 *     metrics.csv      one row an epoch; events.out.tfevents.softlabel: the same for TensorBoard
 *     result.json      what came out; written last
 *     *.safetensors    the models: model (pretraining); best and last (fine-tuning)
 *     checkpoints/     the state, while the run isn't finished
 *
 * A run that was killed, at any moment, goes on when started again with the same options, and ends
 * with the same bits as one that wasn't. Starting a finished run does nothing. One process at a
 * time works in a folder. These functions use the calling thread, options->threads compute threads
 * and a loader thread.
 *
 * Several processes can train one model: all call the function, with the same options. Each
 * computes its part of every batch, whose images are those of a run by one process; batch norm sees
 * the part alone, and its running statistics are the mean over processes. Rank 0 scores and works
 * in the folder. A failure that sl_processes_failed_together doesn't know of leaves the others
 * waiting. */
#ifndef SOFTLABEL_TRAIN_H
#define SOFTLABEL_TRAIN_H

#include <softlabel/dataset.h>
#include <softlabel/error.h>
#include <softlabel/log.h>
#include <softlabel/processes.h>
#include <stdint.h>

/* Strings are borrowed. An unset number is 0 or, where 0 has a meaning, NaN; an unset string NULL.
 */
typedef struct {
    const char *out;       /* the run's folder; made if need be */
    const char *model;     /* "wrn_16_2"; may be unset with init */
    const char *init;      /* a checkpoint to start from; unset: initial weights by seed */
    const char *recipe;    /* "paper", "fast": gives what is unset from here to weight_decay */
    int epochs;            /* >= 1 */
    int batch_size;        /* >= 1 */
    double lr;             /* base learning rate; NaN: unset */
    const char *schedule;  /* "constant", "multistep:80,120:0.1", "cosine", "onecycle:5:cosine" */
    double weight_decay;   /* >= 0; NaN: unset */
    const char *augment;   /* "paper" (crop and flip), "crop", "flip", "none" */
    int cutout;            /* side of the square, 0: none; < 0: what the model's name says, but none
                              with augment "none" */
    double mixup;          /* alpha; 0: none */
    const char *targets;   /* "hard", "smoothed", "file" */
    const char *labels;    /* of "file", and only there: an npy of distributions, or counts, over
                              classes, (images, classes) */
    double smoothing;      /* of "smoothed": 0..1; NaN: 0.1 */
    uint64_t seed;         /* initial weights, order, augmentation */
    const char *device;    /* "cpu", "ref" */
    const char *precision; /* "f32", "bf16": of activations and their gradients */
    int threads;           /* >= 1 */
    int save_every;        /* steps between saves within an epoch; 0: every five minutes */
    sl_processes *processes; /* borrowed; NULL: this one alone */
} sl_train_options;
SL_API sl_train_options sl_train_options_default(void);

/* Pretrains with SGD (Nesterov momentum 0.9) on data's training set, scoring the test set after
 * each epoch; ends with out/model.safetensors. data and options are borrowed; progress may be NULL.
 *
 * SL_EINVAL        an option is impossible, or there are more processes than images in a batch
 * SL_EMISMATCH     the folder's run was begun with other options or data, one of which is named
 * SL_EIO           the folder can't be written, or another process works in it
 * SL_EDIVERGED     a loss or weight is no longer finite; the last good state is kept
 * SL_EINTERRUPTED  progress asked to stop; the state is saved */
SL_API SL_CHECK sl_status sl_train(const sl_train_options *options, sl_data *data,
                                   sl_progress_fn *progress, void *user, sl_error *err);

typedef struct {
    const char *out;     /* the run's folder; made if need be */
    const char *model;   /* the checkpoint to fine-tune */
    const char *targets; /* "human", the control "hard", "sampled" (one label drawn from the human
                            distribution each time an image is drawn), "smoothed" (hard) */
    double smoothing;    /* of "smoothed": 0..1; NaN: 0.1 */
    int epochs;          /* >= 1 */
    int batch_size;      /* 0: that of the model's recipe */
    double lr;           /* constant */
    double weight_decay; /* NaN: that of the model's recipe */
    const char *augment; /* as for sl_train, and the next two */
    int cutout;
    double mixup;
    uint32_t split_seed; /* which 9,000 of the 10,000 images train (paper/NOTES, split) */
    uint64_t seed;       /* order, augmentation */
    const char *c10_50k; /* when the pretraining images are scored, which is most of the work:
                            "every" epoch; "ends": before the first, after the last and the best;
                            "never" */
    const char *device;
    const char *precision; /* "f32", "bf16" */
    int threads;
    int save_every;
    sl_processes *processes;
} sl_finetune_options;
SL_API sl_finetune_options sl_finetune_options_default(void);

/* Fine-tunes a checkpoint with Adam on the test set's training part, with human distributions,
 * hard labels or what is made of them as targets; scores every data set before the first epoch and
 * after each. Ends with out/best.safetensors, the epoch >= 1 with the lowest loss on the validation
 * part (against human targets for "human" and "sampled", hard labels for "hard" and "smoothed": the
 * paper's rule), and out/last.safetensors. Errors as sl_train; SL_ENOTFOUND when data has no human
 * targets. */
SL_API SL_CHECK sl_status sl_finetune(const sl_finetune_options *options, sl_data *data,
                                      sl_progress_fn *progress, void *user, sl_error *err);

/* Fills options from the config.json of a run folder, for going on with it. Strings live as long as
 * *keep, to be freed by sl_run_options_free; data_folder is where its data was. */
typedef struct sl_run_options sl_run_options;
SL_API SL_CHECK sl_status sl_train_options_read(sl_train_options *out, const char *folder,
                                                sl_run_options **keep, sl_error *err);
SL_API SL_CHECK sl_status sl_finetune_options_read(sl_finetune_options *out, const char *folder,
                                                   sl_run_options **keep, sl_error *err);
SL_API const char *sl_run_options_data_folder(const sl_run_options *keep);
SL_API void sl_run_options_free(sl_run_options *keep); /* NULL is fine */

#endif
