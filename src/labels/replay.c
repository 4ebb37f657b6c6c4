/* Counts again what a folder's record says. */
#include "base/file.h"
#include "labels/record.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* The paths to count: those given, or else the recorded. */
static sl_status choose_raw(const sl_record *r, const char *const *raw, size_t n_raw,
                            const char ***paths, sl_error *err)
{
    const size_t n = sl_record_files(r);
    sl_labels_file file;
    *paths = NULL;
    if (n_raw > 0 && n_raw != n)
        return sl_error_set(err, SL_EMISMATCH, "%zu files given, recorded are %zu", n_raw, n);
    sl_status st = sl_alloc(paths, n, sizeof **paths, err);
    for (size_t i = 0; i < n && !st; i++) {
        st = sl_record_file(r, i, &file, err);
        (*paths)[i] = n_raw > 0 ? raw[i] : file.path;
    }
    return st;
}

static sl_labels_source source_of(const sl_record *r, const char *const *paths)
{
    return (sl_labels_source){ .raw = paths,
                               .n_raw = sl_record_files(r),
                               .n_images = (size_t)r->n_images,
                               .n_classes = (int)r->n_classes,
                               .rules = &r->rules };
}

static sl_status check_raw(const sl_record *r, const sl_labels *labels, sl_error *err)
{
    sl_labels_file expected;
    for (size_t i = 0; i < labels->n_files; i++) {
        const sl_labels_file *got = &labels->files[i];
        sl_status st = sl_record_file(r, i, &expected, err);
        if (st)
            return st;
        if (strcmp(got->sha256, expected.sha256) != 0 || got->rows != expected.rows)
            return sl_error_set(err, SL_EMISMATCH, "'%s' has SHA-256 %s, recorded is %s", got->path,
                                got->sha256, expected.sha256);
    }
    return SL_OK;
}

/* Writes the labels into a folder of their own, compares, and removes it. */
static sl_status check_again(const sl_record *r, const sl_labels *labels, sl_error *err)
{
    char dir[] = "/tmp/softlabel-replay-XXXXXX";
    sl_record f = { 0 };
    if (!mkdtemp(dir))
        return sl_io_error(err, dir, "made", errno);
    sl_status st = sl_record_name(&f, dir, err);
    if (!st)
        st = sl_labels_write(labels, dir, err);
    if (!st)
        st = sl_record_compare(r, &f, err);
    for (int i = 0; i < SL_RESULTS; i++)
        if (f.paths[i])
            unlink(f.paths[i]);
    if (f.path)
        unlink(f.path);
    rmdir(dir);
    sl_record_release(&f);
    return st;
}

sl_status sl_labels_replay(const char *dir, const char *const *raw, size_t n_raw, sl_error *err)
{
    sl_record r = { 0 };
    const char **paths = NULL;
    sl_labels *labels = NULL;
    sl_status st = sl_record_open(&r, dir, err);
    if (!st)
        st = choose_raw(&r, raw, n_raw, &paths, err);
    if (st)
        goto done;
    const sl_labels_source source = source_of(&r, paths);
    st = sl_labels_count(&labels, &source, NULL, err);
    if (!st)
        st = check_raw(&r, labels, err);
    if (!st)
        st = check_again(&r, labels, err);
done:
    sl_labels_destroy(labels);
    free(paths);
    sl_record_release(&r);
    return st;
}

sl_status sl_labels_reread(sl_judgments **out, const char *dir, const char *const *raw,
                           size_t n_raw, sl_error *err)
{
    sl_record r = { 0 };
    const char **paths = NULL;
    sl_labels *labels = NULL;
    *out = NULL;
    sl_status st = sl_record_open(&r, dir, err);
    if (!st)
        st = choose_raw(&r, raw, n_raw, &paths, err);
    if (st)
        goto done;
    const sl_labels_source source = source_of(&r, paths);
    st = sl_judgments_read(out, &labels, &source, err);
    if (!st)
        st = check_raw(&r, labels, err);
done:
    if (st) {
        sl_judgments_destroy(*out);
        *out = NULL;
    }
    sl_labels_destroy(labels);
    free(paths);
    sl_record_release(&r);
    return st;
}
