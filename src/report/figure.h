/* Figures through gnuplot: SVG, PDF and PNG, with the script and the data that made them beside.
 *
 * The caller writes gnuplot commands and data files; the terminals are set up here. Everything is
 * made in a folder aside and then moved into place, the images last. One thread at a time. */
#ifndef REPORT_FIGURE_H
#define REPORT_FIGURE_H

#include <softlabel/error.h>
#include <stdio.h>

typedef struct sl_figure sl_figure;

/* path is "folder/name", without an ending; the folder is made if need be. name: letters, digits,
 * "_", "-" and "."; the script finds it in the variable `name`. */
SL_CHECK sl_status sl_figure_create(sl_figure **out, const char *path, double width_cm,
                                    double height_cm, sl_error *err);
void sl_figure_destroy(sl_figure *figure); /* NULL is fine */

/* Where the commands go. Text from outside: by sl_figure_put_text. */
FILE *sl_figure_script(sl_figure *figure);
/* Where the data of name.suffix goes ("dat": name.".dat"), until the next call. */
SL_CHECK sl_status sl_figure_data(sl_figure *figure, const char *suffix, FILE **out, sl_error *err);
/* A string that gnuplot takes literally, whatever is in text: quoted, without what can't be shown;
 * as a script has it, or as a data file does. */
void sl_figure_put_text(FILE *script, const char *text);
void sl_figure_put_data_text(FILE *data, const char *text);

/* Runs gnuplot and moves name.gp, the data, name.svg, name.pdf and name.png into the folder.
 * SL_ENOTFOUND without gnuplot; SL_EIO, with its first line, when it fails. */
SL_CHECK sl_status sl_figure_draw(sl_figure *figure, sl_error *err);

#endif
