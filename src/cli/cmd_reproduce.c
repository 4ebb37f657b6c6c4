/* softlabel reproduce: the paper from beginning to end. */
#include "cli/reproduce.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    KEY_SCALE = 1,
    KEY_OUT,
    KEY_MODELS,
    KEY_PRETRAINED,
    KEY_LR,
    KEY_SPLIT_SEED,
    KEY_TUNING_EPOCHS,
    KEY_JOBS,
    KEY_ESTIMATE,
};

static const struct argp_option option_list[] = {
    { "scale", KEY_SCALE, "NAME", 0,
      "smoke: two minutes, on synthetic images; cpu: a night on two cores, small networks; paper: "
      "the eight networks and full protocol, for clusters",
      0 },
    { "out", KEY_OUT, "DIR", 0, "where everything goes; the same command goes on", 0 },
    { "models", KEY_MODELS, "LIST", 0, "networks, see 'softlabel model list' (by --scale)", 0 },
    { "pretrained", KEY_PRETRAINED, "DIR", 0,
      "take DIR/NAME.safetensors in place of pretraining networks", 0 },
    { "lr", KEY_LR, "LIST", 0, "learning rates of fine-tuning, with mixup, too (by --scale)", 0 },
    { "split-seed", KEY_SPLIT_SEED, "LIST", 0, "of fine-tuning (0,1,2; smoke 0,1)", 0 },
    { "tuning-epochs", KEY_TUNING_EPOCHS, "N", 0, "of fine-tuning (by --scale)", 0 },
    { "jobs", KEY_JOBS, "N", 0, "fine-tuning runs at once, which share --threads (1)", 0 },
    { "estimate", KEY_ESTIMATE, NULL, 0, "only say how long it will take", 0 },
    { 0 },
};

typedef struct {
    cli_options common; /* first */
    reproduction r;
    const char *models, *rates, *splits;
    int tuning_epochs;
    bool estimate;
} options;

static error_t check(const options *o, struct argp_state *state)
{
    if (!o->r.scale.name)
        return cli_usage(state, "--scale NAME is missing: smoke, cpu or paper");
    if (!o->r.out)
        return cli_usage(state, "--out DIR is missing: where everything goes");
    if (o->r.scale.synthetic && o->common.data)
        return cli_usage(state, "--data isn't for --scale %s, which draws its own",
                         o->r.scale.name);
    return 0;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    options *o = state->input;
    int64_t n = 0;
    int choice = 0;
    error_t e = 0;
    switch (key) {
    case KEY_SCALE:
        e = cli_choice(state, "--scale", text, reproduce_scale_names, &choice);
        o->r.scale = *reproduce_find_scale(choice);
        return e;
    case KEY_OUT:
        o->r.out = text;
        return 0;
    case KEY_MODELS:
        o->models = text;
        return 0;
    case KEY_PRETRAINED:
        o->r.pretrained = text;
        return 0;
    case KEY_LR:
        o->rates = text;
        return 0;
    case KEY_SPLIT_SEED:
        o->splits = text;
        return 0;
    case KEY_TUNING_EPOCHS:
        e = cli_integer(state, "--tuning-epochs", text, 1, 1000000, &n);
        o->tuning_epochs = (int)n;
        return e;
    case KEY_JOBS:
        e = cli_integer(state, "--jobs", text, 1, 1024, &n);
        o->r.jobs = (int)n;
        return e;
    case KEY_ESTIMATE:
        o->estimate = true;
        return 0;
    case ARGP_KEY_END:
        return check(o, state);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void apply(options *o)
{
    reproduce_scale *s = &o->r.scale;
    if (o->models)
        s->models = o->models;
    if (o->rates)
        s->rates = s->mixup_rates = o->rates;
    if (o->splits)
        s->splits = o->splits;
    if (o->tuning_epochs)
        s->tuning_epochs = o->tuning_epochs;
    o->r.common = &o->common;
}

/* Is there what cannot be made here? */
static sl_status look_at_data(reproduction *r, sl_error *err)
{
    sl_data *data;
    if (r->scale.synthetic) {
        r->counts = true;
        return SL_OK;
    }
    sl_status st = cli_data_open(&data, r->common, err);
    if (st)
        return st;
    r->counts = sl_data_counts_path(data);
    if (!sl_data_has_human(data))
        st = sl_error_set(err, SL_ENOTFOUND,
                          "the human labels aren't in '%s': get them with 'softlabel data fetch'",
                          sl_data_folder(data));
    sl_data_close(data);
    return st;
}

static void print_json(const reproduction *r, bool measured)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < r->n; i++) {
        const reproduce_step *s = &r->steps[i];
        json_t *step = json_pack("{s:s, s:s, s:b}", "name", s->name, "command", s->line, "done",
                                 reproduce_is_done(r, s));
        if (measured)
            json_object_set_new(step, "seconds", json_real(s->seconds));
        json_array_append_new(steps, step);
    }
    cli_print_json(
        json_pack("{s:s, s:s, s:o}", "scale", r->scale.name, "folder", r->out, "steps", steps));
}

static bool is_left(const reproduction *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (!reproduce_is_done(r, &r->steps[i]))
            return true;
    return false;
}

static sl_status reproduce(options *o, sl_error *err)
{
    reproduction *r = &o->r;
    apply(o);
    sl_status st = look_at_data(r, err);
    if (!st)
        st = reproduce_plan(r, err);
    const bool measured = o->estimate || (!o->common.quiet && is_left(r));
    if (!st && measured)
        st = reproduce_measure(r, err);
    if (!st && measured && !(o->estimate && o->common.json))
        reproduce_print_cost(r, o->estimate ? stdout : stderr);
    if (!st && !o->estimate)
        st = reproduce_run(r, err);
    if (!st && o->common.json)
        print_json(r, o->estimate);
    else if (!st && !o->estimate)
        printf("%s/report/report.html; tables and figures beside it\n", r->out);
    return st;
}

int cmd_reproduce(const cli_command *self, int argc, char **argv)
{
    static const struct argp argp = { .options = option_list, .parser = parse };
    options o = { .common.bf16 = true, .r = { .jobs = 1 } };
    sl_error err;
    int code = cli_parse(self, &argp, argc, argv, &o);
    if (!code)
        code = cli_end(&o.common, reproduce(&o, &err), &err);
    sl_arena_release(&o.r.memory);
    return code;
}
