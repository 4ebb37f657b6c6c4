/* `study new`: a study.json with every member filled in. */
#include "base/file.h"
#include "data/synth.h"
#include "study/config.h"
#include "study/embed.h"
#include "study/streams.h"
#include <stdlib.h>
#include <string.h>

#define PRACTICE_IMAGES 1000 /* of the training set */
#define CHECKS_OF_A_CLASS 10
#define SYNTHETIC_IMAGES 400

SL_EMBED(sl_study_schema, SL_STUDY_SCHEMA);

/* ---- the texts ---- */

static json_t *paragraphs(const char *a, const char *b, const char *c)
{
    json_t *list = json_array();
    const char *const texts[] = { a, b, c };
    for (size_t i = 0; i < 3 && texts[i]; i++)
        json_array_append_new(list, json_string(texts[i]));
    return list;
}

static json_t *make_wording(void)
{
    return json_pack(
        "{s:o, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:o,"
        " s:s, s:s, s:s, s:s, s:s, s:s}",
        "consent",
        paragraphs(
            "You are invited to take part in a study of how people see pictures. You will "
            "look at small pictures and say what each shows. It takes about 15 minutes. "
            "{payment}",
            "We store which label you press and how long you take, and nothing that says who "
            "you are. The anonymous answers may be published for research.",
            "Taking part is voluntary: you may stop at any time by closing this page. By "
            "pressing the button you confirm that you are 18 or older, have read this, and "
            "agree to take part."),
        "consent_button", "I agree", "instructions",
        paragraphs(
            "You will see one picture at a time in the middle of a ring of labels. Press the "
            "label that says best what the picture shows.",
            "The pictures are small and blurry, so some are hard. Answer as quickly and "
            "accurately as you can; there is no time limit.",
            "You can click or touch a label. On a keyboard, move along the ring with the "
            "arrow keys and press Enter."),
        "instructions_button", "Continue", "practice",
        paragraphs(
            "First some practice: {practice_trials} pictures. You are told after each one whether "
            "you were right.",
            "They come in blocks of {practice_images}. To go on you need at least "
            "{practice_pass}% right in each block.",
            NULL),
        "practice_failed",
        paragraphs("You had {right} of {total} right. Please try this block once more: you need at "
                   "least {practice_pass}% to go on.",
                   NULL, NULL),
        "practice_excluded",
        paragraphs("Thank you. The practice has not been passed, so the study ends here for you.",
                   NULL, NULL),
        "task",
        paragraphs("The practice is over. Now come {trials} pictures, and you are no longer told "
                   "whether you were right.",
                   NULL, NULL),
        "pause", paragraphs("You may take a short break. Go on when you are ready.", NULL, NULL),
        "continue_button", "Continue", "right", "Right", "wrong", "It was: {answer}", "debriefing",
        paragraphs("Thank you! You have finished.",
                   "People often disagree about what a blurry picture shows. From the answers of "
                   "many people we learn how certain each picture is, and whether computers can be "
                   "taught to be uncertain about the same pictures as people.",
                   NULL),
        "code", "Your completion code:", "full",
        paragraphs("Thank you for your interest. We have all the participants that we need at the "
                   "moment; a place may become free later.",
                   NULL, NULL),
        "already", paragraphs("You have already taken part in this study. Thank you!", NULL, NULL),
        "preview", paragraphs("This is a preview. Accept the task to begin.", NULL, NULL),
        "offline", "The connection is lost. Your answers are kept and will be sent again.",
        "not_stored",
        "Your answers can't be stored at the moment. They are kept and will be sent again.",
        "image_failed", "The picture can't be loaded.", "retry_button", "Try again",
        "submit_button", "Submit", "finish_button", "Finish");
}

/* ---- the images ---- */

static json_t *class_list(const char *const *names, int n)
{
    json_t *list = json_array();
    for (int k = 0; k < n; k++)
        json_array_append_new(list, json_string(names[k]));
    return list;
}

static sl_status synthetic_images(json_t *study, sl_error *err)
{
    static const json_int_t counts[SL_POOLS] = { SYNTHETIC_IMAGES, 200, 50 };
    for (int p = 0; p < SL_POOLS; p++)
        json_object_set_new(study, sl_pool_names[p],
                            json_pack("{s:s, s:I}", "source", "synthetic", "count", counts[p]));
    json_t *classes = class_list(sl_synth_class_names, SL_CIFAR_CLASSES);
    if (json_object_set_new(study, "classes", classes))
        return sl_error_set(err, SL_ENOMEM, "out of memory for a study");
    return SL_OK;
}

/* Test images that everybody called the same as CIFAR-10 does: CHECKS_OF_A_CLASS of each class. */
static sl_status unambiguous(json_t *index, const sl_dataset *set, const sl_targets *human,
                             uint64_t seed, sl_error *err)
{
    uint32_t *order = NULL;
    int taken[SL_CIFAR_CLASSES] = { 0 };
    sl_status st = sl_alloc(&order, set->n, sizeof *order, err);
    if (st)
        return st;
    for (size_t i = 0; i < set->n; i++)
        order[i] = (uint32_t)i;
    sl_random r = sl_study_stream(seed, SL_STREAM_NEW, 0, 0);
    sl_random_shuffle(&r, order, set->n);
    for (size_t i = 0; i < set->n; i++) {
        const int label = set->labels[order[i]];
        const double agreed = human->p64[(size_t)order[i] * SL_CIFAR_CLASSES + (size_t)label];
        if (agreed < 1 || taken[label] == CHECKS_OF_A_CLASS)
            continue;
        taken[label]++;
        json_array_append_new(index, json_integer(order[i]));
    }
    free(order);
    return SL_OK;
}

static sl_status cifar_images(json_t *study, sl_data *data, uint64_t seed, sl_error *err)
{
    sl_dataset *set = NULL;
    sl_targets *human = NULL;
    json_t *index = json_array();
    sl_status st = sl_data_read(data, SL_SET_TEST, &set, err);
    if (!st)
        st = sl_data_read_human(data, &human, err);
    if (!st)
        st = unambiguous(index, set, human, seed, err);
    if (!st) {
        json_object_set_new(study, sl_pool_names[SL_POOL_IMAGES],
                            json_pack("{s:s, s:s}", "source", "cifar10", "set", "test"));
        json_object_set_new(study, sl_pool_names[SL_POOL_PRACTICE],
                            json_pack("{s:s, s:s, s:i}", "source", "cifar10", "set", "train",
                                      "count", PRACTICE_IMAGES));
        json_object_set_new(
            study, sl_pool_names[SL_POOL_ATTENTION],
            json_pack("{s:s, s:s, s:O}", "source", "cifar10", "set", "test", "index", index));
        json_object_set_new(study, "classes", class_list(set->class_names, set->classes));
    }
    json_decref(index);
    sl_targets_destroy(human);
    sl_dataset_destroy(set);
    return st;
}

/* *data is NULL when the usual places don't have all that the paper's experiment needs; for a
 * folder that was named, that's an error. */
static sl_status find_cifar(sl_data **data, const sl_study_data *from, sl_error *err)
{
    sl_status st = sl_data_open(data, from->dir, from->unpack_dir, err);
    if (!st && (strcmp(sl_data_kind(*data), "cifar10") != 0 || !sl_data_has(*data, SL_SET_TEST) ||
                !sl_data_has(*data, SL_SET_TRAIN) || !sl_data_has_human(*data))) {
        st = sl_error_set(err, SL_ENOTFOUND,
                          "'%s' lacks a part of CIFAR-10 or CIFAR-10H, by whose judgments the "
                          "attention checks are chosen: see 'softlabel data info', or take "
                          "--synthetic",
                          sl_data_folder(*data));
        sl_data_close(*data);
        *data = NULL;
    }
    return from->dir ? st : SL_OK;
}

/* The author names the classes; practice and attention images lie beside the others. */
static sl_status folder_images(json_t *study, const char *folder, sl_error *err)
{
    static const char *const behind[SL_POOLS] = { "images", "practice", "attention" };
    for (int p = 0; p < SL_POOLS; p++) {
        char *path = NULL;
        sl_status st = sl_path_join(&path, folder, behind[p], err);
        if (st)
            return st;
        json_object_set_new(study, sl_pool_names[p],
                            json_pack("{s:s, s:s}", "source", "folder", "folder", path));
        free(path);
    }
    json_object_set_new(study, "classes", json_array());
    return SL_OK;
}

/* ---- the rest ---- */

static json_t *recruitment_of(const char *kind)
{
    if (strcmp(kind, "mturk") == 0)
        return json_pack("{s:s, s:[s, s]}", "kind", kind, "submit_to", "https://www.mturk.com",
                         "https://workersandbox.mturk.com");
    if (strcmp(kind, "prolific") == 0)
        return json_pack("{s:s, s:s}", "kind", kind, "completion_url",
                         "https://app.prolific.com/submissions/complete?cc=" SL_PROLIFIC_CODE);
    return json_pack("{s:s}", "kind", "open");
}

static void fill(json_t *study, const sl_study_new_options *o, bool small)
{
    const int images = o->images_per_participant ? o->images_per_participant : small ? 100 : 200;
    json_object_set_new(study, "title", json_string(o->title ? o->title : "What do you see?"));
    json_object_set_new(study, "language", json_string("en"));
    json_object_set_new(study, "seed", json_integer((json_int_t)o->seed));
    json_object_set_new(study, "task",
                        json_pack("{s:i, s:i, s:i, s:b}", "images_per_participant", images,
                                  "target_judgments", o->target ? o->target : 50, "pause_every", 70,
                                  "smooth", 0));
    json_object_set_new(study, "practice",
                        json_pack("{s:i, s:i, s:f, s:i}", "blocks", 3, "images_per_block", 20,
                                  "pass", 0.75, "max_attempts", 10));
    json_object_set_new(study, "attention", json_pack("{s:i, s:f}", "every", 20, "pass", 0.75));
    json_object_set_new(study, "idle_minutes", json_integer(60));
    json_object_set_new(study, "payment",
                        json_pack("{s:s, s:f, s:s}", "text", "You are paid $1.50 for it.", "amount",
                                  1.5, "currency", "USD"));
    json_object_set_new(study, "recruitment",
                        recruitment_of(o->recruitment ? o->recruitment : "open"));
    json_object_set_new(study, "wording", make_wording());
}

/* study.json, and beside it the schema by which editors explain and check its members. */
static sl_status write_study(const char *dir, const json_t *study, sl_error *err)
{
    char *path = NULL, *schema = NULL;
    sl_status st = sl_make_directories(dir, err);
    if (!st)
        st = sl_path_join(&path, dir, SL_STUDY_FILE, err);
    if (!st)
        st = sl_path_join(&schema, dir, SL_STUDY_SCHEMA_FILE, err);
    if (!st && sl_file_exists(path)) {
        sl_error_set(err, SL_EINVAL, "there is a study already; name another folder");
        st = sl_error_at(err, SL_EINVAL, "%s", path);
    }
    if (!st)
        st = sl_file_write(schema, sl_study_schema, (size_t)(sl_study_schema_end - sl_study_schema),
                           err);
    if (!st)
        st = sl_json_write(path, study, err);
    free(schema);
    free(path);
    return st;
}

sl_status sl_study_new(const char *dir, const sl_study_new_options *options,
                       const sl_study_data *data, const char **what, sl_error *err)
{
    sl_data *cifar = NULL;
    sl_status st;
    json_t *study = json_pack("{s:s, s:s}", "$schema", SL_STUDY_SCHEMA_FILE, "format",
                              SL_STUDY_FORMAT); /* first in the file */
    if (!study)
        return sl_error_set(err, SL_ENOMEM, "out of memory for a study");
    st = options->folder || options->synthetic ? SL_OK : find_cifar(&cifar, data, err);
    if (!st && options->folder) {
        *what = "a folder of images: fill in \"classes\"";
        st = folder_images(study, options->folder, err);
    } else if (!st && cifar) {
        *what = "CIFAR-10's test images";
        st = cifar_images(study, cifar, options->seed, err);
    } else if (!st) {
        *what = options->synthetic ? "synthetic images"
                                   : "synthetic images, as no CIFAR-10 with CIFAR-10H was found";
        st = synthetic_images(study, err);
    }
    fill(study, options, !options->folder && !cifar);
    if (!st)
        st = write_study(dir, study, err);
    json_decref(study);
    sl_data_close(cifar);
    return st;
}
