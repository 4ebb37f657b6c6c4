/* A folder of labels: counts.npy, probs.npy, people.csv and the record of how they came about. */
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/npy.h"
#include "labels/count.h"
#include "labels/rules.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#define RECORD "labels.json"
#define FORMAT "softlabel labels 1"
#define MAX_RECORD_BYTES ((size_t)64 << 20)

enum { COUNTS, PROBS, PEOPLE, RESULTS };
static const char *const result_names[RESULTS] = { "counts.npy", "probs.npy", "people.csv" };

typedef struct {
    char *paths[RESULTS], *record;
} folder;

static void release_folder(folder *f)
{
    for (int i = 0; i < RESULTS; i++)
        free(f->paths[i]);
    free(f->record);
}

static sl_status name_folder(folder *f, const char *dir, sl_error *err)
{
    sl_status st = sl_path_join(&f->record, dir, RECORD, err);
    for (int i = 0; i < RESULTS && !st; i++)
        st = sl_path_join(&f->paths[i], dir, result_names[i], err);
    return st;
}

/* ---- writing ---- */

static sl_status write_arrays(const sl_labels *labels, const folder *f, sl_error *err)
{
    const size_t k = (size_t)labels->n_classes, shape[] = { labels->n_images, k };
    double *p;
    sl_status st = sl_npy_write(f->paths[COUNTS], SL_NPY_I64, 2, shape, labels->counts, err);
    if (!st)
        st = sl_alloc(&p, labels->n_images * k, sizeof *p, err);
    if (st)
        return st;
    for (size_t i = 0; i < labels->n_images; i++) {
        const int64_t *row = labels->counts + i * k;
        int64_t sum = 0;
        for (size_t c = 0; c < k; c++)
            sum += row[c];
        for (size_t c = 0; c < k; c++)
            p[i * k + c] = sum ? (double)row[c] / (double)sum : (double)NAN;
    }
    st = sl_npy_write(f->paths[PROBS], SL_NPY_F64, 2, shape, p, err);
    free(p);
    return st;
}

static json_t *raw_json(const sl_labels *labels)
{
    json_t *list = json_array();
    for (size_t i = 0; i < labels->n_files; i++)
        if (json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "file", labels->files[i].path,
                                                  "sha256", labels->files[i].sha256, "rows",
                                                  (json_int_t)labels->files[i].rows))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *people_json(const sl_labels *labels)
{
    json_int_t n[SL_EXCLUSION_COUNT] = { 0 };
    json_t *json = json_object();
    for (size_t i = 0; i < labels->n_people; i++)
        n[labels->people[i].why]++;
    for (int why = 0; why < SL_EXCLUSION_COUNT; why++)
        json_object_set_new(json, sl_exclusion_name((sl_exclusion)why), json_integer(n[why]));
    return json;
}

static sl_status hash_results(const folder *f, json_t **out, sl_error *err)
{
    char sha256[65];
    sl_status st = SL_OK;
    *out = json_object();
    for (int i = 0; i < RESULTS && !st; i++) {
        st = sl_hash_file(f->paths[i], SL_HASH_SHA256, sha256, err);
        if (!st)
            json_object_set_new(*out, result_names[i], json_string(sha256));
    }
    return st;
}

sl_status sl_labels_write(const sl_labels *labels, const char *dir, sl_error *err)
{
    const sl_counted *c = (const sl_counted *)labels;
    folder f = { 0 };
    json_t *results = NULL, *record = NULL;
    sl_status st = sl_make_directories(dir, err);
    if (!st)
        st = name_folder(&f, dir, err);
    if (!st)
        st = write_arrays(labels, &f, err);
    if (!st)
        st = sl_people_write(f.paths[PEOPLE], labels->people, labels->n_people, err);
    if (!st)
        st = hash_results(&f, &results, err);
    if (st)
        goto done;
    record = json_pack("{s:s, s:I, s:i, s:I, s:o?, s:o?, s:O, s:s, s:O}", "format", FORMAT,
                       "images", (json_int_t)labels->n_images, "classes", labels->n_classes,
                       "judgments", (json_int_t)labels->n_judgments, "people", people_json(labels),
                       "raw", raw_json(labels), "rules", c->rules, "rules_sha256", c->rules_sha256,
                       "results", results);
    if (!record || json_is_null(json_object_get(record, "raw")))
        st = sl_error_set(err, SL_EINVAL, "a raw file's name isn't UTF-8");
    else
        st = sl_json_write(f.record, record, err);
done:
    json_decref(record);
    json_decref(results);
    release_folder(&f);
    return st;
}

/* ---- reading ---- */

typedef struct {
    json_t *json; /* owns what the rest points to */
    const json_t *raw, *rules, *results;
    const char *rules_sha256;
    int64_t n_images, n_classes;
} record;

static sl_status read_record(record *r, const char *path, sl_error *err)
{
    const char *format;
    json_t *raw = NULL, *rules = NULL, *results = NULL;
    sl_status st = sl_json_read(&r->json, path, MAX_RECORD_BYTES, err);
    if (st)
        return st;
    st = sl_json_get_string(r->json, "format", &format, err);
    if (!st && strcmp(format, FORMAT) != 0)
        st = sl_error_set(err, SL_EFORMAT, "format '%s', expected '%s'", format, FORMAT);
    if (!st)
        st = sl_json_get_int(r->json, "images", 1, UINT32_MAX, &r->n_images, err);
    if (!st)
        st = sl_json_get_int(r->json, "classes", 2, 255, &r->n_classes, err);
    if (!st)
        st = sl_json_get(r->json, "raw", &raw, err);
    if (!st)
        st = sl_json_get(r->json, "rules", &rules, err);
    if (!st)
        st = sl_json_get_string(r->json, "rules_sha256", &r->rules_sha256, err);
    if (!st)
        st = sl_json_get(r->json, "results", &results, err);
    r->raw = raw;
    r->rules = rules;
    r->results = results;
    return st ? sl_error_at(err, st, "%s", path) : SL_OK;
}

/* File number i of the record; path and hash are borrowed. */
static sl_status recorded_file(const record *r, size_t i, sl_labels_file *out, sl_error *err)
{
    const json_t *item = json_array_get(r->raw, i);
    const char *sha256;
    int64_t rows = 0;
    sl_status st = sl_json_get_string(item, "file", &out->path, err);
    if (!st)
        st = sl_json_get_string(item, "sha256", &sha256, err);
    if (!st)
        st = sl_json_get_int(item, "rows", 0, INT64_MAX, &rows, err);
    if (st)
        return st;
    snprintf(out->sha256, sizeof out->sha256, "%s", sha256);
    out->rows = (uint64_t)rows;
    return SL_OK;
}

/* The files in f are those that the record was written for. */
static sl_status check_results(const record *r, const folder *f, sl_error *err)
{
    char sha256[65];
    for (int i = 0; i < RESULTS; i++) {
        const char *expected;
        sl_status st = sl_json_get_string(r->results, result_names[i], &expected, err);
        if (!st)
            st = sl_hash_file(f->paths[i], SL_HASH_SHA256, sha256, err);
        if (st)
            return st;
        if (strcmp(sha256, expected) != 0)
            return sl_error_set(err, SL_EMISMATCH, "'%s' has SHA-256 %s, recorded is %s",
                                f->paths[i], sha256, expected);
    }
    return SL_OK;
}

static sl_status load_counts(sl_counted *c, const char *path, sl_error *err)
{
    sl_npy array;
    const size_t k = (size_t)c->view.n_classes;
    sl_status st = sl_npy_read(&array, path, err);
    if (st)
        return st;
    if (array.type != SL_NPY_I64 || array.n_dims != 2 || array.shape[0] != c->view.n_images ||
        array.shape[1] != k)
        st = sl_error_set(err, SL_EFORMAT, "'%s' isn't int64 of shape (%zu, %zu)", path,
                          c->view.n_images, k);
    else
        memcpy(c->counts, array.data, c->view.n_images * k * sizeof *c->counts);
    for (size_t i = 0; i < c->view.n_images * k && !st; i++)
        if (c->counts[i] < 0)
            st = sl_error_set(err, SL_EFORMAT, "'%s' has a negative count", path);
    sl_npy_release(&array);
    return st;
}

sl_status sl_counted_load(sl_counted *c, const char *dir, sl_error *err)
{
    folder f = { 0 };
    record r = { 0 };
    sl_labels_file file;
    sl_status st = name_folder(&f, dir, err);
    if (!st)
        st = read_record(&r, f.record, err);
    if (!st && strcmp(r.rules_sha256, c->rules_sha256) != 0)
        st = sl_error_set(err, SL_EMISMATCH, "'%s' was counted with other rules", dir);
    if (!st && ((size_t)r.n_images != c->view.n_images || r.n_classes != c->view.n_classes))
        st = sl_error_set(err, SL_EMISMATCH, "'%s' has %lld images of %lld classes", dir,
                          (long long)r.n_images, (long long)r.n_classes);
    if (!st)
        st = check_results(&r, &f, err);
    for (size_t i = 0; i < json_array_size(r.raw) && !st; i++) {
        st = recorded_file(&r, i, &file, err);
        if (!st)
            st = sl_counted_add_file(c, &file, err);
    }
    if (!st)
        st = load_counts(c, f.paths[COUNTS], err);
    if (!st)
        st = sl_people_read(&c->people, f.paths[PEOPLE], err);
    json_decref(r.json);
    release_folder(&f);
    return st;
}

/* ---- replay ---- */

/* The paths to count: those given, or else the recorded. */
static sl_status choose_raw(const record *r, const char *const *raw, size_t n_raw,
                            const char ***paths, sl_error *err)
{
    const size_t n = json_array_size(r->raw);
    sl_labels_file file;
    *paths = NULL;
    if (n_raw > 0 && n_raw != n)
        return sl_error_set(err, SL_EMISMATCH, "%zu files given, recorded are %zu", n_raw, n);
    sl_status st = sl_alloc(paths, n, sizeof **paths, err);
    for (size_t i = 0; i < n && !st; i++) {
        st = recorded_file(r, i, &file, err);
        (*paths)[i] = n_raw > 0 ? raw[i] : file.path;
    }
    return st;
}

static sl_status check_raw(const record *r, const sl_labels *labels, sl_error *err)
{
    sl_labels_file expected;
    for (size_t i = 0; i < labels->n_files; i++) {
        const sl_labels_file *got = &labels->files[i];
        sl_status st = recorded_file(r, i, &expected, err);
        if (st)
            return st;
        if (strcmp(got->sha256, expected.sha256) != 0 || got->rows != expected.rows)
            return sl_error_set(err, SL_EMISMATCH, "'%s' has SHA-256 %s, recorded is %s", got->path,
                                got->sha256, expected.sha256);
    }
    return SL_OK;
}

/* Writes the labels into a folder of their own, compares, and removes it. */
static sl_status check_again(const record *r, const sl_labels *labels, sl_error *err)
{
    char dir[] = "/tmp/softlabel-replay-XXXXXX";
    folder f = { 0 };
    if (!mkdtemp(dir))
        return sl_io_error(err, dir, "made", errno);
    sl_status st = name_folder(&f, dir, err);
    if (!st)
        st = sl_labels_write(labels, dir, err);
    if (!st)
        st = check_results(r, &f, err);
    for (int i = 0; i < RESULTS; i++)
        if (f.paths[i])
            unlink(f.paths[i]);
    if (f.record)
        unlink(f.record);
    rmdir(dir);
    release_folder(&f);
    return st;
}

sl_status sl_labels_replay(const char *dir, const char *const *raw, size_t n_raw, sl_error *err)
{
    folder f = { 0 };
    record r = { 0 };
    sl_labels_rules rules = sl_labels_rules_default();
    const char **paths = NULL;
    sl_labels *labels = NULL;
    char rules_sha256[65];
    sl_status st = name_folder(&f, dir, err);
    if (!st)
        st = read_record(&r, f.record, err);
    if (!st)
        st = check_results(&r, &f, err);
    if (!st)
        st = sl_labels_rules_parse(&rules, r.rules, err);
    if (!st)
        st = sl_labels_rules_hash(&rules, rules_sha256, err);
    if (!st && strcmp(rules_sha256, r.rules_sha256) != 0)
        st = sl_error_set(err, SL_EMISMATCH, "the recorded rules don't have the recorded hash");
    if (!st)
        st = choose_raw(&r, raw, n_raw, &paths, err);
    if (st)
        goto done;
    const sl_labels_source source = { .raw = paths,
                                      .n_raw = json_array_size(r.raw),
                                      .n_images = (size_t)r.n_images,
                                      .n_classes = (int)r.n_classes,
                                      .rules = &rules };
    st = sl_labels_count(&labels, &source, NULL, err);
    if (!st)
        st = check_raw(&r, labels, err);
    if (!st)
        st = check_again(&r, labels, err);
done:
    sl_labels_destroy(labels);
    free(paths);
    sl_labels_rules_release(&rules);
    json_decref(r.json);
    release_folder(&f);
    return st;
}
