#include "cli/child.h"
#include "cli/reproduce.h"

#include <softlabel/model.h>
#include <string.h>

/* ---- a step ---- */

/* A command's words up to its own options. */
static child_words begin(reproduction *r, const char *const *command, size_t n)
{
    child_words c = { .memory = &r->memory };
    child_word(&c, "softlabel");
    for (size_t i = 0; i < n; i++)
        child_word(&c, "%s", command[i]);
    return c;
}
#define BEGIN(r, ...)                              \
    begin(r, (const char *const[]){ __VA_ARGS__ }, \
          sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

static void add_data(child_words *c, const reproduction *r)
{
    if (r->scale.synthetic)
        child_word(c, "--data=%s/data", r->out);
    else if (r->common->data)
        child_word(c, "--data=%s", r->common->data);
}

/* Of commands that compute with a network. */
static void add_computing(child_words *c, const reproduction *r, bool bf16)
{
    add_data(c, r);
    if (strcmp(r->common->device, "cpu") != 0)
        child_word(c, "--device=%s", r->common->device);
    if (bf16 && strcmp(r->common->precision, "f32") != 0)
        child_word(c, "--precision=%s", r->common->precision);
    child_word(c, "--threads=%d", r->common->threads);
}

static void add_model(child_words *c, const reproduction *r, const char *model)
{
    if (r->pretrained)
        child_word(c, "%s/%s.safetensors", r->pretrained, model);
    else
        child_word(c, "%s/pretraining/%s/model.safetensors", r->out, model);
}

/* "name-model" */
static sl_status join(reproduction *r, const char *name, const char *model, const char **out,
                      sl_error *err)
{
    return sl_arena_printf(&r->memory, out, err, "%s%s%s", name, model ? "-" : "",
                           model ? model : "");
}

/* Appends the step of that command. */
static sl_status finish(reproduction *r, child_words *c, reproduce_step step, sl_error *err)
{
    const char **argv = NULL;
    if (r->n == REPRODUCE_MAX_STEPS)
        return sl_error_set(err, SL_EINVAL, "more than %d steps", REPRODUCE_MAX_STEPS);
    sl_status st = child_line(c, &step.line, err);
    if (!st)
        st = join(r, step.name, step.model, &step.name, err);
    if (!st)
        st = sl_arena_alloc(&r->memory, &argv, c->n + 1, sizeof *argv, err);
    if (st)
        return st;
    memcpy(argv, c->words, c->n * sizeof *argv);
    step.command = argv;
    r->steps[r->n++] = step;
    return SL_OK;
}

/* ---- data: section 3 and what people agree on ---- */

static sl_status plan_synth(reproduction *r, sl_error *err)
{
    child_words c = BEGIN(r, "data", "synth");
    child_word(&c, "--out=%s/data", r->out);
    child_word(&c, "--train=%d", r->scale.n_train);
    child_word(&c, "--test=%d", r->scale.n_test);
    child_word(&c, "--seed=%llu", (unsigned long long)r->common->seed);
    return finish(r, &c, (reproduce_step){ .name = "data", .what = "synthetic images" }, err);
}

/* A step that only prints, into out/report/NAME. */
static sl_status plan_print(reproduction *r, child_words *c, reproduce_step step, sl_error *err)
{
    const char *name;
    sl_status st = join(r, step.name, step.model, &name, err);
    if (!st)
        st = sl_arena_printf(&r->memory, &step.output, err, "%s/report/%s.txt", r->out, name);
    return st ? st : finish(r, c, step, err);
}

static sl_status plan_data(reproduction *r, sl_error *err)
{
    sl_status st = r->scale.synthetic ? plan_synth(r, err) : SL_OK;
    child_words c = BEGIN(r, "data", "info");
    add_data(&c, r);
    if (!st)
        st = plan_print(r, &c, (reproduce_step){ .name = "images", .what = "the images" }, err);
    if (st || !r->counts)
        return st;
    c = BEGIN(r, "labels", "report");
    add_data(&c, r);
    st = plan_print(r, &c, (reproduce_step){ .name = "judgments", .what = "people's judgments" },
                    err);
    if (st)
        return st;
    c = BEGIN(r, "report", "confusion");
    child_word(&c, "--out=%s/report/confusion", r->out);
    add_data(&c, r);
    return finish(r, &c, (reproduce_step){ .name = "confusion", .what = "people's confusion" },
                  err);
}

/* ---- section 4: networks ---- */

static sl_status plan_pretraining(reproduction *r, const char *model, sl_error *err)
{
    const reproduce_scale *s = &r->scale;
    const int epochs = s->epochs ? s->epochs : 300; /* the paper's are 160 to 1,800 */
    const unsigned long long seed = r->common->seed;
    child_words c = BEGIN(r, "train");
    child_word(&c, "--model=%s", model);
    child_word(&c, "--recipe=%s", s->recipe);
    if (s->epochs)
        child_word(&c, "--epochs=%d", s->epochs);
    child_word(&c, "--seed=%llu", seed);
    child_word(&c, "--out=%s/pretraining/%s%s", r->out, model, s->by_heart ? "-first" : "");
    add_computing(&c, r, true);
    sl_status st = finish(r, &c,
                          (reproduce_step){ .name = "pretraining",
                                            .what = "pretraining",
                                            .model = model,
                                            .trained = (double)epochs * s->n_train,
                                            .scored = (double)epochs * s->n_test },
                          err);
    if (st || !s->by_heart)
        return st;
    c = BEGIN(r, "train");
    child_word(&c, "--init=%s/pretraining/%s-first/model.safetensors", r->out, model);
    child_word(&c, "--recipe=%s", s->recipe);
    child_word(&c, "--epochs=%d", s->by_heart);
    child_word(&c, "--augment=none");
    child_word(&c, "--lr=0.05");
    child_word(&c, "--schedule=cosine");
    child_word(&c, "--weight-decay=1e-4");
    child_word(&c, "--seed=%llu", seed + 1);
    child_word(&c, "--out=%s/pretraining/%s", r->out, model);
    add_computing(&c, r, true);
    return finish(r, &c,
                  (reproduce_step){ .name = "by-heart",
                                    .what = "pretraining without augmentation",
                                    .model = model,
                                    .trained = (double)s->by_heart * s->n_train,
                                    .scored = (double)s->by_heart * s->n_test },
                  err);
}

static sl_status plan_evaluation(reproduction *r, const char *model, sl_error *err)
{
    child_words c = BEGIN(r, "evaluate");
    add_model(&c, r, model);
    add_computing(&c, r, true);
    return plan_print(r, &c,
                      (reproduce_step){ .name = "evaluation",
                                        .what = "scores before tuning",
                                        .model = model,
                                        .scored = r->scale.n_train + r->scale.n_test },
                      err);
}

/* ---- sections 6 and 7: one grid of all models, without mixup, then with ---- */

static sl_status plan_grid(reproduction *r, bool mixup, sl_error *err)
{
    const reproduce_scale *s = &r->scale;
    const char *rates = mixup ? s->mixup_rates : s->rates;
    const char *targets = mixup ? "human,hard" : s->targets;
    const size_t n_runs =
        reproduce_count(rates) * reproduce_count(s->splits) * reproduce_count(targets);
    const double epochs = s->tuning_epochs, times = strcmp(s->c10_50k, "every") == 0  ? epochs + 1
                                                    : strcmp(s->c10_50k, "ends") == 0 ? 3
                                                                                      : 0;
    reproduce_step step = {
        .name = mixup ? "mixup" : "tuning",
        .what = mixup ? "fine-tuning with mixup" : "fine-tuning on human labels, and the control",
        .trained = (double)n_runs * epochs * 0.9 * s->n_test,
        .scored = (double)n_runs * ((epochs + 1) * s->n_test + times * s->n_train),
        .n_runs = n_runs,
    };
    child_words c = BEGIN(r, "finetune", "--grid");
    for (size_t m = 0; m < r->n_models; m++)
        add_model(&c, r, r->models[m]);
    child_word(&c, "--targets=%s", targets);
    child_word(&c, "--mixup=%s", mixup ? "1" : "off");
    child_word(&c, "--lr=%s", rates);
    child_word(&c, "--split-seed=%s", s->splits);
    child_word(&c, "--epochs=%d", s->tuning_epochs);
    child_word(&c, "--c10-50k=%s", s->c10_50k);
    child_word(&c, "--seed=%llu", (unsigned long long)r->common->seed);
    child_word(&c, "--jobs=%d", r->jobs);
    child_word(&c, "--out=%s/tuning", r->out);
    add_computing(&c, r, true);
    sl_status st =
        sl_arena_printf(&r->memory, &step.runs, err, "%s/tuning/*/*%s-lr*-split*/result.json",
                        r->out, mixup ? "-mixup*" : "");
    if (!st && !mixup)
        st = sl_arena_printf(&r->memory, &step.but, err,
                             "%s/tuning/*/*-mixup*-lr*-split*/result.json", r->out);
    return st ? st : finish(r, &c, step, err);
}

/* ---- section 8 ---- */

static sl_status plan_attack(reproduction *r, sl_error *err)
{
    const reproduce_scale *s = &r->scale;
    const double n = (double)(1 + reproduce_count(s->splits) * reproduce_count(s->targets));
    child_words c = BEGIN(r, "attack");
    for (size_t m = 0; m < r->n_models; m++)
        add_model(&c, r, r->models[m]);
    child_word(&c, "%s/tuning", r->out); /* those of its runs that are selected */
    child_word(&c, "--epsilon=%s", s->epsilons);
    child_word(&c, "--out=%s/attack.json", r->out);
    add_computing(&c, r, false);
    return finish(
        r, &c,
        (reproduce_step){ .name = "attack",
                          .what = "FGSM before and after tuning",
                          .trained = n * s->n_test,
                          .scored = n * (1 + (double)reproduce_count(s->epsilons)) * s->n_test },
        err);
}

/* ---- tables 1 to 3, and the page with them and figures 2 and 3 ---- */

static sl_status plan_table(reproduction *r, int number, sl_error *err)
{
    reproduce_step step = { 0 };
    child_words c = BEGIN(r, "report", "table");
    child_word(&c, "%s/tuning", r->out);
    child_word(&c, "--table=%d", number);
    if (number == 3)
        child_word(&c, "--attack=%s/attack.json", r->out);
    child_word(&c, "--out=%s/report/table-%d", r->out, number);
    sl_status st = sl_arena_printf(&r->memory, &step.name, err, "table-%d", number);
    if (!st)
        st = sl_arena_printf(&r->memory, &step.what, err, "table %d", number);
    return st ? st : finish(r, &c, step, err);
}

static sl_status plan_report(reproduction *r, sl_error *err)
{
    sl_status st = SL_OK;
    for (int number = 1; number <= 3 && !st; number++)
        st = plan_table(r, number, err);
    if (st)
        return st;
    child_words c = BEGIN(r, "report", "html");
    child_word(&c, "%s/tuning", r->out);
    child_word(&c, "--attack=%s/attack.json", r->out);
    child_word(&c, "--out=%s/report/report.html", r->out);
    add_data(&c, r);
    return finish(r, &c, (reproduce_step){ .name = "page", .what = "the report, with figures" },
                  err);
}

/* ---- all ---- */

static sl_status split_models(reproduction *r, sl_error *err)
{
    for (const char *at = r->scale.models; *at;) {
        const int n = (int)strcspn(at, ",");
        if (n == 0 || r->n_models == REPRODUCE_MAX_MODELS)
            return sl_error_set(err, SL_EINVAL, "--models '%s' isn't a list of 1 to %d names",
                                r->scale.models, REPRODUCE_MAX_MODELS);
        sl_status st = sl_arena_printf(&r->memory, &r->models[r->n_models++], err, "%.*s", n, at);
        if (st)
            return st;
        at += n + (at[n] == ',');
    }
    return SL_OK;
}

/* Names of nothing are found before anything is done. */
static sl_status check_models(const reproduction *r, sl_error *err)
{
    sl_status st = SL_OK;
    for (size_t m = 0; m < r->n_models && !st && !r->pretrained; m++) {
        sl_model *model = NULL;
        st = sl_model_create(&model, r->models[m], 10, err);
        sl_model_destroy(model);
    }
    return st;
}

sl_status reproduce_plan(reproduction *r, sl_error *err)
{
    sl_status st = split_models(r, err);
    if (!st)
        st = check_models(r, err);
    if (!st)
        st = plan_data(r, err);
    for (size_t m = 0; m < r->n_models && !st; m++) {
        if (!r->pretrained)
            st = plan_pretraining(r, r->models[m], err);
        if (!st)
            st = plan_evaluation(r, r->models[m], err);
    }
    if (!st)
        st = plan_grid(r, false, err);
    if (!st)
        st = plan_grid(r, true, err);
    if (!st)
        st = plan_attack(r, err);
    return st ? st : plan_report(r, err);
}
