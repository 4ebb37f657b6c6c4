#include "cli/training_options.h"

#include <limits.h>

static error_t whole(struct argp_state *state, const char *option, const char *text, int min,
                     int max, int *to)
{
    int64_t n = 0;
    error_t e = cli_integer(state, option, text, min, max, &n);
    *to = (int)n;
    return e;
}

error_t cli_training_number(struct argp_state *state, int key, const char *text,
                            const cli_training_numbers *to)
{
    switch (key) {
    case CLI_KEY_EPOCHS:
        return whole(state, "--epochs", text, 1, 1000000, to->epochs);
    case CLI_KEY_BATCH_SIZE:
        return whole(state, "--batch-size", text, 1, 1000000, to->batch_size);
    case CLI_KEY_SAVE_EVERY:
        return whole(state, "--save-every", text, 1, INT_MAX, to->save_every);
    case CLI_KEY_CUTOUT:
        return whole(state, "--cutout", text, 0, 65536, to->cutout);
    case CLI_KEY_MIXUP:
        return cli_number(state, "--mixup", text ? text : "1", 0, 1e6, to->mixup);
    case CLI_KEY_SMOOTHING:
        return cli_number(state, "--smoothing", text, 0, 1, to->smoothing);
    case CLI_KEY_LR:
        return cli_number(state, "--lr", text, 0, 1e6, to->lr);
    case CLI_KEY_WEIGHT_DECAY:
        return cli_number(state, "--weight-decay", text, 0, 1e6, to->weight_decay);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}
