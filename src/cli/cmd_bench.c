/* softlabel bench: how fast one network trains or is evaluated here, on made-up images that are
 * already in memory: the engine alone; or the device's peak, to hold it against. bench/ compares
 * with PyTorch. */
#include "base/memory.h"
#include "cli/bench.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { MAX_SAMPLES = 100000 };

static const char *const modes[] = { "train", "eval", NULL };

enum { KEY_MODEL = 1, KEY_BATCH, KEY_MODE, KEY_SECONDS, KEY_PROFILE, KEY_PEAK };

static const struct argp_option option_table[] = {
    { "model", KEY_MODEL, "NAME", 0, "architecture (resnet_basic_20)", 0 },
    { "batch", KEY_BATCH, "N", 0, "images at once (128)", 0 },
    { "mode", KEY_MODE, "NAME", 0, "train: a whole step, SGD included; eval: norms folded (train)",
      0 },
    { "seconds", KEY_SECONDS, "S", 0,
      "how long to measure (10), two steps at least; with --peak each type (1)", 0 },
    { "profile", KEY_PROFILE, NULL, 0, "also the time of every operation", 0 },
    { "peak", KEY_PEAK, NULL, 0,
      "instead, what the processor's multiply-adds reach, or a GPU's convolutions; f32 and bf16",
      0 },
    { 0 },
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    bench_options *o = state->input;
    switch (key) {
    case KEY_MODEL:
        o->model = text;
        return 0;
    case KEY_BATCH:
        return cli_integer(state, "--batch", text, 1, 65536, &o->batch);
    case KEY_MODE:
        return cli_choice(state, "--mode", text, modes, &o->mode);
    case KEY_SECONDS:
        return cli_number(state, "--seconds", text, 0, 86400, &o->seconds);
    case KEY_PROFILE:
        o->profile = true;
        return 0;
    case KEY_PEAK:
        o->peak = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Seconds that a step took, of each bunch of steps. */
typedef struct {
    double *seconds;
    size_t n, bunch;
} samples;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A bunch of n: how long one of them took. */
static sl_status timed_steps(bench_work *w, const bench_options *o, size_t n, double *seconds,
                             sl_error *err)
{
    sl_status st = SL_OK;
    double start = now();
    for (size_t i = 0; i < n && !st; i++)
        st = cli_interrupted() ? sl_error_set(err, SL_EINTERRUPTED, "interrupted")
                               : bench_work_step(w, o, err);
    if (!st)
        st = bench_work_wait(w, err);
    *seconds = (now() - start) / (double)n;
    return st;
}

/* How many steps are timed together: one where each is done when it returns; where not, as training
 * does, not waiting for each, but for so little time that there are many samples. */
static size_t bunch_of(const bench_work *w, double step_seconds)
{
    const double seconds = 0.05, most = 64;
    return w->kept ? (size_t)fmax(1, fmin(most, seconds / step_seconds)) : 1;
}

/* Pages and caches get warm; a device that records does so in its second step. */
static sl_status warm_up(bench_work *w, const bench_options *o, size_t *bunch, sl_error *err)
{
    double took = 0;
    sl_status st = timed_steps(w, o, 1, &took, err);
    for (int more = w->kept ? 2 : 1; more > 0 && took < o->seconds && !st; more--)
        st = timed_steps(w, o, 1, &took, err);
    *bunch = bunch_of(w, took);
    return st;
}

static sl_status measure(bench_work *w, const bench_options *o, samples *s, sl_error *err)
{
    sl_status st = sl_alloc(&s->seconds, MAX_SAMPLES, sizeof *s->seconds, err);
    if (!st)
        st = warm_up(w, o, &s->bunch, err);
    double end = now() + o->seconds;
    while (!st && s->n < MAX_SAMPLES && (s->n < 2 || now() < end)) {
        st = timed_steps(w, o, s->bunch, &s->seconds[s->n], err);
        s->n += !st;
    }
    return st;
}

/* Some more steps, slower ones: each operation's time is taken. */
static sl_status profile(bench_work *w, const bench_options *o, sl_error *err)
{
    double took = 0, end = now() + o->seconds;
    sl_status st = sl_plan_profile(w->plan, err);
    do {
        if (!st)
            st = timed_steps(w, o, 1, &took, err);
    } while (!st && now() < end);
    return st;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_line(void *user, const char *line)
{
    (void)user;
    printf("%s\n", line);
}

static void report_json(const bench_work *w, const bench_options *o, const samples *s,
                        double median, double flops, double peak)
{
    cli_print_json(json_pack(
        "{s:s, s:I, s:f, s:s, s:s, s:I, s:i, s:s, s:f, s:f, s:f, s:I, s:f, s:f, s:I, s:I}", "model",
        o->model, "parameters", (json_int_t)sl_model_parameters(w->model), "multiply_adds",
        sl_model_multiply_adds(w->model), "mode", modes[o->mode], "precision", o->common.precision,
        "batch", (json_int_t)o->batch, "threads", o->common.threads, "device", o->common.device,
        "images_per_second", (double)o->batch / median, "median_ms", 1e3 * median, "best_ms",
        1e3 * s->seconds[0], "steps", (json_int_t)(s->n * s->bunch), "gflops_per_second",
        flops / 1e9, "peak_rss_bytes", peak, "arena_bytes",
        (json_int_t)sl_plan_arena_bytes(w->plan), "device_bytes",
        (json_int_t)sl_device_most_bytes(w->dev)));
}

static void report_text(const bench_work *w, const bench_options *o, const samples *s,
                        double median, double flops, double peak)
{
    const double mib = 1 << 20, device_bytes = (double)sl_device_most_bytes(w->dev);
    printf("%s, %s in %s, batch %lld, %d threads on %s\n", o->model, modes[o->mode],
           o->common.precision, (long long)o->batch, o->common.threads, o->common.device);
    printf("%.1f images/s (median of %zu steps, %.2f ms; best %.2f ms), %.1f GFLOP/s\n",
           (double)o->batch / median, s->n * s->bunch, 1e3 * median, 1e3 * s->seconds[0],
           flops / 1e9);
    if (device_bytes > 0)
        printf("device memory %.1f MiB, of it activations %.1f MiB\n", device_bytes / mib,
               (double)sl_plan_arena_bytes(w->plan) / mib);
    else
        printf("peak memory %.1f MiB, of it activations %.1f MiB\n", peak / mib,
               (double)sl_plan_arena_bytes(w->plan) / mib);
    if (o->profile)
        sl_plan_profile_report(w->plan, print_line, NULL);
}

static void report(const bench_work *w, const bench_options *o, samples *s)
{
    qsort(s->seconds, s->n, sizeof *s->seconds, ascending);
    const double *middle = s->seconds + (s->n - 1) / 2;
    double median = s->n % 2 ? middle[0] : (middle[0] + middle[1]) / 2;
    /* a multiply-add is two operations; backward is twice the work of forward */
    double flops = 2 * sl_model_multiply_adds(w->model) * (o->mode ? 1 : 3) * (double)o->batch;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double peak = (double)usage.ru_maxrss * 1024;
    (o->common.json ? report_json : report_text)(w, o, s, median, flops / median, peak);
}

static sl_status bench_network(const bench_options *o, sl_error *err)
{
    bench_work w = { 0 };
    samples s = { 0 };
    sl_status st = bench_work_init(&w, o, err);
    if (!st)
        st = measure(&w, o, &s, err);
    if (!st && o->profile)
        st = profile(&w, o, err);
    if (!st)
        report(&w, o, &s);
    bench_work_release(&w);
    free(s.seconds);
    return st;
}

int cmd_bench(const cli_command *self, int argc, char **argv)
{
    bench_options o = {
        .common.bf16 = true, .model = "resnet_basic_20", .batch = 128, .seconds = -1
    };
    static const struct argp argp = { .options = option_table, .parser = parse };
    int code = cli_parse(self, &argp, argc, argv, &o);
    if (code)
        return code;
    sl_error err;
    if (o.seconds < 0)
        o.seconds = o.peak ? 1 : 10;
    sl_status st = o.peak ? bench_peak(&o, &err) : bench_network(&o, &err);
    return cli_end(&o.common, st, &err);
}
