#include "report/changes.h"

#include "report/figure.h"
#include "report/pick.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N_PANELS 4
#define PANEL_CM 4.6
#define SIDE_CM 1.7 /* room left of the panels, at least */
#define TOP_CM 0.9
#define LETTER_CM 0.16 /* of a name's letter, aslant, across or down */
#define GAP_CM 0.9     /* over a panel, for its title */

static const struct {
    sl_report_column column;
    const char *title;
} panels[N_PANELS] = {
    { SL_REPORT_C10H_VAL, "CIFAR10H Validation" },
    { SL_REPORT_C10_VAL, "CIFAR10 Validation" },
    { SL_REPORT_V4, "CIFAR10.1v4 Validation" },
    { SL_REPORT_V6, "CIFAR10.1v6 Validation" },
};

/* A model's picks; NULL: not tuned so. */
typedef struct {
    const char *name;
    const sl_tuning_run *human, *control;
} model_picks;

static double change(const sl_tuning_run *run, sl_report_column column)
{
    return run ? run->selected.loss[column] - run->before.loss[column] : NAN;
}

static sl_status gather(const sl_run_set *set, model_picks **out, size_t *n, sl_error *err)
{
    sl_run_span rest = { set->runs, set->n }, group;
    sl_status st = sl_alloc(out, set->n, sizeof **out, err);

    *n = 0;
    for (; rest.n && !st; rest = sl_run_span_after(rest, group)) {
        group = sl_run_span_first(rest, sl_run_same_group);
        const sl_tuning_run *run = group.runs;
        model_picks *m = *n ? &(*out)[*n - 1] : NULL;

        if (run->mixup > 0 || (run->kind != SL_KIND_HUMAN && run->kind != SL_KIND_HARD))
            continue;
        if (!m || !sl_run_same_model(run, m->human ? m->human : m->control)) {
            m = &(*out)[(*n)++];
            m->name = run->model;
        }
        *(run->kind == SL_KIND_HUMAN ? &m->human : &m->control) = sl_pick_lowest(group);
    }
    if (!st && *n == 0)
        st = sl_error_set(err, SL_ENOTFOUND,
                          "none of the runs is tuned on human or hard labels without mixup");
    return st;
}

static void put_number(FILE *out, double value)
{
    if (isnan(value))
        fputs(" NaN", out);
    else
        fprintf(out, " %.9g", value);
}

/* A line a model: name, then of each panel human and control. */
static void put_data(FILE *out, const model_picks *models, size_t n)
{
    fputs("# change of cross-entropy by fine-tuning, in nats; of each panel: human, control\n"
          "# model",
          out);
    for (int p = 0; p < N_PANELS; p++) {
        const char *title = sl_report_column_title(panels[p].column);
        fprintf(out, " \"%s, human\" \"%s, control\"", title, title);
    }
    fputc('\n', out);
    for (size_t i = 0; i < n; i++) {
        sl_figure_put_data_text(out, models[i].name);
        for (int p = 0; p < N_PANELS; p++) {
            put_number(out, change(models[i].human, panels[p].column));
            put_number(out, change(models[i].control, panels[p].column));
        }
        fputc('\n', out);
    }
}

/* What all panels share. */
typedef struct {
    const model_picks *models;
    size_t n;
    int shown[N_PANELS], n_shown;
    double low, high;         /* of the changes */
    double names_cm, side_cm; /* room under the lowest panels, left of all */
} layout;

static void look_over(layout *l)
{
    for (int p = 0; p < N_PANELS; p++) {
        bool any = false;

        for (size_t i = 0; i < l->n; i++) {
            const double both[] = { change(l->models[i].human, panels[p].column),
                                    change(l->models[i].control, panels[p].column) };
            for (int k = 0; k < 2; k++)
                if (!isnan(both[k])) {
                    any = true;
                    l->low = fmin(l->low, both[k]);
                    l->high = fmax(l->high, both[k]);
                }
        }
        if (any)
            l->shown[l->n_shown++] = p;
    }
    size_t longest = 0;
    for (size_t i = 0; i < l->n; i++)
        longest = strlen(l->models[i].name) > longest ? strlen(l->models[i].name) : longest;
    l->names_cm = 0.8 + LETTER_CM * (double)longest;
    l->side_cm = fmax(SIDE_CM, LETTER_CM * (double)longest);
    const double margin = fmax(0.1 * (l->high - l->low), 0.01);
    l->low -= margin;
    l->high += margin;
}

static double mean_change(const layout *l, sl_report_column column, bool human)
{
    double sum = 0;
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++) {
        const double d = change(human ? l->models[i].human : l->models[i].control, column);

        if (!isnan(d)) {
            sum += d;
            n++;
        }
    }
    return sum / (double)n;
}

/* Ticks alone where another panel below has the names. */
static void put_names(FILE *script, const layout *l, bool names)
{
    fputs("set xtics nomirror rotate by 45 right offset 0,-0.2 (", script);
    for (size_t i = 0; i < l->n; i++) {
        if (i > 0)
            fputs(", ", script);
        sl_figure_put_text(script, names ? l->models[i].name : "");
        fprintf(script, " %zu", i);
    }
    fputs(")\n", script);
}

/* Arrows stand side by side: human left of the model's place, control right of it. */
static void put_panel(FILE *script, const layout *l, int at, double width_cm, double height_cm)
{
    const int p = l->shown[at], row = at / 2, column = at % 2;
    const int rows = (l->n_shown + 1) / 2;
    const double left = l->side_cm + column * (PANEL_CM + 0.5 + 0.25 * (double)l->n);
    const double right = left + PANEL_CM + 0.25 * (double)l->n;
    const double bottom = l->names_cm + (rows - 1 - row) * (PANEL_CM + GAP_CM);

    fprintf(script, "\nset lmargin at screen %.5f; set rmargin at screen %.5f\n", left / width_cm,
            right / width_cm);
    fprintf(script, "set bmargin at screen %.5f; set tmargin at screen %.5f\n", bottom / height_cm,
            (bottom + PANEL_CM) / height_cm);
    fputs("set title ", script);
    sl_figure_put_text(script, panels[p].title);
    fprintf(script, "\n%s\n",
            column == 0 ? "set format y '%g'; set ylabel 'Δ crossentropy'"
                        : "set format y ''; unset ylabel");
    put_names(script, l, at + 2 >= l->n_shown);
    for (int human = 1; human >= 0; human--) {
        const double mean = mean_change(l, panels[p].column, human);
        if (!isnan(mean))
            fprintf(script,
                    "set arrow %d from graph 0, first %.9g to graph 1, first %.9g nohead "
                    "dashtype (12,6) linewidth 1.2 linecolor rgb %s\n",
                    human + 1, mean, mean, human ? "blue" : "red");
    }
    fprintf(script,
            "plot name.\".dat\" using ($0 - 0.14):(0):(0):%d with vectors head filled size "
            "graph 0.035,20 linewidth 1.8 linecolor rgb blue title %s, \\\n"
            "     \"\" using ($0 + 0.14):(0):(0):%d with vectors head filled size graph 0.035,20 "
            "linewidth 1.8 linecolor rgb red title %s\n"
            "unset arrow 1; unset arrow 2\n",
            2 + 2 * p, at == 0 ? "'tuned on CIFAR10H'" : "''", 3 + 2 * p,
            at == 0 ? "'tuned on CIFAR10'" : "''");
}

static sl_status draw(const char *path, const layout *l, sl_error *err)
{
    const int rows = (l->n_shown + 1) / 2, columns = l->n_shown > 1 ? 2 : 1;
    const double width = l->side_cm + columns * (PANEL_CM + 0.25 * (double)l->n + 0.5);
    const double height = TOP_CM + l->names_cm + rows * (PANEL_CM + GAP_CM);
    sl_figure *figure;
    FILE *data;
    sl_status st = sl_figure_create(&figure, path, width, height, err);

    if (!st)
        st = sl_figure_data(figure, "dat", &data, err);
    if (!st) {
        FILE *script = sl_figure_script(figure);

        put_data(data, l->models, l->n);
        fprintf(script,
                "set datafile separator whitespace\n"
                "set datafile missing 'NaN'\n"
                "blue = \"#1f4fd8\"\nred = \"#d62728\"\n"
                "set xrange [-0.6:%zu-0.4]\n"
                "set yrange [%.4f:%.4f]\n"
                "set xzeroaxis linetype 1 linecolor rgb \"black\"\n"
                "set grid ytics linecolor rgb \"#cccccc\"\n"
                "set title offset 0,-0.6\n"
                "set key at screen 0.5,0.995 center top horizontal maxrows 1 samplen 1.5\n"
                "set multiplot\n",
                l->n, l->low, l->high);
        for (int at = 0; at < l->n_shown; at++)
            put_panel(script, l, at, width, height);
        fputs("\nunset multiplot\n", script);
        st = sl_figure_draw(figure, err);
    }
    sl_figure_destroy(figure);
    return st;
}

sl_status sl_changes_draw(const char *path, const sl_run_set *set, sl_error *err)
{
    model_picks *models = NULL;
    layout l = { 0 };
    sl_status st = gather(set, &models, &l.n, err);

    if (!st) {
        l.models = models;
        look_over(&l);
        st = draw(path, &l, err);
    }
    free(models);
    return st;
}
