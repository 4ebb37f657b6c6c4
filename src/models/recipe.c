#include "models/recipe.h"

#include "models/design.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Source: paper/NOTES, the table of pretraining. Without milestones: cosine, per step. */
static const struct {
    const char *arch;
    int epochs;
    double lr;
    int n_milestones, milestones[SL_SCHEDULE_MAX_MILESTONES];
    double decay, weight_decay;
    int batch_size;
    bool lr_follows_batch;
} paper[] = {
    { "vgg", 160, 0.1, 2, { 80, 120 }, 0.1, 1e-4, 128, false },
    { "resnet", 160, 0.1, 2, { 80, 120 }, 0.1, 1e-4, 128, false },
    { "resnet_preact", 160, 0.1, 2, { 80, 120 }, 0.1, 1e-4, 128, false },
    { "wrn", 200, 0.1, 3, { 60, 120, 160 }, 0.2, 5e-4, 128, false },
    { "densenet", 300, 0.1, 2, { 150, 225 }, 0.1, 1e-4, 64, false },
    { "pyramidnet", 300, 0.1, 2, { 150, 225 }, 0.1, 1e-4, 128, false },
    { "shake_shake", 1800, 0.2, 0, { 0 }, 1, 1e-4, 128, true }, /* 0.1 for batches of 64 */
};

static sl_status find_paper(sl_recipe *out, const char *arch, sl_error *err)
{
    for (size_t i = 0; i < sizeof paper / sizeof *paper; i++) {
        if (strcmp(paper[i].arch, arch) != 0)
            continue;
        *out = (sl_recipe){
            .schedule = { .kind =
                              paper[i].n_milestones ? SL_SCHEDULE_MULTISTEP : SL_SCHEDULE_COSINE,
                          .lr = paper[i].lr,
                          .epochs = paper[i].epochs,
                          .n_milestones = paper[i].n_milestones,
                          .decay = paper[i].decay },
            .batch_size = paper[i].batch_size,
            .lr_follows_batch = paper[i].lr_follows_batch,
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
    sl_design design;
    sl_status st = sl_design_parse(&design, model_name, err);
    if (st)
        goto done;
    if (strcmp(recipe, "paper") == 0)
        st = find_paper(out, design.family->arch, err);
    else if (strcmp(recipe, "fast") == 0)
        *out = fast();
    else
        st = sl_error_set(err, SL_EINVAL, "unknown recipe '%s'; there are paper, fast", recipe);
    if (!st)
        out->cutout = design.cutout;
done:
    sl_design_release(&design);
    return st;
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

void sl_recipe_set_batch_size(sl_recipe *recipe, int batch_size)
{
    if (recipe->lr_follows_batch)
        recipe->schedule.lr *= (double)batch_size / recipe->batch_size;
    recipe->batch_size = batch_size;
}

const char *sl_recipe_text(const sl_recipe *recipe, char *buffer, size_t size)
{
    char schedule[120], cutout[24] = "";
    if (recipe->cutout)
        snprintf(cutout, sizeof cutout, ", cutout %d", recipe->cutout);
    snprintf(buffer, size, "%d epochs, batch %d, lr %g, %s, weight decay %g%s",
             recipe->schedule.epochs, recipe->batch_size, recipe->schedule.lr,
             sl_schedule_text(&recipe->schedule, schedule, sizeof schedule),
             recipe->optimizer.weight_decay, cutout);
    return buffer;
}
