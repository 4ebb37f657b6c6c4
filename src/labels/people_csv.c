#include "base/csv.h"
#include "base/file.h"
#include "labels/people.h"
#include <inttypes.h>

/* The columns between the id and the verdict. */
#define N_NUMBERS 12
static const char header[] =
    "annotator_id,verdict,trials,judgments,dropped,too_fast,too_slow,with_true_label,correct,"
    "checks,checks_correct,repeated,reaction_ms,elapsed_ms\n";

static void put_id(FILE *stream, const char *id)
{
    fputc('"', stream);
    for (; *id; id++) {
        if (*id == '"')
            fputc('"', stream);
        fputc(*id, stream);
    }
    fputc('"', stream);
}

sl_status sl_people_write(const char *path, const sl_labels_person *people, size_t n, sl_error *err)
{
    sl_file_writer *w;
    sl_status st = sl_file_writer_open(&w, path, err);
    if (st)
        return st;
    FILE *out = sl_file_writer_stream(w);
    fputs(header, out);
    for (const sl_labels_person *p = people; p < people + n; p++) {
        put_id(out, p->id);
        fprintf(out, ",%s", sl_exclusion_name(p->why));
        const uint64_t numbers[] = { p->n_trials,       p->n_judged, p->n_dropped, p->n_fast,
                                     p->n_slow,         p->n_known,  p->n_right,   p->n_checks,
                                     p->n_checks_right, p->duplicate };
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
            fprintf(out, ",%" PRIu64, numbers[i]);
        fprintf(out, ",%.17g,%.17g\n", p->reaction_ms, p->elapsed_ms);
    }
    return sl_file_writer_commit(w, err);
}

static bool take_verdict(sl_text text, sl_exclusion *out)
{
    for (int why = 0; why < SL_EXCLUSION_COUNT; why++) {
        if (sl_text_is(text, sl_exclusion_name((sl_exclusion)why))) {
            *out = (sl_exclusion)why;
            return true;
        }
    }
    return false;
}

static sl_status take_person(sl_people *people, const sl_text *fields, size_t n, sl_error *err)
{
    size_t person;
    const size_t before = people->n;
    if (n != N_NUMBERS + 2)
        return sl_error_set(err, SL_EFORMAT, "%zu fields where %d belong", n, N_NUMBERS + 2);
    sl_status st = sl_people_find(people, fields[0], &person, err);
    if (st)
        return st;
    if (person < before)
        return sl_error_set(err, SL_EFORMAT, "annotator '%s' is there twice",
                            people->items[person].id);
    sl_labels_person *p = &people->items[person];
    uint64_t repeated = 0;
    uint64_t *const numbers[] = { &p->n_trials,       &p->n_judged, &p->n_dropped, &p->n_fast,
                                  &p->n_slow,         &p->n_known,  &p->n_right,   &p->n_checks,
                                  &p->n_checks_right, &repeated };
    const size_t n_whole = sizeof numbers / sizeof *numbers;
    bool good = take_verdict(fields[1], &p->why);
    for (size_t i = 0; i < n_whole && good; i++)
        good = sl_parse_u64(fields[2 + i].text, fields[2 + i].length, numbers[i]);
    double *const times[] = { &p->reaction_ms, &p->elapsed_ms };
    for (size_t i = 0; i < 2 && good; i++) {
        const sl_text field = fields[2 + n_whole + i];
        good = sl_parse_f64(field.text, field.length, false, times[i]);
    }
    p->duplicate = repeated != 0;
    return good ? SL_OK : sl_error_set(err, SL_EFORMAT, "not a row that this program wrote");
}

sl_status sl_people_read(sl_people *people, const char *path, sl_error *err)
{
    sl_csv *csv;
    const sl_text *fields;
    size_t n;
    sl_status st = sl_csv_open(&csv, path, err);
    if (st)
        return st;
    st = sl_csv_next(csv, &fields, &n, err); /* the header */
    while (!st) {
        st = sl_csv_next(csv, &fields, &n, err);
        if (st || n == 0)
            break;
        st = take_person(people, fields, n, err);
        if (st)
            sl_csv_error_at(csv, err, st);
    }
    sl_csv_close(csv);
    return st;
}
