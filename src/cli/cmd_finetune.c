/* softlabel finetune: go on training a classifier with human distributions, or hard labels. */
#include "base/json.h"
#include "cli/launch.h"
#include "cli/training_options.h"
#include "report/run_result.h"
#include <softlabel/train.h>
#include <stdio.h>
#include <string.h>

enum { KEY_TARGETS = 1, KEY_GRID, KEY_OUT, KEY_RESUME, KEY_AUGMENT, KEY_SPLIT_SEED, KEY_C10_50K };

static const struct argp_option option_list[] = {
    { "grid", KEY_GRID, NULL, 0, "many runs: see 'softlabel finetune --grid --help'", 0 },
    { "targets", KEY_TARGETS, "NAME", 0,
      "human; hard: the control; sampled: one label drawn from people's each time; smoothed: hard "
      "ones (human)",
      0 },
    { "out", KEY_OUT, "DIR", 0, "folder of the run; the same command goes on with it", 0 },
    { "resume", KEY_RESUME, NULL, 0, "go on in --out with all the options it was begun with", 0 },
    { "epochs", CLI_KEY_EPOCHS, "N", 0, "passes over the training images (100)", 0 },
    { "batch-size", CLI_KEY_BATCH_SIZE, "N", 0, "images in a step (that of the model's recipe)",
      0 },
    { "lr", CLI_KEY_LR, "X", 0, "constant learning rate of Adam (0.001)", 0 },
    { "weight-decay", CLI_KEY_WEIGHT_DECAY, "X", 0,
      "L2 added to the gradient (that of the model's recipe)", 0 },
    { "augment", KEY_AUGMENT, "LIST", 0, CLI_AUGMENT_HELP, 0 },
    { "cutout", CLI_KEY_CUTOUT, "N", 0, CLI_CUTOUT_HELP, 0 },
    { "mixup", CLI_KEY_MIXUP, "ALPHA", OPTION_ARG_OPTIONAL, CLI_MIXUP_HELP, 0 },
    { "smoothing", CLI_KEY_SMOOTHING, "X", 0, CLI_SMOOTHING_HELP, 0 },
    { "split-seed", KEY_SPLIT_SEED, "N", 0,
      "which nine tenths of the test set train; the rest validate (0)", 0 },
    { "c10-50k", KEY_C10_50K, "WHEN", 0,
      "score the 50,000 pretraining images: every epoch; ends: first, last and best; never (every)",
      0 },
    { "save-every", CLI_KEY_SAVE_EVERY, "N", 0, "save after so many steps, too (every 5 minutes)",
      0 },
    { 0 },
};

typedef struct {
    cli_options common; /* first */
    sl_finetune_options o;
    bool resume, given; /* given: an option that --resume would contradict */
} options;

static error_t parse_number(int key, const char *text, struct argp_state *state)
{
    sl_finetune_options *o = &((options *)state->input)->o;
    const cli_training_numbers numbers = CLI_TRAINING_NUMBERS_OF(o);
    int64_t seed = 0;
    if (key != KEY_SPLIT_SEED)
        return cli_training_number(state, key, text, &numbers);
    error_t e = cli_integer(state, "--split-seed", text, 0, UINT32_MAX, &seed);
    o->split_seed = (uint32_t)seed;
    return e;
}

static error_t check(const options *all, struct argp_state *state)
{
    if (!all->o.out)
        return cli_usage(state, "--out DIR is missing: the folder of the run");
    if (all->resume && (all->given || all->o.model))
        return cli_usage(state, "--resume takes the run's own options; give only --out and --data");
    if (!all->resume && !all->o.model)
        return cli_usage(state, "the MODEL to fine-tune is missing, say m.safetensors");
    return 0;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    options *all = state->input;
    sl_finetune_options *o = &all->o;
    struct {
        int key;
        const char **value;
    } const texts[] = {
        { KEY_TARGETS, &o->targets },
        { KEY_AUGMENT, &o->augment },
        { KEY_C10_50K, &o->c10_50k },
    };
    switch (key) {
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            return ARGP_ERR_UNKNOWN;
        o->model = text;
        return 0;
    case KEY_OUT:
        o->out = text;
        return 0;
    case KEY_RESUME:
        all->resume = true;
        return 0;
    case ARGP_KEY_END:
        return check(all, state);
    default:
        break;
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i].key == key) {
            *texts[i].value = text;
            all->given = true;
            return 0;
        }
    }
    error_t e = parse_number(key, text, state);
    all->given = all->given || e != ARGP_ERR_UNKNOWN;
    return e;
}

/* "selected  epoch 7  0.3421 (88.10 %)  ..." */
static sl_status show_row(const json_t *result, const char *key, sl_error *err)
{
    json_t *row = NULL;
    double epoch = 0, human = 0, hard = 0, accuracy = 0;
    sl_status st = sl_json_get(result, key, &row, err);
    if (!st)
        st = sl_json_get_number(row, "epoch", &epoch, err);
    if (!st)
        st = sl_json_get_number(row, "c10h_val_c10_loss", &hard, err);
    if (!st)
        st = sl_json_get_number(row, "c10h_val_c10_acc", &accuracy, err);
    if (st)
        return st;
    printf("%-8s  epoch %3.0f  hard labels %.4f (%.2f %%)", key, epoch, hard, 100 * accuracy);
    if (json_object_get(row, "c10h_val_loss")) {
        st = sl_json_get_number(row, "c10h_val_loss", &human, err);
        printf("  human labels %.4f", human);
    }
    printf("\n");
    return st;
}

static sl_status show(const options *all, sl_error *err)
{
    json_t *result = NULL;
    const char *rule = NULL;
    sl_status st = sl_run_result_read(&result, all->o.out, err);
    if (st)
        return st;
    if (all->common.json) {
        cli_print_json(result);
        return SL_OK;
    }
    printf("cross-entropy (accuracy) on the validation images\n");
    st = show_row(result, "before", err);
    if (!st)
        st = show_row(result, "selected", err);
    if (!st)
        st = show_row(result, "last", err);
    if (!st)
        st = sl_json_get_string(result, "rule", &rule, err);
    if (!st)
        printf("selected: %s\n%s/best.safetensors\n", rule, all->o.out);
    json_decref(result);
    return st;
}

static sl_status finetune(options *all, sl_error *err)
{
    sl_run_options *keep = NULL;
    sl_data *data = NULL;
    sl_status st = SL_OK;
    if (all->resume) {
        st = sl_finetune_options_read(&all->o, all->o.out, &keep, err);
        st = sl_processes_agree(cli_processes(), st, NULL, err);
        if (!st && !all->common.data)
            all->common.data = sl_run_options_data_folder(keep);
    } else {
        all->o.seed = all->common.seed;
        all->o.device = all->common.device;
        all->o.precision = all->common.precision;
        all->o.threads = all->common.threads;
    }
    all->o.processes = cli_processes();
    if (!st)
        st = cli_data_open(&data, &all->common, err);
    if (!st)
        st = sl_finetune(&all->o, data, cli_progress, &all->common.console, err);
    if (!st && sl_processes_leads(all->o.processes))
        st = show(all, err);
    sl_data_close(data);
    sl_run_options_free(keep);
    return st;
}

int cmd_finetune(const cli_command *self, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--grid") == 0)
            return cmd_finetune_grid(argc, argv);
    static const struct argp argp = { .options = option_list,
                                      .parser = parse,
                                      .args_doc = "MODEL" };
    options all = { .common.bf16 = true,
                    .common.together = true,
                    .o = sl_finetune_options_default() };
    sl_error err;
    int code = cli_parse(self, &argp, argc, argv, &all);
    if (code)
        return code;
    return cli_end(&all.common, finetune(&all, &err), &err);
}
