/* softlabel labels: aggregate and simulate here, report and estimate in files of their own. */
#include "base/file.h"
#include "base/npy.h"
#include "cli/class_names.h"
#include "cli/labels.h"
#include "eval/predictions.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <softlabel/labels.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_OUT = 0x100,
    KEY_RULES,
    KEY_IMAGES,
    KEY_CLASSES,
    KEY_ADD,
    KEY_REPLAY,
    KEY_FROM,
    KEY_HARD_LABELS,
    KEY_PLANTED,
    KEY_PEOPLE,
    KEY_TRIALS,
    KEY_CHECKS,
    KEY_SKILL_SD,
    KEY_LAPSE,
    KEY_SPAMMERS,
    KEY_DROP_OUTS,
    KEY_REPEATERS,
};

/* ---- aggregate ---- */

typedef struct {
    cli_options common; /* first */
    const char *out, *rules, *add, *replay;
    char **raw; /* (n_raw), of argv */
    size_t n_raw;
    int64_t n_images, n_classes;
} aggregate_args;

static error_t parse_aggregate(int key, char *text, struct argp_state *state)
{
    aggregate_args *a = state->input;
    switch (key) {
    case KEY_OUT:
        a->out = text;
        return 0;
    case KEY_RULES:
        a->rules = text;
        return 0;
    case KEY_ADD:
        a->add = text;
        return 0;
    case KEY_REPLAY:
        a->replay = text;
        return 0;
    case KEY_IMAGES:
        return cli_integer(state, "--images", text, 1, UINT32_MAX, &a->n_images);
    case KEY_CLASSES:
        return cli_integer(state, "--classes", text, 2, 255, &a->n_classes);
    case ARGP_KEY_ARGS:
        a->raw = state->argv + state->next;
        a->n_raw = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_END:
        if (a->replay && (a->out || a->add || a->rules))
            return cli_usage(state, "--replay goes with raw files only");
        if (!a->replay && a->n_raw == 0)
            return cli_usage(state, "no raw trials named; '-' reads standard input");
        if (!a->replay && !a->out)
            return cli_usage(state, "--out DIR is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Judgments per image: the fewest, the most. */
static void find_range(const sl_labels *labels, int64_t *min, int64_t *max)
{
    const size_t k = (size_t)labels->n_classes;
    *min = INT64_MAX;
    *max = 0;
    for (size_t i = 0; i < labels->n_images; i++) {
        int64_t sum = 0;
        for (size_t c = 0; c < k; c++)
            sum += labels->counts[i * k + c];
        *min = sum < *min ? sum : *min;
        *max = sum > *max ? sum : *max;
    }
}

static void show_aggregate(const sl_labels *labels, const char *out, bool as_json)
{
    int64_t n[SL_EXCLUSION_COUNT] = { 0 }, min, max;
    const double mean = (double)labels->n_judgments / (double)labels->n_images;
    for (size_t i = 0; i < labels->n_people; i++)
        n[labels->people[i].why]++;
    find_range(labels, &min, &max);
    if (!as_json)
        printf("%zu people, %" PRId64 " kept; %" PRIu64 " judgments of %zu images, %.2f an image "
               "(%" PRId64 " to %" PRId64 ")\n",
               labels->n_people, n[SL_KEPT], labels->n_judgments, labels->n_images, mean, min, max);
    json_t *excluded = json_object();
    for (int why = SL_KEPT + 1; why < SL_EXCLUSION_COUNT; why++) {
        json_object_set_new(excluded, sl_exclusion_name((sl_exclusion)why), json_integer(n[why]));
        if (!as_json && n[why] > 0)
            printf("excluded: %" PRId64 " %s\n", n[why], sl_exclusion_name((sl_exclusion)why));
    }
    if (as_json)
        cli_print_json(json_pack(
            "{s:s, s:I, s:I, s:O, s:I, s:I, s:f, s:I, s:I}", "folder", out, "people",
            (json_int_t)labels->n_people, "kept", (json_int_t)n[SL_KEPT], "excluded", excluded,
            "judgments", (json_int_t)labels->n_judgments, "images", (json_int_t)labels->n_images,
            "judgments_per_image", mean, "fewest", (json_int_t)min, "most", (json_int_t)max));
    else
        printf("%s\n", out);
    json_decref(excluded);
}

static sl_status aggregate(const aggregate_args *a, sl_error *err)
{
    sl_labels *labels = NULL;
    sl_labels_rules rules = sl_labels_rules_default();
    sl_status st = a->rules ? sl_labels_rules_read(&rules, a->rules, err) : SL_OK;
    if (st)
        return st;
    const sl_labels_source source = { .raw = (const char *const *)a->raw,
                                      .n_raw = a->n_raw,
                                      .stream = stdin,
                                      .n_images = (size_t)a->n_images,
                                      .n_classes = (int)a->n_classes,
                                      .rules = &rules };
    st = sl_labels_count(&labels, &source, a->add, err);
    if (!st)
        st = sl_labels_write(labels, a->out, err);
    if (!st)
        show_aggregate(labels, a->out, a->common.json);
    sl_labels_destroy(labels);
    sl_labels_rules_release(&rules);
    return st;
}

static sl_status replay(const aggregate_args *a, sl_error *err)
{
    sl_status st = sl_labels_replay(a->replay, (const char *const *)a->raw, a->n_raw, err);
    if (!st && a->common.json)
        cli_print_json(json_pack("{s:s, s:b}", "folder", a->replay, "same", true));
    else if (!st)
        printf("%s: counted again, every byte the same\n", a->replay);
    return st;
}

static int run_aggregate(const cli_command *self, int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "out", KEY_OUT, "DIR", 0, "the folder for the labels, made if need be", 0 },
        { "rules", KEY_RULES, "FILE", 0, "whose judgments count (docs/labels.md), as JSON", 0 },
        { "images", KEY_IMAGES, "N", 0, "images there are (10000)", 0 },
        { "classes", KEY_CLASSES, "K", 0, "classes there are (10)", 0 },
        { "add", KEY_ADD, "DIR", 0, "count onto the labels in DIR (may be --out's)", 0 },
        { "replay", KEY_REPLAY, "DIR", 0, "count again and compare with the labels in DIR", 0 },
        { 0 },
    };
    const struct argp argp = {
        .options = options,
        .parser = parse_aggregate,
        .args_doc = "RAW.csv...",
        .doc = "Raw trials (CSV, also .gz or in a .zip; '-' is standard input) become counts.npy "
               "and probs.npy as CIFAR10H has them, people.csv, and labels.json, the record of "
               "rules, raw files and results.",
    };
    aggregate_args a = { .n_images = 10000, .n_classes = 10 };
    sl_error err;
    int code = cli_parse(self, &argp, argc, argv, &a);
    if (code == CLI_DONE)
        code = cli_end(&a.common, a.replay ? replay(&a, &err) : aggregate(&a, &err), &err);
    return code;
}

/* ---- simulate ---- */

typedef struct {
    cli_options common; /* first */
    const char *from, *hard_labels, *out, *planted;
    sl_simulation simulation;
} simulate_args;

static error_t parse_size(struct argp_state *state, const char *option, const char *text,
                          size_t *out)
{
    int64_t n = 0;
    const error_t e = cli_integer(state, option, text, 0, 10000000, &n);
    *out = (size_t)n;
    return e;
}

static error_t parse_simulate(int key, char *text, struct argp_state *state)
{
    simulate_args *a = state->input;
    sl_simulation *s = &a->simulation;
    switch (key) {
    case KEY_FROM:
        a->from = text;
        return 0;
    case KEY_HARD_LABELS:
        a->hard_labels = text;
        return 0;
    case KEY_OUT:
        a->out = text;
        return 0;
    case KEY_PLANTED:
        a->planted = text;
        return 0;
    case KEY_PEOPLE:
        return parse_size(state, "--people", text, &s->people);
    case KEY_TRIALS:
        return parse_size(state, "--trials", text, &s->trials);
    case KEY_CHECKS:
        return parse_size(state, "--checks", text, &s->checks);
    case KEY_SPAMMERS:
        return parse_size(state, "--spammers", text, &s->spammers);
    case KEY_DROP_OUTS:
        return parse_size(state, "--drop-outs", text, &s->drop_outs);
    case KEY_REPEATERS:
        return parse_size(state, "--repeaters", text, &s->repeaters);
    case KEY_SKILL_SD:
        return cli_number(state, "--skill-sd", text, 0, 10, &s->skill_sd);
    case KEY_LAPSE:
        return cli_number(state, "--lapse", text, 0, 1, &s->lapse);
    case ARGP_KEY_END:
        return a->from && a->out ? 0 : cli_usage(state, "--from FILE and --out FILE are needed");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static sl_status write_simulated(const simulate_args *a, const sl_targets *p, const int16_t *truth,
                                 sl_error *err)
{
    cli_class_names room;
    sl_file_writer *out = NULL, *planted = NULL;
    sl_status st = sl_file_writer_open(&out, a->out, err);
    if (!st && a->planted)
        st = sl_file_writer_open(&planted, a->planted, err);
    if (!st)
        st = sl_simulate(sl_file_writer_stream(out),
                         planted ? sl_file_writer_stream(planted) : NULL, p->p64, truth, p->n,
                         p->classes, cli_name_classes(&room, p->classes), &a->simulation, err);
    if (!st) {
        st = sl_file_writer_commit(out, err);
        out = NULL;
    }
    if (!st && planted) {
        st = sl_file_writer_commit(planted, err);
        planted = NULL;
    }
    sl_file_writer_abort(out);
    sl_file_writer_abort(planted);
    return st;
}

static sl_status simulate(simulate_args *a, sl_error *err)
{
    sl_npy array;
    sl_targets *p = NULL;
    int16_t *truth = NULL;
    sl_status st = sl_npy_read(&array, a->from, err);
    if (st)
        return st;
    if (array.n_dims != 2 || array.shape[1] < 2 || array.shape[1] > 255)
        st = sl_error_set(err, SL_EFORMAT, "'%s' isn't of shape (images, classes)", a->from);
    else
        st = sl_targets_read(&p, "from", a->from, array.shape[0], (int)array.shape[1], err);
    sl_npy_release(&array);
    a->simulation.seed = a->common.seed;
    if (!st && a->hard_labels)
        st = sl_hard_labels_read(&truth, a->hard_labels, p->n, p->classes, err);
    if (!st)
        st = write_simulated(a, p, truth, err);
    free(truth);
    sl_targets_destroy(p);
    if (!st && a->common.json)
        cli_print_json(json_pack("{s:s}", "file", a->out));
    else if (!st)
        printf("%s\n", a->out);
    return st;
}

static int run_simulate(const cli_command *self, int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "from", KEY_FROM, "FILE", 0, "npy of the distributions that people draw from", 0 },
        { "hard-labels", KEY_HARD_LABELS, "FILE", 0,
          "npy of the true labels (the likeliest classes)", 0 },
        { "out", KEY_OUT, "FILE", 0, "the raw table", 0 },
        { "planted", KEY_PLANTED, "FILE", 0, "CSV of who is a spammer and the like", 0 },
        { "people", KEY_PEOPLE, "N", 0, "participants (2571)", 0 },
        { "trials", KEY_TRIALS, "N", 0, "images each judges (200)", 0 },
        { "checks", KEY_CHECKS, "N", 0, "attention checks among them (10)", 0 },
        { "skill-sd", KEY_SKILL_SD, "X", 0, "sd of log skill s; people choose by p^s (0)", 0 },
        { "lapse", KEY_LAPSE, "X", 0, "share of answers by chance (0)", 0 },
        { "spammers", KEY_SPAMMERS, "N", 0, "who answer by chance and fast (14)", 0 },
        { "drop-outs", KEY_DROP_OUTS, "N", 0, "who leave half way (0)", 0 },
        { "repeaters", KEY_REPEATERS, "N", 0, "who take part twice (0)", 0 },
        { 0 },
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse_simulate,
        .doc = "Simulated people judge images whose distributions are known. --seed decides "
               "everything.",
    };
    simulate_args a = { .simulation = sl_simulation_default() };
    sl_error err;
    const int code = cli_parse(self, &argp, argc, argv, &a);
    return code ? code : cli_end(&a.common, simulate(&a, &err), &err);
}

int cmd_labels(const cli_command *self, int argc, char **argv)
{
    static const cli_command commands[] = {
        { "aggregate", "count raw trials into distributions, reproducibly",
          "softlabel labels aggregate raw.csv --rules rules.json --out labels", run_aggregate },
        { "report", "what the labels are worth: people, agreement, ceiling, precision",
          "softlabel labels report labels", cli_labels_report },
        { "estimate", "distributions by another rule than plain proportions",
          "softlabel labels estimate labels --method dawid-skene --out ds.npy",
          cli_labels_estimate },
        { "infer", "labels for images that nobody judged",
          "softlabel labels infer --method confusion --out train-labels.npy", cli_labels_infer },
        { "simulate", "make raw trials of simulated people",
          "softlabel labels simulate --from cifar10h-probs.npy --out raw.csv", run_simulate },
        { 0 },
    };
    return cli_dispatch(commands, self->summary, argc, argv);
}
