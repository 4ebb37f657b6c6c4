/* The protocol's attack: the gradient sign step on a network filled by rule. */
#include "eval/attack.h"
#include "eval/fgsm.h"
#include "eval/fill.h"
#include "eval/metrics.h"
#include "eval/verify.h"
#include "models/model.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BOUND_LOGITS 1e-4 /* as a network's in evaluation */
#define BOUND_LOSS 1e-4   /* relative */
#define MAX_IMAGES 256
#define PIXELS ((size_t)3 * 32 * 32)

typedef struct {
    int n, classes;
    double mean[3], std[3];
    int labels[MAX_IMAGES];
    sl_model *model;
    sl_attacker *attacker;
    float *pixels, *moved; /* (n,3,32,32) in [0,1]: clean, after a step */
    float *gradient;       /* (n,3,32,32): d loss / d normalised pixels, of the clean images */
    float *target, *logits, *losses; /* (n,classes), (n,classes), (n) */
    double *want;                    /* (n,classes) */
} attack;

static void release(attack *a)
{
    sl_attacker_destroy(a->attacker);
    sl_model_destroy(a->model);
    free(a->pixels);
    free(a->moved);
    free(a->gradient);
    free(a->target);
    free(a->logits);
    free(a->losses);
    free(a->want);
}

/* 'NAME filled with salt "SALT"' */
static sl_status create_model(attack *a, const json_t *part, sl_error *err)
{
    const char *text;
    char name[64], salt[64] = "";
    sl_status st = sl_json_get_string(part, "model", &text, err);
    if (st)
        return st;
    if (sscanf(text, "%63s filled with salt \"%63[^\"]\"", name, salt) < 1)
        return sl_error_set(err, SL_EFORMAT, "'model' names none");
    st = sl_model_create(&a->model, name, 10, err);
    if (st)
        return st;
    sl_fill_params(sl_model_params(a->model), salt);
    a->classes = sl_model_classes(a->model);
    return SL_OK;
}

static sl_status read_images(attack *a, const json_t *part, sl_error *err)
{
    json_t *labels;
    size_t i;
    json_t *label;
    sl_status st = sl_json_get(part, "labels", &labels, err);
    if (!st)
        st = sl_json_numbers(json_object_get(part, "mean"), 3, a->mean, err);
    if (!st)
        st = sl_json_numbers(json_object_get(part, "std"), 3, a->std, err);
    if (st)
        return st;
    if (json_array_size(labels) < 1 || json_array_size(labels) > MAX_IMAGES)
        return sl_error_set(err, SL_EFORMAT, "'labels' isn't a list of 1 to %d", MAX_IMAGES);
    json_array_foreach(labels, i, label)
    {
        json_int_t k = json_integer_value(label);
        if (!json_is_integer(label) || k < 0 || k >= a->classes)
            return sl_error_set(err, SL_EFORMAT, "label %zu isn't one of %d classes", i,
                                a->classes);
        a->labels[i] = (int)k;
    }
    a->n = (int)json_array_size(labels);
    return SL_OK;
}

static sl_status prepare(attack *a, sl_device *device, sl_error *err)
{
    const size_t n = (size_t)a->n, classes = (size_t)a->classes;
    float mean[3], std[3];
    const struct {
        float **out;
        size_t count;
    } arrays[] = { { &a->pixels, n * PIXELS },   { &a->moved, n * PIXELS },
                   { &a->gradient, n * PIXELS }, { &a->target, n * classes },
                   { &a->logits, n * classes },  { &a->losses, n } };
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        sl_status st = sl_alloc_aligned(arrays[i].out, arrays[i].count, sizeof(float), err);
        if (st)
            return st;
    }
    sl_status st = sl_alloc(&a->want, n * classes, sizeof *a->want, err);
    if (st)
        return st;
    const sl_fill fill = sl_fill_named("", "", "fgsm.pixel");
    for (size_t k = 0; k < n * PIXELS; k++)
        a->pixels[k] = (float)(floor(256 * sl_fill_unit(fill, k)) / 255);
    for (size_t i = 0; i < n; i++)
        a->target[i * classes + (size_t)a->labels[i]] = 1;
    for (int c = 0; c < 3; c++) {
        mean[c] = (float)a->mean[c];
        std[c] = (float)a->std[c];
    }
    sl_model_set_normalization(a->model, mean, std);
    return sl_attacker_create(&a->attacker, a->model, device, a->n, NULL, NULL, err);
}

/* Losses and logits of pixels; gradient may be NULL. */
static sl_status run(attack *a, const float *pixels, float *gradient, sl_error *err)
{
    return sl_attacker_gradient(a->attacker, pixels, a->target, a->losses, a->logits, gradient,
                                err);
}

static sl_status check_losses(attack *a, sl_verify_report *report, const json_t *wanted,
                              const char *name, sl_error *err)
{
    double worst = 0;
    sl_status st = sl_json_numbers(wanted, (size_t)a->n, a->want, err);
    if (st)
        return sl_error_at(err, st, "crossentropy");
    for (int i = 0; i < a->n && !isnan(worst); i++) {
        double d = sl_verify_relative((double)a->losses[i], a->want[i], fabs(a->want[i]));
        if (!(d <= worst))
            worst = d;
    }
    return sl_verify_add(report, "fgsm", "relative", worst, BOUND_LOSS, err, "%s loss", name);
}

static sl_status check_step(attack *a, sl_verify_report *report, const char *eps_text,
                            const json_t *wanted, sl_error *err)
{
    char *end, name[64];
    const size_t pixels = (size_t)a->n * PIXELS, logits = (size_t)a->n * (size_t)a->classes;
    double eps = strtod(eps_text, &end);
    if (end == eps_text || *end || !(eps >= 0 && eps <= 1))
        return sl_error_set(err, SL_EFORMAT, "eps '%s' isn't a number from 0 to 1", eps_text);
    snprintf(name, sizeof name, "eps %g", eps);
    sl_fgsm_step(a->pixels, a->gradient, pixels, eps, a->moved);
    sl_status st = run(a, a->moved, NULL, err);
    if (!st)
        st = check_losses(a, report, json_object_get(wanted, "crossentropy"), name, err);
    if (!st)
        st = sl_json_numbers(json_object_get(wanted, "logits"), logits, a->want, err);
    if (st)
        return st;
    return sl_verify_add(report, "fgsm", "max|d|",
                         sl_verify_max_difference(a->logits, a->want, logits), BOUND_LOGITS, err,
                         "%s logits", name);
}

/* No step: nothing moves. */
static sl_status check_zero(attack *a, sl_verify_report *report, sl_error *err)
{
    const size_t n = (size_t)a->n * PIXELS;
    sl_fgsm_step(a->pixels, a->gradient, n, 0, a->moved);
    bool same = memcmp(a->moved, a->pixels, n * sizeof *a->moved) == 0;
    return sl_verify_add_equal(report, "fgsm", "eps 0 moves nothing",
                               same ? NULL : "pixels have moved", err);
}

sl_status sl_verify_fgsm(sl_verify_report *report, const json_t *part,
                         const sl_verify_options *options, sl_error *err)
{
    attack a = { 0 };
    json_t *steps, *wanted;
    const char *eps;
    sl_status st = create_model(&a, part, err);
    if (!st)
        st = read_images(&a, part, err);
    if (!st)
        st = prepare(&a, options->device, err);
    if (!st)
        st = sl_json_get(part, "eps", &steps, err);
    if (!st)
        st = run(&a, a.pixels, a.gradient, err);
    if (!st)
        st = check_losses(&a, report, json_object_get(part, "clean_crossentropy"), "clean", err);
    if (!st)
        st = check_zero(&a, report, err);
    if (st)
        goto done;
    json_object_foreach(steps, eps, wanted)
    {
        st = check_step(&a, report, eps, wanted, err);
        if (st)
            break;
    }
done:
    release(&a);
    return st;
}
