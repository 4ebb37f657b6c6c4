/* softlabel verify: does this build compute what the reference computes? */
#include "cli/cli.h"
#include "eval/verify.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a long group (the gradients of a network) only the worst are shown. */
#define LONG_GROUP 40
#define WORST 4

typedef struct {
    cli_options common;
    bool verbose;
    char **files;
    int n_files;
} options;

static const struct argp_option argp_options[] = {
    { "verbose", 'v', NULL, 0, "every gradient and statistic, not only the worst", 0 },
    { 0 },
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    (void)text;
    options *o = state->input;
    switch (key) {
    case 'v':
        o->verbose = true;
        return 0;
    case ARGP_KEY_ARGS:
        o->files = state->argv + state->next;
        o->n_files = state->argc - state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        return cli_usage(state, "no file given");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = argp_options,
    .parser = parse,
    .args_doc = "FILE...",
    .doc = "FILE is of the format softlabel-conformance-1 (one network) or softlabel-protocol-1 "
           "(splits, optimizers, schedules, attacks, scores). Exit status 0: every figure lies "
           "within its bound; figures of data that isn't at hand are skipped, and counted. With "
           "--precision bf16 networks are held to the wider bounds of docs/models.md; a protocol "
           "is computed in f32 always.",
};

/* ---- text ---- */

static const char *outcome_text(const sl_verify_figure *f)
{
    static const char *const texts[] = { "ok", "FAILED", "skipped" };
    return texts[f->outcome];
}

static void print_figure(const sl_verify_figure *f)
{
    char label[200];
    snprintf(label, sizeof label, "%s%s%s", f->group, *f->name ? " " : "", f->name);
    printf("  %-58s ", label);
    if (*f->measure)
        printf("%-8s %8.1e  bound %.1e  ", f->measure, f->deviation, f->bound);
    printf("%s%s%s\n", outcome_text(f), *f->why ? ": " : "", f->why);
}

/* How near to its bound; NaN is worst of all. */
static double badness(const sl_verify_figure *f)
{
    if (isnan(f->deviation))
        return INFINITY;
    return f->bound > 0 ? f->deviation / f->bound : f->deviation;
}

static int by_badness(const void *a, const void *b)
{
    const sl_verify_figure *const *x = a, *const *y = b;
    double p = badness(*x), q = badness(*y);
    if (p != q)
        return p > q ? -1 : 1;
    return (*x > *y) - (*x < *y);
}

/* The worst of a group, and all that fail. */
static sl_status print_worst(const sl_verify_figure *figures, size_t n, sl_error *err)
{
    const sl_verify_figure **sorted = NULL;
    sl_status st = sl_alloc(&sorted, n, sizeof *sorted, err);
    if (st)
        return st;
    for (size_t i = 0; i < n; i++)
        sorted[i] = &figures[i];
    qsort(sorted, n, sizeof *sorted, by_badness);
    size_t shown = 0;
    while (shown < n && (shown < WORST || sorted[shown]->outcome == SL_VERIFY_BAD))
        print_figure(sorted[shown++]);
    printf("  %s: %zu more, all ok (--verbose shows them)\n", figures[0].group, n - shown);
    free(sorted);
    return SL_OK;
}

static sl_status print_report(const sl_verify_report *report, const char *file, bool verbose,
                              sl_error *err)
{
    printf("%s  (%s)\n", report->name, file);
    for (size_t i = 0, next; i < report->n; i = next) {
        const sl_verify_figure *first = &report->figures[i];
        next = i + 1;
        while (next < report->n && strcmp(report->figures[next].group, first->group) == 0)
            next++;
        if (next - i > LONG_GROUP && !verbose) {
            sl_status st = print_worst(first, next - i, err);
            if (st)
                return st;
            continue;
        }
        for (size_t k = i; k < next; k++)
            print_figure(&report->figures[k]);
    }
    printf("%s: %zu passed, %zu failed, %zu skipped\n", report->name,
           report->n - report->n_bad - report->n_skipped, report->n_bad, report->n_skipped);
    return SL_OK;
}

/* ---- JSON ---- */

/* JSON has no NaN and no infinity. */
static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *figure_json(const sl_verify_figure *f)
{
    json_t *json = json_pack("{s:s, s:s, s:s}", "group", f->group, "name", f->name, "outcome",
                             f->outcome == SL_VERIFY_BAD ? "failed" : outcome_text(f));
    if (*f->measure) {
        json_object_set_new(json, "measure", json_string(f->measure));
        json_object_set_new(json, "deviation", number(f->deviation));
        json_object_set_new(json, "bound", number(f->bound));
    }
    if (*f->why)
        json_object_set_new(json, "why", json_string(f->why));
    return json;
}

static json_t *report_json(const sl_verify_report *report, const char *file)
{
    json_t *figures = json_array();
    for (size_t i = 0; i < report->n; i++)
        json_array_append_new(figures, figure_json(&report->figures[i]));
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:o}", "file", file, "format", report->format,
                     "name", report->name, "passed",
                     (json_int_t)(report->n - report->n_bad - report->n_skipped), "failed",
                     (json_int_t)report->n_bad, "skipped", (json_int_t)report->n_skipped, "figures",
                     figures);
}

/* A file that couldn't be checked. */
static json_t *error_json(const char *file, const sl_error *err)
{
    char line[sizeof err->message + sizeof err->place + 4];
    return json_pack("{s:s, s:s}", "file", file, "error", sl_error_text(err, line, sizeof line));
}

/* ---- the command ---- */

/* Checks a file; *good = whether all of it passed. results is NULL for text. */
static sl_status verify_file(const options *o, const char *file, const sl_verify_options *settings,
                             json_t *results, bool *good, sl_error *err)
{
    sl_verify_report report;
    sl_status st = sl_verify_file(&report, file, settings, err);
    if (!st && results)
        json_array_append_new(results, report_json(&report, file));
    else if (!st)
        st = print_report(&report, file, o->verbose, err);
    *good = !st && report.n_bad == 0;
    sl_verify_report_release(&report);
    return st;
}

int cmd_verify(const cli_command *self, int argc, char **argv)
{
    options o = { .common.bf16 = true };
    sl_error err;
    sl_verify_options settings = { 0 };
    int code = cli_parse(self, &argp, argc, argv, &o);
    if (code)
        return code;
    settings.threads = o.common.threads;
    settings.data_dir = o.common.data;
    sl_status st = sl_dtype_parse(&settings.dtype, o.common.precision, &err);
    if (!st)
        st = sl_device_open(&settings.device, o.common.device, o.common.threads, &err);
    if (st)
        return cli_end(&o.common, st, &err);

    json_t *results = o.common.json ? json_array() : NULL;
    for (int i = 0; i < o.n_files && !cli_interrupted(); i++) {
        bool good = false;
        st = verify_file(&o, o.files[i], &settings, results, &good, &err);
        if (st) {
            cli_print_error(&err);
            json_array_append_new(results, error_json(o.files[i], &err));
        }
        if (!good)
            code = CLI_FAILED;
    }
    if (results)
        cli_print_json(json_pack("{s:s, s:s, s:o}", "device", o.common.device, "precision",
                                 o.common.precision, "files", results));
    sl_device_close(settings.device);
    int end = cli_end(&o.common, SL_OK, NULL);
    return end ? end : code;
}
