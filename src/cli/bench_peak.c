/* What can be reached at all: the processor's by its instructions, another device's by its
 * library's convolutions. */
#include "cli/bench.h"

#include "nn/conv_peak.h"
#include "nn/cpu/onednn.h"
#include "nn/cpu/peak.h"
#include <stdio.h>

typedef struct {
    double flops;
    char by[64]; /* "" if there is none */
} peak;

static const struct {
    const char *name;
    sl_dtype dtype;
} precisions[] = { { "f32", SL_DTYPE_F32 }, { "bf16", SL_DTYPE_BF16 } };

static peak measure_processor(const bench_options *o, sl_dtype dtype)
{
    sl_cpu_peak found = sl_cpu_peak_measure(dtype, o->common.threads, o->seconds);
    peak p = { .flops = found.flops };
    snprintf(p.by, sizeof p.by, "%s", found.instruction ? found.instruction : "");
    return p;
}

/* What the device has no kernel for counts nothing. */
static sl_status measure_device(peak *best, const bench_options *o, sl_device *dev, sl_dtype dtype,
                                sl_error *err)
{
    for (size_t i = 0; i < sl_peak_conv_count; i++) {
        double flops = 0;
        sl_status st = sl_conv_peak_measure(&flops, dev, dtype, &sl_peak_convs[i],
                                            o->seconds / (double)sl_peak_conv_count, err);
        if (st && st != SL_EUNSUPPORTED)
            return st;
        if (flops > best->flops) {
            best->flops = flops;
            sl_peak_conv_text(&sl_peak_convs[i], best->by, sizeof best->by);
        }
    }
    return SL_OK;
}

static void add_to(json_t *peaks, const char *precision, const peak *p)
{
    json_object_set_new(peaks, precision,
                        json_pack("{s:s?, s:f}", "instruction", *p->by ? p->by : NULL,
                                  "gflops_per_second", p->flops / 1e9));
}

static void print(const bench_options *o, const char *precision, const peak *p, bool processor)
{
    if (!*p->by)
        printf("%-4s        - no multiply-add of this %s's for it\n", precision,
               processor ? "processor" : "device");
    else if (processor)
        printf("%-4s %8.1f GFLOP/s, %d threads, %s\n", precision, p->flops / 1e9, o->common.threads,
               p->by);
    else
        printf("%-4s %8.1f GFLOP/s, %s, %s\n", precision, p->flops / 1e9, o->common.device, p->by);
}

static void print_all(const bench_options *o, json_t *peaks)
{
    char onednn[32];
    sl_onednn_version(onednn, sizeof onednn);
    cli_print_json(json_pack("{s:s, s:s, s:s, s:i, s:O}", "softlabel", SL_VERSION, "onednn", onednn,
                             "device", o->common.device, "threads", o->common.threads, "peak",
                             peaks));
}

sl_status bench_peak(const bench_options *o, sl_error *err)
{
    json_t *peaks = json_object();
    sl_device *dev = NULL;
    sl_status st = sl_device_open(&dev, o->common.device, o->common.threads, err);
    bool processor = !st && !sl_device_backend(dev)->memory;
    for (size_t i = 0; i < sizeof precisions / sizeof *precisions && !st; i++) {
        peak p = { 0 };
        if (processor)
            p = measure_processor(o, precisions[i].dtype);
        else
            st = measure_device(&p, o, dev, precisions[i].dtype, err);
        if (!st && o->common.json)
            add_to(peaks, precisions[i].name, &p);
        else if (!st)
            print(o, precisions[i].name, &p, processor);
    }
    if (!st && o->common.json)
        print_all(o, peaks);
    sl_device_close(dev);
    json_decref(peaks);
    return st;
}
