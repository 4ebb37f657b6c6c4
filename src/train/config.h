/* What a run is: the sections of config.json, which result.json and the models repeat. */
#ifndef TRAIN_CONFIG_H
#define TRAIN_CONFIG_H

#include "eval/scores.h"
#include "train/fields.h"

#include <softlabel/model.h>

typedef struct {
    const char *command;    /* "train", "finetune" */
    const void *options;    /* their struct */
    const sl_field *fields; /* those that decide the result */
    const sl_field *places; /* where things were, for going on: may differ when they have moved */
    const sl_model *model;
    const char *checkpoint; /* the file it came from, or NULL */
    sl_data *data;
    const sl_score_sets *sets;
    const sl_targets *labels; /* of a file, that are trained on; or NULL */
    int processes;            /* >= 1, that train together */
} sl_config_parts;

/* {"format", "settings": {"command", "version", fields..,
 * "processes" where there are several}, "model": {"name", "architecture",
 * "parameters", "checkpoint_sha256"}, "data": {"kind", "note", hash by name..}, "places": {..}} */
SL_CHECK sl_status sl_config_create(json_t **out, const sl_config_parts *parts, sl_error *err);

/* Reads fields and places of a run folder's config.json into options; SL_EMISMATCH when the run is
 * of another command. Strings are borrowed from *keep. */
SL_CHECK sl_status sl_config_read(json_t **keep, const char *folder, const char *command,
                                  const sl_field *fields, const sl_field *places, void *options,
                                  sl_error *err);

/* A training stage as a model's history has it, and the start of a result: {"stage", "settings",
 * "model", "data"}; the caller's. */
SL_CHECK sl_status sl_config_stage(json_t **out, const json_t *config, sl_error *err);

/* Adds the stage to the model's history, writes it to path, and puts the file's hash into stage as
 * sha256_key afterwards. */
SL_CHECK sl_status sl_config_save_model(sl_model *model, json_t *stage, const char *path,
                                        const char *sha256_key, sl_error *err);

#endif
