#include "report/html.h"

#include "base/file.h"
#include "report/attack_section.h"
#include "report/changes.h"
#include "report/curves_figure.h"
#include "report/paper_table.h"
#include "report/pick.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SVG_BYTES = 1 << 26 };

static const char head[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'\">\n"
    "<title>softlabel: fine-tuning report</title>\n"
    "<style>\n"
    "body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 0 auto;"
    " max-width: 72rem; padding: 1.5rem; }\n"
    "h1 { font-size: 1.7rem; margin: 0 0 .5rem; } h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem;"
    " border-bottom: 1px solid #ccc; }\n"
    "figure { margin: 1.5rem 0; overflow-x: auto; }\n"
    "figure svg { max-width: 100%; height: auto; }\n"
    "figcaption, figcaption p { font-size: .85rem; color: #555; margin: .3rem 0; max-width: 60rem;"
    " }\n"
    "table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }\n"
    "caption { text-align: left; font-weight: 600; padding-bottom: .4rem; }\n"
    "th, td { padding: .15rem .7rem; text-align: right; white-space: nowrap; }\n"
    "th:first-child, td:first-child { text-align: left; font-weight: normal; }\n"
    "tr:first-child th { border-top: 2px solid; border-bottom: 1px solid; font-weight: 600; }\n"
    "tr:last-child > * { border-bottom: 2px solid; }\n"
    "th.section { font-style: italic; padding-top: .6rem; }\n"
    "code, pre { font: .85em/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }\n"
    "pre { white-space: pre-wrap; background: #f5f5f5; padding: .6rem; margin: .3rem 0; }\n"
    "details { margin: .2rem 0; } summary { cursor: pointer; }\n"
    "</style>\n";

/* ---- figures ---- */

/* The file's <svg> element as it is: gnuplot wrote it, and has escaped its texts. */
static sl_status put_svg(FILE *out, const char *figure, const char *caption, sl_error *err)
{
    sl_arena memory = { 0 };
    const char *path;
    unsigned char *bytes = NULL;
    size_t size;
    sl_status st = sl_arena_printf(&memory, &path, err, "%s.svg", figure);

    if (!st)
        st = sl_file_read(path, MAX_SVG_BYTES, &bytes, &size, err);
    if (!st) {
        const char *svg = strstr((const char *)bytes, "<svg");

        if (svg) {
            fprintf(out, "<figure>\n%s\n<figcaption>", svg);
            sl_html_put_text(out, caption);
            fputs("</figcaption>\n</figure>\n", out);
        } else {
            st = sl_error_at(err, sl_error_set(err, SL_EFORMAT, "isn't an SVG file"), "%s", path);
        }
    }
    free(bytes);
    sl_arena_release(&memory);
    return st;
}

/* A model's picks without mixup; either may be NULL. */
static void find_picks(sl_run_span model, const sl_tuning_run *picks[2])
{
    sl_run_span group;

    picks[0] = picks[1] = NULL;
    for (; model.n; model = sl_run_span_after(model, group)) {
        group = sl_run_span_first(model, sl_run_same_group);
        if (group.runs->mixup > 0)
            continue;
        if (group.runs->kind == SL_KIND_HUMAN)
            picks[0] = sl_pick_lowest(group);
        if (group.runs->kind == SL_KIND_HARD)
            picks[1] = sl_pick_lowest(group);
    }
}

/* Figure 3 of one model. */
static sl_status put_curves(FILE *out, const sl_html_report *r, sl_run_span model, size_t number,
                            sl_error *err)
{
    const sl_tuning_run *picks[2];
    sl_curves curves[2] = { 0 };
    sl_curves_column columns[2];
    sl_arena memory = { 0 };
    const char *path, *titles[2], *caption = "";
    int n = 0;
    sl_status st = sl_arena_printf(&memory, &path, err, "%s/curves-%zu", r->folder, number);

    find_picks(model, picks);
    for (int k = 0; k < 2 && !st; k++) {
        if (!picks[k])
            continue;
        st = sl_curves_read(&curves[n], picks[k]->folder, err);
        if (!st)
            st = sl_arena_printf(&memory, &titles[n], err, "%s-tuned",
                                 sl_tuning_kind_title(picks[k]->kind));
        if (!st)
            st = sl_arena_printf(&memory, &caption, err,
                                 "%s %s: learning rate %g, split seed %" PRId64 ".", caption,
                                 titles[n], picks[k]->lr, picks[k]->split_seed);
        columns[n].curves = &curves[n];
        columns[n].title = titles[n];
        n += !st;
    }
    if (!st && n > 0)
        st = sl_arena_printf(&memory, &caption, err, "%s after each epoch of fine-tuning.%s",
                             model.runs->model, caption);
    if (!st && n > 0)
        st = sl_curves_draw(path, columns, n, err);
    if (!st && n > 0)
        st = put_svg(out, path, caption, err);
    for (int k = 0; k < 2; k++)
        sl_curves_release(&curves[k]);
    sl_arena_release(&memory);
    return st;
}

static bool any_run(const sl_run_set *set, bool mixup)
{
    bool any = false;

    for (size_t i = 0; i < set->n; i++)
        any |= (set->runs[i].mixup > 0) == mixup;
    return any;
}

static sl_status put_figures(FILE *out, const sl_html_report *r, sl_error *err)
{
    sl_run_span rest = { r->set->runs, r->set->n }, model;
    sl_arena memory = { 0 };
    const char *path;
    size_t number = 0;
    sl_status st = sl_arena_printf(&memory, &path, err, "%s/changes", r->folder);

    for (size_t i = 0; i < r->n_figures && !st; i++)
        st = put_svg(out, r->figures[i].path, r->figures[i].caption, err);
    if (!st && any_run(r->set, false)) {
        st = sl_changes_draw(path, r->set, err);
        if (!st)
            st = put_svg(out, path,
                         "Change of the loss by fine-tuning, of each model's selected runs "
                         "(selected as in table 1). Dashed: mean over models.",
                         err);
        for (; rest.n && !st; rest = sl_run_span_after(rest, model)) {
            model = sl_run_span_first(rest, sl_run_same_model);
            st = put_curves(out, r, model, ++number, err);
        }
    }
    sl_arena_release(&memory);
    return st;
}

/* ---- tables ---- */

static sl_status put_paper_table(FILE *out, const sl_html_report *r, int number, sl_error *err)
{
    sl_paper_table table;
    sl_status st = sl_paper_table_create(&table, number, r->set, r->attacks, err);

    if (!st)
        st = sl_paper_table_write(&table, SL_TABLE_HTML, out, err);
    sl_paper_table_release(&table);
    return st;
}

static sl_status put_tables(FILE *out, const sl_html_report *r, sl_error *err)
{
    sl_status st = SL_OK;

    fputs("<h2>Tables</h2>\n", out);
    if (any_run(r->set, false))
        st = put_paper_table(out, r, 1, err);
    if (!st && any_run(r->set, true))
        st = put_paper_table(out, r, 2, err);
    if (!st && r->attacks->n > 0)
        st = put_paper_table(out, r, 3, err);
    return st;
}

/* ---- attacks ---- */

static sl_status draw_attacked(FILE *out, const sl_html_report *r, const sl_attacked *model,
                               size_t number, sl_error *err)
{
    sl_arena memory = { 0 };
    const char *path, *caption;
    sl_status st = sl_arena_printf(&memory, &path, err, "%s/attack-%zu", r->folder, number);

    if (!st)
        st = sl_arena_printf(&memory, &caption, err,
                             "%s: what people take a class's images for, and what the network does "
                             "under the strongest attack. Shares of a class's images.",
                             model->name);
    if (!st)
        st = sl_attack_section_draw(path, r->attacks, model, err);
    if (!st)
        st = put_svg(out, path, caption, err);
    sl_arena_release(&memory);
    return st;
}

static sl_status put_attacks(FILE *out, const sl_html_report *r, sl_error *err)
{
    sl_run_span rest = { r->set->runs, r->set->n }, model;
    sl_attacked *models;
    size_t n = 0;
    sl_status st = sl_alloc(&models, r->set->n, sizeof *models, err);

    for (; rest.n && !st; rest = sl_run_span_after(rest, model)) {
        model = sl_run_span_first(rest, sl_run_same_model);
        models[n] = sl_attacked_find(model, r->attacks);
        n += models[n].n > 0;
    }
    if (!st && n > 0) {
        fputs("<h2>Does the attack land on classes that people confuse?</h2>\n", out);
        st = sl_attack_section_write(out, r->attacks, models, n, err);
    }
    for (size_t i = 0; i < n && !st; i++)
        st = draw_attacked(out, r, &models[i], i + 1, err);
    free(models);
    return st;
}

/* ---- runs ---- */

static sl_status put_seconds(sl_table *table, double seconds, sl_error *err)
{
    if (!(seconds >= 0 && seconds < 1e9))
        return sl_table_cell(table, err, "-");
    const int64_t s = llround(seconds);
    return sl_table_cell(table, err, "%" PRId64 ":%02d:%02d", s / 3600, (int)(s / 60 % 60),
                         (int)(s % 60));
}

static sl_status add_run(sl_table *table, const sl_tuning_run *r, sl_error *err)
{
    const sl_report_column selects = sl_tuning_kind_selects(r->kind);
    sl_status st = sl_table_cell(table, err, "%s", r->model);

    if (!st)
        st = sl_table_cell(table, err, "%s", sl_tuning_kind_title(r->kind));
    if (!st)
        st = r->mixup > 0 ? sl_table_cell(table, err, "%g", r->mixup)
                          : sl_table_cell(table, err, "-");
    if (!st)
        st = sl_table_cell(table, err, "%g", r->lr);
    if (!st)
        st = sl_table_cell(table, err, "%" PRId64 " / %" PRId64, r->split_seed, r->seed);
    if (!st)
        st = sl_table_cell(table, err, "%d of %" PRId64, r->selected.epoch, r->epochs);
    if (!st)
        st = sl_table_cell(table, err, "%s %.4f", sl_report_column_title(selects),
                           r->selected.loss[selects]);
    return st ? st : put_seconds(table, r->seconds, err);
}

static sl_status put_run_table(FILE *out, const sl_run_set *set, sl_error *err)
{
    static const char *const titles[] = {
        "model",          "tuned on",      "mixup α", "lr", "split seed / seed",
        "selected epoch", "by its lowest", "time"
    };
    double seconds = 0;
    sl_table *table;
    sl_status st = sl_table_create(&table, 8, err);

    if (!st)
        st = sl_table_title(table, "All runs", err);
    for (size_t i = 0; i < 8 && !st; i++)
        st = sl_table_cell(table, err, "%s", titles[i]);
    for (size_t i = 0; i < set->n && !st; i++) {
        st = add_run(table, &set->runs[i], err);
        seconds += isnan(set->runs[i].seconds) ? 0 : set->runs[i].seconds;
    }
    if (!st)
        st = sl_table_note(table, err, "%zu runs, %.2f hours together.", set->n, seconds / 3600);
    if (!st)
        sl_table_write_as(table, SL_TABLE_HTML, out);
    sl_table_destroy(table);
    return st;
}

/* A run's settings, model and data, hashes among them. */
static sl_status put_settings(FILE *out, const sl_tuning_run *r, sl_error *err)
{
    static const char *const keys[] = { "settings", "model",       "data",
                                        "rule",     "best_sha256", "last_sha256" };
    json_t *shown = json_object();

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_object_get(r->json, keys[i]))
            json_object_set(shown, keys[i], json_object_get(r->json, keys[i]));
    char *text = json_dumps(shown, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    json_decref(shown);
    if (!text)
        return sl_error_set(err, SL_ENOMEM, "not enough memory for the report");
    fputs("<details><summary><code>", out);
    sl_html_put_text(out, r->folder);
    fputs("</code></summary><pre>", out);
    sl_html_put_text(out, text);
    fputs("</pre></details>\n", out);
    free(text);
    return SL_OK;
}

static sl_status put_runs(FILE *out, const sl_html_report *r, sl_error *err)
{
    fputs("<h2>Runs</h2>\n", out);
    sl_status st = put_run_table(out, r->set, err);

    fputs("<h2>Settings and hashes</h2>\n", out);
    for (size_t i = 0; i < r->set->n && !st; i++)
        st = put_settings(out, &r->set->runs[i], err);
    return st;
}

/* ---- the page ---- */

static void put_intro(FILE *out, const sl_run_set *set)
{
    sl_run_span rest = { set->runs, set->n };
    size_t models = 0;

    for (; rest.n; models++)
        rest = sl_run_span_after(rest, sl_run_span_first(rest, sl_run_same_model));
    fprintf(out,
            "<h1>What human labels buy</h1>\n"
            "<p>%zu fine-tuning run%s of %zu model%s. Made by softlabel " SL_VERSION
            " from the runs' folders; every number below can be traced to a run at the end of this "
            "page.</p>\n",
            set->n, set->n == 1 ? "" : "s", models, models == 1 ? "" : "s");
}

sl_status sl_html_report_write(const char *path, const sl_html_report *report, sl_error *err)
{
    sl_file_writer *writer;
    sl_status st = sl_make_directories(report->folder, err);

    if (!st)
        st = sl_file_writer_open(&writer, path, err);
    if (st)
        return st;
    FILE *out = sl_file_writer_stream(writer);
    fputs(head, out);
    put_intro(out, report->set);
    st = put_tables(out, report, err);
    fputs("<h2>Figures</h2>\n", out);
    if (!st)
        st = put_figures(out, report, err);
    if (!st)
        st = put_attacks(out, report, err);
    if (!st)
        st = put_runs(out, report, err);
    fputs("</html>\n", out);
    if (!st)
        return sl_file_writer_commit(writer, err);
    sl_file_writer_abort(writer);
    return st;
}
