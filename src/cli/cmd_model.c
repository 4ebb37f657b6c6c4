/* softlabel model: which architectures there are, what a model file holds, taking one over. */
#include "base/file.h"
#include "cli/cli.h"
#include "models/family.h"
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

/* ---- list ---- */

static json_t *size_json(const sl_model *model)
{
    return json_pack("{s:s, s:o, s:i, s:I, s:f}", "name", sl_model_name(model), "architecture",
                     parse_json(sl_model_arch_json(model)), "classes", sl_model_classes(model),
                     "parameters", (json_int_t)sl_model_parameters(model), "multiply_adds",
                     sl_model_multiply_adds(model));
}

static sl_status list_family(const sl_family *family, json_t *models, sl_error *err)
{
    if (!models)
        printf("%s\n", family->pattern);
    for (size_t i = 0; family->known[i]; i++) {
        sl_model *model = NULL;
        sl_status st = sl_model_create(&model, family->known[i], 10, err);
        if (st)
            return st;
        if (models)
            json_array_append_new(models, size_json(model));
        else
            printf("  %-34s %12zu %18.0f\n", family->known[i], sl_model_parameters(model),
                   sl_model_multiply_adds(model));
        sl_model_destroy(model);
    }
    return SL_OK;
}

static sl_status list(bool as_json, sl_error *err)
{
    const sl_family *const *families = sl_families();
    json_t *models = as_json ? json_array() : NULL, *patterns = as_json ? json_array() : NULL;
    sl_status st = SL_OK;
    if (!as_json)
        printf("  %-34s %12s %18s\n", "e.g.", "parameters", "multiply-adds/image");
    for (size_t i = 0; families[i] && !st; i++) {
        if (as_json)
            json_array_append_new(patterns, json_string(families[i]->pattern));
        st = list_family(families[i], models, err);
    }
    if (as_json && !st)
        cli_print_json(json_pack("{s:O, s:O}", "patterns", patterns, "models", models));
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

static json_t *info_json(const sl_model *model, bool tensors)
{
    float mean[3], std[3];
    sl_model_normalization(model, mean, std);
    json_t *json = size_json(model), *names = json_array();
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
    return json;
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

static void print_info(const sl_model *model, bool tensors)
{
    float mean[3], std[3];
    sl_model_normalization(model, mean, std);
    printf("name           %s\n", sl_model_name(model));
    printf("architecture   %s\n", sl_model_arch_json(model));
    printf("parameters     %zu\n", sl_model_parameters(model));
    printf("multiply-adds  %.0f an image\n", sl_model_multiply_adds(model));
    printf("classes       ");
    for (int k = 0; k < sl_model_classes(model); k++)
        printf("%s %s", k ? "," : "", sl_model_class_name(model, k));
    printf("\nmean           %g %g %g\n", (double)mean[0], (double)mean[1], (double)mean[2]);
    printf("std            %g %g %g\n", (double)std[0], (double)std[1], (double)std[2]);
    print_history(model);
    if (tensors)
        print_tensors(model);
}

static const struct argp_option info_options[] = {
    { "tensors", 't', NULL, 0, "list the tensors", 0 },
    { 0 },
};
static const struct argp info_argp = {
    .options = info_options,
    .parser = parse,
    .args_doc = "MODEL",
    .doc = "\vMODEL is a model file, or the name of an architecture.",
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
    if (!st && o.common.json)
        cli_print_json(info_json(model, o.tensors));
    else if (!st)
        print_info(model, o.tensors);
    sl_model_destroy(model);
    return cli_end(&o.common, st, &err);
}

/* ---- import ---- */

static const struct argp import_argp = {
    .parser = parse,
    .args_doc = "NAME FROM TO",
    .doc = "\vFROM is a safetensors file of another program with the tensors of the architecture "
           "NAME, by the names of the reference's state dict; TO becomes a model file of this "
           "program, with CIFAR-10's normalisation.",
};

static int run_import(const cli_command *self, int argc, char **argv)
{
    options o = { .wanted = 3 };
    sl_error err;
    sl_model *model = NULL;
    int code = cli_parse(self, &import_argp, argc, argv, &o);
    if (code)
        return code;
    sl_status st = sl_model_create(&model, o.words[0], 10, &err);
    if (!st)
        st = sl_model_load_tensors(model, o.words[1], &err);
    if (!st)
        st = sl_model_add_history(model, "{\"stage\": \"import\"}", &err);
    if (!st)
        st = sl_model_save(model, o.words[2], &err);
    sl_model_destroy(model);
    return cli_end(&o.common, st, &err);
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
