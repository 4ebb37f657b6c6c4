/* Everything about finished runs in one HTML file that needs nothing else: no network, no script.
 * The same runs make the same bytes. */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include "report/attack_result.h"
#include "report/run_set.h"

typedef struct {
    const char *path, *caption; /* path: of its .svg, without the ending */
} sl_html_figure;

typedef struct {
    const sl_run_set *set;
    const sl_attack_set *attacks; /* empty: no table 3 */
    const char *folder; /* where figures are drawn, beside path; script and data stay there */
    const sl_html_figure *figures; /* (n_figures) made by the caller, shown first */
    size_t n_figures;
} sl_html_report;

/* Draws the figures and writes path, whole or not at all: tables 1, 2 (with runs with mixup) and 3,
 * figure 2, figure 3 of each model's selected runs, every run's settings, hashes and time. */
SL_CHECK sl_status sl_html_report_write(const char *path, const sl_html_report *report,
                                        sl_error *err);

#endif
