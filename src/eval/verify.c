/* The report, and which check a file gets. */
#include "eval/verify.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE_BYTES ((size_t)64 << 20)

sl_status sl_verify_file(sl_verify_report *report, const char *path,
                         const sl_verify_options *options, sl_error *err)
{
    json_t *file;
    const char *format = "";
    *report = (sl_verify_report){ .name = "", .format = "" };
    sl_status st = sl_json_read(&file, path, MAX_FILE_BYTES, err);
    if (st)
        return st;
    st = sl_json_get_string(file, "format", &format, err);
    if (!st)
        st = sl_arena_strdup(&report->memory, &report->format, format, err);
    if (st)
        goto done;
    if (strcmp(format, "softlabel-conformance-1") == 0)
        st = sl_verify_conformance(report, file, options, err);
    else if (strcmp(format, "softlabel-protocol-1") == 0)
        st = sl_verify_protocol(report, file, options, err);
    else
        st = sl_error_set(err, SL_EFORMAT,
                          "format '%s', expected 'softlabel-conformance-1' or "
                          "'softlabel-protocol-1'",
                          format);
done:
    if (st && st != SL_ENOMEM)
        sl_error_at(err, st, "%s", path);
    json_decref(file);
    return st;
}

void sl_verify_report_release(sl_verify_report *report)
{
    sl_arena_release(&report->memory);
    free(report->figures);
    *report = (sl_verify_report){ 0 };
}

static sl_status add(sl_verify_report *report, const sl_verify_figure *figure, sl_error *err)
{
    sl_verify_figure copy = *figure;
    sl_status st = sl_grow(&report->figures, &report->capacity, report->n + 1, sizeof copy, err);
    if (!st)
        st = sl_arena_strdup(&report->memory, &copy.name, figure->name, err);
    if (!st)
        st = sl_arena_strdup(&report->memory, &copy.why, figure->why, err);
    if (st)
        return st;
    report->figures[report->n++] = copy;
    report->n_bad += copy.outcome == SL_VERIFY_BAD;
    report->n_skipped += copy.outcome == SL_VERIFY_SKIPPED;
    return SL_OK;
}

sl_status sl_verify_add(sl_verify_report *report, const char *group, const char *measure,
                        double deviation, double bound, sl_error *err, const char *name, ...)
{
    char text[160];
    va_list args;
    va_start(args, name);
    vsnprintf(text, sizeof text, name, args);
    va_end(args);
    bool good = deviation <= bound; /* false for NaN */
    return add(report,
               &(sl_verify_figure){ .group = group,
                                    .name = text,
                                    .measure = measure,
                                    .deviation = deviation,
                                    .bound = bound,
                                    .outcome = good ? SL_VERIFY_OK : SL_VERIFY_BAD,
                                    .why = "" },
               err);
}

sl_status sl_verify_add_equal(sl_verify_report *report, const char *group, const char *name,
                              const char *why, sl_error *err)
{
    return add(report,
               &(sl_verify_figure){ .group = group,
                                    .name = name,
                                    .measure = "",
                                    .outcome = why ? SL_VERIFY_BAD : SL_VERIFY_OK,
                                    .why = why ? why : "" },
               err);
}

sl_status sl_verify_add_skipped(sl_verify_report *report, const char *group, const char *name,
                                const char *why, sl_error *err)
{
    return add(
        report,
        &(sl_verify_figure){
            .group = group, .name = name, .measure = "", .outcome = SL_VERIFY_SKIPPED, .why = why },
        err);
}

double sl_verify_relative(double got, double want, double scale)
{
    double difference = fabs(got - want);
    return difference == 0 ? 0 : difference / scale;
}

double sl_verify_max_difference(const float *got, const double *want, size_t n)
{
    double max = 0;
    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)got[i] - want[i]);
        if (!(difference <= max)) /* larger, or NaN */
            max = difference;
        if (isnan(max))
            break;
    }
    return max;
}
