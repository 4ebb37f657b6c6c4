#include "report/pick.h"

#include "report/curves.h"

#include <math.h>
#include <stdlib.h>

static double selected_loss(const sl_tuning_run *run)
{
    return run->selected.loss[sl_tuning_kind_selects(run->kind)];
}

const sl_tuning_run *sl_pick_lowest(sl_run_span group)
{
    const sl_tuning_run *best = &group.runs[0];

    for (size_t i = 1; i < group.n; i++)
        if (selected_loss(&group.runs[i]) < selected_loss(best))
            best = &group.runs[i];
    return best;
}

/* ---- on other seeds ---- */

typedef struct {
    sl_run_span group;
    sl_pick_what what;
    sl_curves *curves; /* (group.n); empty where only the learning rate is chosen */
} chooser;

/* A setting's runs, one a seed, and an epoch. */
typedef struct {
    sl_run_span setting;
    int epoch;
    double loss;
} choice;

static size_t count_seeds(sl_run_span group)
{
    size_t n = 0;

    for (size_t i = 0; i < group.n; i++) {
        bool first = true;

        for (size_t k = 0; k < i && first; k++)
            first = !sl_run_same_seeds(&group.runs[k], &group.runs[i]);
        n += first;
    }
    return n;
}

static const sl_curves *curves_of(const chooser *c, const sl_tuning_run *run)
{
    return &c->curves[run - c->group.runs];
}

/* The row of run at epoch; of the run's own epoch where only the learning rate is chosen. */
static bool row_at(const chooser *c, const sl_tuning_run *run, int epoch, sl_report_row *row)
{
    if (c->what == SL_PICK_LR) {
        *row = run->selected;
        return true;
    }
    const sl_curve_point *point = sl_curves_at(curves_of(c, run), epoch);
    if (point)
        *row = sl_curve_row(point);
    return point;
}

/* Mean loss over the setting's runs but `but`; NaN if one hasn't measured it. */
static double mean_of_others(const chooser *c, sl_run_span setting, const sl_tuning_run *but,
                             int epoch)
{
    double sum = 0;

    for (size_t i = 0; i < setting.n; i++) {
        const sl_tuning_run *run = &setting.runs[i];
        sl_report_row row;

        if (sl_run_same_seeds(run, but))
            continue;
        if (!row_at(c, run, epoch, &row))
            return NAN;
        sum += row.loss[sl_tuning_kind_selects(run->kind)];
    }
    return sum / (double)(setting.n - 1);
}

static void consider(const chooser *c, sl_run_span setting, const sl_tuning_run *but, int epoch,
                     choice *best)
{
    const double loss = mean_of_others(c, setting, but, epoch);

    if (loss < best->loss)
        *best = (choice){ setting, epoch, loss };
}

/* The best setting and epoch for the seeds of `of`. */
static choice choose(const chooser *c, const sl_tuning_run *of, size_t n_seeds)
{
    choice best = { .loss = INFINITY };
    sl_run_span rest = c->group, setting;

    for (; rest.n; rest = sl_run_span_after(rest, setting)) {
        setting = sl_run_span_first(rest, sl_run_same_settings);
        if (setting.n != n_seeds)
            continue;
        if (c->what == SL_PICK_LR) {
            consider(c, setting, of, 0, &best);
            continue;
        }
        const sl_curves *curves = curves_of(c, &setting.runs[0]);
        for (size_t p = 0; p < curves->n; p++)
            if (curves->points[p].epoch >= 1)
                consider(c, setting, of, curves->points[p].epoch, &best);
    }
    return best;
}

static void pick_all(const chooser *c, sl_pick *picks, size_t *n)
{
    const size_t n_seeds = count_seeds(c->group);

    for (size_t i = 0; i < c->group.n && n_seeds > 1; i++) {
        const sl_tuning_run *of = &c->group.runs[i];
        bool seen = false;

        for (size_t k = 0; k < *n && !seen; k++)
            seen = sl_run_same_seeds(picks[k].run, of);
        if (seen)
            continue;
        const choice best = choose(c, of, n_seeds);
        for (size_t k = 0; k < best.setting.n; k++) {
            const sl_tuning_run *run = &best.setting.runs[k];

            if (sl_run_same_seeds(run, of) && row_at(c, run, best.epoch, &picks[*n].row))
                picks[(*n)++].run = run;
        }
    }
}

sl_status sl_pick_on_other_seeds(sl_run_span group, sl_pick_what what, sl_pick *picks, size_t *n,
                                 sl_error *err)
{
    chooser c = { .group = group, .what = what };
    sl_status st = sl_alloc(&c.curves, group.n, sizeof *c.curves, err);

    *n = 0;
    if (st)
        return st;
    for (size_t i = 0; i < group.n && what == SL_PICK_LR_AND_EPOCH && !st; i++)
        st = sl_curves_read(&c.curves[i], group.runs[i].folder, err);
    if (!st)
        pick_all(&c, picks, n);
    for (size_t i = 0; i < group.n; i++)
        sl_curves_release(&c.curves[i]);
    free(c.curves);
    return st;
}
