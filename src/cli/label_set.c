#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/npy.h"
#include "cli/labels.h"
#include "eval/predictions.h"
#include <stdlib.h>
#include <sys/stat.h>

void cli_label_set_release(cli_label_set *set)
{
    sl_labels_destroy(set->labels);
    free(set->counts);
    free(set->truth);
    *set = (cli_label_set){ 0 };
}

static sl_status take_counts(cli_label_set *set, const sl_npy *array, sl_error *err)
{
    double *values;
    if (array->n_dims != 2 || array->shape[0] < 1 || array->shape[1] < 2 || array->shape[1] > 255 ||
        array->type == SL_NPY_F32 || array->type == SL_NPY_F64)
        return sl_error_set(err, SL_EFORMAT, "isn't whole numbers of shape (images, 2 to 255)");
    sl_status st = sl_npy_to_f64(array, &values, err);
    if (!st)
        st = sl_alloc(&set->counts, array->count, sizeof *set->counts, err);
    for (size_t i = 0; i < array->count && !st; i++) {
        if (values[i] >= 0 && values[i] <= UINT32_MAX)
            set->counts[i] = (int64_t)values[i];
        else
            st = sl_error_set(err, SL_EFORMAT, "row %zu has a count of %.0f", i / array->shape[1],
                              values[i]);
    }
    free(values);
    set->view = (sl_labels){ .n_images = array->shape[0],
                             .n_classes = (int)array->shape[1],
                             .counts = set->counts };
    return st;
}

static sl_status open_npy(cli_label_set *set, const char *path, const char *hard_labels,
                          sl_error *err)
{
    sl_npy array;
    sl_status st = sl_npy_read(&array, path, err);
    if (st)
        return st;
    st = take_counts(set, &array, err);
    sl_npy_release(&array);
    if (st)
        return sl_error_at(err, st, "%s", path);
    if (hard_labels)
        st = sl_hard_labels_read(&set->truth, hard_labels, set->view.n_images, set->view.n_classes,
                                 err);
    set->view.truth = set->truth;
    return st ? st : sl_hash_file(path, SL_HASH_SHA256, set->sha256, err);
}

static sl_status open_folder(cli_label_set *set, const char *path, sl_error *err)
{
    char *counts;
    sl_status st = sl_labels_read(&set->labels, path, err);
    if (st)
        return st;
    set->is_folder = true;
    set->view = *set->labels;
    st = sl_path_join(&counts, path, "counts.npy", err);
    if (st)
        return st;
    st = sl_hash_file(counts, SL_HASH_SHA256, set->sha256, err);
    free(counts);
    return st;
}

sl_status cli_label_set_open(cli_label_set *out, const char *path, const char *hard_labels,
                             sl_error *err)
{
    struct stat info;
    *out = (cli_label_set){ 0 };
    const bool folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    sl_status st = folder ? open_folder(out, path, err) : open_npy(out, path, hard_labels, err);
    if (st)
        cli_label_set_release(out);
    return st;
}

static sl_status take_truth(cli_label_set *set, sl_data *data, sl_error *err)
{
    sl_dataset *test = NULL;
    sl_status st = sl_data_read(data, SL_SET_TEST, &test, err);
    if (!st && (test->n != set->view.n_images || test->classes != set->view.n_classes))
        st = sl_error_set(err, SL_EMISMATCH,
                          "counts of %zu images of %d classes aren't the test set's; give "
                          "--hard-labels FILE",
                          set->view.n_images, set->view.n_classes);
    if (!st)
        st = sl_alloc(&set->truth, test->n, sizeof *set->truth, err);
    for (size_t i = 0; !st && i < test->n; i++)
        set->truth[i] = test->labels[i];
    set->view.truth = set->truth;
    sl_dataset_destroy(test);
    return st;
}

sl_status cli_label_set_take_truth(cli_label_set *set, const cli_options *options, sl_error *err)
{
    sl_data *data;
    sl_status st = cli_data_open(&data, options, err);
    if (!st)
        st = take_truth(set, data, err);
    sl_data_close(data);
    return st;
}

sl_status cli_label_set_open_data(cli_label_set *out, const cli_options *options, sl_error *err)
{
    sl_data *data;
    *out = (cli_label_set){ 0 };
    sl_status st = cli_data_open(&data, options, err);
    if (!st && !sl_data_counts_path(data))
        st = sl_error_set(err, SL_ENOTFOUND, "there are no counts of people's choices in '%s'",
                          sl_data_folder(data));
    if (!st)
        st = open_npy(out, sl_data_counts_path(data), NULL, err);
    if (!st)
        st = take_truth(out, data, err);
    sl_data_close(data);
    if (st)
        cli_label_set_release(out);
    return st;
}

sl_status cli_label_set_judgments(sl_judgments **out, const cli_label_set *set, const char *path,
                                  const char *const *raw, size_t n_raw, sl_error *err)
{
    if (set->is_folder)
        return sl_labels_reread(out, path, raw, n_raw, err);
    return sl_judgments_from_counts(out, set->counts, set->view.n_images, set->view.n_classes,
                                    set->truth, err);
}
