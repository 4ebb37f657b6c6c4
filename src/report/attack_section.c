#include "report/attack_section.h"

#include "report/confusion.h"
#include "report/pick.h"
#include "report/table.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { MAX_CLASSES = 64, MAX_PANELS = 4 };

static void add(sl_attacked *m, const char *title, const sl_attack_result *result)
{
    if (result) {
        m->titles[m->n] = title;
        m->results[m->n++] = result;
    }
}

sl_attacked sl_attacked_find(sl_run_span model, const sl_attack_set *attacks)
{
    sl_attacked m = { .name = model.runs->model };
    sl_run_span rest = model, group;

    add(&m, "pretrained", sl_attack_set_find(attacks, model.runs->checkpoint));
    for (; rest.n; rest = sl_run_span_after(rest, group)) {
        group = sl_run_span_first(rest, sl_run_same_group);
        if (group.runs->mixup > 0)
            continue;
        if (group.runs->kind == SL_KIND_HARD || group.runs->kind == SL_KIND_HUMAN)
            add(&m, group.runs->kind == SL_KIND_HARD ? "tuned on CIFAR10" : "tuned on CIFAR10H",
                sl_attack_set_find(attacks, sl_pick_lowest(group)->best));
    }
    return m;
}

static size_t strongest(const sl_attack_set *attacks)
{
    size_t best = 0;

    for (size_t e = 1; e < attacks->n_rows; e++)
        if (attacks->epsilons[e] > attacks->epsilons[best])
            best = e;
    return best;
}

/* ---- words ---- */

static void put_measured(FILE *out, sl_measured m)
{
    fprintf(out, "%.2f", m.value);
    if (!isnan(m.low))
        fprintf(out, " [%.2f, %.2f]", m.low, m.high);
}

static void put_words(FILE *out, const sl_attack_set *attacks, const sl_attacked *models, size_t n)
{
    const size_t e = strongest(attacks);
    size_t n_tested = 0, n_alike = 0;

    fputs("<p>", out);
    for (size_t i = 0; i < n; i++) {
        sl_html_put_text(out, models[i].name);
        fprintf(out, " at \u03b5 %s: the correlation of its confusion with people's is ",
                attacks->epsilon_texts[e]);
        for (size_t k = 0; k < models[i].n; k++) {
            const sl_attack_confusion *c = &models[i].results[k]->confusions[e];

            fputs(k ? ", " : "", out);
            put_measured(out, c->correlation);
            fprintf(out, " %s", models[i].titles[k]);
            n_tested += isnan(c->p_value) ? 0 : 1;
            n_alike += c->p_value < 0.05 ? 1 : 0;
        }
        fputs(". ", out);
    }
    if (n_tested > 0)
        fprintf(out,
                "Of these %zu networks %zu confuse what people confuse more than by chance (p &lt; "
                "0.05).",
                n_tested, n_alike);
    fputs("</p>\n", out);
}

/* ---- numbers ---- */

static sl_status add_measured(sl_table *table, sl_measured m, double unit, int digits,
                              sl_error *err)
{
    if (isnan(m.value))
        return sl_table_cell(table, err, "-");
    if (isnan(m.low))
        return sl_table_cell(table, err, "%.*f", digits, unit * m.value);
    return sl_table_cell(table, err, "%.*f [%.*f, %.*f]", digits, unit * m.value, digits,
                         unit * m.low, digits, unit * m.high);
}

static sl_status add_row(sl_table *table, const sl_attack_set *attacks, const char *title,
                         const sl_attack_result *result, size_t e, sl_error *err)
{
    const sl_attack_confusion *c = &result->confusions[e];
    sl_status st =
        e == 0 ? sl_table_cell(table, err, "%s", title)
               : sl_table_cell(table, err, "%s, \u03b5 %s", title, attacks->epsilon_texts[e]);

    if (!st)
        st = sl_table_cell(table, err, "%" PRId64, c->wrong);
    if (!st)
        st = add_measured(table, c->correlation, 1, 3, err);
    if (!st)
        st = isnan(c->p_value) ? sl_table_cell(table, err, "-")
                               : sl_table_cell(table, err, "%.4f", c->p_value);
    if (!st)
        st = add_measured(table, c->human_share, 100, 2, err);
    return st ? st : add_measured(table, c->chance_share, 100, 2, err);
}

static sl_status put_table(FILE *out, const sl_attack_set *attacks, const sl_attacked *models,
                           size_t n, sl_error *err)
{
    static const char *const titles[] = {
        "network",      "wrong answers", "correlation", "p", "people who say the same, %",
        "by chance, %",
    };
    sl_table *table;
    sl_status st = sl_table_create(&table, 6, err);

    if (!st)
        st = sl_table_title(table, "Confusion of networks and of people", err);
    for (size_t i = 0; i < 6 && !st; i++)
        st = sl_table_cell(table, err, "%s", titles[i]);
    for (size_t i = 0; i < n && !st; i++) {
        st = sl_table_section(table, models[i].name, err);
        for (size_t k = 0; k < models[i].n; k++)
            for (size_t e = 0; e < attacks->n_rows && !st; e++)
                st = add_row(table, attacks, models[i].titles[k], models[i].results[k], e, err);
    }
    if (!st)
        st = sl_table_note(
            table, err,
            "Correlation: Spearman's, over pairs of different classes, of the share of a class's "
            "images that the network answers as the other class with people's mean share of it; p: "
            "by permuting the network's classes. People who say the same: of the wrong answers, "
            "the mean share of people who chose that answer for that image; by chance: if the "
            "answer fell on each wrong class alike. Brackets: 95 %% bootstrap intervals over "
            "images. Tuned networks are the paper's picks of table 1.");
    if (!st)
        sl_table_write_as(table, SL_TABLE_HTML, out);
    sl_table_destroy(table);
    return st;
}

sl_status sl_attack_section_write(FILE *out, const sl_attack_set *attacks,
                                  const sl_attacked *models, size_t n, sl_error *err)
{
    put_words(out, attacks, models, n);
    return put_table(out, attacks, models, n, err);
}

/* ---- heat maps ---- */

sl_status sl_attack_section_draw(const char *path, const sl_attack_set *attacks,
                                 const sl_attacked *model, sl_error *err)
{
    const size_t e = strongest(attacks), k = json_array_size(model->results[0]->classes);
    const char *names[MAX_CLASSES];
    sl_confusion_panel panels[MAX_PANELS] = { { .title = "people" } };
    const json_t *matrices[MAX_PANELS] = { model->results[0]->confusions[e].human };
    double *shares;
    int n = 1;

    if (k < 2 || k > MAX_CLASSES)
        return sl_error_set(err, SL_EUNSUPPORTED, "%zu classes; 2 to %d can be drawn", k,
                            MAX_CLASSES);
    sl_status st = sl_alloc(&shares, MAX_PANELS, k * k * sizeof *shares, err);
    for (size_t c = 0; c < k && !st; c++) {
        names[c] = json_string_value(json_array_get(model->results[0]->classes, c));
        if (!names[c])
            st = sl_error_set(err, SL_EFORMAT, "'classes' aren't names");
    }
    for (size_t m = 0; m < model->n; m++, n++) {
        panels[n].title = model->titles[m];
        matrices[n] = model->results[m]->confusions[e].model;
    }
    for (int p = 0; p < n && !st; p++) {
        panels[p].shares = shares + (size_t)p * k * k;
        st = sl_attack_matrix_read(matrices[p], (int)k, shares + (size_t)p * k * k, err);
    }
    if (!st)
        st = sl_confusion_panels_draw(path, panels, n, (int)k, names, err);
    free(shares);
    return st;
}
