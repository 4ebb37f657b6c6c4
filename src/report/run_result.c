#include "report/run_result.h"

#include "base/file.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RESULT_BYTES = 1 << 20 };

sl_status sl_run_result_read(json_t **out, const char *folder, sl_error *err)
{
    char *path;
    sl_status st = sl_path_join(&path, folder, "result.json", err);

    *out = NULL;
    if (st)
        return st;
    if (sl_file_exists(path)) {
        st = sl_json_read(out, path, MAX_RESULT_BYTES, err);
    } else {
        st = sl_error_set(err, SL_ENOTFOUND,
                          "no result.json here, so this isn't the folder of a finished run");
        st = sl_error_at(err, st, "%s", folder);
    }
    free(path);
    return st;
}

static const struct {
    const char *title, *loss, *accuracy;
} columns[SL_REPORT_COLUMNS] = {
    [SL_REPORT_C10H_VAL] = { "c10h val", "c10h_val_loss", "c10h_val_acc" },
    [SL_REPORT_C10_VAL] = { "c10 val", "c10h_val_c10_loss", "c10h_val_c10_acc" },
    [SL_REPORT_V4] = { "c10.1 v4", "v4_loss", "v4_acc" },
    [SL_REPORT_V6] = { "c10.1 v6", "v6_loss", "v6_acc" },
    [SL_REPORT_C10_50K] = { "c10 50k", "c10_50k_loss", "c10_50k_acc" },
};

static const struct {
    const char *targets, *name, *title;
    sl_report_column selects;
} kinds[SL_KIND_COUNT] = {
    [SL_KIND_HARD] = { "hard", "control", "CIFAR10", SL_REPORT_C10_VAL },
    [SL_KIND_HUMAN] = { "human", "human", "CIFAR10H", SL_REPORT_C10H_VAL },
    [SL_KIND_SAMPLED] = { "sampled", "sampled", "labels sampled from CIFAR10H",
                          SL_REPORT_C10H_VAL },
    [SL_KIND_SMOOTHED] = { "smoothed", "smoothed", "smoothed labels of CIFAR10",
                           SL_REPORT_C10_VAL },
};

const char *sl_tuning_kind_name(sl_tuning_kind kind)
{
    return kinds[kind].name;
}

const char *sl_tuning_kind_title(sl_tuning_kind kind)
{
    return kinds[kind].title;
}

sl_report_column sl_tuning_kind_selects(sl_tuning_kind kind)
{
    return kinds[kind].selects;
}

static sl_status read_kind(const json_t *settings, sl_tuning_kind *out, sl_error *err)
{
    const char *targets;
    sl_status st = sl_json_get_string(settings, "targets", &targets, err);

    for (int k = 0; k < SL_KIND_COUNT && !st; k++)
        if (strcmp(targets, kinds[k].targets) == 0) {
            *out = (sl_tuning_kind)k;
            return SL_OK;
        }
    return st ? st
              : sl_error_set(err, SL_EUNSUPPORTED, "'targets' is '%s', which no table has",
                             targets);
}

const char *sl_report_column_title(sl_report_column column)
{
    return columns[column].title;
}

static sl_status read_cell(const json_t *object, const char *key, double *out, sl_error *err)
{
    *out = NAN;
    return json_object_get(object, key) ? sl_json_get_number(object, key, out, err) : SL_OK;
}

static sl_status read_row(const json_t *json, const char *key, sl_report_row *row, sl_error *err)
{
    json_t *object = NULL;
    int64_t epoch = 0;
    sl_status st = sl_json_get(json, key, &object, err);

    if (!st)
        st = sl_json_get_int(object, "epoch", 0, INT_MAX, &epoch, err);
    row->epoch = (int)epoch;
    for (int c = 0; c < SL_REPORT_COLUMNS && !st; c++) {
        st = read_cell(object, columns[c].loss, &row->loss[c], err);
        if (!st)
            st = read_cell(object, columns[c].accuracy, &row->accuracy[c], err);
    }
    return st;
}

/* Those that runs of the first versions don't have. */
static sl_status read_later_settings(sl_tuning_run *r, const json_t *settings, sl_error *err)
{
    sl_status st = SL_OK;

    r->precision = "f32";
    if (json_object_get(settings, "mixup"))
        st = sl_json_get_number(settings, "mixup", &r->mixup, err);
    if (!st && json_object_get(settings, "smoothing"))
        st = sl_json_get_number(settings, "smoothing", &r->smoothing, err);
    if (!st && json_object_get(settings, "cutout"))
        st = sl_json_get_int(settings, "cutout", 0, INT_MAX, &r->cutout, err);
    if (!st && json_object_get(settings, "precision"))
        st = sl_json_get_string(settings, "precision", &r->precision, err);
    return st;
}

static sl_status read_settings(sl_tuning_run *r, const json_t *settings, sl_error *err)
{
    struct {
        const char *key;
        int64_t *value;
    } const integers[] = {
        { "epochs", &r->epochs },
        { "batch_size", &r->batch_size },
        { "split_seed", &r->split_seed },
        { "seed", &r->seed },
    };
    sl_status st = read_kind(settings, &r->kind, err);

    for (size_t i = 0; i < sizeof integers / sizeof integers[0] && !st; i++)
        st = sl_json_get_int(settings, integers[i].key, 0, INT64_MAX, integers[i].value, err);
    if (!st)
        st = sl_json_get_number(settings, "lr", &r->lr, err);
    if (!st)
        st = sl_json_get_number(settings, "weight_decay", &r->weight_decay, err);
    if (!st)
        st = read_later_settings(r, settings, err);
    return st ? st : sl_json_get_string(settings, "augment", &r->augment, err);
}

static sl_status read_data(sl_tuning_run *r, const json_t *data, sl_error *err)
{
    sl_status st = sl_json_get_string(data, "test", &r->test, err);

    if (!st)
        st = sl_json_get_string(data, "note", &r->note, err);
    r->human = "";
    if (!st && json_object_get(data, "human"))
        st = sl_json_get_string(data, "human", &r->human, err);
    return st;
}

static sl_status read_run(sl_tuning_run *r, sl_error *err)
{
    json_t *settings = NULL, *model = NULL, *data = NULL;
    const char *stage = NULL;
    sl_status st = sl_json_get_string(r->json, "stage", &stage, err);

    if (!st && strcmp(stage, "finetune") != 0)
        st =
            sl_error_set(err, SL_EMISMATCH, "this run is of 'softlabel %s', not 'finetune'", stage);
    if (!st)
        st = sl_json_get(r->json, "settings", &settings, err);
    if (!st)
        st = read_settings(r, settings, err);
    if (!st)
        st = sl_json_get(r->json, "data", &data, err);
    if (!st)
        st = read_data(r, data, err);
    if (!st)
        st = sl_json_get(r->json, "model", &model, err);
    if (!st)
        st = sl_json_get_string(model, "name", &r->model, err);
    if (!st)
        st = sl_json_get_string(model, "checkpoint_sha256", &r->checkpoint, err);
    if (!st)
        st = sl_json_get_string(r->json, "rule", &r->rule, err);
    if (!st)
        st = read_cell(r->json, "seconds", &r->seconds, err);
    r->best = "";
    if (!st && json_object_get(r->json, "best_sha256"))
        st = sl_json_get_string(r->json, "best_sha256", &r->best, err);
    if (!st)
        st = read_row(r->json, "before", &r->before, err);
    return st ? st : read_row(r->json, "selected", &r->selected, err);
}

sl_status sl_tuning_run_read(sl_tuning_run *out, const char *folder, sl_error *err)
{
    sl_tuning_run r = { .folder = folder };
    sl_status st = sl_run_result_read(&r.json, folder, err);

    if (st)
        return st;
    st = read_run(&r, err);
    if (st) {
        sl_tuning_run_release(&r);
        return sl_error_at(err, st, "%s/result.json", folder);
    }
    *out = r;
    return SL_OK;
}

void sl_tuning_run_release(sl_tuning_run *run)
{
    json_decref(run->json);
    run->json = NULL;
}
