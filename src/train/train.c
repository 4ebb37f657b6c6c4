/* Pretraining: SGD on the training set from initial weights. */
#include <softlabel/train.h>

#include "eval/metrics.h"
#include "models/model.h"
#include "models/recipe.h"
#include "train/batches.h"
#include "train/config.h"
#include "train/loop.h"

#include <math.h>
#include <string.h>

enum { EVALUATION_BATCH = 128 };

static const char *const columns[] = { "epoch",     "lr",       "train_loss", "train_acc",
                                       "test_loss", "test_acc", "c10h_loss",  "c10h_acc" };
enum { LR = 1, TRAIN_LOSS, TRAIN_ACC, TEST_LOSS, TEST_ACC, C10H_LOSS, C10H_ACC, N_COLUMNS };

static const sl_field fields[] = {
    SL_FIELD(SL_FIELD_STRING, sl_train_options, model),
    SL_FIELD(SL_FIELD_INT, sl_train_options, epochs),
    SL_FIELD(SL_FIELD_INT, sl_train_options, batch_size),
    SL_FIELD(SL_FIELD_DOUBLE, sl_train_options, lr),
    SL_FIELD(SL_FIELD_STRING, sl_train_options, schedule),
    SL_FIELD(SL_FIELD_DOUBLE, sl_train_options, weight_decay),
    SL_FIELD(SL_FIELD_STRING, sl_train_options, augment),
    SL_FIELD(SL_FIELD_INT, sl_train_options, cutout),
    SL_FIELD(SL_FIELD_DOUBLE, sl_train_options, mixup),
    SL_FIELD(SL_FIELD_STRING, sl_train_options, targets),
    SL_FIELD(SL_FIELD_DOUBLE, sl_train_options, smoothing),
    SL_FIELD(SL_FIELD_U64, sl_train_options, seed),
    SL_FIELD(SL_FIELD_STRING, sl_train_options, device),
    SL_FIELD(SL_FIELD_STRING, sl_train_options, precision),
    SL_FIELD(SL_FIELD_INT, sl_train_options, threads),
    { 0 },
};
static const sl_field places[] = {
    SL_FIELD(SL_FIELD_STRING, sl_train_options, init),
    SL_FIELD(SL_FIELD_STRING, sl_train_options, labels),
    SL_FIELD(SL_FIELD_INT, sl_train_options, save_every),
    { 0 },
};

typedef struct {
    sl_train_options o; /* resolved: nothing unset but model or init */
    char schedule_text[160];
    sl_recipe recipe; /* likewise */
    sl_loader_options loader;
    sl_score_sets sets;
    sl_targets *soft; /* smoothed, or of a file; NULL: the hard ones are trained on */
    sl_model *model;
    sl_device *device;
    sl_dtype dtype;
    sl_evaluator *evaluator;
    json_t *config;
    sl_run *run;
    sl_loop *loop;
} pretraining;

sl_train_options sl_train_options_default(void)
{
    return (sl_train_options){
        .recipe = "paper",
        .lr = NAN,
        .weight_decay = NAN,
        .augment = "paper",
        .cutout = -1,
        .targets = "hard",
        .smoothing = NAN,
        .device = "cpu",
        .precision = "f32",
        .threads = 1,
    };
}

sl_status sl_train_options_read(sl_train_options *out, const char *folder, sl_run_options **keep,
                                sl_error *err)
{
    json_t *config;
    sl_status st;

    *out = sl_train_options_default();
    st = sl_config_read(&config, folder, "train", fields, places, out, err);
    out->out = folder;
    *keep = (sl_run_options *)(void *)config;
    return st;
}

/* The model that training starts from. */
static sl_status open_model(pretraining *p, sl_error *err)
{
    sl_status st;

    if (p->o.init) {
        st = sl_model_load(&p->model, p->o.init, err);
        if (!st && p->o.model) {
            st = sl_model_rename(p->model, p->o.model, err);
            if (st == SL_EMISMATCH)
                sl_error_at(err, st, "%s", p->o.init);
        }
        return st;
    }
    if (!p->o.model)
        return sl_error_set(err, SL_EINVAL, "neither a model's name nor a checkpoint was given");
    const sl_dataset *set = p->sets.sets[SL_SET_TRAIN];
    const sl_image_shape image = { set->channels, set->height, set->width };
    st = sl_model_create_for(&p->model, p->o.model, image, set->classes, err);
    if (st)
        return st;
    sl_model_init(p->model, p->o.seed);
    sl_model_set_normalization(p->model, sl_normalization_cifar10.mean,
                               sl_normalization_cifar10.std);
    return sl_model_set_class_names(p->model, p->sets.sets[SL_SET_TRAIN]->class_names, err);
}

static sl_status resolve_schedule(pretraining *p, sl_error *err)
{
    sl_schedule *s = &p->recipe.schedule;

    if (!isnan(p->o.lr))
        s->lr = p->o.lr;
    if (!p->o.schedule)
        p->o.schedule = sl_schedule_text(s, p->schedule_text, sizeof p->schedule_text);
    p->o.lr = s->lr;
    p->o.epochs = s->epochs;
    /* Always by way of the text: so it's the same schedule when the run is continued from it. */
    return sl_schedule_parse(s, p->o.schedule, p->o.lr, p->o.epochs, err);
}

/* Says how far labels of a file are from the hard ones. */
static void describe_labels(const sl_targets *labels, const sl_dataset *set)
{
    double entropy = 0;
    size_t agree = 0;

    for (size_t i = 0; i < labels->n; i++) {
        const double *p = labels->p64 + i * (size_t)labels->classes;
        entropy += sl_entropy(p, labels->classes);
        agree += sl_argmax(p, labels->classes) == set->labels[i];
    }
    sl_log(SL_LOG_INFO,
           "labels: mean entropy %.4f nats; the likeliest class is the hard label on %.2f %%",
           entropy / (double)labels->n, 100 * (double)agree / (double)labels->n);
}

static sl_status open_targets(pretraining *p, sl_error *err)
{
    const sl_train_options *o = &p->o;
    const sl_dataset *set = p->sets.sets[SL_SET_TRAIN];
    sl_status st;

    if (strcmp(o->targets, "smoothed") == 0)
        return sl_targets_smooth(&p->soft, p->sets.hard[SL_SET_TRAIN], o->smoothing, err);
    if (!o->labels)
        return SL_OK;
    st = sl_targets_read(&p->soft, "file", o->labels, set->n, set->classes, err);
    if (!st)
        describe_labels(p->soft, set);
    return st;
}

static sl_status resolve_batches(pretraining *p, sl_error *err)
{
    sl_train_options *o = &p->o;
    sl_batch_settings batches = { o->augment, o->cutout, o->mixup, o->smoothing };
    const bool smoothed = strcmp(o->targets, "smoothed") == 0;
    const bool file = strcmp(o->targets, "file") == 0;
    sl_status st;

    if (!smoothed && !file && strcmp(o->targets, "hard") != 0)
        return sl_error_set(err, SL_EINVAL, "targets '%s', expected 'hard', 'smoothed' or 'file'",
                            o->targets);
    if (file != (o->labels != NULL))
        return sl_error_set(err, SL_EINVAL, "targets 'file' and a file of labels go together");
    st = sl_batch_settings_resolve(&batches, p->recipe.cutout, smoothed, &p->loader, err);
    if (st)
        return st;
    o->augment = batches.augment;
    o->cutout = batches.cutout;
    o->smoothing = batches.smoothing;
    return open_targets(p, err);
}

/* Sets what is unset by the recipe, and checks the rest. */
static sl_status resolve(pretraining *p, sl_error *err)
{
    sl_train_options *o = &p->o;
    sl_optimizer_options *optimizer = &p->recipe.optimizer;
    sl_status st = sl_recipe_find(&p->recipe, o->recipe, sl_model_name(p->model), err);

    if (st)
        return st;
    o->model = sl_model_name(p->model);
    if (o->epochs < 0 || o->batch_size < 0 || o->threads < 1 || o->save_every < 0)
        return sl_error_set(err, SL_EINVAL,
                            "%d epochs, batches of %d, %d threads, saved every %d steps: expected "
                            "positive numbers",
                            o->epochs, o->batch_size, o->threads, o->save_every);
    if (o->epochs)
        sl_recipe_set_epochs(&p->recipe, o->epochs);
    if (o->batch_size)
        sl_recipe_set_batch_size(&p->recipe, o->batch_size);
    o->batch_size = p->recipe.batch_size;
    if (isnan(o->weight_decay))
        o->weight_decay = optimizer->weight_decay;
    if (!(o->weight_decay >= 0 && isfinite(o->weight_decay)))
        return sl_error_set(err, SL_EINVAL, "weight decay %g, expected a number >= 0",
                            o->weight_decay);
    optimizer->weight_decay = o->weight_decay;
    st = resolve_schedule(p, err);
    if (st)
        return st;
    p->loader = (sl_loader_options){
        .batch_size = (size_t)o->batch_size,
        .seed = o->seed,
        .threads = 1,
    };
    sl_model_normalization(p->model, p->loader.normalization.mean, p->loader.normalization.std);
    return resolve_batches(p, err);
}

static sl_status score(void *user, const sl_epoch_summary *e, double *row, sl_error *err)
{
    pretraining *p = user;
    sl_score scores[SL_SCORE_COUNT];
    sl_status st = sl_evaluator_reload(p->evaluator, err);

    if (!st)
        st = sl_score_model(p->evaluator, &p->sets, SL_SET_BIT(SL_SET_TEST), scores, err);
    if (st)
        return st;
    row[LR] = e->lr;
    row[TRAIN_LOSS] = e->loss;
    row[TRAIN_ACC] = e->accuracy;
    row[TEST_LOSS] = sl_score_cross_entropy(&scores[SL_SCORE_C10]);
    row[TEST_ACC] = sl_score_accuracy(&scores[SL_SCORE_C10]);
    row[C10H_LOSS] = sl_score_cross_entropy(&scores[SL_SCORE_C10H]);
    row[C10H_ACC] = sl_score_accuracy(&scores[SL_SCORE_C10H]);
    sl_log(SL_LOG_INFO,
           "epoch %d/%d: train loss %.4f acc %.4f, test loss %.4f acc %.4f, %.0f images/s",
           e->epoch, p->o.epochs, e->loss, e->accuracy, row[TEST_LOSS], row[TEST_ACC],
           e->images_per_second);
    return SL_OK;
}

/* Model, data, settings, device. */
static sl_status prepare(pretraining *p, sl_data *data, sl_progress_fn *progress, void *user,
                         sl_error *err)
{
    sl_status st = sl_score_sets_read(&p->sets, data,
                                      SL_SET_BIT(SL_SET_TRAIN) | SL_SET_BIT(SL_SET_TEST), 0, err);

    if (!st && !p->sets.sets[SL_SET_TRAIN])
        st = sl_error_set(err, SL_ENOTFOUND, "'%s' has no training images", sl_data_folder(data));
    if (!st)
        st = open_model(p, err);
    if (!st)
        st = resolve(p, err);
    if (!st)
        st = sl_dtype_parse(&p->dtype, p->o.precision, err);
    if (!st)
        st = sl_device_open_local(&p->device, p->o.device, p->o.threads, p->o.processes, err);
    if (!st)
        st = sl_evaluator_create(&p->evaluator, p->model, p->device, EVALUATION_BATCH, p->dtype,
                                 progress, user, err);
    return st;
}

static sl_status open_loop(pretraining *p, sl_progress_fn *progress, void *user, sl_error *err)
{
    sl_loop_options o = {
        .graph = sl_model_graph(p->model),
        .params = sl_model_params(p->model),
        .device = p->device,
        .dtype = p->dtype,
        .set = p->sets.sets[SL_SET_TRAIN],
        .targets = p->soft ? p->soft : p->sets.hard[SL_SET_TRAIN],
        .loader = p->loader,
        .optimizer = p->recipe.optimizer,
        .schedule = p->recipe.schedule,
        .save_every = (uint64_t)p->o.save_every,
        .processes = p->o.processes,
        .columns = columns,
        .n_columns = N_COLUMNS,
        .score = score,
        .user = p,
        .progress = progress,
        .progress_user = user,
    };

    return sl_loop_create(&p->loop, &o, err);
}

/* The folder; last of all, when all processes have come so far, so that a mistake leaves none
 * behind. */
static sl_status open_run(pretraining *p, sl_data *data, sl_error *err)
{
    const sl_config_parts parts = {
        .command = "train",
        .options = &p->o,
        .fields = fields,
        .places = places,
        .model = p->model,
        .checkpoint = p->o.init,
        .data = data,
        .sets = &p->sets,
        .processes = sl_processes_size(p->o.processes),
        .labels = p->o.labels ? p->soft : NULL,
    };
    sl_status st = sl_config_create(&p->config, &parts, err);

    st = sl_processes_agree(p->o.processes, st, NULL, err);
    return st ? st : sl_run_open(&p->run, p->o.out, p->config, p->o.processes, err);
}

/* model.safetensors and result.json. */
static sl_status finish(pretraining *p, sl_error *err)
{
    const sl_train_state *state = sl_loop_state(p->loop);
    json_t *stage = NULL;
    const char *path;
    sl_status st = sl_run_path(p->run, &path, "model.safetensors", err);

    if (!st)
        st = sl_config_stage(&stage, p->config, err);
    if (!st)
        st = sl_metrics_log_put_row(state->log, state->log->n_rows - 1, stage, "scores", err);
    if (!st)
        st = sl_config_save_model(p->model, stage, path, "model_sha256", err);
    if (!st && json_object_set_new(stage, "seconds", json_real(state->seconds)))
        st = sl_error_set(err, SL_ENOMEM, "not enough memory for the result");
    if (!st)
        st = sl_run_finish(p->run, stage, err);
    json_decref(stage);
    return st;
}

static void release(pretraining *p)
{
    sl_loop_destroy(p->loop);
    sl_run_close(p->run);
    json_decref(p->config);
    sl_evaluator_destroy(p->evaluator);
    sl_device_close(p->device);
    sl_model_destroy(p->model);
    sl_targets_destroy(p->soft);
    sl_score_sets_release(&p->sets);
}

sl_status sl_train(const sl_train_options *options, sl_data *data, sl_progress_fn *progress,
                   void *user, sl_error *err)
{
    pretraining p = { .o = *options };
    sl_status st = prepare(&p, data, progress, user, err);

    if (!st)
        st = open_loop(&p, progress, user, err);
    st = sl_processes_agree(p.o.processes, st, NULL, err);
    if (!st)
        st = open_run(&p, data, err);
    if (st)
        goto done;
    if (p.run->finished) {
        sl_log(SL_LOG_INFO, "the run in '%s' has finished already", p.o.out);
        goto done;
    }
    st = sl_loop_enter(p.loop, p.run, err);
    if (!st)
        st = sl_loop_run(p.loop, err);
    if (st)
        goto done;
    if (sl_processes_leads(p.o.processes))
        st = finish(&p, err);
    st = sl_processes_agree(p.o.processes, st, NULL, err);
done:
    release(&p);
    return st;
}
