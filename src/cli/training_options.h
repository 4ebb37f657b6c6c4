/* The numbers that train and finetune both take, read alike. */
#ifndef CLI_TRAINING_OPTIONS_H
#define CLI_TRAINING_OPTIONS_H

#include "cli/cli.h"

/* Keys of the options; a command's own ones stay below. */
enum {
    CLI_KEY_EPOCHS = 0x500,
    CLI_KEY_BATCH_SIZE,
    CLI_KEY_SAVE_EVERY,
    CLI_KEY_CUTOUT,
    CLI_KEY_MIXUP,
    CLI_KEY_SMOOTHING,
    CLI_KEY_LR,
    CLI_KEY_WEIGHT_DECAY
};

/* Where they go. */
typedef struct {
    int *epochs, *batch_size, *save_every, *cutout;
    double *mixup, *smoothing, *lr, *weight_decay;
} cli_training_numbers;

/* They in *o, the options of training or of fine-tuning: both name them alike. */
#define CLI_TRAINING_NUMBERS_OF(o)                                                              \
    {                                                                                           \
        .epochs = &(o)->epochs, .batch_size = &(o)->batch_size, .save_every = &(o)->save_every, \
        .cutout = &(o)->cutout, .mixup = &(o)->mixup, .smoothing = &(o)->smoothing,             \
        .lr = &(o)->lr, .weight_decay = &(o)->weight_decay                                      \
    }

/* Reads text for key; ARGP_ERR_UNKNOWN if it is none of these. --mixup alone is 1. */
error_t cli_training_number(struct argp_state *state, int key, const char *text,
                            const cli_training_numbers *to);

#endif
