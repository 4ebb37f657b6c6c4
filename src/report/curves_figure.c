#include "report/curves_figure.h"

#include "report/figure.h"

#include <math.h>
#include <stdio.h>

#define PANEL_CM 6.2
#define HEIGHT_CM 4.8
#define SIDE_CM 1.8
#define BOTTOM_CM 1.3
#define TOP_CM 0.9
#define GAP_CM 0.7
#define KEY_CM 6.0

static const struct {
    const char *title, *colour, *dash;
} lines[SL_CURVE_COUNT] = {
    [SL_CURVE_V6] = { "CIFAR10.1 v6", "#9467bd", "solid" },
    [SL_CURVE_V4] = { "CIFAR10.1 v4", "#8c564b", "solid" },
    [SL_CURVE_C10H_VAL_C10] = { "CIFAR10 tuning 1k", "#d62728", "solid" },
    [SL_CURVE_C10H_VAL] = { "CIFAR10H validation 1k", "#1f4fd8", "solid" },
    [SL_CURVE_C10H_TRAIN_C10] = { "CIFAR10 tuning 9k", "#ff9896", "(5,3)" },
    [SL_CURVE_C10H_TRAIN] = { "CIFAR10H training 9k", "#8fb3ff", "(5,3)" },
    [SL_CURVE_C10_50K] = { "CIFAR10 training 50k", "#2ca02c", "solid" },
};

static const double *values_of(const sl_curve_point *point, bool accuracy)
{
    return accuracy ? point->accuracy : point->loss;
}

/* A line an epoch, loss then accuracy of each curve. */
static void put_data(FILE *out, const sl_curves_column *column)
{
    fputs("# ", out);
    sl_figure_put_data_text(out, column->title);
    fprintf(out, ", from a file with SHA-256 %s\n# epoch", column->curves->sha256);
    for (int accuracy = 0; accuracy < 2; accuracy++)
        for (int c = 0; c < SL_CURVE_COUNT; c++)
            fprintf(out, " %s_%s", sl_curve_column((sl_curve)c), accuracy ? "acc" : "loss");
    fputc('\n', out);
    for (size_t i = 0; i < column->curves->n; i++) {
        const sl_curve_point *p = &column->curves->points[i];

        fprintf(out, "%d", p->epoch);
        for (int accuracy = 0; accuracy < 2; accuracy++)
            for (int c = 0; c < SL_CURVE_COUNT; c++) {
                const double v = values_of(p, accuracy)[c];

                if (isnan(v))
                    fputs(" NaN", out);
                else
                    fprintf(out, " %.9g", v);
            }
        fputc('\n', out);
    }
}

static size_t measured(const sl_curves_column *columns, int n, int curve, bool accuracy)
{
    size_t points = 0;

    for (int k = 0; k < n; k++)
        for (size_t i = 0; i < columns[k].curves->n; i++)
            points += isnan(values_of(&columns[k].curves->points[i], accuracy)[curve]) ? 0 : 1;
    return points;
}

/* The range that both columns of a row share. */
static void put_range(FILE *script, const sl_curves_column *columns, int n, bool accuracy)
{
    double low = INFINITY, high = -INFINITY;

    for (int k = 0; k < n; k++)
        for (size_t i = 0; i < columns[k].curves->n; i++)
            for (int c = 0; c < SL_CURVE_COUNT; c++) {
                const double v = values_of(&columns[k].curves->points[i], accuracy)[c];

                if (!isnan(v)) {
                    low = fmin(low, v);
                    high = fmax(high, v);
                }
            }
    const double margin = fmax(0.05 * (high - low), 1e-3);
    if (accuracy)
        fprintf(script, "set yrange [%.4f:%.4f]\n", low - margin, fmin(high + margin, 1.005));
    else
        fprintf(script, "set yrange [%.4f:%.4f]\n", fmax(low - margin, 0), high + margin);
}

static int last_epoch(const sl_curves_column *columns, int n)
{
    int last = 1;

    for (int k = 0; k < n; k++) {
        const sl_curves *c = columns[k].curves;
        last = c->points[c->n - 1].epoch > last ? c->points[c->n - 1].epoch : last;
    }
    return last;
}

static void put_panel(FILE *script, const sl_curves_column *columns, int n, int at, bool accuracy,
                      double width, double height)
{
    const double left = SIDE_CM + at * (PANEL_CM + GAP_CM);
    const double bottom = BOTTOM_CM + (accuracy ? HEIGHT_CM + GAP_CM : 0);
    const bool with_key = accuracy && at == n - 1;
    int put = 0;

    fprintf(script, "\nset lmargin at screen %.5f; set rmargin at screen %.5f\n", left / width,
            (left + PANEL_CM) / width);
    fprintf(script, "set bmargin at screen %.5f; set tmargin at screen %.5f\n", bottom / height,
            (bottom + HEIGHT_CM) / height);
    fputs(accuracy ? "set title " : "unset title # ", script);
    sl_figure_put_text(script, columns[at].title);
    fprintf(script, "\n%s\n%s\n",
            accuracy ? "set format x ''; unset xlabel" : "set format x '%g'; set xlabel 'epoch'",
            at > 0 ? "set format y ''; unset ylabel" : "set format y '%g'");
    if (at == 0)
        fprintf(script, "set ylabel '%s'\n", accuracy ? "accuracy" : "loss");
    if (with_key)
        fprintf(script, "set key at screen %.5f,%.5f left top Left reverse samplen 3 spacing 1.2\n",
                (left + PANEL_CM + 0.3) / width, (bottom + HEIGHT_CM) / height);
    else
        fputs("unset key\n", script);
    put_range(script, columns, n, accuracy);
    for (int c = 0; c < SL_CURVE_COUNT; c++) {
        const size_t points = measured(&columns[at], 1, c, accuracy);

        if (measured(columns, n, c, accuracy) == 0)
            continue;
        fprintf(script,
                "%s name.\".%d.dat\" using 1:%d with %s linewidth 1.5 dashtype %s linecolor rgb "
                "\"%s\" title '%s'",
                put++ ? ", \\\n    " : "plot", at + 1, 2 + c + (accuracy ? SL_CURVE_COUNT : 0),
                points < columns[at].curves->n ? "linespoints pointtype 7 pointsize 0.3" : "lines",
                lines[c].dash, lines[c].colour, lines[c].title);
    }
    fputc('\n', script);
}

sl_status sl_curves_draw(const char *path, const sl_curves_column *columns, int n, sl_error *err)
{
    const double width = SIDE_CM + n * (PANEL_CM + GAP_CM) + KEY_CM;
    const double height = BOTTOM_CM + 2 * HEIGHT_CM + GAP_CM + TOP_CM;
    sl_figure *figure;
    FILE *data, *script;
    sl_status st = sl_figure_create(&figure, path, width, height, err);

    for (int k = 0; k < n && !st; k++) {
        char suffix[16];

        snprintf(suffix, sizeof suffix, "%d.dat", k + 1);
        st = sl_figure_data(figure, suffix, &data, err);
        if (!st)
            put_data(data, &columns[k]);
    }
    if (st)
        goto done;
    const int last = last_epoch(columns, n);
    script = sl_figure_script(figure);
    fprintf(script,
            "set datafile separator whitespace\n"
            "set datafile missing 'NaN'\n"
            "set grid linecolor rgb \"#cccccc\"\n"
            "set xrange [0:%d]\n"
            "set title offset 0,-0.6\n"
            "set multiplot\n",
            last);
    if (last <= 10)
        fputs("set xtics 1\n", script); /* no half epochs */
    for (int accuracy = 1; accuracy >= 0; accuracy--)
        for (int at = 0; at < n; at++)
            put_panel(script, columns, n, at, accuracy, width, height);
    fputs("\nunset multiplot\n", script);
    st = sl_figure_draw(figure, err);
done:
    sl_figure_destroy(figure);
    return st;
}
