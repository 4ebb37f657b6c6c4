#include "report/examples.h"

#include "report/figure.h"

#define MAX_EXAMPLES 20
#define ROW_CM 2.6
#define NAMES_CM 1.9 /* under the last row */
#define WIDTH_CM 9.0
#define IMAGE_CM 2.2

static void put_pixels(FILE *out, const sl_example *e, int height, int width)
{
    const size_t plane = (size_t)height * (size_t)width;
    fprintf(out, "# x y red green blue of image %zu\n", e->number);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const uint8_t *at = e->pixels + y * width + x;
            fprintf(out, "%d %d %d %d %d\n", x, y, at[0], at[plane], at[2 * plane]);
        }
}

/* A row a class: its name, and the proportion of each example. */
static void put_proportions(FILE *out, const sl_example *examples, size_t n, int classes,
                            const char *const *names, const char *caption)
{
    fputs("# ", out);
    sl_figure_put_data_text(out, caption);
    fputs("\n# class", out);
    for (size_t i = 0; i < n; i++)
        fprintf(out, " image_%zu", examples[i].number);
    fputc('\n', out);
    for (int k = 0; k < classes; k++) {
        sl_figure_put_data_text(out, names[k]);
        for (size_t i = 0; i < n; i++)
            fprintf(out, " %.17g", examples[i].p[k]);
        fputc('\n', out);
    }
}

/* Places on the page are shares of its height and width, from the lower left. */
static void put_row(FILE *out, size_t i, size_t n, int height, int width, int classes)
{
    const double page = ROW_CM * (double)n + NAMES_CM;
    const double bottom = NAMES_CM + ROW_CM * (double)(n - 1 - i);
    const double image_bottom = (bottom + (ROW_CM - IMAGE_CM) / 2) / page;
    fprintf(out,
            "\nunset border; unset tics\n"
            "set lmargin at screen %.5f; set rmargin at screen %.5f\n"
            "set bmargin at screen %.5f; set tmargin at screen %.5f\n"
            "set xrange [-0.5:%d-0.5]; set yrange [%d-0.5:-0.5]\n"
            "plot name.\".image%zu.dat\" using 1:2:3:4:5 with rgbimage\n",
            0.2 / WIDTH_CM, (0.2 + IMAGE_CM) / WIDTH_CM, image_bottom,
            image_bottom + IMAGE_CM / page, width, height, i + 1);
    fprintf(out,
            "set border 15; set ytics (0, 1) nomirror scale 0.4\n"
            "set lmargin at screen %.5f; set rmargin at screen %.5f\n"
            "set xrange [-0.6:%d-0.4]; set yrange [0:1]\n",
            (IMAGE_CM + 0.9) / WIDTH_CM, (WIDTH_CM - 0.2) / WIDTH_CM, classes);
    if (i + 1 == n)
        fprintf(out,
                "set xtics rotate by 45 right offset 0,-0.1 scale 0\n"
                "plot name.\".dat\" using 0:%zu:xtic(1) with boxes\n",
                i + 2);
    else
        fprintf(out, "plot name.\".dat\" using 0:%zu with boxes\n", i + 2);
}

sl_status sl_examples_draw(const char *path, const sl_example *examples, size_t n, int height,
                           int width, int classes, const char *const *class_names,
                           const char *caption, sl_error *err)
{
    sl_figure *figure = NULL;
    FILE *data;
    if (n < 1 || n > MAX_EXAMPLES)
        return sl_error_set(err, SL_EINVAL, "%zu examples, expected 1 to %d", n, MAX_EXAMPLES);
    sl_status st = sl_figure_create(&figure, path, WIDTH_CM, ROW_CM * (double)n + NAMES_CM, err);
    if (!st)
        st = sl_figure_data(figure, "dat", &data, err);
    if (!st)
        put_proportions(data, examples, n, classes, class_names, caption);
    for (size_t i = 0; i < n && !st; i++) {
        char suffix[32];
        snprintf(suffix, sizeof suffix, "image%zu.dat", i + 1);
        st = sl_figure_data(figure, suffix, &data, err);
        if (!st)
            put_pixels(data, &examples[i], height, width);
    }
    if (!st) {
        FILE *script = sl_figure_script(figure);
        fputs("set datafile separator whitespace\n"
              "unset key\n"
              "set style fill solid 1 noborder\n"
              "set boxwidth 0.8\n"
              "set linetype 1 linecolor rgb \"black\"\n"
              "set multiplot\n",
              script);
        for (size_t i = 0; i < n; i++)
            put_row(script, i, n, height, width, classes);
        fputs("\nunset multiplot\n", script);
        st = sl_figure_draw(figure, err);
    }
    sl_figure_destroy(figure);
    return st;
}
