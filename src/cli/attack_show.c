/* softlabel attack's results as tables and JSON. */
#include "cli/attack.h"

#include "report/table.h"

#include <math.h>
#include <stdio.h>

/* ---- text ---- */

/* "0.4481 [0.4302, 0.4661]" */
static sl_status add_measured(sl_table *table, sl_measured m, double scale, int digits,
                              const char *unit, sl_error *err)
{
    if (isnan(m.value))
        return sl_table_cell(table, err, "-");
    if (isnan(m.low))
        return sl_table_cell(table, err, "%.*f%s", digits, scale * m.value, unit);
    return sl_table_cell(table, err, "%.*f%s [%.*f, %.*f]", digits, scale * m.value, unit, digits,
                         scale * m.low, digits, scale * m.high);
}

static sl_status add_header(sl_table *table, const char *const *titles, size_t n, sl_error *err)
{
    sl_status st = SL_OK;

    for (size_t i = 0; i < n && !st; i++)
        st = sl_table_cell(table, err, "%s", titles[i]);
    return st;
}

static sl_status add_epsilon(sl_table *table, const cli_attack_options *o, size_t e, sl_error *err)
{
    return e == 0 ? sl_table_cell(table, err, "before")
                  : sl_table_cell(table, err, "epsilon %s", o->epsilon_texts[e]);
}

static sl_status show_scores(const cli_attack_options *o, const cli_attacked_model *m,
                             sl_error *err)
{
    const char *const titles[] = { sl_model_name(m->model), "cross-entropy, hard", "accuracy",
                                   "cross-entropy, human" };
    sl_table *table;
    sl_status st = sl_table_create(&table, 4, err);

    if (!st)
        st = add_header(table, titles, 4, err);
    for (size_t e = 0; e < o->n_epsilons && !st; e++) {
        const sl_measured *row = m->measured + e * SL_MEASURE_COUNT;

        st = add_epsilon(table, o, e, err);
        if (!st)
            st = add_measured(table, row[SL_MEASURE_HARD_CROSS_ENTROPY], 1, 4, "", err);
        if (!st)
            st = add_measured(table, row[SL_MEASURE_ACCURACY], 100, 2, " %", err);
        if (!st)
            st = add_measured(table, row[SL_MEASURE_CROSS_ENTROPY], 1, 4, "", err);
    }
    if (!st)
        sl_table_write(table, stdout);
    sl_table_destroy(table);
    return st;
}

static sl_status show_confusions(const cli_attack_options *o, const cli_attacked_model *m,
                                 sl_error *err)
{
    static const char *const titles[] = { "wrong answers",           "images",
                                          "confusion as people's",   "p",
                                          "people who say the same", "by chance" };
    sl_table *table;
    sl_status st = sl_table_create(&table, 6, err);

    if (!st)
        st = add_header(table, titles, 6, err);
    for (size_t e = 0; e < o->n_epsilons && !st; e++) {
        const sl_confusion *c = &m->confusions[e];

        st = add_epsilon(table, o, e, err);
        if (!st)
            st = sl_table_cell(table, err, "%zu", c->n_wrong);
        if (!st)
            st = add_measured(table, c->correlation, 1, 3, "", err);
        if (!st)
            st = isnan(c->p_value) ? sl_table_cell(table, err, "-")
                                   : sl_table_cell(table, err, "%.4f", c->p_value);
        if (!st)
            st = add_measured(table, c->human_share, 100, 2, " %", err);
        if (!st)
            st = add_measured(table, c->chance_share, 100, 2, " %", err);
    }
    if (!st)
        sl_table_write(table, stdout);
    sl_table_destroy(table);
    return st;
}

sl_status cli_attack_show_text(const cli_attack_options *o, const cli_attack_scene *s,
                               const cli_attacked_model *m, sl_error *err)
{
    const char *note = sl_data_note(s->data);
    sl_status st = show_scores(o, m, err);

    printf("\n");
    if (!st)
        st = show_confusions(o, m, err);
    if (st)
        return st;
    printf("\nAttack: %s", o->attack.method == SL_ATTACK_FGSM ? "FGSM" : "PGD");
    if (o->attack.method == SL_ATTACK_PGD)
        printf(" of %d steps, %d restart%s,", o->attack.steps, o->attack.restarts,
               o->attack.restarts == 1 ? "" : "s");
    printf(" against %s labels; epsilon is the L-infinity bound in pixels of [0,1]; %.1f s.\n"
           "Images: all %zu of %s (%.12s)%s%s. Human labels: %.12s. Model: %s (%.12s).\n"
           "Confusion as people's: Spearman's correlation, over pairs of classes, of the share of "
           "a class's images\nanswered as the other with people's mean share of it; p by "
           "permuting classes. Brackets: 95 %% bootstrap intervals.\n\n",
           o->targets ? "human" : "hard", m->seconds, s->test->n, s->test->name, s->test->sha256,
           *note ? "; " : "", note, s->human->sha256, m->path, m->sha256);
    return SL_OK;
}

/* ---- JSON ---- */

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *measured_json(sl_measured m)
{
    return json_pack("{s:o, s:o, s:o}", "value", number(m.value), "low", number(m.low), "high",
                     number(m.high));
}

static json_t *matrix_json(const double *cells, int classes)
{
    json_t *rows = json_array();

    for (int t = 0; t < classes; t++) {
        json_t *row = json_array();

        for (int c = 0; c < classes; c++)
            json_array_append_new(row, number(cells[t * classes + c]));
        json_array_append_new(rows, row);
    }
    return rows;
}

static json_t *confusion_json(const sl_confusion *c)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "wrong", (json_int_t)c->n_wrong,
                     "spearman", measured_json(c->correlation), "p_value", number(c->p_value),
                     "human_share", measured_json(c->human_share), "chance_share",
                     measured_json(c->chance_share), "model", matrix_json(c->model, c->classes),
                     "human", matrix_json(c->human, c->classes));
}

static json_t *row_json(const cli_attack_options *o, const cli_attacked_model *m, size_t e)
{
    json_t *row = json_pack("{s:s, s:o}", "epsilon_text", o->epsilon_texts[e], "epsilon",
                            json_real(o->epsilons[e]));
    json_t *changes = json_object();

    for (int k = 0; k < SL_MEASURE_COUNT; k++) {
        const size_t cell = e * SL_MEASURE_COUNT + (size_t)k;
        const char *key = sl_measure_key((sl_measure)k);

        json_object_set_new(row, key, measured_json(m->measured[cell]));
        json_object_set_new(changes, key, measured_json(m->differences[cell]));
    }
    json_object_set_new(row, "change", changes);
    json_object_set_new(row, "confusion", confusion_json(&m->confusions[e]));
    return row;
}

static json_t *attack_json(const cli_attack_options *o)
{
    json_t *json = json_pack("{s:s, s:s}", "method", cli_attack_method_name(o->attack.method),
                             "targets", o->targets ? "human" : "hard");

    if (o->attack.method == SL_ATTACK_PGD) {
        json_object_set_new(json, "steps", json_integer(o->attack.steps));
        json_object_set_new(json, "step_size", /* null: 2.5 epsilon / steps */
                            o->attack.step_size > 0 ? json_real(o->attack.step_size) : json_null());
        json_object_set_new(json, "restarts", json_integer(o->attack.restarts));
        json_object_set_new(json, "seed", json_integer((json_int_t)o->attack.seed));
    }
    return json;
}

json_t *cli_attack_settings_json(const cli_attack_options *o, const cli_attack_scene *s)
{
    json_t *data =
        json_pack("{s:s, s:s, s:s, s:s}", "kind", sl_data_kind(s->data), "note",
                  sl_data_note(s->data), "test", s->test->sha256, "human", s->human->sha256);
    json_t *statistics = json_pack("{s:i, s:i, s:I}", "bootstrap", o->resamples, "permutations",
                                   o->permutations, "seed", (json_int_t)o->common.seed);

    return json_pack("{s:o, s:o, s:o}", "data", data, "attack", attack_json(o), "statistics",
                     statistics);
}

json_t *cli_attack_model_json(const cli_attack_options *o, const cli_attack_scene *s,
                              const cli_attacked_model *m)
{
    json_t *rows = json_array(), *classes = json_array();
    json_t *settings = cli_attack_settings_json(o, s);
    json_t *json = json_pack("{s:s, s:s, s:s}", "model", sl_model_name(m->model), "file", m->path,
                             "sha256", m->sha256);

    json_object_update(json, settings);
    json_decref(settings);
    for (size_t e = 0; e < o->n_epsilons; e++)
        json_array_append_new(rows, row_json(o, m, e));
    for (int c = 0; c < s->test->classes; c++)
        json_array_append_new(classes, json_string(s->test->class_names[c]));
    json_object_set_new(json, "classes", classes);
    json_object_set_new(json, "images", json_integer((json_int_t)s->test->n));
    json_object_set_new(json, "seconds", json_real(m->seconds));
    json_object_set_new(json, "rows", rows);
    return json;
}
