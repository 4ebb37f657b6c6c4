#include "models/recipe.h"

#include "models/family.h"
#include <math.h>
#include <string.h>

/* Source: paper/NOTES, the table of pretraining. */
static const struct {
    const char *arch;
    int epochs;
    double lr;
    int n_milestones, milestones[SL_SCHEDULE_MAX_MILESTONES];
    double decay, weight_decay;
    int batch_size;
} paper[] = {
    { "resnet", 160, 0.1, 2, { 80, 120 }, 0.1, 1e-4, 128 },
    { "wrn", 200, 0.1, 3, { 60, 120, 160 }, 0.2, 5e-4, 128 },
};

static sl_status find_paper(sl_recipe *out, const char *arch, sl_error *err)
{
    for (size_t i = 0; i < sizeof paper / sizeof *paper; i++) {
        if (strcmp(paper[i].arch, arch) != 0)
            continue;
        *out = (sl_recipe){
            .schedule = { .kind = SL_SCHEDULE_MULTISTEP,
                          .lr = paper[i].lr,
                          .epochs = paper[i].epochs,
                          .n_milestones = paper[i].n_milestones,
                          .decay = paper[i].decay },
            .batch_size = paper[i].batch_size,
            .optimizer = sl_optimizer_sgd(0.9, true, paper[i].weight_decay),
        };
        memcpy(out->schedule.milestones, paper[i].milestones, sizeof paper[i].milestones);
        return SL_OK;
    }
    return sl_error_set(err, SL_EINVAL, "the paper has no recipe for '%s'; use 'fast'", arch);
}

static sl_recipe fast(void)
{
    return (sl_recipe){
        .schedule = { .kind = SL_SCHEDULE_ONE_CYCLE,
                      .lr = 0.2,
                      .epochs = 15,
                      .warmup = 3,
                      .linear = true },
        .batch_size = 128,
        .optimizer = sl_optimizer_sgd(0.9, true, 5e-4),
    };
}

sl_status sl_recipe_find(sl_recipe *out, const char *recipe, const char *model_name, sl_error *err)
{
    const sl_family *family;
    json_t *arch;
    sl_status st = sl_family_of_name(model_name, &family, &arch, err);
    if (st)
        return st;
    json_decref(arch);
    if (strcmp(recipe, "paper") == 0)
        return find_paper(out, family->arch, err);
    if (strcmp(recipe, "fast") == 0) {
        *out = fast();
        return SL_OK;
    }
    return sl_error_set(err, SL_EINVAL, "unknown recipe '%s'; there are paper, fast", recipe);
}

void sl_recipe_set_epochs(sl_recipe *recipe, int epochs)
{
    sl_schedule *s = &recipe->schedule;
    double share = (double)epochs / s->epochs;
    int kept = 0, last = 0; /* in a short run milestones can fall together, or behind its end */
    for (int i = 0; i < s->n_milestones; i++) {
        int milestone = (int)lround(s->milestones[i] * share);
        if (milestone > last && milestone < epochs)
            last = s->milestones[kept++] = milestone;
    }
    s->n_milestones = kept;
    if (s->kind == SL_SCHEDULE_MULTISTEP && kept == 0)
        s->kind = SL_SCHEDULE_CONSTANT;
    s->warmup *= share;
    s->epochs = epochs;
}
