/* Opening and checking a study. */
#include "study/study.h"
#include "base/file.h"
#include <stdlib.h>
#include <string.h>

/* Config and images, as far as they can be had; *opened says that the images can be released. */
static sl_status read_all(sl_study_config *config, sl_images *images, const char *dir,
                          const sl_study_data *data, sl_mistakes *mistakes, sl_error *err)
{
    sl_status st = sl_study_config_read(config, dir, mistakes, err);
    if (st)
        return st;
    st = sl_images_open(images, config, dir, data, mistakes, err);
    if (st)
        sl_study_config_release(config);
    return st;
}

sl_status sl_study_check(const char *dir, const sl_study_data *data, sl_study_mistake_fn *tell,
                         void *user, size_t *n_mistakes, sl_error *err)
{
    sl_study_config config;
    sl_images images;
    sl_mistakes mistakes = { 0 };
    *n_mistakes = 0;
    sl_status st = read_all(&config, &images, dir, data, &mistakes, err);
    if (!st) {
        st = sl_images_check_files(&images, &mistakes, err);
        sl_images_release(&images);
        sl_study_config_release(&config);
    }
    if (!st) {
        for (size_t i = 0; i < sl_mistakes_lines(&mistakes); i++)
            tell(user, mistakes.lines[i]);
        *n_mistakes = mistakes.n;
        if (mistakes.n > 0)
            st = sl_error_set(err, SL_EFORMAT, "%zu mistake%s", mistakes.n,
                              mistakes.n == 1 ? "" : "s");
    }
    sl_mistakes_release(&mistakes);
    return st ? sl_error_at(err, st, "%s", dir) : SL_OK;
}

sl_status sl_study_check_files(const sl_study *study, sl_error *err)
{
    sl_mistakes mistakes = { 0 };
    sl_status st = sl_images_check_files(&study->images, &mistakes, err);
    if (!st)
        st = sl_mistakes_status(&mistakes, err);
    sl_mistakes_release(&mistakes);
    return st;
}

static sl_status open_into(sl_study *study, const char *dir, const sl_study_data *data,
                           sl_error *err)
{
    char *key = NULL;
    sl_mistakes mistakes = { 0 };
    sl_status st = sl_path_join(&study->dir, dir, "", err);
    if (!st)
        st = sl_path_join(&study->database, dir, "study.db", err);
    if (!st)
        st = sl_path_join(&key, dir, "study.key", err);
    if (!st)
        st = read_all(&study->config, &study->images, dir, data, &mistakes, err);
    if (!st)
        st = sl_mistakes_status(&mistakes, err);
    if (st)
        st = sl_error_at(err, st, "%s", dir);
    if (!st)
        st = sl_secret_open(&study->secret, key, err);
    if (!st)
        st = sl_admin_password(&study->secret, study->password, err);
    sl_mistakes_release(&mistakes);
    free(key);
    return st;
}

sl_status sl_study_open(sl_study **out, const char *dir, const sl_study_data *data, sl_error *err)
{
    sl_study *study;
    *out = NULL;
    sl_status st = sl_alloc(&study, 1, sizeof *study, err);
    if (st)
        return st;
    st = open_into(study, dir, data, err);
    if (st)
        sl_study_close(study);
    else
        *out = study;
    return st;
}

void sl_study_close(sl_study *study)
{
    if (!study)
        return;
    sl_images_release(&study->images);
    sl_study_config_release(&study->config);
    free(study->dir);
    free(study->database);
    free(study);
}

void sl_study_admin_password(const sl_study *study, char out[33])
{
    memcpy(out, study->password, sizeof study->password);
}
