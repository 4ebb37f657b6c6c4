/* Trials for others: CSV in the released raw table's columns, or JSON as jsPsych would give it.
 * Neither has anything that came from recruiting, nor the order in which people joined. */
#include "labels/raw_write.h"
#include "study/experiment.h"
#include "study/study.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int64_t id;
    unsigned char rank[SL_MAC_BYTES];
} annotator;

typedef struct {
    sl_study *study;
    sl_store *store;
    sl_study_who who;
    sl_study_format format;
    FILE *stream;
    annotator *annotators;
    size_t n, capacity;
    size_t number; /* of the present annotator */
    int index;     /* of the row among the annotator's */
    bool any;      /* a row of JSON is out */
    uint32_t ring[SL_STUDY_MAX_CLASSES];
} job;

static bool wanted(const job *j, sl_state state)
{
    switch (j->who) {
    case SL_STUDY_PASSED:
        return state == SL_STATE_PASSED;
    case SL_STUDY_COMPLETED:
        return state == SL_STATE_PASSED || state == SL_STATE_FAILED;
    case SL_STUDY_EVERYBODY:
        break;
    }
    return true;
}

static sl_status add_annotator(void *user, const sl_participant *p, sl_error *err)
{
    job *j = user;
    char id[24];
    if (!wanted(j, p->state))
        return SL_OK;
    sl_status st = sl_grow(&j->annotators, &j->capacity, j->n + 1, sizeof *j->annotators, err);
    if (st)
        return st;
    annotator *a = &j->annotators[j->n++];
    a->id = p->id;
    int n = snprintf(id, sizeof id, "%" PRId64, p->id);
    return sl_secret_mac(&j->study->secret, "annotator", id, (size_t)n, a->rank, err);
}

static int by_secret(const void *a, const void *b)
{
    return memcmp(((const annotator *)a)->rank, ((const annotator *)b)->rank, SL_MAC_BYTES);
}

/* Image and classes of a row from the database; SL_EFORMAT if there are none such. */
static sl_status look_up(const job *j, const sl_trial *t, const sl_image **image, sl_error *err)
{
    const sl_pool *pool = &j->study->images.pool[sl_trial_pool(t->kind)];
    if (t->image < 0 || (uint64_t)t->image >= pool->n || t->choice >= j->study->config.n_classes ||
        t->truth >= j->study->config.n_classes)
        return sl_error_set(err, SL_EFORMAT, "the study's database has a trial of no image");
    *image = &pool->items[t->image];
    return SL_OK;
}

static sl_status put_raw(void *user, const sl_trial *t, sl_error *err)
{
    job *j = user;
    char number[24];
    const sl_image *image = NULL;
    if (t->choice < 0 || t->kind == SL_TRIAL_PRACTICE)
        return SL_OK;
    sl_status st = look_up(j, t, &image, err);
    if (st)
        return st;
    const bool check = t->kind == SL_TRIAL_CHECK;
    const int n = snprintf(number, sizeof number, "%zu", j->number);
    const sl_raw_trial row = {
        .annotator = { number, (size_t)n },
        .index = j->index++,
        .check = check,
        .truth = t->truth,
        .choice = t->choice,
        .image = check ? (int64_t)SL_RAW_NO_IMAGE : (int64_t)image->index,
        .reaction_ms = t->rt_ms,
        .elapsed_ms = t->elapsed_ms,
    };
    sl_raw_put(j->stream, &row, j->study->config.classes, image->name);
    return SL_OK;
}

static sl_status put_jspsych(void *user, const sl_trial *t, sl_error *err)
{
    static const char *const parts[] = { "practice", "image", "attention" };
    job *j = user;
    const char *const *classes = j->study->config.classes;
    const sl_image *image = NULL;
    uint32_t place = 0;
    if (t->choice < 0)
        return SL_OK;
    sl_status st = look_up(j, t, &image, err);
    if (st)
        return st;
    while (j->ring[place] != (uint32_t)t->choice)
        place++;
    json_t *row = json_pack("{s:f, s:i, s:s, s:i, s:f, s:I, s:s, s:s, s:s, s:b}", "rt", t->rt_ms,
                            "response", (int)place, "trial_type", "ring", "trial_index", j->index++,
                            "time_elapsed", t->elapsed_ms, "annotator_id", (json_int_t)j->number,
                            "part", parts[t->kind], "image", image->name, "chosen_category",
                            classes[t->choice], "correct", t->choice == t->truth);
    if (row && t->truth >= 0)
        json_object_set_new(row, "true_category", json_string(classes[t->truth]));
    if (!row)
        return sl_error_set(err, SL_ENOMEM, "out of memory for a row");
    fputs(j->any ? ",\n" : "[\n", j->stream);
    j->any = true;
    if (json_dumpf(row, j->stream, JSON_COMPACT | JSON_REAL_PRECISION(15)))
        st = sl_error_set(err, SL_EIO, "the export can't be written");
    json_decref(row);
    return st;
}

static sl_status put_all(job *j, sl_error *err)
{
    const bool raw = j->format == SL_STUDY_RAW;
    sl_status st = SL_OK;
    if (raw)
        sl_raw_put_header(j->stream);
    for (size_t i = 0; i < j->n && !st; i++) {
        j->number = i;
        j->index = 0;
        sl_experiment_ring(&j->study->config, j->annotators[i].id, j->ring);
        st =
            sl_store_each_trial(j->store, j->annotators[i].id, raw ? put_raw : put_jspsych, j, err);
    }
    if (!raw)
        fputs(j->any ? "\n]\n" : "[]\n", j->stream);
    if (!st && ferror(j->stream))
        st = sl_error_set(err, SL_EIO, "the export can't be written");
    return st;
}

sl_status sl_study_export(sl_study *study, sl_study_format format, sl_study_who who, FILE *stream,
                          sl_error *err)
{
    job j = { .study = study, .who = who, .format = format, .stream = stream };
    sl_status st = sl_store_open(&j.store, study->database, study->images.sha256, true, err);
    if (!st)
        st = sl_store_begin_reading(j.store, err); /* all rows as of one moment */
    if (!st)
        st = sl_store_each_participant(j.store, add_annotator, &j, err);
    if (!st) {
        qsort(j.annotators, j.n, sizeof *j.annotators, by_secret);
        st = put_all(&j, err);
    }
    sl_store_close(j.store);
    free(j.annotators);
    return st;
}
