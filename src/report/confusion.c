#include "report/confusion.h"

#include "report/figure.h"

#include <inttypes.h>

#define SMALLEST 0.01 /* per cent: what is less has this one's colour */

static int64_t row_sum(const int64_t *counts, int k, int t)
{
    int64_t n = 0;
    for (int c = 0; c < k; c++)
        n += counts[t * k + c];
    return n;
}

/* One cell a line, a blank line behind each row, as gnuplot's images want them. */
static void put_cells(FILE *out, const int64_t *counts, int k, const char *const *names,
                      const char *caption)
{
    fputs("# ", out);
    sl_figure_put_data_text(out, caption);
    fputs("\n# choice true_class per_cent judgments choice_name true_name\n", out);
    for (int t = 0; t < k; t++) {
        const double n = (double)row_sum(counts, k, t);
        for (int c = 0; c < k; c++) {
            const double share = n > 0 ? 100 * (double)counts[t * k + c] / n : 0;
            fprintf(out, "%d %d %.6f %" PRId64 " ", c, t, share, counts[t * k + c]);
            sl_figure_put_data_text(out, names[c]);
            fputc(' ', out);
            sl_figure_put_data_text(out, names[t]);
            fputc('\n', out);
        }
        fputc('\n', out);
    }
}

static void put_tics(FILE *out, const char *axis, int k, const char *const *names)
{
    fprintf(out, "set %s (", axis);
    for (int c = 0; c < k; c++) {
        if (c > 0)
            fputs(", ", out);
        sl_figure_put_text(out, names[c]);
        fprintf(out, " %d", c);
    }
    fputs(")\n", out);
}

sl_status sl_confusion_draw(const char *path, const int64_t *counts, int k,
                            const char *const *class_names, const char *caption, sl_error *err)
{
    sl_figure *figure;
    FILE *data;
    int64_t total = 0;
    const double side = k <= 12 ? 1.15 * k + 5 : 18; /* cm */
    for (int t = 0; t < k; t++)
        total += row_sum(counts, k, t);
    if (total == 0)
        return sl_error_set(err, SL_EINVAL, "no judgment of an image whose true label is known");
    sl_status st = sl_figure_create(&figure, path, side, side, err);
    if (!st)
        st = sl_figure_data(figure, "dat", &data, err);
    if (st)
        goto done;
    put_cells(data, counts, k, class_names, caption);

    FILE *script = sl_figure_script(figure);
    put_tics(script, "xtics rotate by 45 right offset 0,-0.2", k, class_names);
    put_tics(script, "ytics", k, class_names);
    fprintf(script,
            "set datafile separator whitespace\n"
            "set tics scale 0\n"
            "set size ratio 1\n"
            "set xrange [-0.5:%d-0.5]\n"
            "set yrange [%d-0.5:-0.5]\n"
            "set xlabel \"people's choice\"\n"
            "set ylabel \"true label\"\n"
            "set logscale cb\n"
            "set cbrange [%g:100]\n"
            "set cbtics ('0.01' 0.01, '0.1' 0.1, '1' 1, '10' 10, '100' 100)\n"
            "set palette defined (0 \"white\", 0.35 \"#c6dbef\", 0.7 \"#4292c6\", 1 \"#08306b\")\n"
            "shown(x) = x < %g ? %g : x\n"
            "text(x) = x == 0 ? \"\" : x < 0.1 ? sprintf(\"%%.2f\", x) : sprintf(\"%%.1f\", x)\n"
            "set label 1 ",
            k, k, SMALLEST, SMALLEST, SMALLEST);
    sl_figure_put_text(script, caption);
    fputs(" at screen 0.02, screen 0.02 font \",7\"\n"
          "set bmargin 6\n"
          "unset key\n"
          "plot name.\".dat\" using 1:2:(shown($3)) with image pixels",
          script);
    if (k <= 20)
        fputs(", \\\n     name.\".dat\" using 1:2:(text($3)):($3 > 5 ? 0xffffff : 0x000000) with "
              "labels font \",7\" textcolor rgb variable",
              script);
    fputc('\n', script);
    st = sl_figure_draw(figure, err);
done:
    sl_figure_destroy(figure);
    return st;
}

/* ---- several, without the diagonals ---- */

#define CELL_CM 0.42
#define SIDE_CM 3.0  /* room left of the first panel */
#define NAMES_CM 2.0 /* room under all */
#define GAP_CM 0.5
#define TITLE_CM 0.8
#define SCALE_CM 2.2 /* room for the colours, to the right */

/* As put_cells, a column a panel; the diagonals are NaN. */
static void put_panel_cells(FILE *out, const sl_confusion_panel *panels, int n, int k)
{
    fputs("# shares of a class's images, % of each true class\n# choice true_class", out);
    for (int p = 0; p < n; p++) {
        fputc(' ', out);
        sl_figure_put_data_text(out, panels[p].title);
    }
    fputc('\n', out);
    for (int t = 0; t < k; t++) {
        for (int c = 0; c < k; c++) {
            fprintf(out, "%d %d", c, t);
            for (int p = 0; p < n; p++)
                if (c == t)
                    fputs(" NaN", out);
                else
                    fprintf(out, " %.6f", 100 * panels[p].shares[t * k + c]);
            fputc('\n', out);
        }
        fputc('\n', out);
    }
}

static void put_panel(FILE *out, const sl_confusion_panel *panel, int p, int n, double side,
                      double width, double height)
{
    const double left = SIDE_CM + p * (side + GAP_CM);

    fputs("set title ", out);
    sl_figure_put_text(out, panel->title);
    fprintf(out,
            "\nset lmargin at screen %.4f\nset rmargin at screen %.4f\n"
            "set bmargin at screen %.4f\nset tmargin at screen %.4f\n",
            left / width, (left + side) / width, NAMES_CM / height, (NAMES_CM + side) / height);
    if (p == 1)
        fputs("unset ytics\nunset ylabel\n", out);
    if (p == n - 1)
        fprintf(out, "set colorbox user origin screen %.4f,%.4f size screen %.4f,%.4f\n",
                (left + side + 0.3) / width, NAMES_CM / height, 0.35 / width, side / height);
    else
        fputs("unset colorbox\n", out);
    fprintf(out, "plot name.\".dat\" using 1:2:(shown($%d)) with image pixels\n", 3 + p);
}

sl_status sl_confusion_panels_draw(const char *path, const sl_confusion_panel *panels, int n, int k,
                                   const char *const *class_names, sl_error *err)
{
    const double side = CELL_CM * k, width = SIDE_CM + n * (side + GAP_CM) + SCALE_CM;
    const double height = NAMES_CM + side + TITLE_CM;
    sl_figure *figure;
    FILE *data;
    sl_status st = sl_figure_create(&figure, path, width, height, err);

    if (!st)
        st = sl_figure_data(figure, "dat", &data, err);
    if (!st) {
        FILE *script = sl_figure_script(figure);

        put_panel_cells(data, panels, n, k);
        put_tics(script, "xtics rotate by 45 right offset 0,-0.2 font \",7\"", k, class_names);
        put_tics(script, "ytics font \",7\"", k, class_names);
        fprintf(script,
                "set datafile separator whitespace\n"
                "set tics scale 0\n"
                "set xrange [-0.5:%d-0.5]\n"
                "set yrange [%d-0.5:-0.5]\n"
                "set title offset 0,-0.6 font \",9\"\n"
                "set ylabel \"true label\" offset 1,0\n"
                "set cblabel \"%% of the class\" offset -1,0\n"
                "set logscale cb\n"
                "set cbrange [0.1:100]\n"
                "set cbtics ('0.1' 0.1, '1' 1, '10' 10, '100' 100) font \",7\"\n"
                "set palette defined (0 \"white\", 0.35 \"#c6dbef\", 0.7 \"#4292c6\", 1 "
                "\"#08306b\")\n"
                "shown(x) = x < 0.1 ? 0.1 : x\n"
                "unset key\n"
                "set multiplot\n",
                k, k);
        for (int p = 0; p < n; p++)
            put_panel(script, &panels[p], p, n, side, width, height);
        fputs("unset multiplot\n", script);
        st = sl_figure_draw(figure, err);
    }
    sl_figure_destroy(figure);
    return st;
}
