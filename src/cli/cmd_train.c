/* softlabel train: pretrain a classifier. */
#include "base/json.h"
#include "cli/launch.h"
#include "cli/training_options.h"
#include "report/run_result.h"
#include <softlabel/train.h>
#include <stdio.h>

enum {
    KEY_MODEL = 1,
    KEY_OUT,
    KEY_RESUME,
    KEY_INIT,
    KEY_RECIPE,
    KEY_SCHEDULE,
    KEY_AUGMENT,
    KEY_TARGETS,
    KEY_LABELS
};

static const struct argp_option option_list[] = {
    { "model", KEY_MODEL, "NAME", 0, "architecture (see softlabel model list)", 0 },
    { "out", KEY_OUT, "DIR", 0, "folder of the run; the same command goes on with it", 0 },
    { "resume", KEY_RESUME, NULL, 0, "go on in --out with all the options it was begun with", 0 },
    { "init", KEY_INIT, "FILE", 0, "start from this checkpoint's weights", 0 },
    { "recipe", KEY_RECIPE, "NAME", 0, "paper, fast: what isn't given below (paper)", 0 },
    { "epochs", CLI_KEY_EPOCHS, "N", 0, "passes over the training set", 0 },
    { "batch-size", CLI_KEY_BATCH_SIZE, "N", 0, "images in a step", 0 },
    { "lr", CLI_KEY_LR, "X", 0, "base learning rate", 0 },
    { "schedule", KEY_SCHEDULE, "TEXT", 0,
      "constant, multistep:80,120:0.1, cosine, onecycle:5:cosine", 0 },
    { "weight-decay", CLI_KEY_WEIGHT_DECAY, "X", 0, "L2 added to the gradient", 0 },
    { "augment", KEY_AUGMENT, "LIST", 0, CLI_AUGMENT_HELP, 0 },
    { "cutout", CLI_KEY_CUTOUT, "N", 0, CLI_CUTOUT_HELP, 0 },
    { "mixup", CLI_KEY_MIXUP, "ALPHA", OPTION_ARG_OPTIONAL, CLI_MIXUP_HELP, 0 },
    { "targets", KEY_TARGETS, "NAME", 0, "hard, smoothed (hard)", 0 },
    { "labels", KEY_LABELS, "FILE", 0,
      "train on these distributions instead: npy, a row an image (softlabel labels infer)", 0 },
    { "smoothing", CLI_KEY_SMOOTHING, "X", 0, CLI_SMOOTHING_HELP, 0 },
    { "save-every", CLI_KEY_SAVE_EVERY, "N", 0, "save after so many steps, too (every 5 minutes)",
      0 },
    { 0 },
};

typedef struct {
    cli_options common; /* first */
    sl_train_options o;
    bool resume, given; /* given: an option that --resume would contradict */
} options;

static error_t parse_number(int key, const char *text, struct argp_state *state)
{
    sl_train_options *o = &((options *)state->input)->o;
    const cli_training_numbers numbers = CLI_TRAINING_NUMBERS_OF(o);
    return cli_training_number(state, key, text, &numbers);
}

static error_t check(options *all, struct argp_state *state)
{
    if (!all->o.out)
        return cli_usage(state, "--out DIR is missing: the folder of the run");
    if (all->resume && all->given)
        return cli_usage(state, "--resume takes the run's own options; give only --out and --data");
    if (!all->resume && !all->o.model && !all->o.init)
        return cli_usage(state, "--model NAME is missing, say --model wrn_16_2");
    if (all->o.labels && all->o.targets)
        return cli_usage(state, "give either --targets or --labels");
    if (!all->o.targets)
        all->o.targets = all->o.labels ? "file" : "hard";
    return 0;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    options *all = state->input;
    sl_train_options *o = &all->o;
    struct {
        int key;
        const char **value;
    } const texts[] = {
        { KEY_MODEL, &o->model },     { KEY_INIT, &o->init },         { KEY_RECIPE, &o->recipe },
        { KEY_AUGMENT, &o->augment }, { KEY_SCHEDULE, &o->schedule }, { KEY_TARGETS, &o->targets },
        { KEY_LABELS, &o->labels },
    };
    switch (key) {
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

static sl_status show(const options *all, sl_error *err)
{
    json_t *result = NULL, *scores = NULL, *model = NULL;
    const char *name = NULL;
    double loss = 0, accuracy = 0, epoch = 0;
    sl_status st = sl_run_result_read(&result, all->o.out, err);
    if (st)
        return st;
    if (all->common.json) {
        cli_print_json(result);
        return SL_OK;
    }
    st = sl_json_get(result, "scores", &scores, err);
    if (!st)
        st = sl_json_get(result, "model", &model, err);
    if (!st)
        st = sl_json_get_string(model, "name", &name, err);
    if (!st)
        st = sl_json_get_number(scores, "epoch", &epoch, err);
    if (!st)
        st = sl_json_get_number(scores, "test_loss", &loss, err);
    if (!st)
        st = sl_json_get_number(scores, "test_acc", &accuracy, err);
    if (!st)
        printf("%s after %.0f epochs: test cross-entropy %.4f, accuracy %.2f %%\n"
               "%s/model.safetensors\n",
               name, epoch, loss, 100 * accuracy, all->o.out);
    json_decref(result);
    return st;
}

static sl_status train(options *all, sl_error *err)
{
    sl_run_options *keep = NULL;
    sl_data *data = NULL;
    sl_status st = SL_OK;
    if (all->resume) {
        st = sl_train_options_read(&all->o, all->o.out, &keep, err);
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
        st = sl_train(&all->o, data, cli_progress, &all->common.console, err);
    if (!st && sl_processes_leads(all->o.processes))
        st = show(all, err);
    sl_data_close(data);
    sl_run_options_free(keep);
    return st;
}

int cmd_train(const cli_command *self, int argc, char **argv)
{
    static const struct argp argp = {
        .options = option_list,
        .parser = parse,
        .doc = "--recipe paper is the paper's recipe for the model, fast 15 epochs of a one-cycle "
               "schedule; 'softlabel model list' shows both. Every number of a recipe can be given "
               "instead, by the options above; with other --epochs, milestones and warm-up keep "
               "their share. The optimizer is SGD with Nesterov's momentum, 0.9.",
    };
    options all = { .common.bf16 = true, .common.together = true, .o = sl_train_options_default() };
    all.o.targets = NULL; /* not given */
    sl_error err;
    int code = cli_parse(self, &argp, argc, argv, &all);
    if (code)
        return code;
    return cli_end(&all.common, train(&all, &err), &err);
}
