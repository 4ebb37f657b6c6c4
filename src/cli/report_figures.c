/* softlabel report examples | confusion: figures of what people chose. */
#include "base/file.h"
#include "base/memory.h"
#include "cli/class_names.h"
#include "cli/labels.h"
#include "cli/report.h"
#include "eval/metrics.h"
#include "report/confusion.h"
#include "report/examples.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { KEY_OUT = 0x100, KEY_IMAGES, KEY_LABELS, KEY_SET, KEY_HARD_LABELS };

#define MAX_EXAMPLES 20

void cli_show_figure_files(const char *path, bool as_json)
{
    if (as_json) {
        json_t *files = json_array();
        static const char *const endings[] = { "svg", "pdf", "png", "gp" };
        for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
            json_array_append_new(files, json_sprintf("%s.%s", path, endings[i]));
        cli_print_json(json_pack("{s:o}", "files", files));
    } else {
        printf("%s.svg, .pdf, .png; drawn again by 'gnuplot' from the .gp and .dat beside\n", path);
    }
}

/* ---- examples ---- */

typedef struct {
    cli_options common; /* first */
    const char *out, *labels;
    int64_t images[MAX_EXAMPLES];
    size_t n; /* 0: chosen here */
    int set;  /* sl_set_id */
} examples_args;

/* "3,14,15" */
static error_t parse_images(examples_args *a, char *text, struct argp_state *state)
{
    char *rest = NULL;
    for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        if (a->n == MAX_EXAMPLES)
            return cli_usage(state, "--images: more than %d", MAX_EXAMPLES);
        error_t e = cli_integer(state, "--images", word, 0, UINT32_MAX, &a->images[a->n++]);
        if (e)
            return e;
    }
    return a->n > 0 ? 0 : cli_usage(state, "--images '%s' names none", text);
}

static error_t parse_examples(int key, char *text, struct argp_state *state)
{
    static const char *const sets[] = { "train", "test", "v4", "v6", NULL };
    examples_args *a = state->input;
    switch (key) {
    case KEY_OUT:
        a->out = text;
        return 0;
    case KEY_LABELS:
        a->labels = text;
        return 0;
    case KEY_IMAGES:
        a->n = 0;
        return parse_images(a, text, state);
    case KEY_SET:
        return cli_choice(state, "--set", text, sets, &a->set);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static sl_status read_human(sl_targets **out, const examples_args *a, sl_data *data,
                            const sl_dataset *set, sl_error *err)
{
    struct stat info;
    char *path = NULL;
    sl_status st = SL_OK;
    if (!a->labels) {
        if (a->set == SL_SET_TEST)
            return sl_data_read_human(data, out, err);
        return sl_error_set(err, SL_EINVAL, "--labels FILE is needed for images of '%s'",
                            sl_set_name((sl_set_id)a->set));
    }
    if (stat(a->labels, &info) == 0 && S_ISDIR(info.st_mode))
        st = sl_path_join(&path, a->labels, "counts.npy", err);
    if (!st)
        st = sl_targets_read(out, "human", path ? path : a->labels, set->n, set->classes, err);
    free(path);
    return st;
}

/* Of two images that people agree on most and two that they agree on least, as in the paper, the
 * second of each kind of another class than the first. Equal ones: the first. */
static void choose_images(examples_args *a, const sl_dataset *set, const sl_targets *human)
{
    const size_t k = (size_t)human->classes;
    for (int wanted = 0; wanted < 4; wanted++) {
        const bool most = wanted >= 2;
        int64_t best = -1;
        double best_entropy = 0;
        for (size_t i = 0; i < set->n; i++) {
            const double entropy = sl_entropy(human->p64 + i * k, human->classes);
            if (wanted % 2 == 1 && set->labels[i] == set->labels[a->images[wanted - 1]])
                continue;
            if (best < 0 || (most ? entropy > best_entropy : entropy < best_entropy)) {
                best = (int64_t)i;
                best_entropy = entropy;
            }
        }
        if (best < 0)
            break; /* one class only */
        a->images[a->n++] = best;
    }
}

static sl_status draw_examples(examples_args *a, const sl_dataset *set, const sl_targets *human,
                               sl_error *err)
{
    sl_example examples[MAX_EXAMPLES];
    char caption[300];
    const size_t pixels = (size_t)set->channels * (size_t)set->height * (size_t)set->width;
    if (a->n == 0)
        choose_images(a, set, human);
    for (size_t i = 0; i < a->n; i++) {
        const size_t image = (size_t)a->images[i];
        if (image >= set->n)
            return sl_error_set(err, SL_EINVAL, "image %zu of '%s', which has %zu", image,
                                set->name, set->n);
        examples[i] = (sl_example){ set->pixels + image * pixels,
                                    human->p64 + image * (size_t)human->classes, image };
    }
    snprintf(caption, sizeof caption, "human choice proportions (%.12s) of images of %.60s (%.12s)",
             human->sha256, set->name, set->sha256);
    return sl_examples_draw(a->out, examples, a->n, set->height, set->width, set->classes,
                            set->class_names, caption, err);
}

sl_status cli_draw_examples(const char *path, sl_data *data, const sl_dataset *test, sl_error *err)
{
    examples_args a = { .out = path, .set = SL_SET_TEST };
    sl_targets *human;
    sl_status st = sl_data_read_human(data, &human, err);

    if (!st)
        st = draw_examples(&a, test, human, err);
    sl_targets_destroy(human);
    return st;
}

static sl_status examples(examples_args *a, sl_error *err)
{
    sl_data *data = NULL;
    sl_dataset *set = NULL;
    sl_targets *human = NULL;
    sl_status st = cli_data_open(&data, &a->common, err);
    if (!st)
        st = sl_data_read(data, (sl_set_id)a->set, &set, err);
    if (!st)
        st = read_human(&human, a, data, set, err);
    if (!st && set->channels != 3)
        st = sl_error_set(err, SL_EUNSUPPORTED, "images of %d channels", set->channels);
    if (!st)
        st = draw_examples(a, set, human, err);
    if (!st)
        cli_show_figure_files(a->out, a->common.json);
    sl_targets_destroy(human);
    sl_dataset_destroy(set);
    sl_data_close(data);
    return st;
}

int cli_report_examples(const cli_command *self, int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "images", KEY_IMAGES, "N,N...", 0,
          "numbers in the set (two that people agree on, two that they don't)", 0 },
        { "labels", KEY_LABELS, "PATH", 0,
          "folder of labels, or npy of counts or proportions (the data folder's)", 0 },
        { "set", KEY_SET, "NAME", 0, "train, test, v4, v6 (test)", 0 },
        { "out", KEY_OUT, "PATH", 0, "folder/name of the figure, without ending (examples)", 0 },
        { 0 },
    };
    static const struct argp argp = { .options = options, .parser = parse_examples };
    examples_args a = { .out = "examples", .set = SL_SET_TEST };
    sl_error err;
    const int code = cli_parse(self, &argp, argc, argv, &a);
    return code ? code : cli_end(&a.common, examples(&a, &err), &err);
}

/* ---- confusion ---- */

typedef struct {
    cli_options common; /* first */
    const char *path, *out, *hard_labels;
} confusion_args;

static error_t parse_confusion(int key, char *text, struct argp_state *state)
{
    confusion_args *a = state->input;
    switch (key) {
    case KEY_OUT:
        a->out = text;
        return 0;
    case KEY_HARD_LABELS:
        a->hard_labels = text;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            return ARGP_ERR_UNKNOWN;
        a->path = text;
        return 0;
    case ARGP_KEY_END:
        if (!a->path && a->hard_labels)
            return cli_usage(state, "--hard-labels FILE goes with LABELS, an npy of counts");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static sl_status confusion(const confusion_args *a, sl_error *err)
{
    cli_label_set set;
    sl_labels_description d = { 0 };
    cli_class_names room;
    char caption[300];
    sl_status st = a->path ? cli_label_set_open(&set, a->path, a->hard_labels, err)
                           : cli_label_set_open_data(&set, &a->common, err);
    if (st)
        return st;
    if (!set.view.truth)
        st = cli_label_set_take_truth(&set, &a->common, err);
    if (!st)
        st = sl_labels_describe(&d, &set.view, err);
    if (st)
        goto done;
    int64_t n = 0;
    for (int i = 0; i < d.n_classes * d.n_classes; i++)
        n += d.confusion[i];
    snprintf(caption, sizeof caption,
             "%% of each true label's judgments; %lld judgments of %zu images; counts %.12s",
             (long long)n, d.image_accuracy.n, set.sha256);
    st = sl_confusion_draw(a->out, d.confusion, d.n_classes, cli_name_classes(&room, d.n_classes),
                           caption, err);
    if (!st)
        cli_show_figure_files(a->out, a->common.json);
done:
    sl_labels_description_release(&d);
    cli_label_set_release(&set);
    return st;
}

int cli_report_confusion(const cli_command *self, int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "hard-labels", KEY_HARD_LABELS, "FILE", 0,
          "npy of the true labels, for an npy of counts (the test set's)", 0 },
        { "out", KEY_OUT, "PATH", 0, "folder/name of the figure, without ending (confusion)", 0 },
        { 0 },
    };
    static const struct argp argp = { .options = options,
                                      .parser = parse_confusion,
                                      .args_doc = "[LABELS]" };
    confusion_args a = { .out = "confusion" };
    sl_error err;
    const int code = cli_parse(self, &argp, argc, argv, &a);
    return code ? code : cli_end(&a.common, confusion(&a, &err), &err);
}
