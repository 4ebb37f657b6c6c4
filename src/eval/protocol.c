/* softlabel-protocol-1: what training and evaluation do around the network. */
#include "base/hash.h"
#include "eval/fill.h"
#include "eval/verify.h"
#include "nn/optimizer.h"
#include "nn/schedule.h"
#include <math.h>
#include <softlabel/dataset.h>
#include <stdlib.h>
#include <string.h>

/* The split of paper/NOTES: of 10,000 images 9,000 train. */
#define SPLIT_IMAGES 10000
#define SPLIT_TRAIN 9000

#define BOUND_WEIGHTS 1e-6   /* of the largest weight: ten float32 roundings in five steps */
#define BOUND_SCHEDULE 1e-12 /* of the base rate */
#define MAX_WEIGHTS 1024

/* ---- splits ---- */

/* NULL if the file's head (an array of the first values) agrees. */
static const char *compare_head(const json_t *head, const int64_t *values, size_t n)
{
    size_t i;
    const json_t *value;
    if (!json_is_array(head) || json_array_size(head) > n)
        return "the file has no usable list of first values";
    json_array_foreach(head, i, value)
    {
        if (!json_is_integer(value) || json_integer_value(value) != values[i])
            return "the first values differ";
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* values as int64, little endian: as they lie in memory. */
static sl_status compare_sha256(const json_t *stated, const int64_t *values, size_t n,
                                const char **why, sl_error *err)
{
    char hex[65];
    sl_status st = sl_sha256(values, n * sizeof *values, hex, err);
    const char *text = json_string_value(stated);
    *why = text && strcmp(text, hex) == 0 ? NULL : "the hashes differ";
    return st;
}

static sl_status check_split(sl_verify_report *report, const char *seed_text, const json_t *wanted,
                             sl_error *err)
{
    char *end, name[64];
    unsigned long seed = strtoul(seed_text, &end, 10);
    sl_split split = { 0 };
    int64_t *all = NULL;
    const char *why;
    if (end == seed_text || *end || seed > UINT32_MAX)
        return sl_error_set(err, SL_EFORMAT, "split '%s' isn't a seed", seed_text);
    sl_status st = sl_split_create(&split, SPLIT_IMAGES, SPLIT_TRAIN, (uint32_t)seed, err);
    if (!st)
        st = sl_alloc(&all, SPLIT_IMAGES, sizeof *all, err);
    if (st)
        goto done;
    memcpy(all, split.train, split.n_train * sizeof *all);
    memcpy(all + split.n_train, split.val, split.n_val * sizeof *all);

    const struct {
        const char *key;
        const int64_t *values;
        size_t n;
    } heads[] = { { "permutation_head", all, SPLIT_IMAGES },
                  { "train_head", split.train, split.n_train },
                  { "validation_head", split.val, split.n_val } };
    for (size_t i = 0; i < sizeof heads / sizeof *heads && !st; i++) {
        snprintf(name, sizeof name, "seed %lu %s", seed, heads[i].key);
        why = compare_head(json_object_get(wanted, heads[i].key), heads[i].values, heads[i].n);
        st = sl_verify_add_equal(report, "split", name, why, err);
    }
    if (!st)
        st = compare_sha256(json_object_get(wanted, "permutation_sha256_int64le"), all,
                            SPLIT_IMAGES, &why, err);
    snprintf(name, sizeof name, "seed %lu permutation sha256", seed);
    if (!st)
        st = sl_verify_add_equal(report, "split", name, why, err);
    if (st)
        goto done;
    qsort(split.val, split.n_val, sizeof *split.val, by_value);
    st = compare_sha256(json_object_get(wanted, "validation_sorted_sha256_int64le"), split.val,
                        split.n_val, &why, err);
    snprintf(name, sizeof name, "seed %lu validation sha256", seed);
    if (!st)
        st = sl_verify_add_equal(report, "split", name, why, err);
done:
    sl_split_release(&split);
    free(all);
    return st;
}

static sl_status check_splits(sl_verify_report *report, const json_t *part,
                              const sl_verify_options *options, sl_error *err)
{
    (void)options;
    const char *seed;
    json_t *wanted;
    sl_status st = SL_OK;
    json_object_foreach((json_t *)part, seed, wanted)
    {
        st = check_split(report, seed, wanted, err);
        if (st)
            break;
    }
    return st;
}

/* ---- optimizers ---- */

/* options: lr and weight_decay, with momentum and nesterov (SGD) or betas (Adam). */
static sl_status read_optimizer(const json_t *json, sl_optimizer_options *out, double *lr,
                                sl_error *err)
{
    double weight_decay, betas[2];
    sl_status st = sl_json_get_number(json, "lr", lr, err);
    if (!st)
        st = sl_json_get_number(json, "weight_decay", &weight_decay, err);
    if (st)
        return st;
    if (json_object_get(json, "betas")) {
        st = sl_json_numbers(json_object_get(json, "betas"), 2, betas, err);
        *out = sl_optimizer_adam(weight_decay);
        out->beta1 = betas[0];
        out->beta2 = betas[1];
        return st;
    }
    double momentum;
    bool nesterov;
    st = sl_json_get_number(json, "momentum", &momentum, err);
    if (!st)
        st = sl_json_get_bool(json, "nesterov", &nesterov, err);
    if (!st)
        *out = sl_optimizer_sgd(momentum, nesterov, weight_decay);
    return st;
}

static void fill_signed(float *out, size_t n, const char *name)
{
    const sl_fill fill = sl_fill_named("", "", name);
    for (size_t k = 0; k < n; k++)
        out[k] = (float)sl_fill_signed(fill, k);
}

/* Weights start at signed("opt.weight"); step t's gradients are signed("opt.grad.<t>"). */
static sl_status check_optimizer(sl_verify_report *report, const char *name, const json_t *wanted,
                                 int threads, sl_error *err)
{
    float weights[MAX_WEIGHTS], gradients[MAX_WEIGHTS];
    double want[MAX_WEIGHTS], lr;
    char fill_name[40];
    json_t *settings, *steps, *row;
    sl_optimizer_options options;
    sl_optimizer *optimizer = NULL;
    sl_status st = sl_json_get(wanted, "options", &settings, err);
    if (!st)
        st = read_optimizer(settings, &options, &lr, err);
    if (!st)
        st = sl_json_get(wanted, "weights_after_each_step", &steps, err);
    if (st)
        return st;
    const size_t n = json_array_size(json_array_get(steps, 0));
    if (n < 1 || n > MAX_WEIGHTS)
        return sl_error_set(err, SL_EFORMAT, "'weights_after_each_step' has no rows of 1 to %d",
                            MAX_WEIGHTS);
    st = sl_optimizer_create(&optimizer, &options, n, err);
    fill_signed(weights, n, "opt.weight");
    size_t t;
    json_array_foreach(steps, t, row)
    {
        if (!st)
            st = sl_json_numbers(row, n, want, err);
        if (st)
            break;
        snprintf(fill_name, sizeof fill_name, "opt.grad.%zu", t);
        fill_signed(gradients, n, fill_name);
        sl_optimizer_step(optimizer, weights, gradients, lr, threads);
        double largest = 0;
        for (size_t k = 0; k < n; k++)
            largest = fmax(largest, fabs(want[k]));
        st = sl_verify_add(report, "optimizer", "relative",
                           sl_verify_max_difference(weights, want, n) / largest, BOUND_WEIGHTS, err,
                           "%s step %zu", name, t + 1);
    }
    sl_optimizer_destroy(optimizer);
    return st;
}

static sl_status check_optimizers(sl_verify_report *report, const json_t *part,
                                  const sl_verify_options *options, sl_error *err)
{
    const char *name;
    json_t *wanted;
    json_object_foreach((json_t *)part, name, wanted)
    {
        sl_status st = check_optimizer(report, name, wanted, options->threads, err);
        if (st)
            return sl_error_at(err, st, "'%s'", name);
    }
    return SL_OK;
}

/* ---- schedules ---- */

/* values: {"60": 0.02, ...}, rates by epoch or step. */
static sl_status check_rates(sl_verify_report *report, const char *name, const json_t *values,
                             const sl_schedule *schedule, uint64_t steps_per_epoch, sl_error *err)
{
    const char *at_text;
    json_t *want;
    json_object_foreach((json_t *)values, at_text, want)
    {
        char *end;
        unsigned long long at = strtoull(at_text, &end, 10);
        if (end == at_text || *end || !json_is_number(want))
            return sl_error_set(err, SL_EFORMAT, "'%s' isn't a rate at a step", at_text);
        double got = sl_schedule_lr_at(schedule, at, steps_per_epoch);
        double deviation = sl_verify_relative(got, json_number_value(want), schedule->lr);
        sl_status st = sl_verify_add(report, "schedule", "relative", deviation, BOUND_SCHEDULE, err,
                                     "%s at %llu", name, at);
        if (st)
            return st;
    }
    return SL_OK;
}

static sl_status check_multistep(sl_verify_report *report, const json_t *json, sl_error *err)
{
    json_t *milestones, *values, *value;
    size_t i;
    sl_schedule s = { .kind = SL_SCHEDULE_MULTISTEP, .epochs = 1 };
    sl_status st = sl_json_get_number(json, "base_lr", &s.lr, err);
    if (!st)
        st = sl_json_get_number(json, "lr_decay", &s.decay, err);
    if (!st)
        st = sl_json_get(json, "milestones", &milestones, err);
    if (!st)
        st = sl_json_get(json, "lr_at_epoch(0-based)", &values, err);
    if (st)
        return st;
    if (json_array_size(milestones) > SL_SCHEDULE_MAX_MILESTONES)
        return sl_error_set(err, SL_EFORMAT, "more than %d milestones", SL_SCHEDULE_MAX_MILESTONES);
    json_array_foreach(milestones, i, value) s.milestones[s.n_milestones++] =
        (int)json_integer_value(value);
    return check_rates(report, "multistep epoch", values, &s, 1, err);
}

static sl_status check_cosine(sl_verify_report *report, const json_t *json, sl_error *err)
{
    json_t *values;
    int64_t steps;
    double minimum;
    sl_schedule s = { .kind = SL_SCHEDULE_COSINE, .epochs = 1 };
    sl_status st = sl_json_get_number(json, "base_lr", &s.lr, err);
    if (!st)
        st = sl_json_get_number(json, "lr_min", &minimum, err);
    if (!st)
        st = sl_json_get_int(json, "total_steps", 1, INT32_MAX, &steps, err);
    if (!st)
        st = sl_json_get(json, "lr_at_step", &values, err);
    if (st)
        return st;
    if (minimum != 0)
        return sl_error_set(err, SL_EUNSUPPORTED, "lr_min %g: cosine ends at 0 in this build",
                            minimum);
    return check_rates(report, "cosine step", values, &s, (uint64_t)steps, err);
}

static sl_status check_schedules(sl_verify_report *report, const json_t *part,
                                 const sl_verify_options *options, sl_error *err)
{
    (void)options;
    const char *name;
    json_t *json;
    json_object_foreach((json_t *)part, name, json)
    {
        sl_status st;
        if (strcmp(name, "multistep") == 0)
            st = check_multistep(report, json, err);
        else if (strcmp(name, "cosine_per_step") == 0)
            st = check_cosine(report, json, err);
        else
            st = sl_error_set(err, SL_EUNSUPPORTED, "this schedule isn't in this build");
        if (st)
            return sl_error_at(err, st, "'%s'", name);
    }
    return SL_OK;
}

/* ---- the filling rule ---- */

/* Takes 'unit("NAME",FIRST..LAST)' apart; NAME may hold anything but a quote. */
static bool parse_range(const char *text, char name[64], unsigned *first, unsigned *last)
{
    int end = 0;
    return sscanf(text, "unit(\"%63[^\"]\",%9u..%9u)%n", name, first, last, &end) == 3 && end > 0 &&
           !text[end] && *first <= *last && *last - *first < MAX_WEIGHTS;
}

/* {'unit("input",0..3)': [4 numbers]}; the salt stands before the name already. */
static sl_status check_fill(sl_verify_report *report, const json_t *part,
                            const sl_verify_options *options, sl_error *err)
{
    (void)options;
    const char *text;
    json_t *values;
    json_object_foreach((json_t *)part, text, values)
    {
        char name[64];
        unsigned first, last;
        double want[MAX_WEIGHTS], deviation = 0;
        if (!parse_range(text, name, &first, &last))
            return sl_error_set(err, SL_EFORMAT, "'%s', expected 'unit(\"name\",0..3)'", text);
        sl_status st = sl_json_numbers(values, last - first + 1, want, err);
        if (st)
            return st;
        for (unsigned k = first; k <= last; k++) {
            double got = sl_fill_unit(sl_fill_named("", "", name), k);
            deviation = fmax(deviation, fabs(got - want[k - first]));
        }
        st = sl_verify_add(report, "fill", "max|d|", deviation, 0, err, "%s", text);
        if (st)
            return st;
    }
    return SL_OK;
}

/* ---- all parts ---- */

sl_status sl_verify_protocol(sl_verify_report *report, const json_t *file,
                             const sl_verify_options *options, sl_error *err)
{
    static const struct {
        const char *key;
        sl_status (*check)(sl_verify_report *, const json_t *, const sl_verify_options *,
                           sl_error *);
    } parts[] = { { "fill_check", check_fill },
                  { "splits", check_splits },
                  { "optimizers", check_optimizers },
                  { "schedules", check_schedules },
                  { "fgsm", sl_verify_fgsm } };
    report->name = "protocol";
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        json_t *part;
        sl_status st = sl_json_get(file, parts[i].key, &part, err);
        if (!st)
            st = parts[i].check(report, part, options, err);
        if (st)
            return sl_error_at(err, st, "'%s'", parts[i].key);
    }
    return sl_verify_human_data(report, file, options, err);
}
