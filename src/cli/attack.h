/* softlabel attack: cmd_attack.c parses and attacks; attack_models.c finds what; attack_show.c
 * shows what came out. */
#ifndef CLI_ATTACK_H
#define CLI_ATTACK_H

#include "base/memory.h"
#include "cli/cli.h"
#include "eval/attack.h"
#include "eval/bootstrap.h"
#include "eval/confusion.h"

#define ATTACK_MAX_EPSILONS 33

typedef struct {
    cli_options common; /* first */
    char **given;       /* (n_given): models, runs, or folders of fine-tuning runs */
    size_t n_given;
    sl_attack_options attack;
    /* The first is 0: the images as they are. */
    double epsilons[ATTACK_MAX_EPSILONS];
    const char *epsilon_texts[ATTACK_MAX_EPSILONS]; /* "8/255", as given */
    size_t n_epsilons;
    int targets; /* 0: hard, 1: human */
    int batch, resamples, permutations;
    const char *out; /* file for the JSON, or NULL */
} cli_attack_options;

/* Model files, each once; strings live as long. */
typedef struct {
    const char **paths;
    size_t n, capacity;
    sl_arena memory;
} cli_attack_models;
/* A file stands for itself, a run's folder for its best model, a folder of runs for those of them
 * without mixup that table 3 shows. */
SL_CHECK sl_status cli_attack_models_find(cli_attack_models *out, char *const *given, size_t n,
                                          sl_error *err);
void cli_attack_models_release(cli_attack_models *models);

/* What all models are attacked on. */
typedef struct {
    sl_data *data;
    sl_dataset *test;
    sl_targets *hard, *human;
    sl_device *device;
} cli_attack_scene;

/* One model, before (0) and after each attack. */
typedef struct {
    const char *path; /* of its file; borrowed */
    sl_model *model;
    char sha256[65];
    sl_measured *measured;    /* (n_epsilons, SL_MEASURE_COUNT) */
    sl_measured *differences; /* the same, less before */
    sl_confusion confusions[ATTACK_MAX_EPSILONS];
    double seconds;
} cli_attacked_model;

/* "fgsm", "pgd" */
const char *cli_attack_method_name(sl_attack_method method);
SL_CHECK sl_status cli_attack_show_text(const cli_attack_options *options,
                                        const cli_attack_scene *scene,
                                        const cli_attacked_model *model, sl_error *err);
/* {"data", "attack", "statistics"}: what a model's results depend on beside the model and the
 * epsilons; the caller's. */
json_t *cli_attack_settings_json(const cli_attack_options *options, const cli_attack_scene *scene);
/* These and the results; the caller's. */
json_t *cli_attack_model_json(const cli_attack_options *options, const cli_attack_scene *scene,
                              const cli_attacked_model *model);

#endif
