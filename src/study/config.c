/* Reading study.json strictly: every member is known, present and in range, or it's a mistake. */
#include "study/config.h"
#include "base/file.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES ((size_t)4 << 20)
#define TEXT_MAX_BYTES 4000

const char *const sl_source_names[] = { "synthetic", "cifar10", "folder", NULL };
const char *const sl_recruitment_names[] = { "open", "mturk", "prolific", NULL };
const char *const sl_pool_names[SL_POOLS] = { "images", "practice_images", "attention_images" };

const sl_wording_member sl_wording_members[] = {
    { "consent", true },
    { "consent_button", false },
    { "instructions", true },
    { "instructions_button", false },
    { "practice", true },
    { "practice_failed", true },
    { "practice_excluded", true },
    { "task", true },
    { "pause", true },
    { "continue_button", false },
    { "right", false },
    { "wrong", false },
    { "debriefing", true },
    { "code", false },
    { "full", true },
    { "already", true },
    { "preview", true },
    { "offline", false },
    { "not_stored", false },
    { "image_failed", false },
    { "retry_button", false },
    { "submit_button", false },
    { "finish_button", false },
    { NULL, false },
};

/* ---- members, one at a time; with object NULL (told elsewhere) they do nothing ---- */

static json_t *get_object(sl_mistakes *m, const json_t *parent, const char *key)
{
    json_t *object = json_object_get(parent, key);
    if (object && json_is_object(object))
        return object;
    sl_mistakes_add(m, "%s: %s", key, object ? "isn't an object in braces" : "is missing");
    return NULL;
}

static int64_t get_whole(sl_mistakes *m, const json_t *object, const char *where, const char *key,
                         int64_t min, int64_t max)
{
    int64_t value = min;
    sl_error err;
    if (object && sl_json_get_int(object, key, min, max, &value, &err))
        sl_mistakes_add_error(m, where, &err);
    return value;
}

static double get_number(sl_mistakes *m, const json_t *object, const char *where, const char *key,
                         double min, double max)
{
    double value = min;
    sl_error err;
    if (!object)
        return min;
    if (sl_json_get_number(object, key, &value, &err))
        sl_mistakes_add_error(m, where, &err);
    else if (!(value >= min && value <= max))
        sl_mistakes_add(m, "%s: member '%s' is %g, expected %g to %g", where, key, value, min, max);
    return value;
}

static bool get_bool(sl_mistakes *m, const json_t *object, const char *where, const char *key)
{
    bool value = false;
    sl_error err;
    if (object && sl_json_get_bool(object, key, &value, &err))
        sl_mistakes_add_error(m, where, &err);
    return value;
}

static const char *get_text(sl_mistakes *m, const json_t *object, const char *where,
                            const char *key)
{
    const char *text = "";
    sl_error err;
    if (!object)
        return "";
    if (sl_json_get_string(object, key, &text, &err)) {
        sl_mistakes_add_error(m, where, &err);
        return "";
    }
    if (strlen(text) > TEXT_MAX_BYTES)
        sl_mistakes_add(m, "%s: member '%s' is longer than %d bytes", where, key, TEXT_MAX_BYTES);
    return text;
}

/* A text that says something. */
static const char *get_words(sl_mistakes *m, const json_t *object, const char *where,
                             const char *key)
{
    const char *text = get_text(m, object, where, key);
    if (object && !*text && json_is_string(json_object_get(object, key)))
        sl_mistakes_add(m, "%s: member '%s' is empty", where, key);
    return text;
}

static int get_choice(sl_mistakes *m, const json_t *object, const char *where, const char *key,
                      const char *const *choices)
{
    const char *text = get_words(m, object, where, key);
    char known[120] = "";
    for (int i = 0; choices[i]; i++) {
        if (strcmp(choices[i], text) == 0)
            return i;
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s'%s'", i ? ", " : "", choices[i]);
    }
    if (*text)
        sl_mistakes_add(m, "%s: member '%s' is '%s', expected %s", where, key, text, known);
    return 0;
}

/* known: names parted by blanks. A name that starts with "#" is a comment. */
static void check_members(sl_mistakes *m, json_t *object, const char *where, const char *known)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        const char *at = known;
        size_t n = strlen(key);
        bool found = key[0] == '#';
        while (!found && (at = strstr(at, key))) {
            found = (at == known || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0') && n > 0;
            at += n > 0 ? n : 1;
            if (n == 0)
                break;
        }
        if (!found)
            sl_mistakes_add(m, "%s: member '%s' is unknown; there are: %s", where, key, known);
    }
}

/* ---- parts ---- */

static sl_status read_classes(sl_study_config *c, sl_mistakes *m, sl_error *err)
{
    json_t *list = json_object_get(c->json, "classes"), *item;
    size_t n = json_array_size(list), i;
    if (n < SL_STUDY_MIN_CLASSES || n > SL_STUDY_MAX_CLASSES) {
        sl_mistakes_add(m, "classes: expected a list of %d to %d names", SL_STUDY_MIN_CLASSES,
                        SL_STUDY_MAX_CLASSES);
        return SL_OK;
    }
    sl_status st = sl_arena_alloc(&c->memory, &c->classes, n, sizeof *c->classes, err);
    if (st)
        return st;
    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(item);
        if (!name || !*name || strlen(name) > 40)
            sl_mistakes_add(m, "classes: number %zu isn't a name of 1 to 40 bytes", i + 1);
        c->classes[i] = name ? name : "";
        for (size_t j = 0; name && j < i; j++)
            if (strcmp(c->classes[j], name) == 0)
                sl_mistakes_add(m, "classes: '%s' is there twice", name);
    }
    c->n_classes = (int)n;
    return SL_OK;
}

static sl_status read_index(sl_study_config *c, sl_pool_config *pool, json_t *object,
                            const char *where, sl_mistakes *m, sl_error *err)
{
    json_t *list = json_object_get(object, "index"), *item;
    size_t i;
    if (!list)
        return SL_OK;
    pool->n_index = json_array_size(list);
    if (pool->n_index == 0) {
        sl_mistakes_add(m, "%s: member 'index' isn't a list of image numbers", where);
        return SL_OK;
    }
    sl_status st =
        sl_arena_alloc(&c->memory, &pool->index, pool->n_index, sizeof *pool->index, err);
    if (st)
        return st;
    json_array_foreach(list, i, item)
    {
        json_int_t value = json_is_integer(item) ? json_integer_value(item) : -1;
        if (value < 0 || value > UINT32_MAX) {
            sl_mistakes_add(m, "%s: number %zu of 'index' isn't an image's number", where, i + 1);
            value = 0;
        }
        pool->index[i] = (uint32_t)value;
    }
    return SL_OK;
}

static sl_status read_pool(sl_study_config *c, sl_pool_id id, sl_mistakes *m, sl_error *err)
{
    static const char *const sets[] = { "test", "train", NULL };
    sl_pool_config *pool = &c->pool[id];
    const char *where = sl_pool_names[id];
    json_t *object = get_object(m, c->json, where);
    if (!object)
        return SL_OK;
    pool->source = (sl_source)get_choice(m, object, where, "source", sl_source_names);
    switch (pool->source) {
    case SL_SOURCE_SYNTHETIC:
        check_members(m, object, where, "source count");
        break;
    case SL_SOURCE_CIFAR10:
        check_members(m, object, where, "source set count index");
        pool->set = sets[get_choice(m, object, where, "set", sets)];
        break;
    case SL_SOURCE_FOLDER:
        check_members(m, object, where, "source folder");
        pool->folder = get_words(m, object, where, "folder");
        break;
    }
    if (pool->source == SL_SOURCE_SYNTHETIC ||
        (pool->source == SL_SOURCE_CIFAR10 && json_object_get(object, "count")))
        pool->count = (uint32_t)get_whole(m, object, where, "count", 1, 1000000);
    return pool->source == SL_SOURCE_CIFAR10 ? read_index(c, pool, object, where, m, err) : SL_OK;
}

static void read_task(sl_study_config *c, sl_mistakes *m)
{
    json_t *task = get_object(m, c->json, "task");
    check_members(m, task, "task", "images_per_participant target_judgments pause_every smooth");
    c->images_per_participant = (int)get_whole(m, task, "task", "images_per_participant", 1, 5000);
    c->target = (int)get_whole(m, task, "task", "target_judgments", 1, 100000);
    c->pause_every = (int)get_whole(m, task, "task", "pause_every", 0, 10000);
    c->smooth = get_bool(m, task, "task", "smooth");

    json_t *practice = get_object(m, c->json, "practice");
    check_members(m, practice, "practice", "blocks images_per_block pass max_attempts");
    c->practice_blocks = (int)get_whole(m, practice, "practice", "blocks", 0, 20);
    c->practice_images = (int)get_whole(m, practice, "practice", "images_per_block", 1, 500);
    c->practice_attempts = (int)get_whole(m, practice, "practice", "max_attempts", 1, 100);
    c->practice_pass = get_number(m, practice, "practice", "pass", 0, 1);

    json_t *attention = get_object(m, c->json, "attention");
    check_members(m, attention, "attention", "every pass");
    c->attention_every = (int)get_whole(m, attention, "attention", "every", 0, 5000);
    c->attention_pass = get_number(m, attention, "attention", "pass", 0, 1);
}

static bool is_web_address(const char *text)
{
    return (strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0) &&
           !strpbrk(text, " \"'<>\\;,\t\r\n");
}

static void read_recruitment(sl_study_config *c, sl_mistakes *m)
{
    static const char where[] = "recruitment";
    json_t *object = get_object(m, c->json, where), *item;
    size_t i;
    c->recruitment = (sl_recruitment)get_choice(m, object, where, "kind", sl_recruitment_names);
    if (c->recruitment == SL_RECRUIT_OPEN) {
        check_members(m, object, where, "kind");
    } else if (c->recruitment == SL_RECRUIT_PROLIFIC) {
        check_members(m, object, where, "kind completion_url");
        c->completion_url = get_text(m, object, where, "completion_url");
        if (!is_web_address(c->completion_url))
            sl_mistakes_add(m, "%s: member 'completion_url' isn't a web address (https://...)",
                            where);
        else if (strstr(c->completion_url, SL_PROLIFIC_CODE))
            sl_mistakes_add(m,
                            "%s: put the completion code that Prolific gave your study in place of "
                            "'" SL_PROLIFIC_CODE "'",
                            where);
    } else {
        check_members(m, object, where, "kind submit_to");
        c->submit_to = json_object_get(object, "submit_to");
        if (json_array_size(c->submit_to) == 0)
            sl_mistakes_add(m, "%s: member 'submit_to' isn't a list of MTurk's addresses", where);
        json_array_foreach((json_t *)c->submit_to, i, item)
        {
            const char *text = json_string_value(item);
            const char *host = text && is_web_address(text) ? strstr(text, "://") + 3 : NULL;
            if (!host || strchr(host, '/'))
                sl_mistakes_add(m,
                                "%s: number %zu of 'submit_to' isn't an address such as "
                                "'https://www.mturk.com', with nothing behind the host",
                                where, i + 1);
        }
    }
}

static void read_wording(sl_study_config *c, sl_mistakes *m)
{
    json_t *wording = get_object(m, c->json, "wording"), *item;
    const char *key;
    size_t i;
    c->wording = wording;
    for (const sl_wording_member *w = sl_wording_members; wording && w->name; w++) {
        json_t *value = json_object_get(wording, w->name);
        if (!w->paragraphs) {
            get_words(m, wording, "wording", w->name);
            continue;
        }
        if (json_array_size(value) == 0)
            sl_mistakes_add(m, "wording: member '%s' isn't a list of paragraphs", w->name);
        json_array_foreach(value, i, item) if (!json_is_string(item) ||
                                               json_string_length(item) > TEXT_MAX_BYTES)
            sl_mistakes_add(m, "wording: paragraph %zu of '%s' isn't a text of up to %d bytes",
                            i + 1, w->name, TEXT_MAX_BYTES);
    }
    json_object_foreach(wording, key, item)
    {
        const sl_wording_member *w = sl_wording_members;
        while (w->name && strcmp(w->name, key) != 0)
            w++;
        if (!w->name && key[0] != '#')
            sl_mistakes_add(m, "wording: member '%s' is unknown", key);
    }
}

static void read_rest(sl_study_config *c, sl_mistakes *m)
{
    check_members(m, c->json, SL_STUDY_FILE,
                  "$schema format title language seed classes images practice_images "
                  "attention_images task practice "
                  "attention idle_minutes payment recruitment wording");
    const char *format = get_words(m, c->json, SL_STUDY_FILE, "format");
    if (*format && strcmp(format, SL_STUDY_FORMAT) != 0)
        sl_mistakes_add(m, "format: is '%s', expected '" SL_STUDY_FORMAT "'", format);
    c->title = get_words(m, c->json, SL_STUDY_FILE, "title");
    c->language = get_words(m, c->json, SL_STUDY_FILE, "language");
    c->seed = (uint64_t)get_whole(m, c->json, SL_STUDY_FILE, "seed", 0, INT64_MAX);
    c->idle_minutes = get_number(m, c->json, SL_STUDY_FILE, "idle_minutes", 0.01, 100000);

    json_t *payment = get_object(m, c->json, "payment");
    check_members(m, payment, "payment", "text amount currency");
    get_text(m, payment, "payment", "text");
    c->payment = get_number(m, payment, "payment", "amount", 0, 1e6);
    c->currency = get_text(m, payment, "payment", "currency");
}

sl_status sl_study_config_read(sl_study_config *config, const char *dir, sl_mistakes *mistakes,
                               sl_error *err)
{
    char *path = NULL;
    memset(config, 0, sizeof *config);
    sl_status st = sl_path_join(&path, dir, SL_STUDY_FILE, err);
    if (!st)
        st = sl_json_read(&config->json, path, FILE_MAX_BYTES, err);
    free(path);
    if (!st)
        st = read_classes(config, mistakes, err);
    for (int p = 0; p < SL_POOLS && !st; p++)
        st = read_pool(config, (sl_pool_id)p, mistakes, err);
    if (st) {
        sl_study_config_release(config);
        return st;
    }
    read_task(config, mistakes);
    read_recruitment(config, mistakes);
    read_wording(config, mistakes);
    read_rest(config, mistakes);
    return SL_OK;
}

void sl_study_config_release(sl_study_config *config)
{
    json_decref(config->json);
    sl_arena_release(&config->memory);
    memset(config, 0, sizeof *config);
}

int sl_study_checks(const sl_study_config *config)
{
    return config->attention_every > 0 ? config->images_per_participant / config->attention_every
                                       : 0;
}

int sl_study_task_trials(const sl_study_config *config)
{
    return config->images_per_participant + sl_study_checks(config);
}
