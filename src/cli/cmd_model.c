/* softlabel model: which architectures there are, what a model file holds, taking one over. */
#include "base/file.h"
#include "cli/class_names.h"
#include "cli/cli.h"
#include "models/family.h"
#include "models/recipe.h"
#include <softlabel/model.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 3

/* The options of all three: so many words behind the command's name. */
typedef struct {
    cli_options common;
    bool tensors;
    int n_words, wanted;
    const char *words[MAX_WORDS];
} options;

static error_t parse(int key, char *text, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case 't':
        o->tensors = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->n_words == o->wanted)
            return ARGP_ERR_UNKNOWN;
        o->words[o->n_words++] = text;
        return 0;
    case ARGP_KEY_END:
        if (o->n_words < o->wanted)
            return cli_usage(state, "%d more argument(s) expected; see --help",
                             o->wanted - o->n_words);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static json_t *parse_json(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    return json ? json : json_null();
}

static json_t *recipe_json(const sl_recipe *r)
{
    char schedule[120];
    return json_pack("{s:i, s:i, s:f, s:s, s:f, s:i}", "epochs", r->schedule.epochs, "batch_size",
                     r->batch_size, "lr", r->schedule.lr, "schedule",
                     sl_schedule_text(&r->schedule, schedule, sizeof schedule), "weight_decay",
                     r->optimizer.weight_decay, "cutout", r->cutout);
}

/* What every model has, with the paper's recipe for it. */
static sl_status model_json(const sl_model *model, json_t **out, sl_error *err)
{
    sl_recipe recipe;
    const sl_image_shape image = sl_model_image(model);
    sl_status st = sl_recipe_find(&recipe, "paper", sl_model_name(model), err);
    *out = NULL;
    if (st)
        return st;
    *out = json_pack("{s:s, s:o, s:[i,i,i], s:i, s:I, s:f, s:o}", "name", sl_model_name(model),
                     "architecture", parse_json(sl_model_arch_json(model)), "image", image.channels,
                     image.height, image.width, "classes", sl_model_classes(model), "parameters",
                     (json_int_t)sl_model_parameters(model), "multiply_adds",
                     sl_model_multiply_adds(model), "recipe", recipe_json(&recipe));
    return SL_OK;
}

/* ---- list ---- */

static sl_status print_recipe(const char *label, const char *recipe, const char *name,
                              sl_error *err)
{
    sl_recipe r;
    char text[200];
    sl_status st = sl_recipe_find(&r, recipe, name, err);
    if (!st)
        printf("%s%s\n", label, sl_recipe_text(&r, text, sizeof text));
    return st;
}

/* Text: the pattern, the recipe of all its members, then some of them. */
static sl_status list_family(const sl_family *family, json_t *models, sl_error *err)
{
    sl_status st = SL_OK;
    if (!models) {
        printf("%s\n", family->pattern);
        st = print_recipe("  ", "paper", family->known[0], err);
    }
    for (size_t i = 0; family->known[i] && !st; i++) {
        sl_model *model = NULL;
        json_t *json = NULL;
        st = sl_model_create(&model, family->known[i], 10, err);
        if (!st && models)
            st = model_json(model, &json, err);
        if (!st && models)
            json_array_append_new(models, json);
        else if (!st)
            printf("    %-34s %12zu %18.0f\n", family->known[i], sl_model_parameters(model),
                   sl_model_multiply_adds(model));
        sl_model_destroy(model);
    }
    return st;
}

static sl_status list(bool as_json, sl_error *err)
{
    const sl_family *const *families = sl_families();
    json_t *models = as_json ? json_array() : NULL, *patterns = as_json ? json_array() : NULL;
    sl_status st = SL_OK;
    if (!as_json)
        printf("architecture\n  --recipe paper, the default\n    %-34s %12s %18s\n", "e.g.",
               "parameters", "multiply-adds");
    for (size_t i = 0; families[i] && !st; i++) {
        if (as_json)
            json_array_append_new(patterns, json_string(families[i]->pattern));
        st = list_family(families[i], models, err);
    }
    if (as_json && !st)
        cli_print_json(json_pack("{s:O, s:O}", "patterns", patterns, "models", models));
    else if (!st)
        st = print_recipe("--recipe fast, for any of them\n  ", "fast", families[0]->known[0], err);
    json_decref(models);
    json_decref(patterns);
    return st;
}

static const struct argp list_argp = { .parser = parse };

static int run_list(const cli_command *self, int argc, char **argv)
{
    options o = { .wanted = 0 };
    sl_error err;
    int code = cli_parse(self, &list_argp, argc, argv, &o);
    return code ? code : cli_end(&o.common, list(o.common.json, &err), &err);
}

/* ---- info ---- */

static json_t *tensors_json(const sl_model *model)
{
    const sl_graph *graph = sl_model_graph(model);
    json_t *tensors = json_object();
    for (int i = 0; i < sl_graph_tensors(graph); i++) {
        const sl_tensor *t = sl_graph_tensor(graph, i);
        json_t *shape = json_array();
        for (int d = 0; d < t->n_dims; d++)
            json_array_append_new(shape, json_integer(t->dims[d]));
        json_object_set_new(tensors, t->name, shape);
    }
    return tensors;
}

static sl_status print_info_json(const sl_model *model, bool tensors, sl_error *err)
{
    json_t *json, *names;
    float mean[3], std[3];
    sl_status st = model_json(model, &json, err);
    if (st)
        return st;
    sl_model_normalization(model, mean, std);
    names = json_array();
    for (int k = 0; k < sl_model_classes(model); k++)
        json_array_append_new(names, json_string(sl_model_class_name(model, k)));
    json_object_set_new(json, "class_names", names);
    json_object_set_new(json, "normalization",
                        json_pack("{s:[f,f,f], s:[f,f,f]}", "mean", (double)mean[0],
                                  (double)mean[1], (double)mean[2], "std", (double)std[0],
                                  (double)std[1], (double)std[2]));
    json_object_set_new(json, "history", parse_json(sl_model_history_json(model)));
    if (tensors)
        json_object_set_new(json, "tensors", tensors_json(model));
    cli_print_json(json);
    return SL_OK;
}

static void print_history(const sl_model *model)
{
    json_t *history = parse_json(sl_model_history_json(model)), *stage;
    size_t i;
    json_array_foreach(history, i, stage)
    {
        char *text = json_dumps(stage, JSON_REAL_PRECISION(9));
        printf("stage %zu        %s\n", i + 1, text ? text : "");
        free(text);
    }
    json_decref(history);
}

static void print_tensors(const sl_model *model)
{
    const sl_graph *graph = sl_model_graph(model);
    for (int i = 0; i < sl_graph_tensors(graph); i++) {
        const sl_tensor *t = sl_graph_tensor(graph, i);
        printf("  %-44s", t->name);
        for (int d = 0; d < t->n_dims; d++)
            printf(" %d", t->dims[d]);
        printf("\n");
    }
}

static sl_status print_info(const sl_model *model, bool tensors, sl_error *err)
{
    float mean[3], std[3];
    const sl_image_shape image = sl_model_image(model);
    sl_model_normalization(model, mean, std);
    printf("name           %s\n", sl_model_name(model));
    printf("architecture   %s\n", sl_model_arch_json(model));
    printf("parameters     %zu\n", sl_model_parameters(model));
    printf("multiply-adds  %.0f an image\n", sl_model_multiply_adds(model));
    sl_status st = print_recipe("recipe         ", "paper", sl_model_name(model), err);
    printf("images         %d x %d x %d\n", image.channels, image.height, image.width);
    printf("classes       ");
    for (int k = 0; k < sl_model_classes(model); k++)
        printf("%s %s", k ? "," : "", sl_model_class_name(model, k));
    printf("\nmean           %g %g %g\n", (double)mean[0], (double)mean[1], (double)mean[2]);
    printf("std            %g %g %g\n", (double)std[0], (double)std[1], (double)std[2]);
    print_history(model);
    if (tensors)
        print_tensors(model);
    return st;
}

static const struct argp_option info_options[] = {
    { "tensors", 't', NULL, 0, "list the tensors", 0 },
    { 0 },
};
static const struct argp info_argp = {
    .options = info_options,
    .parser = parse,
    .args_doc = "MODEL",
    .doc = "MODEL is a model file, or the name of an architecture.",
};

static int run_info(const cli_command *self, int argc, char **argv)
{
    options o = { .wanted = 1 };
    sl_error err;
    sl_model *model = NULL;
    int code = cli_parse(self, &info_argp, argc, argv, &o);
    if (code)
        return code;
    const char *what = o.words[0];
    bool is_file = sl_file_exists(what) || strchr(what, '/') || strstr(what, ".safetensors");
    sl_status st =
        is_file ? sl_model_load(&model, what, &err) : sl_model_create(&model, what, 10, &err);
    if (!st)
        st = o.common.json ? print_info_json(model, o.tensors, &err)
                           : print_info(model, o.tensors, &err);
    sl_model_destroy(model);
    return cli_end(&o.common, st, &err);
}

/* ---- import ---- */

static const struct argp import_argp = {
    .parser = parse,
    .args_doc = "NAME FROM TO",
    .doc = "FROM is a safetensors file of another program with the tensors of the architecture "
           "NAME (a name, or a JSON object: see docs/models.md), by the names of the reference's "
           "state dict. TO becomes a model file of this program, which all commands take: with as "
           "many classes as the last layer has rows, CIFAR-10's normalisation and, of ten classes, "
           "its class names.",
};

static sl_status import(const char *name, const char *from, const char *to, sl_error *err)
{
    sl_model *model = NULL;
    cli_class_names room;
    sl_status st = sl_model_import(&model, name, from, err);
    if (!st)
        st = sl_model_set_class_names(model, cli_name_classes(&room, sl_model_classes(model)), err);
    if (!st)
        st = sl_model_add_history(model, "{\"stage\": \"import\"}", err);
    if (!st)
        st = sl_model_save(model, to, err);
    sl_model_destroy(model);
    return st;
}

static int run_import(const cli_command *self, int argc, char **argv)
{
    options o = { .wanted = 3 };
    sl_error err;
    int code = cli_parse(self, &import_argp, argc, argv, &o);
    return code ? code : cli_end(&o.common, import(o.words[0], o.words[1], o.words[2], &err), &err);
}

/* name, summary, example, run */
static const cli_command commands[] = {
    { "list", "list the architectures", "softlabel model list", run_list },
    { "info", "say what a model file or an architecture is", "softlabel model info wrn_16_2",
      run_info },
    { "import", "take over a safetensors file of another program",
      "softlabel model import wrn_28_10 pytorch.safetensors wrn_28_10.safetensors", run_import },
    { 0 },
};

int cmd_model(const cli_command *self, int argc, char **argv)
{
    return cli_dispatch(commands, self->summary, argc, argv);
}
