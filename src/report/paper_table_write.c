/* The paper's tables as people read them, as CSV and as JSON. */
#include "report/paper_table.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const part_names[SL_PART_COUNT] = {
    [SL_PART_LOWEST] = "lowest",
    [SL_PART_OTHER_SEEDS] = "other seeds",
    [SL_PART_DIFFERENCES] = "difference",
};

/* ---- cells ---- */

/* "0.78 (94%)", the paper's form. */
static sl_status put_lowest(sl_table *text, const sl_paper_cell *c, sl_error *err)
{
    return sl_table_cell(text, err, "%.2f (%.0f%%)", c->loss.mean, 100 * c->accuracy.mean);
}

static sl_status put_mean(sl_table *text, const sl_paper_cell *c, sl_error *err)
{
    if (c->loss.n < 2)
        return sl_table_cell(text, err, "%.3f (%.1f%%)", c->loss.mean, 100 * c->accuracy.mean);
    return sl_table_cell(text, err, "%.3f±%.3f (%.1f±%.1f%%)", c->loss.mean, c->loss.sd,
                         100 * c->accuracy.mean, 100 * c->accuracy.sd);
}

static sl_status put_difference(sl_table *text, const sl_paper_cell *c, sl_error *err)
{
    const sl_measured *m = &c->loss_interval;

    if (isnan(m->low))
        return sl_table_cell(text, err, "%+.3f (%+.1f%%)", m->value, 100 * c->accuracy.mean);
    return sl_table_cell(text, err, "%+.3f [%+.3f, %+.3f] (%+.1f%%)", m->value, m->low, m->high,
                         100 * c->accuracy.mean);
}

static sl_status put_row(const sl_paper_table *t, sl_table *text, const sl_paper_row *row,
                         sl_error *err)
{
    sl_status (*const put[])(sl_table *, const sl_paper_cell *, sl_error *) = {
        [SL_PART_LOWEST] = put_lowest,
        [SL_PART_OTHER_SEEDS] = put_mean,
        [SL_PART_DIFFERENCES] = put_difference,
    };
    sl_status st = sl_table_cell(text, err, "%s", row->model);

    if (!st && row->part != SL_PART_LOWEST)
        st = sl_table_cell(text, err, "%zu", row->n);
    for (size_t c = 0; c < t->n_columns && !st; c++)
        st = row->cells[c].loss.n ? put[row->part](text, &row->cells[c], err)
                                  : sl_table_cell(text, err, "-");
    return st;
}

/* ---- notes ---- */

/* "Fine-tuned on CIFAR10H, wrn_16_2: lr 0.001, split seed 0, epoch 3 of 100." */
static sl_status note_picks(const sl_paper_table *t, sl_table *text, sl_error *err)
{
    sl_status st = SL_OK;

    for (size_t i = 0; i < t->n && !st; i++) {
        const sl_paper_row *row = &t->rows[i];

        if (row->part == SL_PART_LOWEST && row->epoch > 0)
            st = sl_table_note(text, err,
                               "%s, %s: lr %g, split seed %" PRId64 ", epoch %d of %" PRId64 ".",
                               row->section, row->model, row->run->lr, row->run->split_seed,
                               row->epoch, row->run->epochs);
    }
    return st;
}

/* Each set of data once. */
static sl_status note_data(const sl_paper_table *t, sl_table *text, sl_error *err)
{
    const sl_run_set *set = t->set;
    sl_status st = SL_OK;

    for (size_t i = 0; i < set->n && !st; i++) {
        const sl_tuning_run *r = &set->runs[i];
        bool seen = false;

        for (size_t k = 0; k < i && !seen; k++)
            seen = strcmp(set->runs[k].test, r->test) == 0 &&
                   strcmp(set->runs[k].human, r->human) == 0;
        if (!seen)
            st = sl_table_note(text, err, "Data: test set %.16s, human labels %.16s%s%s.", r->test,
                               r->human, *r->note ? "; " : "", r->note);
    }
    return st;
}

static sl_status note_attack(const sl_paper_table *t, sl_table *text, sl_error *err)
{
    if (t->number != 3)
        return sl_table_note(
            text, err,
            "Cross-entropy in nats (accuracy; on c10h against the most frequent "
            "human choice). c10h val and c10 val: the tenth of the test set that a "
            "run's split seed holds out, human and hard labels.");
    return sl_table_note(text, err,
                         "Cross-entropy in nats (accuracy) against the hard labels of the whole "
                         "test set, nine tenths of which the models were tuned on; the attack is "
                         "against %s labels, ε its L-infinity bound in pixels of [0,1].",
                         t->attacks->targets);
}

static sl_status note_lowest(const sl_paper_table *t, sl_table *text, sl_error *err)
{
    sl_status st = note_attack(t, text, err);
    bool other_seeds = false;
    size_t n = 0;

    for (size_t i = 0; i < t->set->n; i++)
        n += t->number == 3 || (t->set->runs[i].mixup > 0) == (t->number == 2);
    if (!st)
        st = sl_table_note(text, err,
                           "Selection (the paper's): of all learning rates, seeds and epochs >= 1 "
                           "of a model, the row tuned on CIFAR10 or smoothed labels is the one "
                           "with the lowest c10 val loss, the others' the one with the lowest c10h "
                           "val loss; so a row is chosen on images that it reports. %zu runs in "
                           "all. Pretrained: before the first step of the first tuned row's run.",
                           n);
    for (size_t i = 0; i < t->n; i++)
        other_seeds |= t->rows[i].part == SL_PART_OTHER_SEEDS;
    if (!st && !other_seeds)
        st = sl_table_note(
            text, err, "There is no mean over seeds: no setting has runs of two or more seeds%s.",
            t->number == 3 ? " whose selected models were attacked" : "");
    if (!st)
        st = note_picks(t, text, err);
    return st ? st : note_data(t, text, err);
}

static sl_status note_other_seeds(const sl_paper_table *t, sl_table *text, sl_error *err)
{
    return sl_table_note(
        text, err,
        "Mean ± standard deviation over seeds. Selection: each seed's %s the lowest mean "
        "validation loss on the other seeds%s. Seeds are splits of the same images, so their "
        "training parts overlap, and a tenth of what chooses is also in what is reported.",
        t->number == 3 ? "learning rate is the one with" : "learning rate and epoch are those with",
        t->number == 3 ? "; the epoch is the run's own selected one" : "");
}

static sl_status note_differences(const sl_paper_table *t, sl_table *text, sl_error *err)
{
    (void)t;
    return sl_table_note(text, err,
                         "Means of the differences of the rows above, paired by seed. Brackets: 95 "
                         "%% intervals of the percentile bootstrap over seeds, of all models over "
                         "models and seeds within them. Few seeds or models make rough intervals, "
                         "rather too narrow than too wide.");
}

/* ---- parts ---- */

static const char *title_of(const sl_paper_table *t, sl_paper_part part)
{
    static const char *const titles[3] = {
        "Crossentropy and accuracy for each validation set and the original training set, before "
        "and after fine-tuning (the paper's table 1)",
        "Crossentropy and accuracy when combining mixup with original or human targets (the "
        "paper's table 2)",
        "Crossentropy and accuracy under attack (the paper's table 3)",
    };
    static const char *const others[3] = {
        "Table 1 over seeds: learning rate and epoch chosen on other seeds",
        "Table 2 over seeds: learning rate and epoch chosen on other seeds",
        "Table 3 over seeds: learning rate chosen on other seeds",
    };
    static const char *const differences[3] = {
        "Table 1 over seeds, paired differences",
        "Table 2 over seeds, paired differences",
        "Table 3 over seeds, paired differences",
    };
    const char *const *const of[] = {
        [SL_PART_LOWEST] = titles,
        [SL_PART_OTHER_SEEDS] = others,
        [SL_PART_DIFFERENCES] = differences,
    };

    return of[part][t->number - 1];
}

static sl_status begin_part(const sl_paper_table *t, sl_paper_part part, sl_table **out,
                            sl_error *err)
{
    const bool with_runs = part != SL_PART_LOWEST;
    sl_status st = sl_table_create(out, (int)t->n_columns + 1 + with_runs, err);

    if (!st)
        st = sl_table_title(*out, title_of(t, part), err);
    if (!st)
        st = sl_table_cell(*out, err, " ");
    if (!st && with_runs)
        st = sl_table_cell(*out, err, "n");
    for (size_t c = 0; c < t->n_columns && !st; c++)
        st = sl_table_cell(*out, err, "%s", t->titles[c]);
    return st;
}

static sl_status write_part(const sl_paper_table *t, sl_paper_part part, sl_table_format format,
                            FILE *out, sl_error *err)
{
    sl_status (*const notes[])(const sl_paper_table *, sl_table *, sl_error *) = {
        [SL_PART_LOWEST] = note_lowest,
        [SL_PART_OTHER_SEEDS] = note_other_seeds,
        [SL_PART_DIFFERENCES] = note_differences,
    };
    const char *section = "";
    sl_table *text = NULL;
    bool empty = true;
    sl_status st = begin_part(t, part, &text, err);

    for (size_t i = 0; i < t->n && !st; i++) {
        const sl_paper_row *row = &t->rows[i];

        if (row->part != part)
            continue;
        if (strcmp(section, row->section) != 0)
            st = sl_table_section(text, row->section, err);
        section = row->section;
        empty = false;
        if (!st)
            st = put_row(t, text, row, err);
    }
    if (!st && !empty) {
        st = notes[part](t, text, err);
        if (part != SL_PART_LOWEST)
            fputc('\n', out);
        if (!st)
            sl_table_write_as(text, format, out);
    }
    sl_table_destroy(text);
    return st;
}

/* ---- CSV ---- */

static const char *const statistics[] = {
    "loss",     "loss_sd",     "loss_low",     "loss_high",
    "accuracy", "accuracy_sd", "accuracy_low", "accuracy_high"
};
enum { N_STATISTICS = sizeof statistics / sizeof *statistics };

static void list_statistics(const sl_paper_cell *c, double out[N_STATISTICS])
{
    const double values[N_STATISTICS] = {
        c->loss.mean,     c->loss.sd,     c->loss_interval.low,     c->loss_interval.high,
        c->accuracy.mean, c->accuracy.sd, c->accuracy_interval.low, c->accuracy_interval.high,
    };

    memcpy(out, values, sizeof values);
}

static sl_status put_csv_header(const sl_paper_table *t, sl_table *csv, sl_error *err)
{
    static const char *const first[] = { "selection", "section",    "model", "n",
                                         "lr",        "split_seed", "epoch" };
    sl_status st = SL_OK;

    for (size_t i = 0; i < sizeof first / sizeof *first && !st; i++)
        st = sl_table_cell(csv, err, "%s", first[i]);
    for (size_t c = 0; c < t->n_columns; c++)
        for (size_t s = 0; s < N_STATISTICS && !st; s++)
            st = sl_table_cell(csv, err, "%s_%s", t->keys[c], statistics[s]);
    return st;
}

static sl_status put_csv_row(const sl_paper_table *t, sl_table *csv, const sl_paper_row *row,
                             sl_error *err)
{
    sl_status st = sl_table_cell(csv, err, "%s", part_names[row->part]);

    if (!st)
        st = sl_table_cell(csv, err, "%s", row->section);
    if (!st)
        st = sl_table_cell(csv, err, "%s", row->model);
    if (!st)
        st = sl_table_cell(csv, err, "%zu", row->n);
    if (!st && row->run) {
        st = sl_table_cell(csv, err, "%g", row->run->lr);
        if (!st)
            st = sl_table_cell(csv, err, "%" PRId64, row->run->split_seed);
        if (!st)
            st = sl_table_cell(csv, err, "%d", row->epoch);
    }
    for (int i = 0; i < 3 && !row->run && !st; i++)
        st = sl_table_cell(csv, err, "%s", "");
    for (size_t c = 0; c < t->n_columns; c++) {
        double values[N_STATISTICS];

        list_statistics(&row->cells[c], values);
        for (size_t s = 0; s < N_STATISTICS && !st; s++)
            st = isnan(values[s]) ? sl_table_cell(csv, err, "%s", "")
                                  : sl_table_cell(csv, err, "%.12g", values[s]);
    }
    return st;
}

static sl_status write_csv(const sl_paper_table *t, FILE *out, sl_error *err)
{
    sl_table *csv;
    sl_status st = sl_table_create(&csv, 7 + (int)(t->n_columns * N_STATISTICS), err);

    if (!st)
        st = put_csv_header(t, csv, err);
    for (size_t i = 0; i < t->n && !st; i++)
        st = put_csv_row(t, csv, &t->rows[i], err);
    if (!st)
        sl_table_write_as(csv, SL_TABLE_CSV, out);
    sl_table_destroy(csv);
    return st;
}

sl_status sl_paper_table_write(const sl_paper_table *table, sl_table_format format, FILE *out,
                               sl_error *err)
{
    sl_status st = SL_OK;

    if (format == SL_TABLE_CSV)
        return write_csv(table, out, err);
    for (int part = 0; part < SL_PART_COUNT && !st; part++)
        st = write_part(table, (sl_paper_part)part, format, out, err);
    return st;
}

/* ---- JSON ---- */

static json_t *columns_json(const sl_paper_table *t, const sl_paper_row *row)
{
    json_t *columns = json_object();

    for (size_t c = 0; c < t->n_columns; c++) {
        json_t *cell = json_object();
        double values[N_STATISTICS];

        list_statistics(&row->cells[c], values);
        for (size_t s = 0; s < N_STATISTICS; s++)
            if (!isnan(values[s]))
                json_object_set_new(cell, statistics[s], json_real(values[s]));
        json_object_set_new(columns, t->keys[c], cell);
    }
    return columns;
}

sl_status sl_paper_table_json(const sl_paper_table *t, json_t **out, sl_error *err)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < t->n; i++) {
        const sl_paper_row *row = &t->rows[i];
        json_t *json =
            json_pack("{s:s, s:s, s:s, s:I}", "selection", part_names[row->part], "section",
                      row->section, "model", row->model, "n", (json_int_t)row->n);

        if (row->run)
            json_object_set_new(json, "run",
                                json_pack("{s:s, s:f, s:I, s:i}", "folder", row->run->folder, "lr",
                                          row->run->lr, "split_seed",
                                          (json_int_t)row->run->split_seed, "epoch", row->epoch));
        json_object_set_new(json, "columns", columns_json(t, row));
        json_array_append_new(rows, json);
    }
    *out = json_pack("{s:i, s:o}", "table", t->number, "rows", rows);
    return *out ? SL_OK : sl_error_set(err, SL_ENOMEM, "not enough memory for the table");
}
