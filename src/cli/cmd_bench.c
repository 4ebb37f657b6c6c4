/* softlabel bench: how fast one network trains or is evaluated here, on made-up images that are
 * already in memory: the engine alone; or the processor's peak, to hold it against. bench/ compares
 * with PyTorch. */
#include "base/memory.h"
#include "base/random.h"
#include "cli/cli.h"
#include "models/model.h"
#include "nn/cpu/onednn.h"
#include "nn/cpu/peak.h"
#include "nn/optimizer.h"
#include "nn/plan.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { CLASSES = 10, IMAGE_FLOATS = 3 * 32 * 32, MAX_SAMPLES = 100000 };

typedef struct {
    cli_options common;
    const char *model;
    int64_t batch;
    int mode; /* in modes */
    double seconds;
    bool profile, peak;
} options;

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
    { "peak", KEY_PEAK, NULL, 0, "instead, what the processor's multiply-adds reach, f32 and bf16",
      0 },
    { 0 },
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    options *o = state->input;
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

/* Everything a measurement needs; zero is empty. */
typedef struct {
    sl_model *model;
    sl_device *dev;
    sl_plan *plan;
    sl_optimizer *optimizer;
    float *images, *targets, *logits, *losses;
    double *samples; /* seconds of each step */
    size_t n_samples;
} bench;

static void bench_release(bench *b)
{
    sl_plan_destroy(b->plan);
    sl_device_close(b->dev);
    sl_model_destroy(b->model);
    sl_optimizer_destroy(b->optimizer);
    free(b->images);
    free(b->targets);
    free(b->logits);
    free(b->losses);
    free(b->samples);
}

static sl_status make_batch(bench *b, const options *o, sl_error *err)
{
    size_t n = (size_t)o->batch;
    sl_status st = sl_alloc_aligned(&b->images, n * IMAGE_FLOATS, sizeof(float), err);
    if (!st)
        st = sl_alloc_aligned(&b->targets, n * CLASSES, sizeof(float), err);
    if (!st)
        st = sl_alloc_aligned(&b->logits, n * CLASSES, sizeof(float), err);
    if (!st)
        st = sl_alloc_aligned(&b->losses, n, sizeof(float), err);
    if (!st)
        st = sl_alloc(&b->samples, MAX_SAMPLES, sizeof(double), err);
    if (st)
        return st;
    sl_random r = sl_random_stream(o->common.seed, SL_RANDOM_TEST, 0, 0);
    for (size_t i = 0; i < n * IMAGE_FLOATS; i++)
        b->images[i] = (float)sl_random_normal(&r);
    for (size_t i = 0; i < n; i++)
        b->targets[i * CLASSES + i % CLASSES] = 1;
    return SL_OK;
}

static sl_status prepare(bench *b, const options *o, sl_error *err)
{
    sl_plan_options plan = { .batch = (int)o->batch,
                             .mode = o->mode ? SL_MODE_EVAL : SL_MODE_TRAIN };
    const sl_optimizer_options sgd = sl_optimizer_sgd(0.9, true, 1e-4);
    sl_status st = sl_model_create(&b->model, o->model, CLASSES, err);
    if (!st)
        st = sl_dtype_parse(&plan.dtype, o->common.precision, err);
    if (st)
        return st;
    sl_model_init(b->model, o->common.seed);
    const sl_graph *graph = sl_model_graph(b->model);
    st = make_batch(b, o, err);
    if (!st)
        st = sl_device_open(&b->dev, o->common.device, o->common.threads, err);
    if (!st)
        st = sl_plan_create(&b->plan, graph, sl_model_params(b->model), b->dev, &plan, err);
    if (!st && !o->mode)
        st = sl_optimizer_create(&b->optimizer, &sgd, sl_graph_value_floats(graph), err);
    return st;
}

static sl_status step(bench *b, const options *o, sl_error *err)
{
    if (o->mode)
        return sl_plan_forward(b->plan, b->images, (int)o->batch, b->logits, err);
    sl_status st = sl_plan_step(b->plan, b->images, b->targets, b->losses, b->logits, NULL, err);
    return st ? st : sl_plan_update(b->plan, b->optimizer, 1e-3, err);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static sl_status timed_step(bench *b, const options *o, double *seconds, sl_error *err)
{
    if (cli_interrupted())
        return sl_error_set(err, SL_EINTERRUPTED, "interrupted");
    double start = now();
    sl_status st = step(b, o, err);
    *seconds = now() - start;
    return st;
}

static sl_status measure(bench *b, const options *o, sl_error *err)
{
    double took = 0;
    sl_status st = timed_step(b, o, &took, err); /* pages and caches warm */
    if (!st && took < o->seconds)
        st = timed_step(b, o, &took, err);
    if (st)
        return st;
    if (o->profile)
        st = sl_plan_profile(b->plan, err);
    if (st)
        return st;
    double end = now() + o->seconds;
    while (b->n_samples < MAX_SAMPLES && (b->n_samples < 2 || now() < end)) {
        st = timed_step(b, o, &b->samples[b->n_samples], err);
        if (st)
            return st;
        b->n_samples++;
    }
    return SL_OK;
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

static void report(bench *b, const options *o)
{
    qsort(b->samples, b->n_samples, sizeof *b->samples, ascending);
    const double *middle = b->samples + (b->n_samples - 1) / 2, best = b->samples[0];
    double median = b->n_samples % 2 ? middle[0] : (middle[0] + middle[1]) / 2;
    double rate = (double)o->batch / median;
    /* a multiply-add is two operations; backward is twice the work of forward */
    double flops = 2 * sl_model_multiply_adds(b->model) * (o->mode ? 1 : 3) * rate;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double peak = (double)usage.ru_maxrss * 1024;
    if (o->common.json) {
        cli_print_json(
            json_pack("{s:s, s:I, s:f, s:s, s:s, s:I, s:i, s:s, s:f, s:f, s:f, s:I, s:f, s:f, s:I}",
                      "model", o->model, "parameters", (json_int_t)sl_model_parameters(b->model),
                      "multiply_adds", sl_model_multiply_adds(b->model), "mode", modes[o->mode],
                      "precision", o->common.precision, "batch", (json_int_t)o->batch, "threads",
                      o->common.threads, "device", o->common.device, "images_per_second", rate,
                      "median_ms", 1e3 * median, "best_ms", 1e3 * best, "steps",
                      (json_int_t)b->n_samples, "gflops_per_second", flops / 1e9, "peak_rss_bytes",
                      peak, "arena_bytes", (json_int_t)sl_plan_arena_bytes(b->plan)));
        return;
    }
    printf("%s, %s in %s, batch %lld, %d threads on %s\n", o->model, modes[o->mode],
           o->common.precision, (long long)o->batch, o->common.threads, o->common.device);
    printf("%.1f images/s (median of %zu steps, %.2f ms; best %.2f ms), %.1f GFLOP/s\n", rate,
           b->n_samples, 1e3 * median, 1e3 * best, flops / 1e9);
    printf("peak memory %.1f MiB, of it activations %.1f MiB\n", peak / (1 << 20),
           (double)sl_plan_arena_bytes(b->plan) / (1 << 20));
    if (o->profile)
        sl_plan_profile_report(b->plan, print_line, NULL);
}

/* One line, or a member of peaks. */
static void report_peak(const options *o, const char *precision, sl_dtype dtype, json_t *peaks)
{
    sl_cpu_peak peak = sl_cpu_peak_measure(dtype, o->common.threads, o->seconds);
    if (o->common.json)
        json_object_set_new(peaks, precision,
                            json_pack("{s:s?, s:f}", "instruction", peak.instruction,
                                      "gflops_per_second", peak.flops / 1e9));
    else if (peak.instruction)
        printf("%-4s %8.1f GFLOP/s, %d threads, %s\n", precision, peak.flops / 1e9,
               o->common.threads, peak.instruction);
    else
        printf("%-4s        - no multiply-add of this processor's for it\n", precision);
}

static void report_peaks(const options *o)
{
    json_t *peaks = json_object();
    report_peak(o, "f32", SL_DTYPE_F32, peaks);
    report_peak(o, "bf16", SL_DTYPE_BF16, peaks);
    char onednn[32];
    sl_onednn_version(onednn, sizeof onednn);
    if (o->common.json)
        cli_print_json(json_pack("{s:s, s:s, s:i, s:O}", "softlabel", SL_VERSION, "onednn", onednn,
                                 "threads", o->common.threads, "peak", peaks));
    json_decref(peaks);
}

int cmd_bench(const cli_command *self, int argc, char **argv)
{
    options o = { .common.bf16 = true, .model = "resnet_basic_20", .batch = 128, .seconds = -1 };
    static const struct argp argp = { .options = option_table, .parser = parse };
    int code = cli_parse(self, &argp, argc, argv, &o);
    if (code)
        return code;
    sl_error err;
    if (o.seconds < 0)
        o.seconds = o.peak ? 1 : 10;
    if (o.peak) {
        report_peaks(&o);
        return cli_end(&o.common, SL_OK, &err);
    }
    bench b = { 0 };
    sl_status st = prepare(&b, &o, &err);
    if (!st)
        st = measure(&b, &o, &err);
    if (!st)
        report(&b, &o);
    bench_release(&b);
    return cli_end(&o.common, st, &err);
}
