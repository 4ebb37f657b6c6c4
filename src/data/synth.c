/* Writes a folder of the synthetic set. */
#include "data/synth.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/npy.h"
#include "data/folder.h"
#include "data/staging.h"
#include "data/sums.h"
#include <math.h>
#include <softlabel/synth.h>
#include <stdlib.h>
#include <string.h>

#define JUDGMENT_SPREAD 3 /* an image gets this many judgments more or fewer, at most */

typedef enum { SET_TRAIN, SET_TEST } set_kind; /* their values are part of what a seed means */

sl_synth_options sl_synth_options_default(void)
{
    return (sl_synth_options){ .seed = 0, .n_train = 10000, .n_test = 2000, .judgments = 51 };
}

static sl_status check_options(const sl_synth_options *o, sl_error *err)
{
    if (o->n_train < SL_TRAIN_FILES || o->n_train > UINT32_MAX || o->n_test < 1 ||
        o->n_test > UINT32_MAX)
        return sl_error_set(err, SL_EINVAL,
                            "can't make %zu training and %zu test images, expected at least %d "
                            "and 1",
                            o->n_train, o->n_test, SL_TRAIN_FILES);
    if (o->judgments < 1 || o->judgments > 1000)
        return sl_error_set(err, SL_EINVAL, "judgments an image are %d, expected 1..1000",
                            o->judgments);
    return SL_OK;
}

/* ---- images ---- */

typedef struct {
    const sl_synth_options *options;
    sl_progress_fn *progress;
    void *user;
    size_t done; /* images */
} maker;

static sl_status report(const maker *m, sl_error *err)
{
    const sl_progress progress = { "drawing", "images", "", m->done,
                                   m->options->n_train + m->options->n_test };
    if (m->progress && m->progress(m->user, &progress))
        return sl_error_set(err, SL_EINTERRUPTED, "interrupted");
    return SL_OK;
}

static sl_random image_stream(const maker *m, set_kind set, size_t image)
{
    return sl_random_stream(m->options->seed, SL_RANDOM_SYNTH, (uint32_t)set, (uint32_t)image);
}

/* Images first .. first+n-1 of set as CIFAR records. */
static sl_status write_images(maker *m, set_kind set, size_t first, size_t n, const char *dir,
                              const char *name, sl_error *err)
{
    sl_file_writer *writer = NULL;
    char *path = NULL;
    sl_status st = sl_path_join(&path, dir, name, err);
    if (!st)
        st = sl_file_writer_open(&writer, path, err);
    for (size_t i = first; !st && i < first + n; i++) {
        uint8_t record[SL_CIFAR_RECORD];
        double z[SL_SYNTH_FEATURES];
        int label;
        sl_random r = image_stream(m, set, i);
        sl_synth_draw(&r, &label, z);
        sl_synth_render(&r, z, record + 1);
        record[0] = (uint8_t)label;
        st = sl_file_writer_write(writer, record, sizeof record, err);
        m->done++;
        if (!st && m->done % 64 == 0)
            st = report(m, err);
    }
    if (!st)
        st = sl_file_writer_commit(writer, err);
    else
        sl_file_writer_abort(writer);
    free(path);
    return st;
}

static sl_status write_class_names(const char *dir, sl_error *err)
{
    char text[512];
    size_t n = 0;
    char *path = NULL;
    for (int k = 0; k < SL_CIFAR_CLASSES; k++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s\n", sl_synth_class_names[k]);
    sl_status st = sl_path_join(&path, dir, "batches.meta.txt", err);
    if (!st)
        st = sl_file_write(path, text, n, err);
    free(path);
    return st;
}

static sl_status write_image_folder(maker *m, const char *dir, sl_error *err)
{
    const char *names[SL_RECORD_FILES + 1];
    size_t first = 0;
    sl_status st = sl_make_directories(dir, err);
    for (int f = 0; !st && f < SL_TRAIN_FILES; f++) {
        const size_t n = sl_synth_records(m->options->n_train, f);
        names[f] = sl_known_files[f].name;
        st = write_images(m, SET_TRAIN, first, n, dir, names[f], err);
        first += n;
    }
    names[SL_FILE_TEST] = sl_known_files[SL_FILE_TEST].name;
    names[SL_RECORD_FILES] = "batches.meta.txt";
    if (!st)
        st = write_images(m, SET_TEST, 0, m->options->n_test, dir, names[SL_FILE_TEST], err);
    if (!st)
        st = write_class_names(dir, err);
    return st ? st : sl_sums_write(dir, names, SL_RECORD_FILES + 1, err);
}

/* ---- judgments ---- */

typedef struct {
    size_t n;
    double *truth;            /* (n, 10) p(c|x) */
    int64_t *counts;          /* (n, 10) */
    double *probs;            /* (n, 10) counts / sum */
    double entropy, accuracy; /* means over the images: of p(c|x), of its maximum */
} judgments;

static int sample_class(sl_random *r, const double p[SL_CIFAR_CLASSES])
{
    double left = sl_random_unit(r);
    int c = 0;
    while (c < SL_CIFAR_CLASSES - 1 && left >= p[c])
        left -= p[c++];
    return c;
}

static void judge_image(const maker *m, size_t image, judgments *j)
{
    double *p = j->truth + image * SL_CIFAR_CLASSES, z[SL_SYNTH_FEATURES], best = 0;
    int64_t *counts = j->counts + image * SL_CIFAR_CLASSES;
    int label;
    sl_random r = image_stream(m, SET_TEST, image);
    sl_synth_draw(&r, &label, z);
    sl_synth_posterior(z, p);

    sl_random people = sl_random_stream(m->options->seed, SL_RANDOM_JUDGE, 0, (uint32_t)image);
    int n = m->options->judgments;
    if (n > JUDGMENT_SPREAD)
        n += (int)sl_random_below(&people, 2 * JUDGMENT_SPREAD + 1) - JUDGMENT_SPREAD;
    for (int i = 0; i < n; i++)
        counts[sample_class(&people, p)]++;
    for (int c = 0; c < SL_CIFAR_CLASSES; c++) {
        j->probs[image * SL_CIFAR_CLASSES + (size_t)c] = (double)counts[c] / n;
        if (p[c] > 0)
            j->entropy -= p[c] * log(p[c]);
        best = fmax(best, p[c]);
    }
    j->accuracy += best;
}

static void judgments_release(judgments *j)
{
    free(j->truth);
    free(j->counts);
    free(j->probs);
    *j = (judgments){ 0 };
}

static sl_status judgments_make(judgments *j, const maker *m, sl_error *err)
{
    *j = (judgments){ .n = m->options->n_test };
    const size_t row = SL_CIFAR_CLASSES * sizeof(double);
    sl_status st = sl_alloc(&j->truth, j->n, row, err);
    if (!st)
        st = sl_alloc(&j->counts, j->n, row, err);
    if (!st)
        st = sl_alloc(&j->probs, j->n, row, err);
    if (st) {
        judgments_release(j);
        return st;
    }
    for (size_t i = 0; i < j->n; i++)
        judge_image(m, i, j);
    j->entropy /= (double)j->n;
    j->accuracy /= (double)j->n;
    return SL_OK;
}

static sl_status write_rows(const char *dir, sl_file_id file, sl_npy_type type, size_t n,
                            const void *rows, sl_error *err)
{
    const size_t shape[] = { n, SL_CIFAR_CLASSES };
    char *path = NULL;
    sl_status st = sl_path_join(&path, dir, sl_known_files[file].name, err);
    if (!st)
        st = sl_npy_write(path, type, 2, shape, rows, err);
    free(path);
    return st;
}

static sl_status write_human_folder(const judgments *j, const char *dir, sl_error *err)
{
    const char *names[] = { sl_known_files[SL_FILE_COUNTS].name, sl_known_files[SL_FILE_PROBS].name,
                            sl_known_files[SL_FILE_TRUTH].name };
    sl_status st = sl_make_directories(dir, err);
    if (!st)
        st = write_rows(dir, SL_FILE_COUNTS, SL_NPY_I64, j->n, j->counts, err);
    if (!st)
        st = write_rows(dir, SL_FILE_PROBS, SL_NPY_F64, j->n, j->probs, err);
    if (!st)
        st = write_rows(dir, SL_FILE_TRUTH, SL_NPY_F64, j->n, j->truth, err);
    return st ? st : sl_sums_write(dir, names, 3, err);
}

/* ---- the folder ---- */

static sl_status write_manifest(const sl_synth_options *o, const judgments *j, const char *dir,
                                sl_error *err)
{
    char *path = NULL;
    json_t *json = json_pack("{s:s, s:I, s:I, s:I, s:i, s:f, s:f}", "format", SL_SYNTH_FORMAT,
                             "seed", (json_int_t)o->seed, "train", (json_int_t)o->n_train, "test",
                             (json_int_t)o->n_test, "judgments", o->judgments,
                             "bayes_cross_entropy", j->entropy, "bayes_accuracy", j->accuracy);
    sl_status st = json ? sl_path_join(&path, dir, SL_SYNTH_MANIFEST, err)
                        : sl_error_set(err, SL_ENOMEM, "no memory for '%s'", SL_SYNTH_MANIFEST);
    if (!st)
        st = sl_json_write(path, json, err);
    json_decref(json);
    free(path);
    return st;
}

static sl_status write_all(maker *m, const char *dir, sl_error *err)
{
    judgments j = { 0 };
    char *images = NULL, *human = NULL;
    sl_status st = sl_path_join(&images, dir, sl_known_files[SL_FILE_TEST].subfolder, err);
    if (!st)
        st = sl_path_join(&human, dir, sl_known_files[SL_FILE_COUNTS].subfolder, err);
    if (!st)
        st = write_image_folder(m, images, err);
    if (!st)
        st = judgments_make(&j, m, err);
    if (!st)
        st = write_human_folder(&j, human, err);
    if (!st)
        st = write_manifest(m->options, &j, dir, err);
    judgments_release(&j);
    free(images);
    free(human);
    return st;
}

sl_status sl_synth_write(const char *dir, const sl_synth_options *options, sl_progress_fn *progress,
                         void *user, sl_error *err)
{
    maker m = { .options = options, .progress = progress, .user = user };
    sl_staging staging;
    bool exists;
    sl_status st = check_options(options, err);
    if (st)
        return st;
    st = sl_staging_open(&staging, dir, &exists, err);
    if (st)
        return st;
    if (exists)
        st = sl_error_set(err, SL_EIO, "'%s' is there already: remove it or name another", dir);
    if (!st)
        st = write_all(&m, staging.part, err);
    if (!st)
        st = sl_staging_commit(&staging, err);
    sl_staging_close(&staging);
    return st;
}
