/* Fine-tuning on the test set's training part: human distributions, or hard labels as the control,
 * or what is made of them
 * (paper, section 5; NOTES, protocol). */
#include <softlabel/train.h>

#include "models/model.h"
#include "models/recipe.h"
#include "train/batches.h"
#include "train/config.h"
#include "train/loop.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { EVALUATION_BATCH = 128 };

/* The columns of the authors' own logs: those of scores 0..SL_SCORE_C10_50K in order. */
static const char *const columns[] = {
    "epoch",
    "c10h_train_loss",
    "c10h_train_acc",
    "c10h_val_loss",
    "c10h_val_acc",
    "c10h_train_c10_loss",
    "c10h_train_c10_acc",
    "c10h_val_c10_loss",
    "c10h_val_c10_acc",
    "v4_loss",
    "v4_acc",
    "v6_loss",
    "v6_acc",
    "c10_50k_loss",
    "c10_50k_acc",
};
enum { N_COLUMNS = sizeof columns / sizeof columns[0] };
static_assert(N_COLUMNS == 1 + 2 * (SL_SCORE_C10_50K + 1), "a loss and an accuracy for each score");

static int loss_column(sl_score_id id)
{
    return 1 + 2 * (int)id;
}

static const sl_field fields[] = {
    SL_FIELD(SL_FIELD_STRING, sl_finetune_options, targets),
    SL_FIELD(SL_FIELD_DOUBLE, sl_finetune_options, smoothing),
    SL_FIELD(SL_FIELD_INT, sl_finetune_options, epochs),
    SL_FIELD(SL_FIELD_INT, sl_finetune_options, batch_size),
    SL_FIELD(SL_FIELD_DOUBLE, sl_finetune_options, lr),
    SL_FIELD(SL_FIELD_DOUBLE, sl_finetune_options, weight_decay),
    SL_FIELD(SL_FIELD_STRING, sl_finetune_options, augment),
    SL_FIELD(SL_FIELD_INT, sl_finetune_options, cutout),
    SL_FIELD(SL_FIELD_DOUBLE, sl_finetune_options, mixup),
    SL_FIELD(SL_FIELD_U32, sl_finetune_options, split_seed),
    SL_FIELD(SL_FIELD_U64, sl_finetune_options, seed),
    SL_FIELD(SL_FIELD_STRING, sl_finetune_options, c10_50k),
    SL_FIELD(SL_FIELD_STRING, sl_finetune_options, device),
    SL_FIELD(SL_FIELD_STRING, sl_finetune_options, precision),
    SL_FIELD(SL_FIELD_INT, sl_finetune_options, threads),
    { 0 },
};
static const sl_field places[] = {
    SL_FIELD(SL_FIELD_STRING, sl_finetune_options, model),
    SL_FIELD(SL_FIELD_INT, sl_finetune_options, save_every),
    { 0 },
};

typedef enum { SCORE_50K_EVERY, SCORE_50K_ENDS, SCORE_50K_NEVER } score_50k;

/* How the best epoch is chosen. */
typedef struct {
    sl_score_id score;
    const char *text;
} selection_rule;

static const selection_rule by_human = {
    SL_SCORE_C10H_VAL,
    "the epoch >= 1 with the lowest c10h_val_loss: cross-entropy against the human distributions "
    "of the split's validation images; so the row is chosen on images that it reports",
};
static const selection_rule by_hard = {
    SL_SCORE_C10H_VAL_C10,
    "the epoch >= 1 with the lowest c10h_val_c10_loss: cross-entropy against the hard labels of "
    "the split's validation images; so the row is chosen on images that it reports",
};

/* What is trained on. */
typedef struct {
    const char *name;
    bool human, sampled, smoothed; /* human distributions, or hard labels; what is made of them */
    const selection_rule *rule;
} target_kind;

static const target_kind target_kinds[] = {
    { "human", true, false, false, &by_human },
    { "hard", false, false, false, &by_hard },
    { "sampled", true, true, false, &by_human },
    { "smoothed", false, false, true, &by_hard },
};

typedef struct {
    sl_finetune_options o; /* resolved */
    const target_kind *kind;
    score_50k when_50k;
    sl_loader_options loader;
    sl_score_sets sets;
    sl_targets *smoothed;
    const sl_targets *targets; /* smoothed, or one of sets' */
    sl_model *model, *best;    /* being trained; as in the best epoch */
    sl_device *device;
    sl_dtype dtype;
    sl_evaluator *evaluator; /* of model */
    json_t *config;
    sl_run *run;
    sl_loop *loop;
} finetuning;

sl_finetune_options sl_finetune_options_default(void)
{
    return (sl_finetune_options){
        .targets = "human",
        .smoothing = NAN,
        .epochs = 100,
        .lr = 0.001,
        .weight_decay = NAN,
        .augment = "paper",
        .cutout = -1,
        .c10_50k = "every",
        .device = "cpu",
        .precision = "f32",
        .threads = 1,
    };
}

sl_status sl_finetune_options_read(sl_finetune_options *out, const char *folder,
                                   sl_run_options **keep, sl_error *err)
{
    json_t *config;
    sl_status st;

    *out = sl_finetune_options_default();
    st = sl_config_read(&config, folder, "finetune", fields, places, out, err);
    out->out = folder;
    *keep = (sl_run_options *)(void *)config;
    return st;
}

static sl_status parse_texts(finetuning *f, sl_error *err)
{
    static const char *const when[] = { "every", "ends", "never" };
    int found = -1;

    for (size_t i = 0; i < sizeof target_kinds / sizeof target_kinds[0]; i++)
        if (strcmp(f->o.targets, target_kinds[i].name) == 0)
            f->kind = &target_kinds[i];
    if (!f->kind)
        return sl_error_set(err, SL_EINVAL,
                            "targets '%s', expected 'human', 'hard', 'sampled' or 'smoothed'",
                            f->o.targets);
    for (int i = 0; i < 3; i++)
        if (strcmp(f->o.c10_50k, when[i]) == 0)
            found = i;
    if (found < 0)
        return sl_error_set(err, SL_EINVAL,
                            "scoring the 50k '%s', expected 'every', 'ends' or 'never'",
                            f->o.c10_50k);
    f->when_50k = (score_50k)found;
    return sl_dtype_parse(&f->dtype, f->o.precision, err);
}

static sl_status check_numbers(const sl_finetune_options *o, sl_error *err)
{
    if (o->epochs < 1 || o->batch_size < 0 || o->threads < 1 || o->save_every < 0)
        return sl_error_set(err, SL_EINVAL,
                            "%d epochs, batches of %d, %d threads, saved every %d steps: expected "
                            "positive numbers",
                            o->epochs, o->batch_size, o->threads, o->save_every);
    if (!(o->lr >= 0 && isfinite(o->lr)))
        return sl_error_set(err, SL_EINVAL, "learning rate %g, expected a number >= 0", o->lr);
    if (!(o->weight_decay >= 0 && isfinite(o->weight_decay)))
        return sl_error_set(err, SL_EINVAL, "weight decay %g, expected a number >= 0",
                            o->weight_decay);
    return SL_OK;
}

static sl_status resolve_batches(finetuning *f, int recipe_cutout, sl_error *err)
{
    sl_finetune_options *o = &f->o;
    sl_batch_settings batches = { o->augment, o->cutout, o->mixup, o->smoothing };
    sl_status st =
        sl_batch_settings_resolve(&batches, recipe_cutout, f->kind->smoothed, &f->loader, err);

    if (st)
        return st;
    o->augment = batches.augment;
    o->cutout = batches.cutout;
    o->smoothing = batches.smoothing;
    f->loader.sample_labels = f->kind->sampled;
    return SL_OK;
}

/* Sets what is unset by the model's recipe, and checks the rest. */
static sl_status resolve(finetuning *f, sl_error *err)
{
    sl_finetune_options *o = &f->o;
    sl_recipe recipe;
    sl_status st = parse_texts(f, err);

    if (!st)
        st = sl_recipe_find(&recipe, "paper", sl_model_name(f->model), err);
    if (st)
        return st;
    if (!o->batch_size)
        o->batch_size = recipe.batch_size;
    if (isnan(o->weight_decay))
        o->weight_decay = recipe.optimizer.weight_decay;
    f->loader.batch_size = (size_t)o->batch_size;
    f->loader.seed = o->seed;
    f->loader.threads = 1;
    sl_model_normalization(f->model, f->loader.normalization.mean, f->loader.normalization.std);
    st = resolve_batches(f, recipe.cutout, err);
    return st ? st : check_numbers(o, err);
}

static sl_status read_data(finetuning *f, sl_data *data, sl_error *err)
{
    unsigned wanted = SL_SETS_ALL;
    sl_status st;

    if (f->when_50k == SCORE_50K_NEVER)
        wanted &= ~SL_SET_BIT(SL_SET_TRAIN);
    st = sl_score_sets_read(&f->sets, data, wanted, f->o.split_seed, err);
    if (st)
        return st;
    f->targets = f->kind->human ? f->sets.human : f->sets.hard[SL_SET_TEST];
    if (!f->targets)
        return sl_error_set(err, SL_ENOTFOUND, "'%s' has no human labels of its test set",
                            sl_data_folder(data));
    if (!f->kind->smoothed)
        return SL_OK;
    st = sl_targets_smooth(&f->smoothed, f->targets, f->o.smoothing, err);
    f->targets = f->smoothed;
    return st;
}

static void fill_cells(const sl_score scores[SL_SCORE_COUNT], int first, int last, double *row)
{
    for (int id = first; id <= last; id++) {
        row[loss_column((sl_score_id)id)] = sl_score_cross_entropy(&scores[id]);
        row[loss_column((sl_score_id)id) + 1] = sl_score_accuracy(&scores[id]);
    }
}

static sl_status score(void *user, const sl_epoch_summary *e, double *row, sl_error *err)
{
    finetuning *f = user;
    bool end = e->epoch == 0 || e->epoch == f->o.epochs;
    bool with_train = f->when_50k == SCORE_50K_EVERY || (f->when_50k == SCORE_50K_ENDS && end);
    unsigned wanted = with_train ? SL_SETS_ALL : SL_SETS_ALL & ~SL_SET_BIT(SL_SET_TRAIN);
    sl_score scores[SL_SCORE_COUNT];
    char trained[64] = "";
    sl_status st = sl_evaluator_reload(f->evaluator, err);

    if (!st)
        st = sl_score_model(f->evaluator, &f->sets, wanted, scores, err);
    if (st)
        return st;
    fill_cells(scores, 0, SL_SCORE_C10_50K, row);
    if (e->epoch > 0)
        snprintf(trained, sizeof trained, " training loss %.4f,", e->loss);
    sl_log(SL_LOG_INFO, "epoch %d/%d:%s validation loss %.4f (human), %.4f (hard)", e->epoch,
           f->o.epochs, trained, row[loss_column(SL_SCORE_C10H_VAL)],
           row[loss_column(SL_SCORE_C10H_VAL_C10)]);
    return SL_OK;
}

/* Model, data, settings, device. */
static sl_status prepare(finetuning *f, sl_data *data, sl_progress_fn *progress, void *user,
                         sl_error *err)
{
    sl_status st = sl_model_load(&f->model, f->o.model, err);

    if (!st)
        st = sl_model_load(&f->best, f->o.model, err);
    if (!st)
        st = resolve(f, err);
    if (!st)
        st = read_data(f, data, err);
    if (!st)
        st = sl_device_open_local(&f->device, f->o.device, f->o.threads, f->o.processes, err);
    if (!st)
        st = sl_evaluator_create(&f->evaluator, f->model, f->device, EVALUATION_BATCH, f->dtype,
                                 progress, user, err);
    return st;
}

static sl_status open_loop(finetuning *f, sl_progress_fn *progress, void *user, sl_error *err)
{
    sl_loop_options o = {
        .graph = sl_model_graph(f->model),
        .params = sl_model_params(f->model),
        .best = sl_model_params(f->best),
        .device = f->device,
        .dtype = f->dtype,
        .set = f->sets.sets[SL_SET_TEST],
        .targets = f->targets,
        .indices = f->sets.split.train,
        .n_indices = f->sets.split.n_train,
        .loader = f->loader,
        .optimizer = sl_optimizer_adam(f->o.weight_decay),
        .schedule = { .kind = SL_SCHEDULE_CONSTANT, .lr = f->o.lr, .epochs = f->o.epochs },
        .save_every = (uint64_t)f->o.save_every,
        .processes = f->o.processes,
        .columns = columns,
        .n_columns = N_COLUMNS,
        .best_column = loss_column(f->kind->rule->score),
        .score_first = true,
        .score = score,
        .user = f,
        .progress = progress,
        .progress_user = user,
    };

    return sl_loop_create(&f->loop, &o, err);
}

/* The folder; last of all, when all processes have come so far, so that a mistake leaves none
 * behind. */
static sl_status open_run(finetuning *f, sl_data *data, sl_error *err)
{
    const sl_config_parts parts = {
        .command = "finetune",
        .options = &f->o,
        .fields = fields,
        .places = places,
        .model = f->model,
        .checkpoint = f->o.model,
        .data = data,
        .sets = &f->sets,
        .processes = sl_processes_size(f->o.processes),
    };
    sl_status st = sl_config_create(&f->config, &parts, err);

    st = sl_processes_agree(f->o.processes, st, NULL, err);
    return st ? st : sl_run_open(&f->run, f->o.out, f->config, f->o.processes, err);
}

/* With "ends", the best epoch's row lacks the 50k: only now it is known which it is. */
static sl_status complete_best_row(finetuning *f, size_t row, sl_error *err)
{
    double *cells = sl_metrics_log_row(sl_loop_state(f->loop)->log, row);
    sl_score scores[SL_SCORE_COUNT];
    sl_status st;

    if (f->when_50k != SCORE_50K_ENDS || !isnan(cells[loss_column(SL_SCORE_C10_50K)]))
        return SL_OK;
    st = sl_params_copy(sl_model_params(f->model), sl_model_params(f->best), err);
    if (!st)
        st = sl_evaluator_reload(f->evaluator, err);
    if (!st)
        st = sl_score_model(f->evaluator, &f->sets, SL_SET_BIT(SL_SET_TRAIN), scores, err);
    if (st)
        return st;
    fill_cells(scores, SL_SCORE_C10_50K, SL_SCORE_C10_50K, cells);
    return sl_loop_amend(f->loop, row, err);
}

/* Writes a model with its row of the metrics in its history, and puts its hash into result. */
static sl_status save_model(finetuning *f, sl_model *model, size_t row, const char *file,
                            const char *sha256_key, json_t *result, sl_error *err)
{
    json_t *stage = NULL;
    const char *path;
    sl_status st = sl_run_path(f->run, &path, file, err);

    if (!st)
        st = sl_config_stage(&stage, f->config, err);
    if (!st)
        st = sl_metrics_log_put_row(sl_loop_state(f->loop)->log, row, stage, "scores", err);
    if (!st)
        st = sl_config_save_model(model, stage, path, sha256_key, err);
    if (!st && json_object_set(result, sha256_key, json_object_get(stage, sha256_key)))
        st = sl_error_set(err, SL_ENOMEM, "not enough memory for the result");
    json_decref(stage);
    return st;
}

static sl_status write_result(finetuning *f, json_t *result, sl_error *err)
{
    const sl_train_state *state = sl_loop_state(f->loop);
    const struct {
        const char *key;
        size_t row;
    } rows[] = {
        { "before", 0 },
        { "selected", (size_t)state->best_epoch },
        { "last", state->log->n_rows - 1 },
    };
    sl_status st = SL_OK;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && !st; i++)
        st = sl_metrics_log_put_row(state->log, rows[i].row, result, rows[i].key, err);
    if (!st && (json_object_set_new(result, "rule", json_string(f->kind->rule->text)) ||
                json_object_set_new(result, "seconds", json_real(state->seconds))))
        st = sl_error_set(err, SL_ENOMEM, "not enough memory for the result");
    return st ? st : sl_run_finish(f->run, result, err);
}

/* last.safetensors, best.safetensors, result.json; a kill in between, and all is made again. */
static sl_status finish(finetuning *f, sl_error *err)
{
    const sl_train_state *state = sl_loop_state(f->loop);
    size_t best_row = (size_t)state->best_epoch; /* row 0 is epoch 0 */
    json_t *result = NULL;
    sl_status st = sl_config_stage(&result, f->config, err);

    if (!st)
        st = save_model(f, f->model, state->log->n_rows - 1, "last.safetensors", "last_sha256",
                        result, err);
    if (!st)
        st = complete_best_row(f, best_row, err);
    if (!st)
        st = save_model(f, f->best, best_row, "best.safetensors", "best_sha256", result, err);
    if (!st)
        st = write_result(f, result, err);
    json_decref(result);
    return st;
}

static void release(finetuning *f)
{
    sl_loop_destroy(f->loop);
    sl_run_close(f->run);
    json_decref(f->config);
    sl_evaluator_destroy(f->evaluator);
    sl_device_close(f->device);
    sl_model_destroy(f->best);
    sl_model_destroy(f->model);
    sl_targets_destroy(f->smoothed);
    sl_score_sets_release(&f->sets);
}

sl_status sl_finetune(const sl_finetune_options *options, sl_data *data, sl_progress_fn *progress,
                      void *user, sl_error *err)
{
    finetuning f = { .o = *options };
    sl_status st = prepare(&f, data, progress, user, err);

    if (!st)
        st = open_loop(&f, progress, user, err);
    st = sl_processes_agree(f.o.processes, st, NULL, err);
    if (!st)
        st = open_run(&f, data, err);
    if (st)
        goto done;
    if (f.run->finished) {
        sl_log(SL_LOG_INFO, "the run in '%s' has finished already", f.o.out);
        goto done;
    }
    st = sl_loop_enter(f.loop, f.run, err);
    if (!st)
        st = sl_loop_run(f.loop, err);
    if (st)
        goto done;
    if (sl_processes_leads(f.o.processes))
        st = finish(&f, err);
    st = sl_processes_agree(f.o.processes, st, NULL, err);
done:
    release(&f);
    return st;
}
