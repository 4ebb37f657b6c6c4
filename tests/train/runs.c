/* Runs in this process: what they write, and what they refuse. */
#include "data/fixture.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/npy.h"
#include "models/model.h"
#include <fcntl.h>
#include <math.h>
#include <softlabel/model.h>
#include <softlabel/synth.h>
#include <softlabel/train.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* What all tests share: small data, and a model to tune. */
typedef struct {
    char *folder;
    sl_data *data;
    char model[300];
} shared_data;

static int group_setup(void **state)
{
    static shared_data shared;
    shared_data *s = &shared;
    void *folder = NULL;
    if (fixture_setup(&folder))
        return -1;
    sl_synth_options o = sl_synth_options_default();
    sl_model *model;
    sl_error err;
    s->folder = folder;
    o.n_train = 70;
    o.n_test = 100;
    const char *data = fixture_path(folder, "data");
    expect_ok(sl_synth_write(data, &o, NULL, NULL, &err), &err);
    expect_ok(sl_data_open(&s->data, data, NULL, &err), &err);
    snprintf(s->model, sizeof s->model, "%s/initial.safetensors", s->folder);
    expect_ok(sl_model_create(&model, "resnet_basic_8", 10, &err), &err);
    sl_model_init(model, 7);
    expect_ok(sl_model_save(model, s->model, &err), &err);
    sl_model_destroy(model);
    *state = s;
    return 0;
}

static int group_teardown(void **state)
{
    shared_data *s = *state;
    void *folder = s->folder;
    sl_data_close(s->data);
    return fixture_teardown(&folder);
}

static sl_train_options training(const shared_data *s, const char *name)
{
    sl_train_options o = sl_train_options_default();
    o.out = fixture_path(s->folder, "%s", name);
    o.model = "resnet_basic_8";
    o.epochs = 1;
    o.batch_size = 32;
    return o;
}

static sl_finetune_options tuning(const shared_data *s, const char *name)
{
    sl_finetune_options o = sl_finetune_options_default();
    o.out = fixture_path(s->folder, "%s", name);
    o.model = s->model;
    o.epochs = 2;
    o.batch_size = 32;
    return o;
}

static char *read_text(const char *path)
{
    unsigned char *bytes;
    size_t n;
    sl_error err;
    expect_ok(sl_file_read(path, 1 << 20, &bytes, &n, &err), &err);
    return (char *)bytes;
}

static void finetuning_logs_the_papers_columns(void **state)
{
    shared_data *s = *state;
    sl_error err;
    sl_finetune_options o = tuning(s, "columns");
    static const char header[] =
        "epoch,c10h_train_loss,c10h_train_acc,c10h_val_loss,c10h_val_acc,c10h_train_c10_loss,"
        "c10h_train_c10_acc,c10h_val_c10_loss,c10h_val_c10_acc,v4_loss,v4_acc,v6_loss,v6_acc,"
        "c10_50k_loss,c10_50k_acc\n0,";
    expect_ok(sl_finetune(&o, s->data, NULL, NULL, &err), &err);
    char *csv = read_text(fixture_path(o.out, "metrics.csv"));
    assert_memory_equal(csv, header, sizeof header - 1);
    int lines = 0;
    for (const char *c = csv; *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 1 + 3);          /* epochs 0, 1, 2 */
    assert_non_null(strstr(csv, ",,,,,2.")); /* v4 and v6 aren't there, the 50k is */
    free(csv);
}

static double selected(const sl_finetune_options *o, const char *row, const char *column)
{
    json_t *result, *object;
    double value;
    sl_error err;
    expect_ok(sl_json_read(&result, fixture_path(o->out, "result.json"), 1 << 20, &err), &err);
    expect_ok(sl_json_get(result, row, &object, &err), &err);
    expect_ok(sl_json_get_number(object, column, &value, &err), &err);
    json_decref(result);
    return value;
}

/* The rule of each kind of targets picks the lowest of its column from epoch 1 on. */
static void the_papers_rule_selects(void **state)
{
    shared_data *s = *state;
    sl_error err;
    const char *const targets[] = { "human", "hard", "sampled", "smoothed" };
    const char *const columns[] = { "c10h_val_loss", "c10h_val_c10_loss" };
    for (int i = 0; i < 4; i++) {
        sl_finetune_options o = tuning(s, targets[i]);
        o.targets = targets[i];
        o.c10_50k = "never";
        expect_ok(sl_finetune(&o, s->data, NULL, NULL, &err), &err);
        double best = selected(&o, "selected", columns[i % 2]);
        assert_true(selected(&o, "selected", "epoch") >= 1);
        assert_true(best <= selected(&o, "last", columns[i % 2]));
        assert_true(fixture_exists(fixture_path(o.out, "best.safetensors")));
        assert_true(fixture_exists(fixture_path(o.out, "last.safetensors")));
    }
}

/* How a tuned model came to be: pretrained, then tuned. */
static void a_model_keeps_its_history(void **state)
{
    shared_data *s = *state;
    sl_error err;
    sl_model *model;
    sl_train_options t = training(s, "history-train");
    expect_ok(sl_train(&t, s->data, NULL, NULL, &err), &err);
    sl_finetune_options f = tuning(s, "history-tune");
    f.model = fixture_path(t.out, "model.safetensors");
    f.c10_50k = "never";
    expect_ok(sl_finetune(&f, s->data, NULL, NULL, &err), &err);
    expect_ok(sl_model_load(&model, fixture_path(f.out, "best.safetensors"), &err), &err);
    json_t *history = json_loads(sl_model_history_json(model), 0, NULL);
    assert_int_equal(json_array_size(history), 2);
    const char *const stages[] = { "train", "finetune" };
    for (size_t i = 0; i < 2; i++) {
        const char *stage;
        json_t *settings;
        expect_ok(sl_json_get_string(json_array_get(history, i), "stage", &stage, &err), &err);
        expect_ok(sl_json_get(json_array_get(history, i), "settings", &settings, &err), &err);
        assert_string_equal(stage, stages[i]);
    }
    json_decref(history);
    sl_model_destroy(model);
}

static void other_options_are_named(void **state)
{
    shared_data *s = *state;
    sl_error err;
    sl_train_options o = training(s, "options");
    expect_ok(sl_train(&o, s->data, NULL, NULL, &err), &err);
    o.lr = 0.05;
    expect_error(sl_train(&o, s->data, NULL, NULL, &err), SL_EMISMATCH, &err, "'lr' 0.1, not 0.05");
    o = training(s, "options");
    o.seed = 1;
    expect_error(sl_train(&o, s->data, NULL, NULL, &err), SL_EMISMATCH, &err, "'seed' 0, not 1");
    sl_finetune_options f = tuning(s, "options");
    expect_error(sl_finetune(&f, s->data, NULL, NULL, &err), SL_EMISMATCH, &err,
                 "'command' \"train\", not \"finetune\"");
}

static void options_come_back_from_the_folder(void **state)
{
    shared_data *s = *state;
    sl_error err;
    sl_train_options o = training(s, "resumed"), again;
    sl_finetune_options wrong;
    sl_run_options *keep;
    o.schedule = "cosine";
    o.lr = 0.3;
    o.targets = "smoothed";
    o.mixup = 0.5;
    o.cutout = 12;
    o.augment = "paper";
    expect_ok(sl_train(&o, s->data, NULL, NULL, &err), &err);
    expect_ok(sl_train_options_read(&again, o.out, &keep, &err), &err);
    assert_string_equal(again.model, "resnet_basic_8");
    assert_string_equal(again.schedule, "cosine");
    assert_true(again.lr == 0.3 && again.epochs == 1 && again.batch_size == 32);
    assert_string_equal(again.targets, "smoothed");
    assert_string_equal(again.augment, "crop,flip");
    assert_string_equal(again.precision, "f32");
    assert_true(again.smoothing == 0.1 && again.mixup == 0.5 && again.cutout == 12);
    assert_non_null(sl_run_options_data_folder(keep));
    expect_ok(sl_train(&again, s->data, NULL, NULL, &err), &err); /* finished, the same options */
    sl_run_options_free(keep);
    expect_error(sl_finetune_options_read(&wrong, o.out, &keep, &err), SL_EMISMATCH, &err,
                 "softlabel train");
    assert_null(keep);
}

/* Rows of a file for the 70 training images. */
static const char *write_labels(const shared_data *s, const char *name, const double *rows)
{
    static const size_t shape[] = { 70, 10 };
    const char *path = fixture_path(s->folder, "%s", name);
    sl_error err;
    expect_ok(sl_npy_write(path, SL_NPY_F64, 2, shape, rows, &err), &err);
    return path;
}

static sl_train_options training_on(const shared_data *s, const char *name, const char *labels)
{
    sl_train_options o = training(s, name);
    o.targets = "file";
    o.labels = labels;
    return o;
}

/* One-hot rows of a file are the hard labels, to the last bit. */
static void labels_of_a_file_are_trained_on(void **state)
{
    shared_data *s = *state;
    double rows[70 * 10] = { 0 };
    sl_dataset *set;
    sl_model *models[3];
    sl_error err;
    expect_ok(sl_data_read(s->data, SL_SET_TRAIN, &set, &err), &err);
    for (size_t i = 0; i < 70; i++)
        rows[i * 10 + set->labels[i]] = 1;
    sl_train_options runs[] = {
        training(s, "by-hard"),
        training_on(s, "by-one-hot", write_labels(s, "one-hot.npy", rows)),
        training_on(s, "by-uniform", NULL),
    };
    for (size_t i = 0; i < 700; i++)
        rows[i] = 0.1;
    runs[2].labels = write_labels(s, "uniform.npy", rows);
    for (int i = 0; i < 3; i++) {
        expect_ok(sl_train(&runs[i], s->data, NULL, NULL, &err), &err);
        expect_ok(sl_model_load(&models[i], fixture_path(runs[i].out, "model.safetensors"), &err),
                  &err);
    }
    const size_t bytes = sl_graph_value_floats(sl_model_graph(models[0])) * sizeof(float);
    const float *hard = sl_model_params(models[0])->values;
    assert_memory_equal(sl_model_params(models[1])->values, hard, bytes);
    assert_true(memcmp(sl_model_params(models[2])->values, hard, bytes) != 0);
    for (int i = 0; i < 3; i++)
        sl_model_destroy(models[i]);
    sl_dataset_destroy(set);
}

static void broken_labels_leave_no_folder(void **state)
{
    shared_data *s = *state;
    static const struct {
        const char *what;
        double value; /* of row 3, class 4 */
        const char *message;
    } cases[] = {
        { "negative", -0.5, "row 3 has -0.5 for class 4" },
        { "not a number", NAN, "row 3 has nan for class 4" },
        { "infinite", INFINITY, "row 3 has inf for class 4" },
        { "not a distribution", 0.5, "row 3 sums to 1.5, expected 1" },
    };
    sl_train_options o = training_on(s, "broken", NULL);
    sl_error err;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        double rows[70 * 10] = { 0 };
        for (size_t i = 0; i < 70; i++)
            rows[i * 10] = 1;
        rows[3 * 10 + 4] = cases[c].value;
        o.labels = write_labels(s, "broken.npy", rows);
        expect_error(sl_train(&o, s->data, NULL, NULL, &err), SL_EFORMAT, &err, cases[c].message);
    }
    static const size_t shape[] = { 2, 10 };
    static const double two[20] = { 1 };
    expect_ok(sl_npy_write(o.labels, SL_NPY_F64, 2, shape, two, &err), &err);
    expect_error(sl_train(&o, s->data, NULL, NULL, &err), SL_EMISMATCH, &err,
                 "has the shape (2, 10), but the data set needs (70, 10)");
    o.labels = NULL;
    expect_error(sl_train(&o, s->data, NULL, NULL, &err), SL_EINVAL, &err, "go together");
    assert_false(fixture_exists(o.out));
}

/* A run that was begun on other labels isn't gone on with. */
static void other_labels_are_named(void **state)
{
    shared_data *s = *state;
    double rows[70 * 10] = { 0 };
    sl_error err;
    for (size_t i = 0; i < 70; i++)
        rows[i * 10] = 1;
    sl_train_options o = training_on(s, "labelled", write_labels(s, "some.npy", rows));
    expect_ok(sl_train(&o, s->data, NULL, NULL, &err), &err);
    rows[0] = 0;
    rows[1] = 1;
    write_labels(s, "some.npy", rows);
    expect_error(sl_train(&o, s->data, NULL, NULL, &err), SL_EMISMATCH, &err, "'labels'");
}

static void one_process_works_in_a_folder(void **state)
{
    shared_data *s = *state;
    sl_error err;
    sl_train_options o = training(s, "locked");
    fixture_make_dir(o.out);
    int lock = open(fixture_path(o.out, "lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    assert_true(lock >= 0);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    expect_error(sl_train(&o, s->data, NULL, NULL, &err), SL_EIO, &err, "another process");
    close(lock);
    expect_ok(sl_train(&o, s->data, NULL, NULL, &err), &err);
}

static void divergence_stops_the_run(void **state)
{
    shared_data *s = *state;
    sl_error err;
    sl_train_options o = training(s, "diverging");
    o.epochs = 3;
    o.schedule = "constant";
    o.lr = 1e30;
    expect_error(sl_train(&o, s->data, NULL, NULL, &err), SL_EDIVERGED, &err, "diverged in epoch");
    assert_false(fixture_exists(fixture_path(o.out, "model.safetensors")));
    assert_false(fixture_exists(fixture_path(o.out, "result.json")));
}

static void impossible_options_leave_no_folder(void **state)
{
    shared_data *s = *state;
    sl_error err;
    sl_train_options o = training(s, "impossible");
    static const struct {
        const char *part;
        int batch_size;
        double lr;
        const char *schedule, *augment, *model;
    } cases[] = {
        { "schedule 'sometimes'", 32, NAN, "sometimes", "none", "resnet_basic_8" },
        { "augmentation 'mirror'", 32, NAN, NULL, "mirror", "resnet_basic_8" },
        { "learning rate", 32, -1, NULL, "none", "resnet_basic_8" },
        { "unknown model", 32, NAN, NULL, "none", "resnet_basic" },
        { "expected positive", -1, NAN, NULL, "none", "resnet_basic_8" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        o.batch_size = cases[i].batch_size;
        o.lr = cases[i].lr;
        o.schedule = cases[i].schedule;
        o.augment = cases[i].augment;
        o.model = cases[i].model;
        expect_error(sl_train(&o, s->data, NULL, NULL, &err), SL_EINVAL, &err, cases[i].part);
        assert_false(fixture_exists(o.out));
    }
    o = training(s, "too-large");
    o.batch_size = 71;
    expect_error(sl_train(&o, s->data, NULL, NULL, &err), SL_EINVAL, &err, "batch of 71");
    assert_false(fixture_exists(o.out));
    sl_finetune_options f = tuning(s, "impossible");
    f.targets = "soft";
    expect_error(sl_finetune(&f, s->data, NULL, NULL, &err), SL_EINVAL, &err, "targets 'soft'");
    f = tuning(s, "impossible");
    f.c10_50k = "sometimes";
    expect_error(sl_finetune(&f, s->data, NULL, NULL, &err), SL_EINVAL, &err, "'sometimes'");
    assert_false(fixture_exists(f.out));
}

static void an_unwritable_folder_is_an_error(void **state)
{
    shared_data *s = *state;
    sl_error err;
    sl_train_options o = training(s, "file/run");
    fixture_write(fixture_path(s->folder, "file"), "", 0);
    expect_error(sl_train(&o, s->data, NULL, NULL, &err), SL_EIO, &err, "file");
}

static bool stop_at_once(void *user, const sl_progress *progress)
{
    (void)progress;
    return ++*(int *)user >= 2;
}

static void stopping_saves_the_state(void **state)
{
    shared_data *s = *state;
    sl_error err;
    int calls = 0;
    sl_train_options o = training(s, "stopped");
    expect_error(sl_train(&o, s->data, stop_at_once, &calls, &err), SL_EINTERRUPTED, &err, "saved");
    assert_true(fixture_exists(fixture_path(o.out, "checkpoints/state.safetensors")));
    expect_ok(sl_train(&o, s->data, NULL, NULL, &err), &err);
    assert_false(fixture_exists(fixture_path(o.out, "checkpoints/state.safetensors")));
}

static void a_damaged_state_is_refused(void **state)
{
    shared_data *s = *state;
    sl_error err;
    int calls = 0;
    unsigned char *bytes;
    size_t n;
    sl_train_options o = training(s, "damaged");
    const char *path = fixture_path(o.out, "checkpoints/state.safetensors");
    expect_error(sl_train(&o, s->data, stop_at_once, &calls, &err), SL_EINTERRUPTED, &err, "saved");
    expect_ok(sl_file_read(path, 1 << 24, &bytes, &n, &err), &err);
    bytes[n / 2] ^= 1;
    fixture_write(path, bytes, n);
    expect_error(sl_train(&o, s->data, NULL, NULL, &err), SL_EFORMAT, &err, "remove it");
    fixture_write(path, bytes, n / 2);
    expect_error(sl_train(&o, s->data, NULL, NULL, &err), SL_EFORMAT, &err, "remove it");
    free(bytes);
}

/* Each failure is reported as what it is and leaves a folder to go on from; leaks are for the
 * address sanitizer to find. */
static void memory_may_be_short_anywhere(void **state)
{
    shared_data *s = *state;
    sl_error err;
    sl_train_options o = training(s, "short-of-memory");
    int failures = 0;
    for (unsigned long n = 1;; n += 5) {
        sl_alloc_fail_at(n);
        sl_status st = sl_train(&o, s->data, NULL, NULL, &err);
        sl_alloc_fail_at(0);
        if (st == SL_OK)
            break;
        expect_error(st, SL_ENOMEM, &err, "memory");
        failures++;
    }
    assert_true(failures > 10);
    assert_true(fixture_exists(fixture_path(o.out, "result.json")));
    assert_int_equal(fixture_count_files(fixture_path(o.out, "checkpoints")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finetuning_logs_the_papers_columns),
        cmocka_unit_test(the_papers_rule_selects),
        cmocka_unit_test(a_model_keeps_its_history),
        cmocka_unit_test(other_options_are_named),
        cmocka_unit_test(options_come_back_from_the_folder),
        cmocka_unit_test(labels_of_a_file_are_trained_on),
        cmocka_unit_test(broken_labels_leave_no_folder),
        cmocka_unit_test(other_labels_are_named),
        cmocka_unit_test(one_process_works_in_a_folder),
        cmocka_unit_test(divergence_stops_the_run),
        cmocka_unit_test(impossible_options_leave_no_folder),
        cmocka_unit_test(an_unwritable_folder_is_an_error),
        cmocka_unit_test(stopping_saves_the_state),
        cmocka_unit_test(a_damaged_state_is_refused),
        cmocka_unit_test(memory_may_be_short_anywhere),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
