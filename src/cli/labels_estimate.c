/* softlabel labels estimate: distributions from judgments, by one of several rules. */
#include "base/memory.h"
#include "cli/labels.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_METHOD = 0x100, KEY_OUT, KEY_PRIOR, KEY_STEPS };

typedef enum { PROPORTIONS, DIRICHLET, DAWID_SKENE, WEIGHTED } method;
static const char *const methods[] = { "proportions", "dirichlet", "dawid-skene", "weighted",
                                       NULL };

typedef struct {
    cli_options common; /* first */
    const char *path, *out;
    char **raw; /* (n_raw), of argv */
    size_t n_raw;
    int method;    /* -1: not given */
    double prior;  /* 0: fitted */
    int64_t steps; /* at most */
} estimate_args;

static error_t parse(int key, char *text, struct argp_state *state)
{
    estimate_args *a = state->input;
    switch (key) {
    case KEY_METHOD:
        return cli_choice(state, "--method", text, methods, &a->method);
    case KEY_OUT:
        a->out = text;
        return 0;
    case KEY_PRIOR:
        return strcmp(text, "fit") == 0 ? 0
                                        : cli_number(state, "--prior", text, 1e-9, 1e9, &a->prior);
    case KEY_STEPS:
        return cli_integer(state, "--max-steps", text, 1, 1000000, &a->steps);
    case ARGP_KEY_ARGS:
        a->path = state->argv[state->next];
        a->raw = state->argv + state->next + 1;
        a->n_raw = (size_t)(state->argc - state->next - 1);
        return 0;
    case ARGP_KEY_END:
        if (!a->path || !a->out || a->method < 0)
            return cli_usage(state, "LABELS, --method NAME and --out FILE are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Works out p (n_images, n_classes), and says how in `how`. */
static sl_status estimate(const estimate_args *a, const cli_label_set *set, double *p, json_t *how,
                          sl_error *err)
{
    const sl_labels *l = &set->view;
    sl_judgments *judgments = NULL;
    int steps = 0;
    if (a->method == PROPORTIONS) {
        sl_labels_divide(p, l->counts, l->n_images, l->n_classes);
        return SL_OK;
    }
    if (a->method == DIRICHLET) {
        const double prior =
            a->prior > 0 ? a->prior : sl_labels_fit_prior(l->counts, l->n_images, l->n_classes);
        sl_labels_smooth(p, l->counts, l->n_images, l->n_classes, prior);
        json_object_set_new(how, "prior", json_real(prior));
        json_object_set_new(how, "prior_fitted", json_boolean(!(a->prior > 0)));
        return SL_OK;
    }
    if (!set->is_folder)
        return sl_error_set(err, SL_EINVAL,
                            "'%s' needs to know who judged what: give a folder of labels",
                            methods[a->method]);
    sl_status st = cli_label_set_judgments(&judgments, set, a->path, (const char *const *)a->raw,
                                           a->n_raw, err);
    if (!st && a->method == DAWID_SKENE) {
        st = sl_dawid_skene(p, NULL, NULL, judgments, (int)a->steps, &steps, err);
        json_object_set_new(how, "steps", json_integer(steps));
        json_object_set_new(how, "converged", json_boolean(steps < a->steps));
    } else if (!st) {
        st = sl_labels_weigh(p, NULL, judgments, err);
    }
    sl_judgments_destroy(judgments);
    return st;
}

static json_t *describe(const estimate_args *a, const cli_label_set *set)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:i, s:I}", "method", methods[a->method], "labels",
                     a->path, "counts_sha256", set->sha256, "images",
                     (json_int_t)set->view.n_images, "classes", set->view.n_classes, "people",
                     (json_int_t)set->view.n_people);
}

static sl_status run(const estimate_args *a, sl_error *err)
{
    cli_label_set set;
    double *p = NULL;
    json_t *how = NULL;
    sl_status st = cli_label_set_open(&set, a->path, NULL, err);
    if (st)
        return st;
    how = describe(a, &set);
    if (!how)
        st = sl_error_set(err, SL_EINVAL, "the name '%s' isn't UTF-8", a->path);
    if (!st)
        st = sl_alloc(&p, set.view.n_images * (size_t)set.view.n_classes, sizeof *p, err);
    if (!st)
        st = estimate(a, &set, p, how, err);
    if (!st)
        st = cli_labels_write(a->out, p, set.view.n_images, set.view.n_classes, how, err);
    if (!st && a->common.json)
        cli_print_json(json_incref(how));
    else if (!st)
        printf("%s: %s of %zu images%s\n", a->out, methods[a->method], set.view.n_images,
               a->method == DAWID_SKENE && json_is_false(json_object_get(how, "converged"))
                   ? " (not converged: raise --max-steps)"
                   : "");
    json_decref(how);
    free(p);
    cli_label_set_release(&set);
    return st;
}

int cli_labels_estimate(const cli_command *self, int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "method", KEY_METHOD, "NAME", 0, "proportions, dirichlet, dawid-skene, weighted", 0 },
        { "out", KEY_OUT, "FILE", 0, "npy of the distributions; what they are goes to its .json",
          0 },
        { "prior", KEY_PRIOR, "A", 0, "dirichlet: pseudo-count a class, or fit (fit)", 0 },
        { "max-steps", KEY_STEPS, "N", 0, "dawid-skene (1000)", 0 },
        { 0 },
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "LABELS [RAW.csv...]",
        .doc =
            "LABELS is a folder that aggregate wrote (its raw files are read again; name them if "
            "they have moved) or, for proportions and dirichlet, an npy of counts.",
    };
    estimate_args a = { .method = -1, .steps = 1000 };
    sl_error err;
    int code = cli_parse(self, &argp, argc, argv, &a);
    if (!code)
        code = cli_end(&a.common, run(&a, &err), &err);
    return code;
}
