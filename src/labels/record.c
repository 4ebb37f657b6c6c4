/* A folder of labels: counts.npy, probs.npy, truth.npy, people.csv and labels.json, the record. */
#include "labels/record.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/npy.h"
#include "labels/rules.h"
#include <stdlib.h>

#define RECORD "labels.json"
#define FORMAT "softlabel labels 1"
#define MAX_RECORD_BYTES ((size_t)64 << 20)

const char *const sl_result_names[SL_RESULTS] = { "counts.npy", "probs.npy", "truth.npy",
                                                  "people.csv" };

void sl_record_release(sl_record *r)
{
    for (int i = 0; i < SL_RESULTS; i++)
        free(r->paths[i]);
    free(r->path);
    json_decref(r->json);
    sl_labels_rules_release(&r->rules);
    *r = (sl_record){ 0 };
}

sl_status sl_record_name(sl_record *r, const char *dir, sl_error *err)
{
    sl_status st = sl_path_join(&r->path, dir, RECORD, err);
    for (int i = 0; i < SL_RESULTS && !st; i++)
        st = sl_path_join(&r->paths[i], dir, sl_result_names[i], err);
    return st;
}

/* ---- writing ---- */

static sl_status write_truth(const sl_labels *labels, const char *path, sl_error *err)
{
    int64_t *wide;
    sl_status st = sl_alloc(&wide, labels->n_images, sizeof *wide, err);
    if (st)
        return st;
    for (size_t i = 0; i < labels->n_images; i++)
        wide[i] = labels->truth[i];
    st = sl_npy_write(path, SL_NPY_I64, 1, &labels->n_images, wide, err);
    free(wide);
    return st;
}

static sl_status write_arrays(const sl_labels *labels, const sl_record *f, sl_error *err)
{
    const size_t k = (size_t)labels->n_classes, shape[] = { labels->n_images, k };
    double *p;
    sl_status st =
        sl_npy_write(f->paths[SL_RESULT_COUNTS], SL_NPY_I64, 2, shape, labels->counts, err);
    if (!st)
        st = sl_alloc(&p, labels->n_images * k, sizeof *p, err);
    if (st)
        return st;
    sl_labels_divide(p, labels->counts, labels->n_images, labels->n_classes);
    st = sl_npy_write(f->paths[SL_RESULT_PROBS], SL_NPY_F64, 2, shape, p, err);
    free(p);
    return st ? st : write_truth(labels, f->paths[SL_RESULT_TRUTH], err);
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

static sl_status hash_results(const sl_record *f, json_t **out, sl_error *err)
{
    char sha256[65];
    sl_status st = SL_OK;
    *out = json_object();
    for (int i = 0; i < SL_RESULTS && !st; i++) {
        st = sl_hash_file(f->paths[i], SL_HASH_SHA256, sha256, err);
        if (!st)
            json_object_set_new(*out, sl_result_names[i], json_string(sha256));
    }
    return st;
}

sl_status sl_labels_write(const sl_labels *labels, const char *dir, sl_error *err)
{
    const sl_counted *c = (const sl_counted *)labels;
    sl_record f = { 0 };
    json_t *results = NULL, *record = NULL;
    sl_status st = sl_make_directories(dir, err);
    if (!st)
        st = sl_record_name(&f, dir, err);
    if (!st)
        st = write_arrays(labels, &f, err);
    if (!st)
        st = sl_people_write(f.paths[SL_RESULT_PEOPLE], labels->people, labels->n_people, err);
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
        st = sl_json_write(f.path, record, err);
done:
    json_decref(record);
    json_decref(results);
    sl_record_release(&f);
    return st;
}

/* ---- reading ---- */

static sl_status parse(sl_record *r, sl_error *err)
{
    const char *format;
    json_t *raw = NULL, *rules = NULL, *results = NULL;
    char rules_sha256[65];
    sl_status st = sl_json_get_string(r->json, "format", &format, err);
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
    if (!st)
        st = sl_labels_rules_parse(&r->rules, rules, err);
    if (!st)
        st = sl_labels_rules_hash(&r->rules, rules_sha256, err);
    if (!st && strcmp(rules_sha256, r->rules_sha256) != 0)
        st = sl_error_set(err, SL_EMISMATCH, "the recorded rules don't have the recorded hash");
    r->raw = raw;
    r->results = results;
    return st;
}

sl_status sl_record_open(sl_record *r, const char *dir, sl_error *err)
{
    sl_status st = sl_record_name(r, dir, err);
    if (!st)
        st = sl_json_read(&r->json, r->path, MAX_RECORD_BYTES, err);
    if (st)
        return st;
    st = parse(r, err);
    if (st)
        return sl_error_at(err, st, "%s", r->path);
    return sl_record_compare(r, r, err);
}

sl_status sl_record_compare(const sl_record *r, const sl_record *other, sl_error *err)
{
    char sha256[65];
    for (int i = 0; i < SL_RESULTS; i++) {
        const char *expected;
        sl_status st = sl_json_get_string(r->results, sl_result_names[i], &expected, err);
        if (!st)
            st = sl_hash_file(other->paths[i], SL_HASH_SHA256, sha256, err);
        if (st)
            return st;
        if (strcmp(sha256, expected) != 0)
            return sl_error_set(err, SL_EMISMATCH, "'%s' has SHA-256 %s, recorded is %s",
                                other->paths[i], sha256, expected);
    }
    return SL_OK;
}

size_t sl_record_files(const sl_record *r)
{
    return json_array_size(r->raw);
}

sl_status sl_record_file(const sl_record *r, size_t i, sl_labels_file *out, sl_error *err)
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
