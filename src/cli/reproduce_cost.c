#include "base/json.h"
#include "cli/child.h"
#include "cli/reproduce.h"

#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_RESULT_BYTES = 1 << 20 };

/* Images a second of one network, by a short measurement of this program's bench. */
static sl_status time_model(const reproduction *r, const char *model, const char *mode,
                            double *speed, sl_error *err)
{
    sl_arena memory = { 0 };
    child_words c = { .memory = &memory };
    char output[] = "/tmp/softlabel-bench-XXXXXX";
    const char *line;
    json_t *result = NULL;
    pid_t pid = 0, ended = 0;
    int code = 0, file = mkstemp(output);
    if (file < 0)
        return sl_error_set(err, SL_EIO, "no file can be made in /tmp");
    close(file);
    child_word(&c, "softlabel");
    child_word(&c, "bench");
    child_word(&c, "--model=%s", model);
    child_word(&c, "--mode=%s", mode);
    child_word(&c, "--batch=16"); /* so that large networks take seconds, not minutes */
    child_word(&c, "--seconds=0.4");
    child_word(&c, "--device=%s", r->common->device);
    child_word(&c, "--precision=%s", r->common->precision);
    child_word(&c, "--threads=%d", r->common->threads);
    child_word(&c, "--quiet");
    child_word(&c, "--json");
    sl_status st = child_line(&c, &line, err);
    if (!st)
        st = child_start(&pid, c.words, "/dev/null", output, err);
    while (!st && ended == 0) {
        st = child_wait(&ended, &code, 1, err);
        if (!st && ended == 0 && cli_interrupted())
            child_interrupt(pid);
    }
    if (!st && cli_interrupted())
        st = sl_error_set(err, SL_EINTERRUPTED, "stopped");
    else if (!st && code != 0)
        st = sl_error_set(err, SL_EIO, "'%s' failed", line);
    if (!st)
        st = sl_json_read(&result, output, MAX_RESULT_BYTES, err);
    if (!st)
        st = sl_json_get_number(result, "images_per_second", speed, err);
    json_decref(result);
    unlink(output);
    sl_arena_release(&memory);
    return st;
}

static size_t count_files(const char *pattern)
{
    glob_t found;
    if (!pattern || glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
        return 0;
    size_t n = found.gl_pathc;
    globfree(&found);
    return n;
}

static bool computes(const reproduction *r, const reproduce_step *step, const char *model)
{
    return step->trained + step->scored > 0 && (!step->model || step->model == model) &&
           !reproduce_is_done(r, step);
}

/* How much of a step is still to be done. */
static double share_left(const reproduction *r, const reproduce_step *step)
{
    const double all = (double)(step->n_runs * r->n_models);
    const double found = (double)count_files(step->runs) - (double)count_files(step->but);
    return all > 0 ? fmin(1, fmax(0, 1 - found / all)) : 1;
}

sl_status reproduce_measure(reproduction *r, sl_error *err)
{
    sl_status st = SL_OK;
    for (size_t i = 0; i < r->n; i++)
        r->steps[i].seconds = 0;
    for (size_t m = 0; m < r->n_models && !st; m++) {
        double trained = NAN, scored = NAN;
        bool wanted = false;
        for (size_t i = 0; i < r->n; i++)
            wanted |= computes(r, &r->steps[i], r->models[m]);
        if (!wanted)
            continue;
        st = time_model(r, r->models[m], "train", &trained, err);
        if (!st)
            st = time_model(r, r->models[m], "eval", &scored, err);
        for (size_t i = 0; i < r->n && !st; i++) {
            reproduce_step *step = &r->steps[i];
            if (computes(r, step, r->models[m]))
                step->seconds +=
                    share_left(r, step) * (step->trained / trained + step->scored / scored);
        }
    }
    return st;
}

static void print_time(FILE *out, const char *what, const char *model, double seconds)
{
    char text[120];
    snprintf(text, sizeof text, "%s%s%s", what, model ? ": " : "", model ? model : "");
    if (seconds < 90)
        fprintf(out, "  %-72s %5.0f s\n", text, ceil(seconds));
    else if (seconds < 5400)
        fprintf(out, "  %-72s %5.0f min\n", text, seconds / 60);
    else
        fprintf(out, "  %-72s %5.1f h\n", text, seconds / 3600);
}

void reproduce_print_cost(const reproduction *r, FILE *out)
{
    double total = 0;
    fprintf(out, "'%s' in '%s', estimated for this machine as it is now, %d threads:\n",
            r->scale.name, r->out, r->common->threads);
    for (size_t i = 0; i < r->n; i++) {
        const reproduce_step *step = &r->steps[i];
        if (reproduce_is_done(r, step))
            continue;
        total += step->seconds;
        print_time(out, step->what, step->model, step->seconds);
    }
    print_time(out, "in all", NULL, total);
}
