/* softlabel attack: how far a model's answers move when its images are moved against it. */
#include "cli/attack.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    KEY_METHOD = 1,
    KEY_EPSILON,
    KEY_TARGETS,
    KEY_STEPS,
    KEY_STEP_SIZE,
    KEY_RESTARTS,
    KEY_BATCH_SIZE,
    KEY_BOOTSTRAP,
    KEY_PERMUTATIONS,
    KEY_OUT
};

enum { MAX_RESULT_BYTES = 1 << 28 };

static const struct argp_option option_list[] = {
    { "method", KEY_METHOD, "NAME", 0, "fgsm: one signed step; pgd: many (fgsm)", 0 },
    { "epsilon", KEY_EPSILON, "LIST", 0,
      "how far a pixel may move, of [0,1], as fractions or numbers: 2/255,8/255 (8/255)", 0 },
    { "targets", KEY_TARGETS, "NAME", 0,
      "labels whose cross-entropy is driven up: hard, human (hard)", 0 },
    { "steps", KEY_STEPS, "N", 0, "of pgd (10)", 0 },
    { "step-size", KEY_STEP_SIZE, "X", 0, "of pgd, as --epsilon (2.5 epsilon / steps)", 0 },
    { "restarts", KEY_RESTARTS, "N", 0,
      "of pgd: the first from the image, others from random places; the worst counts (1)", 0 },
    { "batch-size", KEY_BATCH_SIZE, "N", 0, "images at once (100)", 0 },
    { "bootstrap", KEY_BOOTSTRAP, "N", 0, "resamples for intervals, 0 for none (1000)", 0 },
    { "permutations", KEY_PERMUTATIONS, "N", 0,
      "of the classes, for the confusion's p-value, 0 for none (9999)", 0 },
    { "out", KEY_OUT, "FILE", 0,
      "also write the JSON here, for 'report table --table 3'; what is there already isn't "
      "attacked "
      "again",
      0 },
    { 0 },
};

const char *cli_attack_method_name(sl_attack_method method)
{
    return method == SL_ATTACK_FGSM ? "fgsm" : "pgd";
}

/* ---- options ---- */

/* "8/255" or "0.03". */
static error_t parse_distance(struct argp_state *state, const char *option, const char *text,
                              double *out)
{
    char above[32];
    const char *slash = strchr(text, '/');
    double divisor = 1;

    if (!slash)
        return cli_number(state, option, text, 0, 1, out);
    snprintf(above, sizeof above, "%.*s", (int)(slash - text), text);
    error_t e = cli_number(state, option, above, 0, 1e6, out);
    if (!e)
        e = cli_number(state, option, slash + 1, 1e-6, 1e6, &divisor);
    *out /= divisor;
    if (!e && !(*out <= 1))
        return cli_usage(state, "%s '%s' is more than 1, all of a pixel's range", option, text);
    return e;
}

static error_t parse_epsilons(cli_attack_options *o, char *text, struct argp_state *state)
{
    char *rest = NULL;

    o->n_epsilons = 1;
    for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        if (o->n_epsilons == ATTACK_MAX_EPSILONS)
            return cli_usage(state, "--epsilon: more than %d", ATTACK_MAX_EPSILONS - 1);
        error_t e = parse_distance(state, "--epsilon", word, &o->epsilons[o->n_epsilons]);
        if (e)
            return e;
        o->epsilon_texts[o->n_epsilons++] = word;
    }
    return 0;
}

static error_t parse_count(cli_attack_options *o, int key, const char *text,
                           struct argp_state *state)
{
    const struct {
        int key;
        const char *option;
        int min, max, *out;
    } counts[] = {
        { KEY_STEPS, "--steps", 1, 100000, &o->attack.steps },
        { KEY_RESTARTS, "--restarts", 1, 100000, &o->attack.restarts },
        { KEY_BATCH_SIZE, "--batch-size", 1, 100000, &o->batch },
        { KEY_BOOTSTRAP, "--bootstrap", 0, 1000000, &o->resamples },
        { KEY_PERMUTATIONS, "--permutations", 0, 10000000, &o->permutations },
    };

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        int64_t n = 0;
        if (counts[i].key != key)
            continue;
        error_t e = cli_integer(state, counts[i].option, text, counts[i].min, counts[i].max, &n);
        *counts[i].out = (int)n;
        return e;
    }
    return ARGP_ERR_UNKNOWN;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    static const char *const methods[] = { "fgsm", "pgd", NULL };
    static const char *const targets[] = { "hard", "human", NULL };
    cli_attack_options *o = state->input;
    int choice = 0;
    error_t e;

    switch (key) {
    case KEY_METHOD:
        e = cli_choice(state, "--method", text, methods, &choice);
        o->attack.method = choice ? SL_ATTACK_PGD : SL_ATTACK_FGSM;
        return e;
    case KEY_EPSILON:
        return parse_epsilons(o, text, state);
    case KEY_TARGETS:
        return cli_choice(state, "--targets", text, targets, &o->targets);
    case KEY_STEP_SIZE:
        return parse_distance(state, "--step-size", text, &o->attack.step_size);
    case KEY_OUT:
        o->out = text;
        return 0;
    case ARGP_KEY_ARGS:
        o->given = state->argv + state->next;
        o->n_given = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_NO_ARGS:
        return cli_usage(state, "the MODEL to attack is missing, say m.safetensors or a run's "
                                "folder");
    default:
        return parse_count(o, key, text, state);
    }
}

/* ---- attacks ---- */

static void release_scene(cli_attack_scene *s)
{
    sl_device_close(s->device);
    sl_targets_destroy(s->human);
    sl_targets_destroy(s->hard);
    sl_dataset_destroy(s->test);
    sl_data_close(s->data);
}

static sl_status open_scene(cli_attack_scene *s, const cli_options *o, sl_error *err)
{
    sl_status st = cli_data_open(&s->data, o, err);

    if (!st)
        st = sl_data_read(s->data, SL_SET_TEST, &s->test, err);
    if (!st)
        st = sl_targets_from_labels(&s->hard, s->test, err);
    if (!st)
        st = sl_data_read_human(s->data, &s->human, err);
    return st ? st : sl_device_open(&s->device, o->device, o->threads, err);
}

static void release_model(cli_attacked_model *m)
{
    sl_model_destroy(m->model);
    free(m->measured);
    free(m->differences);
    for (size_t e = 0; e < ATTACK_MAX_EPSILONS; e++)
        sl_confusion_release(&m->confusions[e]);
}

/* logits (n_epsilons, n, classes) -> what they are worth. */
static sl_status score(cli_attacked_model *m, cli_attack_options *o, const cli_attack_scene *s,
                       const float *logits, sl_error *err)
{
    const size_t n = s->test->n, cells = o->n_epsilons * SL_MEASURE_COUNT;
    const sl_bootstrap_options bootstrap = { o->resamples, o->common.seed, cli_progress,
                                             &o->common.console };
    const sl_confusion_options confusion = { o->resamples, o->permutations, o->common.seed,
                                             cli_progress, &o->common.console };
    sl_assessment assessments[ATTACK_MAX_EPSILONS] = { 0 };
    sl_selection all = { 0 };
    int16_t *labels = NULL;
    sl_status st = sl_selection_all(&all, n, err);

    if (!st)
        st = sl_alloc(&labels, n, sizeof *labels, err);
    for (size_t i = 0; i < n && !st; i++)
        labels[i] = s->test->labels[i];
    for (size_t e = 0; e < o->n_epsilons && !st; e++) {
        sl_predictions p;
        st = sl_predictions_from_logits(&p, m->path, logits + e * n * (size_t)s->test->classes, n,
                                        s->test->classes, err);
        if (!st)
            st = sl_assess(&assessments[e], &p, s->human, labels, &all, 15, err);
        if (!st)
            st = sl_confusion_create(&m->confusions[e], &p, s->human, s->test->labels, &confusion,
                                     err);
        sl_predictions_release(&p);
    }
    if (!st)
        st = sl_alloc(&m->measured, cells, sizeof *m->measured, err);
    if (!st)
        st = sl_alloc(&m->differences, cells, sizeof *m->differences, err);
    if (!st)
        st = sl_bootstrap(assessments, o->n_epsilons, &bootstrap, m->measured, m->differences, err);
    for (size_t e = 0; e < o->n_epsilons; e++)
        sl_assessment_release(&assessments[e]);
    free(labels);
    sl_selection_release(&all);
    return st;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static sl_status attack_model(cli_attacked_model *m, cli_attack_options *o,
                              const cli_attack_scene *s, sl_error *err)
{
    const double started = now();
    sl_attacker *attacker = NULL;
    float *logits = NULL;
    size_t rows;
    sl_status st = sl_model_load(&m->model, m->path, err);

    if (!st && !sl_size_mul(o->n_epsilons, s->test->n, &rows))
        st = sl_error_set(err, SL_ENOMEM, "too many images");
    if (!st)
        st = sl_alloc(&logits, rows, (size_t)s->test->classes * sizeof *logits, err);
    if (!st)
        st = sl_attacker_create(&attacker, m->model, s->device, o->batch, cli_progress,
                                &o->common.console, err);
    if (!st)
        st = sl_attacker_run(attacker, s->test, o->targets ? s->human : s->hard, &o->attack,
                             o->epsilons, o->n_epsilons, logits, err);
    sl_attacker_destroy(attacker);
    m->seconds = now() - started;
    if (!st)
        st = score(m, o, s, logits, err);
    free(logits);
    return st ? sl_error_at(err, st, "%s", m->path) : SL_OK;
}

/* ---- results ---- */

/* Attacks can take hours: --out FILE goes on with what is in it. Empty if there is none. */
static sl_status read_former(json_t **out, const char *path, sl_error *err)
{
    *out = NULL;
    return path && sl_file_exists(path) ? sl_json_read(out, path, MAX_RESULT_BYTES, err) : SL_OK;
}

static bool same_epsilons(const cli_attack_options *o, const json_t *rows)
{
    bool same = json_array_size(rows) == o->n_epsilons;

    for (size_t e = 0; e < o->n_epsilons && same; e++) {
        const char *text =
            json_string_value(json_object_get(json_array_get(rows, e), "epsilon_text"));
        same = text && strcmp(text, o->epsilon_texts[e]) == 0;
    }
    return same;
}

/* The former result of the same file under the same attack, or NULL; borrowed. */
static json_t *find_former(const json_t *former, const cli_attack_options *o,
                           const cli_attack_scene *s, const char *sha256)
{
    json_t *settings = cli_attack_settings_json(o, s), *model, *found = NULL, *value;
    const char *key;
    size_t i;

    json_array_foreach(json_object_get(former, "models"), i, model)
    {
        const char *hash = json_string_value(json_object_get(model, "sha256"));
        bool same =
            hash && strcmp(hash, sha256) == 0 && same_epsilons(o, json_object_get(model, "rows"));

        json_object_foreach(settings, key, value) same =
            same && json_equal(value, json_object_get(model, key));
        if (same)
            found = model;
    }
    json_decref(settings);
    return found;
}

/* Attacks the model in a file, or takes its former result. */
static sl_status attack_file(const char *path, cli_attack_options *o, const cli_attack_scene *s,
                             const json_t *former, json_t *results, sl_error *err)
{
    cli_attacked_model m = { .path = path };
    sl_status st = sl_hash_file(path, SL_HASH_SHA256, m.sha256, err);
    json_t *result = st ? NULL : find_former(former, o, s, m.sha256);

    if (result) {
        sl_log(SL_LOG_INFO, "'%s' is in '%s' already", path, o->out);
        json_incref(result);
    } else if (!st) {
        st = attack_model(&m, o, s, err);
        if (!st && !o->common.json)
            st = cli_attack_show_text(o, s, &m, err);
        if (!st)
            result = cli_attack_model_json(o, s, &m);
    }
    if (!st && json_array_append_new(results, result))
        st = sl_error_set(err, SL_ENOMEM, "not enough memory for results");
    release_model(&m);
    return st;
}

static sl_status attack(cli_attack_options *o, sl_error *err)
{
    cli_attack_models models = { 0 };
    cli_attack_scene scene = { 0 };
    json_t *former = NULL, *results = json_array();
    json_t *json = json_pack("{s:s, s:o}", "format", "softlabel-attack-1", "models", results);
    sl_status st = json ? SL_OK : sl_error_set(err, SL_ENOMEM, "not enough memory for results");

    if (!st)
        st = cli_attack_models_find(&models, o->given, o->n_given, err);
    if (!st)
        st = read_former(&former, o->out, err);
    if (!st)
        st = open_scene(&scene, &o->common, err);
    for (size_t i = 0; i < models.n && !st; i++) {
        st = attack_file(models.paths[i], o, &scene, former, results, err);
        if (!st && o->out)
            st = sl_json_write(o->out, json, err);
    }
    if (!st && o->common.json)
        cli_print_json(json_incref(json));
    json_decref(former);
    json_decref(json);
    release_scene(&scene);
    cli_attack_models_release(&models);
    return st;
}

int cmd_attack(const cli_command *self, int argc, char **argv)
{
    static const struct argp argp = {
        .options = option_list,
        .parser = parse,
        .args_doc = "MODEL|RUN|FOLDER...",
        .doc = "A RUN's folder stands for its best model, a FOLDER of runs for those of them "
               "without mixup that 'report table --table 3' shows."
    };
    cli_attack_options o = { .attack = sl_attack_options_default(),
                             .epsilons = { 0, 8.0 / 255 },
                             .epsilon_texts = { "0", "8/255" },
                             .n_epsilons = 2,
                             .batch = 100,
                             .resamples = 1000,
                             .permutations = 9999 };
    sl_error err;
    int code = cli_parse(self, &argp, argc, argv, &o);

    if (code)
        return code;
    o.attack.seed = o.common.seed;
    return cli_end(&o.common, attack(&o, &err), &err);
}
