/* softlabel data fetch | info | synth. */
#include "cli/cli.h"
#include <inttypes.h>
#include <softlabel/fetch.h>
#include <softlabel/synth.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_FOLDER "data" /* where every other command looks by itself */

/* ---- fetch ---- */

typedef struct {
    cli_options common;
    sl_fetch_options fetch;
} fetch_args;

enum { KEY_BASE_URL = 0x100, KEY_RETRIES, KEY_OUT, KEY_TRAIN, KEY_TEST, KEY_JUDGMENTS };

static error_t parse_fetch(int key, char *text, struct argp_state *state)
{
    fetch_args *a = state->input;
    int64_t n = 0;
    error_t e;
    switch (key) {
    case KEY_BASE_URL:
        a->fetch.base_url = text;
        return 0;
    case KEY_RETRIES:
        e = cli_integer(state, "--retries", text, 0, 100, &n);
        a->fetch.retries = (int)n;
        return e;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run_fetch(const cli_command *self, int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "base-url", KEY_BASE_URL, "URL", 0, "a mirror that has every file as URL/NAME", 0 },
        { "retries", KEY_RETRIES, "N", 0, "how often to go on with a broken download (6)", 0 },
        { 0 },
    };
    const struct argp argp = {
        .options = options,
        .parser = parse_fetch,
        .doc = "CIFAR-10, CIFAR-10H and CIFAR-10.1 from their publishers into --data DIR (./data): "
               "182 MB, checked; what is there already isn't fetched again.",
    };
    fetch_args a = { .fetch = sl_fetch_options_default() };
    sl_error err;
    const int code = cli_parse(self, &argp, argc, argv, &a);
    if (code)
        return code;
    const char *dir = a.common.data ? a.common.data : DEFAULT_FOLDER;
    sl_status st = sl_data_fetch(dir, &a.fetch, cli_progress, &a.common.console, &err);
    cli_console_stop(&a.common.console);
    if (!st && a.common.json)
        cli_print_json(json_pack("{s:s}", "folder", dir));
    else if (!st)
        printf("%s\n", dir);
    return cli_end(&a.common, st, &err);
}

/* ---- info ---- */

static const char *state_name(sl_file_state state)
{
    static const char *const names[] = { "ok", "unknown", "DAMAGED" };
    return names[state];
}

/* What there is to say of one set, or of the human labels. */
typedef struct {
    const char *name;
    size_t n;
    char sha256[65];
    char problem[700]; /* "": none */
    bool there;
} summary;

#define SUMMARIES (SL_SET_COUNT + 1)

static void summarize_failure(summary *s, const sl_error *err)
{
    sl_error_text(err, s->problem, sizeof s->problem);
}

/* Reads everything, which checks labels and distributions too; failures become problems. */
static void summarize(sl_data *data, summary out[SUMMARIES])
{
    sl_error err;
    for (int id = 0; id < SL_SET_COUNT; id++) {
        sl_dataset *set = NULL;
        out[id] = (summary){ .name = sl_set_name((sl_set_id)id),
                             .there = sl_data_has(data, (sl_set_id)id) };
        if (!out[id].there)
            continue;
        if (sl_data_read(data, (sl_set_id)id, &set, &err)) {
            summarize_failure(&out[id], &err);
            continue;
        }
        out[id].n = set->n;
        snprintf(out[id].sha256, sizeof out[id].sha256, "%s", set->sha256);
        sl_dataset_destroy(set);
    }
    sl_targets *human = NULL;
    summary *last = &out[SL_SET_COUNT];
    *last = (summary){ .name = "human", .there = sl_data_has_human(data) };
    if (!last->there)
        return;
    if (sl_data_read_human(data, &human, &err)) {
        summarize_failure(last, &err);
        return;
    }
    last->n = human->n;
    snprintf(last->sha256, sizeof last->sha256, "%s", human->sha256);
    sl_targets_destroy(human);
}

static void print_info(const sl_data *data, const sl_file_report *files, size_t n_files,
                       const summary sets[SUMMARIES])
{
    printf("%s in '%s'\n", sl_data_kind(data), sl_data_folder(data));
    if (*sl_data_note(data))
        printf("note: %s\n", sl_data_note(data));
    printf("\n%-7s %10s  %-64s  %s\n", "state", "bytes", "sha256", "file");
    for (size_t i = 0; i < n_files; i++)
        printf("%-7s %10" PRIu64 "  %s  %s\n", state_name(files[i].state), files[i].size,
               files[i].sha256, files[i].path);
    printf("\n%-7s %10s  %s\n", "set", "images", "sha256 of its pixels and labels");
    for (int i = 0; i < SUMMARIES; i++) {
        if (!sets[i].there)
            printf("%-7s %10s\n", sets[i].name, "none");
        else if (*sets[i].problem)
            printf("%-7s %10s  %s\n", sets[i].name, "DAMAGED", sets[i].problem);
        else
            printf("%-7s %10zu  %s\n", sets[i].name, sets[i].n, sets[i].sha256);
    }
}

static json_t *info_json(const sl_data *data, const sl_file_report *files, size_t n_files,
                         const summary sets[SUMMARIES], bool whole)
{
    json_t *json_files = json_array(), *json_sets = json_array();
    for (size_t i = 0; i < n_files; i++)
        json_array_append_new(
            json_files,
            json_pack("{s:s, s:I, s:s, s:s}", "path", files[i].path, "bytes",
                      (json_int_t)files[i].size, "sha256", files[i].sha256, "state",
                      files[i].state == SL_FILE_DAMAGED ? "damaged" : state_name(files[i].state)));
    for (int i = 0; i < SUMMARIES; i++)
        if (sets[i].there && !*sets[i].problem)
            json_array_append_new(json_sets,
                                  json_pack("{s:s, s:I, s:s}", "set", sets[i].name, "images",
                                            (json_int_t)sets[i].n, "sha256", sets[i].sha256));
        else if (sets[i].there)
            json_array_append_new(json_sets, json_pack("{s:s, s:s}", "set", sets[i].name, "problem",
                                                       sets[i].problem));
    return json_pack("{s:s, s:s, s:s, s:b, s:o, s:o}", "folder", sl_data_folder(data), "kind",
                     sl_data_kind(data), "note", sl_data_note(data), "whole", whole, "files",
                     json_files, "sets", json_sets);
}

static bool is_whole(const sl_file_report *files, size_t n_files, const summary sets[SUMMARIES])
{
    for (size_t i = 0; i < n_files; i++)
        if (files[i].state == SL_FILE_DAMAGED)
            return false;
    for (int i = 0; i < SUMMARIES; i++)
        if (*sets[i].problem)
            return false;
    return true;
}

static int run_info(const cli_command *self, int argc, char **argv)
{
    static const struct argp argp = {
        .doc = "Every file is hashed and every set read. A file is 'ok' when its publisher's hash, "
               "or the one in the SHA256SUMS beside it, is met, 'unknown' when there is none. "
               "Exits with 1 when something is damaged."
    };
    cli_options o = { 0 };
    sl_error err;
    sl_data *data = NULL;
    sl_file_report *files = NULL;
    size_t n_files = 0;
    summary sets[SUMMARIES];
    bool whole = true;
    const int code = cli_parse(self, &argp, argc, argv, &o);
    if (code)
        return code;
    sl_status st = cli_data_open(&data, &o, &err);
    if (!st)
        st = sl_data_check(data, &files, &n_files, &err);
    if (!st) {
        summarize(data, sets);
        whole = is_whole(files, n_files, sets);
        cli_console_stop(&o.console);
        if (o.json)
            cli_print_json(info_json(data, files, n_files, sets, whole));
        else
            print_info(data, files, n_files, sets);
    }
    free(files);
    sl_data_close(data);
    const int end = cli_end(&o, st, &err);
    return end == CLI_DONE && !whole ? CLI_FAILED : end;
}

/* ---- synth ---- */

typedef struct {
    cli_options common;
    const char *out;
    sl_synth_options synth;
} synth_args;

static error_t parse_synth(int key, char *text, struct argp_state *state)
{
    synth_args *a = state->input;
    int64_t n = 0;
    error_t e;
    switch (key) {
    case KEY_OUT:
        a->out = text;
        return 0;
    case KEY_TRAIN:
        e = cli_integer(state, "--train", text, 5, UINT32_MAX, &n);
        a->synth.n_train = (size_t)n;
        return e;
    case KEY_TEST:
        e = cli_integer(state, "--test", text, 1, UINT32_MAX, &n);
        a->synth.n_test = (size_t)n;
        return e;
    case KEY_JUDGMENTS:
        e = cli_integer(state, "--judgments", text, 1, 1000, &n);
        a->synth.judgments = (int)n;
        return e;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run_synth(const cli_command *self, int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "out", KEY_OUT, "DIR", 0, "the folder to make (--data, or ./data)", 0 },
        { "train", KEY_TRAIN, "N", 0, "training images (10000)", 0 },
        { "test", KEY_TEST, "N", 0, "test images, which are judged (2000)", 0 },
        { "judgments", KEY_JUDGMENTS, "N", 0, "judgments of a test image, on average (51)", 0 },
        { 0 },
    };
    const struct argp argp = {
        .options = options,
        .parser = parse_synth,
        .doc = "Ten kinds of drawings that grade into each other, with the true distribution over "
               "classes of every test image and simulated judgments, in the layout of CIFAR-10 and "
               "CIFAR-10H. --seed decides everything.",
    };
    synth_args a = { .synth = sl_synth_options_default() };
    sl_error err;
    const int code = cli_parse(self, &argp, argc, argv, &a);
    if (code)
        return code;
    const char *dir = a.out ? a.out : a.common.data ? a.common.data : DEFAULT_FOLDER;
    a.synth.seed = a.common.seed;
    sl_status st = sl_synth_write(dir, &a.synth, cli_progress, &a.common.console, &err);
    cli_console_stop(&a.common.console);
    if (!st && a.common.json)
        cli_print_json(json_pack("{s:s}", "folder", dir));
    else if (!st)
        printf("%s\n", dir);
    return cli_end(&a.common, st, &err);
}

/* ---- the three ---- */

int cmd_data(const cli_command *self, int argc, char **argv)
{
    static const cli_command commands[] = {
        { "fetch", "download CIFAR-10, CIFAR-10H and CIFAR-10.1",
          "softlabel data fetch --data data", run_fetch },
        { "info", "say what is there, and whether it is whole", "softlabel data info --json",
          run_info },
        { "synth", "make an image set whose true class distributions are known",
          "softlabel data synth --out build/synth --seed 1", run_synth },
        { 0 },
    };
    return cli_dispatch(commands, self->summary, argc, argv);
}
