/* Reading the sets of a data folder, whole and checked. */
#include "data/folder.h"
#include <stdio.h>

/* Images of CIFAR-10.1's two versions. Source: paper/NOTES, and the released label files. */
#define V4_IMAGES 2021
#define V6_IMAGES 2000

const char *sl_set_name(sl_set_id id)
{
    static const char *const names[SL_SET_COUNT] = { "train", "test", "v4", "v6" };
    return names[id];
}

static sl_status read_records(const sl_data *data, sl_file_id first, int n, const char *name,
                              sl_dataset **out, sl_error *err)
{
    for (int i = 0; i < n; i++) {
        sl_status st = sl_data_check_size(data, (sl_file_id)((int)first + i), err);
        if (st)
            return st;
    }
    return sl_cifar_read_classes(out, name, data->class_names, data->path + first, n, err);
}

static sl_status read_cifar101(const sl_data *data, sl_file_id first, size_t n, const char *name,
                               sl_dataset **out, sl_error *err)
{
    const char *images = data->path[first], *labels = data->path[first + 1];
    sl_status st = sl_cifar101_read(out, name, images, labels, err);
    if (!st && (*out)->n != n) {
        st = sl_error_at(
            err, sl_error_set(err, SL_EFORMAT, "has %zu images, expected %zu", (*out)->n, n), "%s",
            images);
        sl_dataset_destroy(*out);
        *out = NULL;
    }
    return st;
}

sl_status sl_data_read(sl_data *data, sl_set_id id, sl_dataset **out, sl_error *err)
{
    *out = NULL;
    if (!sl_data_has(data, id))
        return sl_error_set(err, SL_ENOTFOUND,
                            "the images of the set '%s' aren't in '%s': get them with 'softlabel "
                            "data fetch'",
                            sl_set_name(id), data->folder);
    sl_file_id first;
    int n;
    char name[32];
    sl_set_files(id, &first, &n);
    snprintf(name, sizeof name, "%s-%s", data->kind, sl_set_name(id));
    if (id == SL_SET_V4)
        return read_cifar101(data, first, V4_IMAGES, "cifar10.1-v4", out, err);
    if (id == SL_SET_V6)
        return read_cifar101(data, first, V6_IMAGES, "cifar10.1-v6", out, err);
    return read_records(data, first, n, name, out, err);
}

sl_status sl_data_read_human(sl_data *data, sl_targets **out, sl_error *err)
{
    *out = NULL;
    const char *path =
        data->path[SL_FILE_COUNTS] ? data->path[SL_FILE_COUNTS] : data->path[SL_FILE_PROBS];
    if (!path)
        return sl_error_set(err, SL_ENOTFOUND,
                            "the human labels aren't in '%s': get them with 'softlabel data fetch'",
                            data->folder);
    return sl_targets_read(out, "human", path, data->records[SL_FILE_TEST], SL_CIFAR_CLASSES, err);
}
